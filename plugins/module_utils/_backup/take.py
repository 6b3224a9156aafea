# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Take a backup: refused before the pair is equivalent; the same key or a young one is enough (behaviour.md §2.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import backup_view, view
from ansible_collections.eternus.backup.plugins.module_utils._backup.groups import grouped_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.ids import new_id
from ansible_collections.eternus.backup.plugins.module_utils._backup.near import BeyondSight
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    observe,
    raise_refusals,
    refresh,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import (
    ATTEMPTS,
    Operation,
    lost_race,
    operation,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import (
    BackupRequest,
    plan_backup,
    satisfied_by,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import (
    foresee,
    recover,
    seeing_all,
    with_everybody,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import Plan, SnapCopy, SplitCopy, project
from ansible_collections.eternus.backup.plugins.module_utils._backup.taking import apply_taking
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait


def take_backup(
    ctx: Context,
    names: Sequence[str],
    request: BackupRequest,
    *,
    groups: Sequence[str] = (),
    wait: Optional[Wait] = None,
) -> Result:
    """Back up the named TVs (all with a policy when none is named): all of them, or none when one is refused.

    A member of a consistency group brings its whole group; ``groups`` names groups. ``wait``: for how long pairs may
    copy that an interrupted run has split and this one resynchronizes; never beyond the request's deadline.
    """
    with ctx.catalog.read() as records:
        tvs = grouped_volumes(records, names, groups, whole=True)
    if ctx.check_mode:
        request = _with_used_keys(ctx, tvs, request)
        world = observe(ctx, tvs, ids=request.used.values())
        foreseen, told = foresee(ctx, world, tvs, patient=wait is not None)
        foreseen, plan = _planned(ctx, foreseen, tvs, request, lambda _now: "(new)")
        after = project(foreseen, plan.steps)
        return _result(foreseen, after, tvs, plan, request, told)
    with operation(ctx, tvs) as work:
        told = recover(work, tvs, patience=_in_time(ctx, request, wait))
        before, plan, after, request = _take_all(work, tvs, request)
    return _result(before, after, tvs, plan, request, told)


def _in_time(ctx: Context, request: BackupRequest, wait: Optional[Wait]) -> Optional[Wait]:
    """Return a wait that ends at the deadline, should it be longer."""
    if wait is None or request.deadline is None:
        return wait
    left = max(0.0, (request.deadline - ctx.clock.now()).total_seconds())
    return replace(wait, timeout=min(wait.timeout, left))


def _take_all(
    work: Operation, tvs: Sequence[VolumeRef], request: BackupRequest
) -> tuple[World, Plan, World, BackupRequest]:
    """Plan and apply; plan anew when another process took a BV first."""
    ctx = work.ctx
    for attempt in range(ATTEMPTS):
        request = _with_used_keys(ctx, tvs, request)
        before = replace(observe(ctx, tvs, ids=request.used.values()), lost_races=attempt)
        before, plan = _planned(ctx, before, tvs, request, new_id)
        if not plan.steps:
            return before, plan, before, request
        try:
            sessions = apply_taking(work, before, plan.steps, request)
        except Conflict:
            continue
        return before, plan, refresh(ctx, before, sessions.values(), tvs), request
    raise lost_race()


def _planned(
    ctx: Context,
    world: World,
    tvs: Sequence[VolumeRef],
    request: BackupRequest,
    make_id: Callable[[datetime], str],
) -> tuple[World, Plan]:
    """Return the plan, and the world that it was made from: where a BV lies far away, more of it is read."""
    try:
        plan = plan_backup(world, tvs, request, make_id)
    except BeyondSight:
        world = seeing_all(ctx, world, tvs)
        plan = plan_backup(world, tvs, request, make_id)
    if any(refusal.error_class is ErrorClass.NO_UNUSED_VOLUME for refusal in plan.refusals):
        # The message tells what every BV is doing: that needs everybody's history.
        plan = plan_backup(with_everybody(ctx, world, tvs), tvs, request, make_id)
    raise_refusals(plan.refusals)
    return world, plan


def _with_used_keys(ctx: Context, tvs: Sequence[VolumeRef], request: BackupRequest) -> BackupRequest:
    """Look up what the key made before: it never makes a second generation, even after that backup has gone."""
    with ctx.catalog.read() as records:
        return replace(request, used=records.used_keys(request.key, tvs))


def _result(
    before: World,
    after: World,
    tvs: Sequence[VolumeRef],
    plan: Plan,
    request: BackupRequest,
    recovered: Sequence[str],
) -> Result:
    planned: dict[VolumeRef, str] = {
        step.tv: step.backup.id for step in plan.steps if isinstance(step, (SplitCopy, SnapCopy))
    }
    volumes = [_outcome(before, after, tv, planned.get(tv), request) for tv in tvs]
    return Result(
        changed=bool(planned or recovered),
        values={"backups": volumes, "volumes": [view(after, tv) for tv in tvs]},
        before={before.name(tv): view(before, tv) for tv in tvs},
        after={after.name(tv): view(after, tv) for tv in tvs},
        warnings=[*recovered, *plan.warnings],
    )


def _outcome(before: World, after: World, tv: VolumeRef, made: Optional[str], request: BackupRequest) -> dict[str, Any]:
    """Return the backup that answers the request for one TV, and whether this run made it."""
    if made is None:
        found = satisfied_by(before, tv, request)
    else:
        found = next((backup for backup in after.backups.get(tv, ()) if backup.id == made), None)
    shown = backup_view(after, found) if found is not None else {"id": request.used.get(tv), "generation": None}
    return {**shown, "volume": after.name(tv), "taken": made is not None}
