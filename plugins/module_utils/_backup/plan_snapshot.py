# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where a snapshot or a staged tape backup goes, and what it overwrites (behaviour.md §3). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.placing import (
    candidates,
    clone_type,
    refuse_beyond_limit,
    refuse_still_borrowed,
    refuse_while_restored,
    same_size,
    take_unused,
    tracked_type,
    untaped_on,
    wanted,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_in_use_by_tape,
    refuse_no_copy_type,
    refuse_still_copying,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import (
    counted,
    idle_volumes,
    overdue_drops,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    SnapCopy,
    Step,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskCopy,
    DiskState,
    Method,
    Policy,
    TapeState,
)

_WHOLE = (SessionState.SUSPENDED, SessionState.TRACKING, SessionState.EQUIVALENT)


def plan_snapshot(
    world: World, policy: Policy, backup: Backup, *, drop_untaped: bool, seen: World
) -> tuple[tuple[Step, ...], SnapCopy]:
    """Return the steps that come before, and the copy itself; the backup is given its copy type and BV here.

    :param backup: the planned one, still without a disk copy.
    :param seen: the world without what this request takes for other volumes.
    """
    tv = policy.tv
    refuse_while_restored(world, tv)
    before: tuple[Step, ...] = (*overdue_drops(world, tv), *idle_volumes(world, tv))
    world = project(world, before)
    refuse_still_borrowed(world, policy)
    if policy.method is Method.DIFFERENTIAL:
        more, snap = _differential(world, policy, backup, drop_untaped, seen)
    elif policy.staged:
        more, snap = _fresh(world, policy, backup, drop_untaped, seen)
    else:
        more, snap = _snapshot(world, policy, backup, drop_untaped, seen)
    return (*before, *more), snap


def _snapshot(
    world: World, policy: Policy, backup: Backup, drop_untaped: bool, seen: World
) -> tuple[tuple[Step, ...], SnapCopy]:
    """Take an unused BV while generations are missing, or to rotate safely; else overwrite the oldest (§3)."""
    oldest = _oldest(world, policy)
    if oldest is None or rotates_safely(policy) or not _may_overwrite(world, policy, oldest):
        return _fresh(world, policy, backup, drop_untaped, seen)
    return _overwrite(world, policy, backup, oldest, drop_untaped)


def rotates_safely(policy: Policy) -> bool:
    """Tell whether the new generation comes before the oldest goes; always in a group, which is all or nothing (§3)."""
    return policy.safe_rotation or bool(policy.group)


def _oldest(world: World, policy: Policy) -> Optional[Backup]:
    """Return the generation that is to be overwritten; held ones do not count (§5). None while some are missing."""
    found = counted(world, policy.tv)
    return found[-1] if len(found) >= policy.generations else None


def _may_overwrite(world: World, policy: Policy, oldest: Backup) -> bool:
    """Tell whether the BV of the oldest generation fits: of the TV's size, and pinned where BVs are pinned (§4)."""
    bv = oldest.bv
    return same_size(world, policy.tv, world.volumes[bv]) and (not policy.pinned or bv in policy.pinned)


def _overwrite(
    world: World, policy: Policy, backup: Backup, oldest: Backup, drop_untaped: bool
) -> tuple[tuple[Step, ...], SnapCopy]:
    tv, bv = policy.tv, oldest.bv
    kind = tracked_type if policy.method is Method.DIFFERENTIAL else clone_type
    copy_type = kind(world, tv, bv)
    if copy_type is None:
        raise refuse_no_copy_type(world, tv, bv, wanted(kind, tv, bv))
    _refuse_needed(world, tv, bv, oldest, drop_untaped)
    session = world.sessions.get((tv, bv))
    untaped = tuple(copy for copy in oldest.tape if copy.state is TapeState.QUEUED)
    tracked = session is not None and copy_type is CopyType.QUICK_OPC and session.copy_type is copy_type
    if session is not None and tracked and session.state is SessionState.EXECUTING:
        raise refuse_still_copying(world, session)
    if session is not None and tracked and session.state is SessionState.TRACKING:
        snap = SnapCopy(tv, bv, copy_type, placed(backup, policy, bv, copy_type), True, oldest.id, untaped)
        return (), replace(snap, before=_state(oldest), synced_at=session.synced_at)
    ended = () if session is None else (_end(session, oldest),)
    refuse_beyond_limit(project(world, ended), tv)
    snap = SnapCopy(tv, bv, copy_type, placed(backup, policy, bv, copy_type), False, oldest.id, untaped)
    return ended, replace(snap, spoiled=any(end.strikes for end in ended), before=_state(oldest))


