# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the engine asks of an array. The one behind it speaks CIM/WBEM; tests bring a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Callable, Protocol

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Capabilities,
    CopyType,
    Outcome,
    Pair,
    Session,
    Volume,
)

#: Makes what a request happens inside.
Around = Callable[[], AbstractContextManager[None]]


class Array(Protocol):
    """One array. Never two changing calls in flight; whoever reads right after a change may see a stale list.

    A changing call answers one :class:`Outcome` a pair, in order. It raises only what concerns the whole
    (``array_unreachable``, ``not_authorized``, ``tls_failed``, ``protocol_mismatch``): the caller must then look
    before it acts again, since the array may have done it. With list support a request is one round trip and all or
    nothing; else one round trip a pair.
    """

    @property
    def serial(self) -> str:
        """Return IdentifyingNumber, e.g. ``ET603SA4621302115``."""

    @property
    def round_trips(self) -> int:
        """Return how many requests were sent so far."""

    def capabilities(self) -> Capabilities:
        """Return what it can do; asked once."""

    def volumes(self) -> Sequence[Volume]:
        """Return every volume but hidden ones, by one enumeration."""

    def find_volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return volumes by name, DeviceID or ``wwn-0x...``; what is not there is left out."""

    def sessions(self) -> Sequence[Session]:
        """Return every copy session, by one enumeration however many are wanted."""

    def guarded(self, around: Around) -> AbstractContextManager[None]:
        """Within the block, send each changing request inside ``around()``: what that raises keeps it back."""

    def start(self, copy_type: CopyType, pairs: Sequence[Pair], *, track: bool = False) -> Sequence[Outcome]:
        """Start copies from source to target. ``unsupported_copy`` where not offered. ``track``: QuickOPC."""

    def suspend(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Suspend equivalent EC/REC sessions, at one instant where lists are offered: both sides are independent."""

    def resume(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Copy the differences of suspended (or tracked) sessions and go on."""

    def release(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """End sessions; one that is not there counts as ended."""
