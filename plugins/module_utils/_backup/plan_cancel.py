# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cancel synchronization (behaviour.md §2): history is never touched. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_not_registered
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    FreeReserved,
    Plan,
    ReleaseCopy,
    Step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def plan_cancel(
    world: World, tvs: Sequence[VolumeRef], *, bvs: Collection[VolumeRef] = (), every: bool = False
) -> Plan:
    """Plan the end of sessions: the executing or equivalent (or broken) one; suspended ones only by their BV, or all.

    :param bvs: backup volumes whose sessions are to end, then no others; one that a restore reserved is released.
    :param every: ends the suspended sessions too.
    """
    steps: list[Step] = []
    missing = sorted(set(bvs) - set(world.volumes))
    refusals: list[BackupError] = [refuse_not_registered([bv.device_id]) for bv in missing]
    for tv in tvs:
        steps.extend(FreeReserved(tv, bv) for bv in bvs if _reserved(world, tv, bv))
        for session in world.mirrors_of(tv):
            if not _wanted(world, session, bvs, every):
                continue
            if not _ours(world, session):
                refusals.append(_refuse_foreign(world, session))
                continue
            steps.append(release(world, session))
    return Plan(tuple(steps), tuple(refusals))


def release(world: World, session: Session) -> ReleaseCopy:
    """Return the step that ends a session; its BV is freed only without a generation and a reader (behaviour.md §4)."""
    carries = world.backup_on(session.target, session.source) is not None
    free = not carries and not world.readers.get(session.target)
    return ReleaseCopy(session.source, session.target, session.copy_type, free=free)


def _reserved(world: World, tv: VolumeRef, bv: VolumeRef) -> bool:
    """Tell whether a BV is only reserved, as the target of a restore that has ended or been cancelled (§6)."""
    row = world.allocations.get(bv)
    mine = row is not None and row.tv == tv and row.copy_type is None
    return mine and not world.touching(bv) and not world.readers.get(bv)


def _wanted(world: World, session: Session, bvs: Collection[VolumeRef], every: bool) -> bool:
    if bvs:
        return session.target in bvs
    if every or session.state in (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED):
        return True
    return session == world.broken_mirror(session.source)


def _ours(world: World, session: Session) -> bool:
    allocation = world.allocations.get(session.target)
    return allocation is not None and allocation.tv == session.source


def _refuse_foreign(world: World, session: Session) -> BackupError:
    return BackupError(
        ErrorClass.VOLUME_RESERVED,
        f"The {session.copy_type.value} session of {world.name(session.source)} onto {world.name(session.target)} was "
        "not made by this catalog.",
        next_step="Adopt it with eternus_reconcile, or end it where it was started.",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
    )
