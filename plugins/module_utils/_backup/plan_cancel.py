# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cancel synchronization (behaviour.md §2): history is never touched. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_foreign,
    refuse_resumed,
    refuse_serves_another,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import RUNNING
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import idle_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    FreeVolume,
    Plan,
    ReleaseCopy,
    Step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def plan_cancel(
    world: World, tvs: Sequence[VolumeRef], *, bvs: Collection[VolumeRef] = (), every: bool = False
) -> Plan:
    """Plan the end of sessions: the executing or equivalent (or broken) one; suspended ones only by their BV, or all.

    :param bvs: backup volumes whose sessions are to end, then no others; one that a restore reserved is released.
    :param every: ends the suspended sessions too.
    """
    steps: list[Step] = []
    rows = {bv: world.allocations.get(bv) for bv in bvs}
    others = {bv: row.tv for bv, row in rows.items() if row is not None and row.tv not in tvs}
    refusals = [refuse_serves_another(world, tv, bv) for bv, tv in sorted(others.items())]
    for tv in tvs:
        steps.extend(idle_volumes(world, tv))
        steps.extend(FreeVolume(tv, bv) for bv in bvs if _reserved(world, tv, bv))
        for session in (*world.mirrors_of(tv), *_snapshots(world, tv)):
            if not _wanted(world, session, bvs, every):
                continue
            spoiled = world.resumed(session) if world.ours(session) else None
            if spoiled is not None:
                refusals.append(refuse_resumed(world, session, spoiled))
                continue
            if _carries_what_is_copied(world, session):
                if bvs:
                    refusals.append(_refuse_copying(world, session))
                continue
            if not world.ours(session) and session.target not in bvs:
                refusals.append(refuse_foreign(world, session))
                continue
            steps.append(release(world, session))
    return Plan(tuple(steps), tuple(refusals))


def _snapshots(world: World, tv: VolumeRef) -> tuple[Session, ...]:
    """Return the OPC, ROPC and QuickOPC sessions onto BVs of this TV."""
    found = (s for s in world.sessions.values() if s.source == tv and not s.copy_type.mirror)
    return tuple(session for session in found if world.ours(session))


def _carries_what_is_copied(world: World, session: Session) -> bool:
    """Tell whether the end of a session would spoil a generation: cancel never deletes history (behaviour.md §2)."""
    copying = not session.copy_type.mirror and session.state is not SessionState.TRACKING
    return copying and world.backup_on(session.target, session.source) is not None


def _refuse_copying(world: World, session: Session) -> BackupError:
    return BackupError(
        ErrorClass.BUSY,
        f"The {session.copy_type.value} copy of {world.name(session.source)} onto {world.name(session.target)} is "
        f"still {session.state.value} ({session.percent} %): its end would spoil the generation there.",
        next_step="Wait until it has ended, or delete that generation first (eternus_generation).",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
    )


def release(world: World, session: Session) -> ReleaseCopy:
    """Return the step that ends a session; its BV is freed only without a generation and a reader (behaviour.md §4)."""
    carries = world.backup_on(session.target, session.source) is not None
    free = not carries and not world.readers.get(session.target)
    return ReleaseCopy(session.source, session.target, session.copy_type, free=free)


def _reserved(world: World, tv: VolumeRef, bv: VolumeRef) -> bool:
    """Tell whether a BV is only reserved, as the target of a restore that has ended or been cancelled (§6)."""
    row, marker = world.allocations.get(bv), world.undefined.get(bv)
    mine = row is not None and row.tv == tv and row.copy_type is None
    # The list may not show yet the session of a restore that has just begun.
    begun = marker is not None and marker.reason == RUNNING and marker.since + SETTLED > world.now
    return mine and not begun and not world.touching(bv) and not world.readers.get(bv)


def _wanted(world: World, session: Session, bvs: Collection[VolumeRef], every: bool) -> bool:
    if bvs:
        return session.target in bvs
    if every:
        return True
    if not session.copy_type.mirror:
        return False
    if session.state in (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED):
        return True
    return session == world.broken_mirror(session.source)
