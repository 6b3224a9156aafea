# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a backup of each TV takes: a split or a snapshot, then rotation (behaviour.md §2.3–2.6, §3). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_snapshot import placed, plan_snapshot
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_broken,
    refuse_foreign,
    refuse_half_used_key,
    refuse_method,
    refuse_no_policy,
    refuse_not_equivalent,
    refuse_resumed,
    refuse_undefined,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import before_tape, overdue_drops, surplus
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    DropGeneration,
    Plan,
    ReleaseCopy,
    SnapCopy,
    SplitCopy,
    Step,
    Taking,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Method,
    Policy,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


@dataclass(frozen=True)
class BackupRequest:
    """What the caller asks for. ``suspend`` None: as the policy says. A ``key`` or ``max_age`` makes it idempotent.

    :param used: the backup ids that this key made before, by TV; they may have gone meanwhile.
    :param drop_untaped: gives up a queued tape leg when its BV is the one that a snapshot needs (§5).
    :param max_skew: how far apart the members of a group may be split (§3).
    :param deadline: no split may end after it, since a file system is frozen only until then; UTC (§7).
    """

    key: str = ""
    max_age: Optional[timedelta] = None
    suspend: Optional[bool] = None
    used: Mapping[VolumeRef, str] = field(default_factory=dict)
    drop_untaped: bool = False
    max_skew: timedelta = timedelta(seconds=1)
    deadline: Optional[datetime] = None


def satisfied_by(world: World, tv: VolumeRef, request: BackupRequest) -> Optional[Backup]:
    """Return the backup that answers the request already: the same key, or a good one that is young enough."""
    history = world.backups.get(tv, ())
    if request.key:
        found = next((backup for backup in history if backup.key == request.key), None)
        if found is not None:
            return found
    if tv in request.used:
        return next((backup for backup in history if backup.id == request.used[tv]), None)
    if request.max_age is None:
        return None
    good = [b for b in history if (b.whole_on_disk and not world.spoiled(b)) or b.good_on_tape]
    newest = good[-1] if good else None
    return newest if newest is not None and newest.point_in_time >= world.now - request.max_age else None


def plan_backup(
    world: World, tvs: Sequence[VolumeRef], request: BackupRequest, new_id: Callable[[datetime], str]
) -> Plan:
    """Plan a backup of every TV, group by group; one that is satisfied already contributes no step."""
    steps: list[Step] = []
    refusals: list[BackupError] = []
    warnings: list[str] = []
    seen = world
    for unit in units(world, tvs):
        wanted = [tv for tv in unit if tv not in request.used and satisfied_by(world, tv, request) is None]
        policy = world.policies.get(unit[0])
        if policy is not None and policy.group and not wanted and not _one_backup(world, unit, request):
            wanted = list(unit)
        group = policy.group if policy is not None and wanted else ""
        if group and len(wanted) < len(unit):
            if request.key and any(tv in request.used for tv in unit):
                refusals.append(refuse_half_used_key(world, group, request.key, wanted))
                continue
            wanted = list(unit)
        mine: list[Step] = []
        group_id = new_id(world.now) if group else ""
        for tv in wanted:
            try:
                one = _plan_one(world, tv, request, new_id, group_id, seen)
            except BackupError as refusal:
                refusals.append(refusal)
                continue
            warnings.extend(_told(world, one))
            world = _not_free_yet(world, one)
            mine.extend(one)
        steps.extend(_with_certainty(world, mine, request))
    return Plan(tuple(steps), tuple(refusals), tuple(warnings))


def _one_backup(world: World, unit: Sequence[VolumeRef], request: BackupRequest) -> bool:
    """Tell whether what answers the request for the members of a group is one backup of that group."""
    if request.key:
        return True
    found = [satisfied_by(world, tv, request) for tv in unit]
    return len({one.group_id if one is not None else "" for one in found}) == 1 and bool(found[0] and found[0].group_id)


def _not_free_yet(world: World, steps: Sequence[Step]) -> World:
    """Return the world after a TV's steps; a BV that its rotation frees afterwards is no other TV's to take."""
    first = next(number for number, step in enumerate(steps) if isinstance(step, (SplitCopy, SnapCopy)))
    after = project(world, steps)
    kept = {step.bv: world.allocations[step.bv] for step in steps[first + 1 :] if step.bv in world.allocations}
    return replace(after, allocations={**kept, **after.allocations})


def units(world: World, tvs: Sequence[VolumeRef]) -> list[tuple[VolumeRef, ...]]:
    """Return the TVs that are backed up together: the members of a group, or one alone (behaviour.md §3)."""
    found: dict[object, list[VolumeRef]] = {}
    for tv in tvs:
        policy = world.policies.get(tv)
        found.setdefault(policy.group if policy is not None and policy.group else tv, []).append(tv)
    return [tuple(unit) for unit in found.values()]


def one_instant(world: World, steps: Sequence[Taking]) -> bool:
    """Tell whether one request of the array splits them all: then it is one point in time (behaviour.md §3)."""
    if len(steps) < 2:
        return True
    first = steps[0]
    capabilities = world.capabilities.get(first.tv.array)
    alike = {(type(step), step.tv.array, step.copy_type, getattr(step, "resume", False)) for step in steps}
    if capabilities is None or len(alike) > 1:
        return False
    return capabilities.modify_list if isinstance(first, SplitCopy) or first.resume else capabilities.create_list


