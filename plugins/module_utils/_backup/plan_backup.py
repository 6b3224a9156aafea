# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Take a synchronized backup: split, record, rotate, release (behaviour.md §2.3–2.6). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_broken,
    refuse_foreign,
    refuse_no_policy,
    refuse_not_equivalent,
    refuse_undefined,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import overdue_drops, surplus
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    DropGeneration,
    Plan,
    ReleaseCopy,
    SplitCopy,
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
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


@dataclass(frozen=True)
class BackupRequest:
    """What the caller asks for. ``suspend`` None: as the policy says. A ``key`` or ``max_age`` makes it idempotent.

    :param used: the backup ids that this key made before, by TV; they may have gone meanwhile.
    """

    key: str = ""
    max_age: Optional[timedelta] = None
    suspend: Optional[bool] = None
    used: Mapping[VolumeRef, str] = field(default_factory=dict)


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
    good = [b for b in history if b.good_on_disk or b.good_on_tape]
    newest = good[-1] if good else None
    return newest if newest is not None and newest.point_in_time >= world.now - request.max_age else None


def plan_backup(
    world: World, tvs: Sequence[VolumeRef], request: BackupRequest, new_id: Callable[[datetime], str]
) -> Plan:
    """Plan a backup of every TV; one that is satisfied already contributes no step."""
    steps: list[Step] = []
    refusals: list[BackupError] = []
    warnings: list[str] = []
    for tv in tvs:
        if tv in request.used or satisfied_by(world, tv, request) is not None:
            continue
        try:
            mine = _plan_one(world, tv, request, new_id)
        except BackupError as refusal:
            refusals.append(refusal)
            continue
        warnings.extend(_goes_untaped(world, mine))
        world = project(world, mine)
        steps.extend(mine)
    return Plan(tuple(steps), tuple(refusals), tuple(warnings))


def _goes_untaped(world: World, steps: Sequence[Step]) -> list[str]:
    """Warn of generations that go although their tape leg failed: a failed leg protects nothing (behaviour.md §5)."""
    told = []
    for step in steps:
        if isinstance(step, DropGeneration) and not step.wait:
            backup = next(b for b in world.backups[step.tv] if b.id == step.backup_id)
            if any(copy.state is TapeState.FAILED for copy in backup.tape):
                told.append(
                    f"Backup {backup.id} of {world.name(step.tv)} leaves the disk, and its tape leg had failed."
                )
    return told


def _plan_one(
    world: World, tv: VolumeRef, request: BackupRequest, new_id: Callable[[datetime], str]
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
    if session is None or session.state is not SessionState.EQUIVALENT:
        raise refuse_not_equivalent(world, tv)
    suspend = policy.suspend if request.suspend is None else request.suspend
    backup = Backup(
        id=new_id(world.now),
        tv=tv,
        point_in_time=world.now,
        method=Method.SYNCHRONIZED,
        copy_type=session.copy_type,
        suspend=suspend,
        size=world.volume(tv).size,
        key=request.key,
        disk=DiskCopy(session.target, DiskState.VALID, world.now),
        tape=queued_copies(policy, world.now),
    )
    split = SplitCopy(tv, session.target, session.copy_type, backup)
    after = after_record(project(world, (split,)), backup, policy)
    return (split, *after)


def after_record(world: World, backup: Backup, policy: Optional[Policy]) -> tuple[Step, ...]:
    """Return what follows a recorded backup: drops beyond the policy's generations, the release of a plain session.

    :param world: the world with the backup in it. Without a policy (removed by force) nothing is dropped.
    """
    steps: list[Step] = list(overdue_drops(world, backup.tv))
    if policy is not None:
        steps.extend(surplus(project(world, steps), backup.tv, policy.generations))
    if not backup.suspend and backup.disk is not None:
        steps.append(ReleaseCopy(backup.tv, backup.disk.bv, backup.copy_type, free=False))
    return tuple(steps)


def queued_copies(policy: Policy, now: datetime) -> tuple[TapeCopy, ...]:
    """Return the tape copies that a new backup owes, queued (behaviour.md §5)."""
    if not policy.media.tape:
        return ()
    return tuple(
        TapeCopy(number, TapeState.QUEUED, policy.tape_pool, now) for number in range(1, policy.tape_copies + 1)
    )
