# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a run reads of a catalog that many arrays share: what lies near its volumes, whatever the other arrays hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, Policy, RegisteredVolume


@dataclass(frozen=True)
class Registered:
    """What one transaction shows. ``arrays``: those whose volumes and policies are all there; None: everything is."""

    volumes: Sequence[RegisteredVolume]
    policies: Sequence[Policy]
    allocations: Sequence[Allocation]
    arrays: Optional[frozenset[str]] = None


def everything(records: Records) -> Registered:
    """Read the whole catalog."""
    return Registered(records.volumes(), records.policies(), records.allocations())


def nearby(
    records: Records, arrays: Collection[str], tvs: Collection[VolumeRef], sessions: Iterable[Session]
) -> Registered:
    """Read what concerns these TVs: all that these arrays hold, and of others what they reach.

    That is: BVs and TVs at the other end of an allocation or a session, pinned BVs, policies that pin BVs here, and
    policies of the same ``sync_slot``. Unused BVs of other arrays are not there: :class:`BeyondSight` asks for them.
    """
    here = frozenset(arrays)
    elsewhere = set(records.serials()) - here
    if not elsewhere:
        return everything(records)
    allocations = {row.bv: row for row in records.allocations(arrays=here)}
    own = records.policies(tvs)
    policies = [
        *records.policies(arrays=here),
        *records.policies_beyond(here, {policy.sync_slot for policy in own if policy.sync_slot}),
    ]
    reached = {end for row in allocations.values() for end in (row.bv, row.tv)}
    reached.update(bv for policy in policies for bv in policy.pinned)
    reached.update(policy.tv for policy in policies)
    reached.update(end for session in sessions for end in session.key)
    far = {ref for ref in reached if ref.array in elsewhere}
    allocations.update({row.bv: row for row in records.allocations(bvs=far)})
    volumes = [*records.volumes(arrays=here), *records.volumes(far)]
    return Registered(volumes, policies, list(allocations.values()), here)


class BeyondSight(Exception):
    """A plan asks for an unused BV that may lie on an array that was not read: look at everything and plan again."""
