# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Start synchronization: which BV, which copy, or why not (behaviour.md §2.1, §2.6, §3, §4). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_being_restored,
    refuse_broken,
    refuse_in_use_by_tape,
    refuse_no_copy_type,
    refuse_no_policy,
    refuse_no_unused,
    refuse_reserved,
    refuse_session_limit,
    refuse_slot_taken,
    refuse_undefined,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import overdue_drops
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    CancelTapeLeg,
    Plan,
    ResumeCopy,
    StartCopy,
    Step,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Policy,
    RegisteredVolume,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


def plan_start(world: World, tvs: Sequence[VolumeRef], *, drop_untaped: bool = False) -> Plan:
    """Plan the start of every TV in turn; each sees what the ones before it took.

    :param drop_untaped: gives up a queued tape leg when its BV is the one that is needed.
    """
    steps: list[Step] = []
    refusals: list[BackupError] = []
    for tv in tvs:
        try:
            mine = _plan_one(world, tv, drop_untaped)
        except BackupError as refusal:
            refusals.append(refusal)
            continue
        world = project(world, mine)
        steps.extend(mine)
    return Plan(tuple(steps), tuple(refusals))


def _plan_one(world: World, tv: VolumeRef, drop_untaped: bool) -> tuple[Step, ...]:
    policy = world.policies.get(tv)
    if policy is None:
        raise refuse_no_policy(world, tv)
    if tv in world.undefined:
        raise refuse_undefined(world, tv)
    if world.active_mirror(tv) is not None:
        return ()
    broken = world.broken_mirror(tv)
    if broken is not None:
        raise refuse_broken(world, broken)
    incoming = next((session for session in world.touching(tv) if session.target == tv), None)
    if incoming is not None and incoming.state in (SessionState.EXECUTING, SessionState.RESTORING):
        raise refuse_being_restored(world, incoming)
    before: tuple[Step, ...] = overdue_drops(world, tv)
    world = project(world, before)
    resumable = _resumable(world, tv, policy)
    turn = _slot_holder(world, policy)
    if turn is not None:
        raise refuse_slot_taken(world, policy, turn)
    ready = [session for session in resumable if not world.needed_by_tape(session.target, tv)]
    if ready:
        return (*before, _resume(ready[0]))
    fresh = _fresh(world, tv, policy)
    if fresh is not None:
        return (*before, fresh)
    if not resumable:
        raise _refusal_without_volume(world, tv, policy)
    waiting = resumable[0]
    if world.readers.get(waiting.target) or not drop_untaped or not _only_queued(world, tv, waiting.target):
        raise refuse_in_use_by_tape(world, tv, waiting.target)
    return (*before, *_give_up_tape(world, tv, waiting), _resume(waiting))


def _slot_holder(world: World, policy: Policy) -> Optional[Session]:
    """Return the session of another TV of the same slot: they take turns, their BVs are counted so (§4)."""
    if not policy.sync_slot or policy.suspend:
        return None
    others = [p.tv for p in world.policies.values() if p.sync_slot == policy.sync_slot and p.tv != policy.tv]
    return next((session for tv in others for session in [world.active_mirror(tv)] if session is not None), None)


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
        and _owned(world, session.target, tv)
        and (not policy.pinned or session.target in policy.pinned)
        and not any(b.good_on_disk for b in [world.backup_on(session.target, tv)] if b is not None)
    ]
    return sorted(found, key=lambda session: (-suspended_at(session), session.target))


def _owned(world: World, bv: VolumeRef, tv: VolumeRef) -> bool:
    """Tell whether the catalog knows that this BV serves this TV: a session by other hands is never resumed."""
    allocation = world.allocations.get(bv)
    registered = world.volumes.get(bv)
    return allocation is not None and allocation.tv == tv and registered is not None and not registered.unknown


def _resume(session: Session) -> ResumeCopy:
    return ResumeCopy(session.source, session.target, session.copy_type)


def _fresh(world: World, tv: VolumeRef, policy: Policy) -> Optional[StartCopy]:
    limit = world.session_limit(tv.array)
    candidate = next(iter(_candidates(world, tv, policy)), None)
    if candidate is None:
        return None
    copy_type = mirror_type(world, tv, candidate.ref)
    if copy_type is None:
        raise refuse_no_copy_type(world, tv, candidate.ref)
    if len(world.touching(tv)) + 1 > limit - 1:
        raise refuse_session_limit(world, tv, len(world.touching(tv)), limit)
    return StartCopy(tv, candidate.ref, copy_type)


def _candidates(world: World, tv: VolumeRef, policy: Policy) -> list[RegisteredVolume]:
    """Return unused BVs of exactly the TV's size: pinned ones in their order, else those of its own array first."""
    source = world.volume(tv)
    reserved = {bv for other in world.policies.values() if other.tv != tv for bv in other.pinned}
    found = [
        bv
        for bv in world.backup_volumes()
        if (bv.volume.blocks, bv.volume.block_size) == (source.blocks, source.block_size)
        and world.unused(bv)
        and (bv.ref in policy.pinned if policy.pinned else bv.ref not in reserved)
    ]
    if policy.pinned:
        return sorted(found, key=lambda bv: policy.pinned.index(bv.ref))

    def preference(bv: RegisteredVolume) -> tuple[bool, bool, VolumeRef]:
        return (mirror_type(world, tv, bv.ref) is None, bv.ref.array != tv.array, bv.ref)

    return sorted(found, key=preference)


def mirror_type(world: World, tv: VolumeRef, bv: VolumeRef) -> Optional[CopyType]:
    """Return EC inside one array, REC to another, or None where the array does not offer it (behaviour.md §2.7)."""
    copy_type = CopyType.EC if tv.array == bv.array else CopyType.REC
    ends = {tv.array, bv.array}
    offered = all(end in world.capabilities and copy_type in world.capabilities[end].copies for end in ends)
    return copy_type if offered else None


def _refusal_without_volume(world: World, tv: VolumeRef, policy: Policy) -> BackupError:
    """Return ``volume_in_use_by_tape`` where only a reader stands in the way, else ``no_unused_volume``."""
    for backup in world.backups.get(tv, ()):
        waits = backup.disk is not None and not backup.good_on_disk
        if waits and backup.disk is not None and world.needed_by_tape(backup.disk.bv, tv):
            return refuse_in_use_by_tape(world, tv, backup.disk.bv)
    for bv in policy.pinned:
        if bv in world.allocations and world.allocations[bv].tv != tv:
            return refuse_reserved(world, tv, bv)
    return refuse_no_unused(world, tv, policy)


def _only_queued(world: World, tv: VolumeRef, bv: VolumeRef) -> bool:
    backup = world.backup_on(bv, tv)
    return backup is not None and not any(copy.state is TapeState.WRITING for copy in backup.tape)


def _give_up_tape(world: World, tv: VolumeRef, session: Session) -> tuple[Step, ...]:
    backup = world.backup_on(session.target, tv)
    if backup is None:
        return ()
    cancel = CancelTapeLeg(tv, backup.id)
    return (cancel, *overdue_drops(project(world, (cancel,)), tv))
