# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an array is made of, as values: volumes, copy sessions, capabilities. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


class CopyType(str, Enum):
    """The kind of a copy session (behaviour.md §1)."""

    EC = "EC"
    REC = "REC"
    OPC = "OPC"
    ROPC = "ROPC"
    QUICK_OPC = "QuickOPC"
    SNAP_OPC = "SnapOPC"

    @property
    def remote(self) -> bool:
        """Tell whether source and target lie in two cabinets."""
        return self in (CopyType.REC, CopyType.ROPC)

    @property
    def mirror(self) -> bool:
        """Tell whether the copy is held equivalent."""
        return self in (CopyType.EC, CopyType.REC)


class SessionState(str, Enum):
    """The state of a copy session in the field's words (behaviour.md §1, §8)."""

    EXECUTING = "executing"  # the initial or a differential copy runs (OPC: the background copy)
    EQUIVALENT = "equivalent"  # EC/REC: every write follows
    SUSPENDED = "suspended"  # EC/REC: both sides independent, changes tracked
    TRACKING = "tracking"  # QuickOPC: copied, changes tracked
    RESTORING = "restoring"  # target -> source
    PAUSED = "paused"  # the background copy itself is held (CIM suspend)
    FAILED = "failed"  # broken, aborted, invalid
    UNKNOWN = "unknown"  # a CopyState that this version does not know


@dataclass(frozen=True, order=True)
class VolumeRef:
    """A volume's identity across arrays: the array's serial (IdentifyingNumber) and the DeviceID (32 hex digits)."""

    array: str
    device_id: str

    def __str__(self) -> str:
        return f"{self.array}/{self.device_id}"


@dataclass(frozen=True)
class Volume:
    """A volume of an array. ``path`` is its object path as a WBEM URI without host, kept to spare a look-up."""

    ref: VolumeRef
    name: str
    blocks: int
    block_size: int = 512
    thin: bool = False
    path: str = ""

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self.blocks * self.block_size

    @property
    def number(self) -> int:
        """Return the array's own volume number (array.md: digits 24..27 of the DeviceID)."""
        return int(self.ref.device_id[24:28], 16)

    @property
    def device_name(self) -> str:
        """Return the name below ``device_dir`` by which a host sees it."""
        return f"wwn-0x{self.ref.device_id.lower()}"


@dataclass(frozen=True)
class Pool:
    """A pool that volumes are made from. Sizes in bytes."""

    pool_id: str
    name: str
    thin: bool
    total: int
    remaining: int


@dataclass(frozen=True)
class Pair:
    """A source and a target of a copy."""

    source: Volume
    target: Volume

    @property
    def key(self) -> tuple[VolumeRef, VolumeRef]:
        """Return what identifies the session between them."""
        return (self.source.ref, self.target.ref)


@dataclass(frozen=True)
class Session:
    """A copy session as the array shows it. Times are UTC, None where the array does not tell."""

    source: VolumeRef
    target: VolumeRef
    copy_type: CopyType
    state: SessionState
    percent: int = 0
    synced_at: Optional[datetime] = None
    suspended_at: Optional[datetime] = None
    tracked: bool = False  # OPC only: the session stays after the copy (QuickOPC)
    path: str = ""

    @property
    def key(self) -> tuple[VolumeRef, VolumeRef]:
        """Return what identifies it: no property carries the array's own session id (array.md)."""
        return (self.source, self.target)


@dataclass(frozen=True)
class Capabilities:
    """What the array says it can do. ``max_sessions_per_source`` is None where it does not answer."""

    copies: frozenset[CopyType]
    create_list: bool = False
    modify_list: bool = False
    max_sessions_per_source: Optional[int] = None


@dataclass(frozen=True)
class Outcome:
    """What became of one pair in a request: ``error`` is None when the array accepted it."""

    pair: Pair
    error: Optional[BackupError] = None