def _end(session: Session, carried: Backup) -> ReleaseCopy:
    """End the old session of a BV that is overwritten; a copy that had not ended leaves nothing of use behind."""
    strikes = "" if session.state in _WHOLE else carried.id
    return ReleaseCopy(session.source, session.target, session.copy_type, free=False, strikes=strikes)


def _refuse_needed(world: World, tv: VolumeRef, bv: VolumeRef, oldest: Backup, drop_untaped: bool) -> None:
    """Refuse to overwrite what is read, or waits for tape unless that leg is given up (behaviour.md §5)."""
    writing = any(copy.state is TapeState.WRITING for copy in oldest.tape)
    if world.readers.get(bv) or writing or (world.needed_by_tape(bv, tv) and not drop_untaped):
        raise refuse_in_use_by_tape(world, tv, bv)


def _differential(
    world: World, policy: Policy, backup: Backup, drop_untaped: bool, seen: World
) -> tuple[tuple[Step, ...], SnapCopy]:
    """Resume a tracked BV without a generation first, then fill up, then resume the oldest generation's (§3)."""
    tv = policy.tv
    without = [
        session
        for session in sorted(world.tracked_of(tv), key=lambda session: session.target)
        if world.backup_on(session.target, tv) is None
        and not world.readers.get(session.target)
        and not world.volumes[session.target].unknown
        and (not policy.pinned or session.target in policy.pinned)
    ]
    ready = [session for session in without if session.state is SessionState.TRACKING]
    if ready:
        bv = ready[0].target
        snap = SnapCopy(tv, bv, CopyType.QUICK_OPC, placed(backup, policy, bv, CopyType.QUICK_OPC), resume=True)
        return (), replace(snap, synced_at=ready[0].synced_at)
    oldest = _oldest(world, policy)
    if oldest is not None and _may_overwrite(world, policy, oldest) and oldest.bv.array == tv.array:
        return _overwrite(world, policy, backup, oldest, drop_untaped)
    copying = [session for session in without if session.state is SessionState.EXECUTING]
    if copying and oldest is None:
        raise refuse_still_copying(world, copying[0])
    return _fresh(world, policy, backup, drop_untaped, seen)


def _fresh(
    world: World, policy: Policy, backup: Backup, drop_untaped: bool, seen: World
) -> tuple[tuple[Step, ...], SnapCopy]:
    """Take an unused BV; where there is none and it is asked for, one that only waits for its tape leg (§5)."""
    kind = tracked_type if policy.method is Method.DIFFERENTIAL else clone_type
    if drop_untaped and not candidates(world, policy.tv, policy, kind):
        for waiting in world.backups.get(policy.tv, ()):
            if waiting.disk is None or waiting.good_on_disk or not _may_overwrite(world, policy, waiting):
                continue
            if untaped_on(world, policy.tv, waiting.disk.bv) is not None:
                return _overwrite(world, policy, backup, waiting, drop_untaped)
    bv, copy_type = take_unused(world, policy.tv, policy, kind, seen)
    return (), SnapCopy(policy.tv, bv.ref, copy_type, placed(backup, policy, bv.ref, copy_type))


def placed(backup: Backup, policy: Policy, bv: VolumeRef, copy_type: CopyType) -> Backup:
    """Return the planned backup with its disk copy: a generation, or only borrowed where the media is tape (§3)."""
    state = DiskState.BORROWED if policy.staged else DiskState.VALID
    return replace(backup, copy_type=copy_type, disk=DiskCopy(bv, state, backup.point_in_time))


def _state(backup: Backup) -> DiskState:
    return backup.disk.state if backup.disk is not None else DiskState.VALID
