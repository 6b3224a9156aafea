# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Start synchronization: which BV, which copy, or why not (behaviour.md §2.1, §2.6, §3, §4). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.placing import (
    candidate,
    mirror_type,
    refuse_beyond_limit,
    refuse_still_borrowed,
    refuse_while_restored,
    refuse_without_volume,
    take_unused,
    untaped_on,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_broken,
    refuse_foreign,
    refuse_method,
    refuse_no_policy,
    refuse_resumed,
    refuse_slot_taken,
    refuse_undefined,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import idle_volumes, overdue_drops
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    Plan,
    ResumeCopy,
    StartCopy,
    Step,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Method,
    Policy,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError

#: The methods whose TVs may be synchronized; any other is refused, since a named method refuses what does not fit (§3).
SYNCHRONIZING = (Method.SYNCHRONIZED, Method.AUTO)


def plan_start(world: World, tvs: Sequence[VolumeRef], *, drop_untaped: bool = False) -> Plan:
    """Plan the start of every TV in turn; each sees what the ones before it took.

    :param drop_untaped: gives up a queued tape leg when its BV is the one that is needed.
    """
    steps: list[Step] = []
    refusals: list[BackupError] = []
    warnings: list[str] = []
    seen = world
    for tv in tvs:
        turn = _slot_holder(world, tv)
        if turn is not None and turn.source in tvs and world.active_mirror(tv) is None:
            warnings.append(_waits(world, tv, turn))
            continue
        try:
            mine = _plan_one(world, tv, drop_untaped, seen)
        except BackupError as refusal:
            refusals.append(refusal)
            continue
        world = project(world, mine)
        steps.extend(mine)
    return Plan(tuple(steps), tuple(refusals), tuple(warnings))


def _plan_one(world: World, tv: VolumeRef, drop_untaped: bool, seen: World) -> tuple[Step, ...]:
    policy = world.policies.get(tv)
    if policy is None:
        raise refuse_no_policy(world, tv)
    if tv in world.undefined:
        raise refuse_undefined(world, tv)
    if policy.method not in SYNCHRONIZING:
        raise refuse_method(world, policy, "takes no synchronization")
    active = world.active_mirror(tv)
    if active is not None:
        _refuse_strange(world, active)
    before: tuple[Step, ...] = (*overdue_drops(world, tv), *idle_volumes(world, tv))
    if active is not None:
        return before
    broken = world.broken_mirror(tv)
    if broken is not None:
        raise refuse_broken(world, broken)
    refuse_while_restored(world, tv)
    world = project(world, before)
    refuse_still_borrowed(world, policy)
    resumable = _resumable(world, tv, policy)
    turn = _slot_holder(world, tv)
    if turn is not None:
        raise refuse_slot_taken(world, policy, turn)
    ready = [session for session in resumable if not world.needed_by_tape(session.target, tv)]
    if ready:
        return (*before, _resume(ready[0]))
    fresh = _fresh(world, tv, policy)
    if fresh is not None:
        return (*before, fresh)
    if drop_untaped:
        giving_up = _giving_up(world, tv, policy, resumable)
        if giving_up is not None:
            return (*before, giving_up)
    raise refuse_without_volume(world, tv, policy, seen)


def _refuse_strange(world: World, active: Session) -> None:
    """Refuse a synchronization by other hands: one that the catalog does not know, or that spoils a generation."""
    if not world.ours(active):
        raise refuse_foreign(world, active)
    spoiled = world.resumed(active)
    if spoiled is not None:
        raise refuse_resumed(world, active, spoiled)


def _slot_holder(world: World, tv: VolumeRef) -> Optional[Session]:
    """Return the session of another TV of the same slot: they take turns, their BVs are counted so (§4)."""
    policy = world.policies.get(tv)
    if policy is None or not policy.sync_slot or policy.suspend:
        return None
    slot = [p.tv for p in world.policies.values() if p.sync_slot == policy.sync_slot and not p.suspend and p.tv != tv]
    return next((session for other in slot for session in [world.active_mirror(other)] if session is not None), None)


def _waits(world: World, tv: VolumeRef, turn: Session) -> str:
    slot = world.policies[tv].sync_slot
    return f"{world.name(tv)} waits: it takes turns with {world.name(turn.source)} in sync_slot {slot}."


def _resumable(world: World, tv: VolumeRef, policy: Policy) -> list[Session]:
    """Return suspended sessions without a generation, the one suspended last first (behaviour.md §2)."""

    def suspended_at(session: Session) -> float:
        allocation = world.allocations.get(session.target)
        at = (allocation.suspended_at if allocation else None) or session.suspended_at
        return at.timestamp() if at else 0.0

    found = [
        session
        for session in world.mirrors_of(tv)
        if session.state is SessionState.SUSPENDED
        and world.ours(session)
        and not world.volumes[session.target].unknown
        and (not policy.pinned or session.target in policy.pinned)
        and not any(b.good_on_disk for b in [world.backup_on(session.target, tv)] if b is not None)
    ]
    return sorted(found, key=lambda session: (-suspended_at(session), session.target))


def _resume(session: Session) -> ResumeCopy:
    return ResumeCopy(session.source, session.target, session.copy_type)


def _fresh(world: World, tv: VolumeRef, policy: Policy) -> Optional[StartCopy]:
    if candidate(world, tv, policy) is None:
        return None
    bv, copy_type = take_unused(world, tv, policy, mirror_type, world)
    return StartCopy(tv, bv.ref, copy_type)


def _giving_up(world: World, tv: VolumeRef, policy: Policy, resumable: Sequence[Session]) -> Optional[Step]:
    """Return the copy onto a BV whose generation only waits for its queued tape leg, which is given up (§5)."""
    for session in resumable:
        untaped = untaped_on(world, tv, session.target)
        if untaped is not None:
            return ResumeCopy(tv, session.target, session.copy_type, untaped)
    for backup in world.backups.get(tv, ()):
        bv = backup.disk.bv if backup.disk is not None and not backup.good_on_disk else None
        if bv is None or world.touching(bv) or (policy.pinned and bv not in policy.pinned):
            continue
        untaped, copy_type = untaped_on(world, tv, bv), mirror_type(world, tv, bv)
        if untaped is not None and copy_type is not None:
            refuse_beyond_limit(world, tv)
            return StartCopy(tv, bv, copy_type, untaped)
    return None