def _with_certainty(world: World, steps: Sequence[Step], request: BackupRequest) -> list[Step]:
    """Say of every split whether a later run, which finds it done, may record it; and how the members agree."""
    taking = [step for step in steps if isinstance(step, (SplitCopy, SnapCopy))]
    together = one_instant(world, taking)
    return [_certain(step, together, request) if isinstance(step, (SplitCopy, SnapCopy)) else step for step in steps]


def _certain(step: Taking, together: bool, request: BackupRequest) -> Taking:
    grouped = bool(step.backup.group_id)
    backup = step.backup
    if grouped:
        backup = replace(backup, consistent=together, skew_ms=0 if together else None)
    return replace(step, backup=backup, certain=request.deadline is None and (together or not grouped))


def _told(world: World, steps: Sequence[Step]) -> list[str]:
    """Warn of what a person should know: generations that go untaped, a moment without any backup (§3, §5)."""
    told = []
    for step in steps:
        goes = step.backup_id if isinstance(step, DropGeneration) and not step.wait else ""
        if isinstance(step, SnapCopy):
            goes = step.replaces
            if goes and len(world.generations(step.tv)) == 1:
                told.append(
                    f"{world.name(step.tv)} has no backup on disk while its only generation is overwritten; "
                    "safe_rotation: true and one more backup volume prevent that."
                )
        backup = next((one for one in world.backups.get(step.tv, ()) if goes and one.id == goes), None)
        if backup is not None and any(copy.state is TapeState.FAILED for copy in backup.tape):
            told.append(f"Backup {goes} of {world.name(step.tv)} leaves the disk, and its tape leg had failed.")
    return told


def _plan_one(
    world: World,
    tv: VolumeRef,
    request: BackupRequest,
    new_id: Callable[[datetime], str],
    group_id: str,
    seen: World,
) -> tuple[Step, ...]:
    policy = world.policies.get(tv)
    if policy is None:
        raise refuse_no_policy(world, tv)
    if tv in world.undefined:
        raise refuse_undefined(world, tv)
    session = world.active_mirror(tv)
    broken = world.broken_mirror(tv)
    if session is None and broken is not None:
        raise refuse_broken(world, broken)
    if session is not None and not world.ours(session):
        raise refuse_foreign(world, session)
    backup = Backup(
        id=new_id(world.now),
        tv=tv,
        point_in_time=world.now,
        method=policy.method,
        copy_type=CopyType.OPC,
        suspend=False,
        size=world.volume(tv).size,
        key=request.key,
        group_id=group_id,
        tape=queued_copies(policy, world.now),
    )
    if policy.method is Method.SYNCHRONIZED or (policy.method is Method.AUTO and session is not None):
        return _split(world, policy, session, backup, request)
    if session is not None:
        raise refuse_method(world, policy, f"does not fit its {session.state.value} synchronization")
    if policy.method is Method.AUTO:
        backup = replace(backup, method=Method.SNAPSHOT)
    before, snap = plan_snapshot(world, policy, backup, drop_untaped=request.drop_untaped, seen=seen)
    after = after_record(project(world, (*before, snap)), snap.backup, policy)
    return (*before, snap, *after)


def _split(
    world: World, policy: Policy, session: Optional[Session], backup: Backup, request: BackupRequest
) -> tuple[Step, ...]:
    """Split the equivalent pair (behaviour.md §2.3); before that it is refused."""
    if session is None or session.state is not SessionState.EQUIVALENT:
        raise refuse_not_equivalent(world, policy.tv)
    spoiled = world.resumed(session)
    if spoiled is not None:
        raise refuse_resumed(world, session, spoiled)
    suspend = policy.suspend if request.suspend is None else request.suspend
    backup = replace(backup, method=Method.SYNCHRONIZED, suspend=suspend)
    backup = placed(backup, policy, session.target, session.copy_type)
    split = SplitCopy(policy.tv, session.target, session.copy_type, backup)
    after = after_record(project(world, (split,)), backup, policy)
    return (split, *after)


def after_record(world: World, backup: Backup, policy: Optional[Policy]) -> tuple[Step, ...]:
    """Return what follows a recorded backup: drops beyond the policy's generations, the release of a plain session.

    :param world: the world with the backup in it. Without a policy (removed by force) nothing is dropped.
    """
    steps: list[Step] = list(overdue_drops(world, backup.tv))
    if policy is not None:
        kept = project(world, steps)
        steps.extend(before_tape(kept, backup.tv) if policy.staged else surplus(kept, backup.tv, policy.generations))
    if backup.copy_type.mirror and not backup.suspend and backup.disk is not None:
        steps.append(ReleaseCopy(backup.tv, backup.disk.bv, backup.copy_type, free=False))
    return tuple(steps)


def queued_copies(policy: Policy, now: datetime) -> tuple[TapeCopy, ...]:
    """Return the tape copies that a new backup owes, queued (behaviour.md §5)."""
    if not (policy.media.tape or policy.staged):
        return ()
    return tuple(
        TapeCopy(number, TapeState.QUEUED, policy.tape_pool, now) for number in range(1, policy.tape_copies + 1)
    )
