# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Take a backup: refused before the pair is equivalent; the same key or a young one is enough (behaviour.md §2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import apply_release, still_standing
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import backup_view, view
from ansible_collections.eternus.backup.plugins.module_utils._backup.ids import new_id
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    observe,
    raise_refusals,
    refresh,
    transaction_volumes,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation, operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import (
    BackupRequest,
    plan_backup,
    satisfied_by,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.record import record_splits
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import foresee, recover
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import (
    Sessions,
    confirm,
    journalled,
    not_confirmed,
    send,
    suspended,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import Plan, ReleaseCopy, SplitCopy, project
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import StepState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def take_backup(ctx: Context, names: Sequence[str], request: BackupRequest) -> Result:
    """Back up the named TVs (all with a policy when none is named): all of them, or none when one is refused."""
    with ctx.catalog.read() as records:
        tvs = transaction_volumes(records, names)
    if ctx.check_mode:
        world = observe(ctx, tvs)
        request = _with_used_keys(ctx, tvs, request)
        foreseen, told = foresee(ctx, world, tvs)
        plan = plan_backup(foreseen, tvs, request, lambda _now: "(new)")
        raise_refusals(plan.refusals)
        after = project(foreseen, plan.steps)
        return _result(foreseen, after, tvs, plan, request, told)
    with operation(ctx, tvs) as work:
        told = recover(work, tvs)
        before = observe(ctx, tvs)
        request = _with_used_keys(ctx, tvs, request)
        plan = plan_backup(before, tvs, request, new_id)
        raise_refusals(plan.refusals)
        splits = [step for step in plan.steps if isinstance(step, SplitCopy)]
        if splits:
            sessions = apply_backup(work, before, splits)
    after = refresh(ctx, before, sessions.values(), tvs) if splits else before
    return _result(before, after, tvs, plan, request, told)


def _with_used_keys(ctx: Context, tvs: Sequence[VolumeRef], request: BackupRequest) -> BackupRequest:
    """Look up what the key made before: it never makes a second generation, even after that backup has gone."""
    with ctx.catalog.read() as records:
        return replace(request, used=records.used_keys(request.key, tvs))


def apply_backup(work: Operation, world: World, splits: Sequence[SplitCopy]) -> Sessions:
    """Split every pair, record what the array confirms, then release plain sessions (behaviour.md §2.3–2.6).

    Returns the sessions as they are then.
    """
    with work.transaction() as records:
        entries = dict(zip(splits, work.intend(records, splits)))
    pairs = [(step.copy_type, world.pair(step.tv, step.bv)) for step in splits]
    with journalled():
        answers = send(work, pairs, lambda array, copy_type, wanted: array.suspend(copy_type, wanted))
    at = work.ctx.clock.now()
    errors = {step: error for step in splits for error in [answers[(step.tv, step.bv)]] if error is not None}
    refused = [entries[step].id for step in errors]
    accepted = [step for step in splits if step not in errors]
    with journalled():
        sessions = confirm(work, {(step.tv, step.bv): suspended for step in accepted})
    recorded = []
    with work.transaction() as records:
        records.settle(refused, StepState.UNDONE, work.ctx.clock.now())
        for step in accepted:
            session = sessions.get((step.tv, step.bv))
            if session is not None and session.state is SessionState.SUSPENDED:
                recorded.append((step, entries[step], at))
            else:
                errors[step] = not_confirmed(world.pair(step.tv, step.bv), "suspended", session)
        releases = record_splits(work, records, recorded, sessions)
    standing: dict[ReleaseCopy, BackupError] = {}
    if releases:
        sessions, standing = apply_release(work, world, releases)
    taken = ", ".join(world.name(step.tv) for step, _entry, _at in recorded)
    told = f"Taken all the same: {taken}. " if taken else ""
    if errors:
        told = f"{told}Nothing was recorded for the others."
        raise combined([*errors.values(), *standing.values()], unchanged=told, changed=bool(recorded))
    if standing:
        raise still_standing(world, standing, told)
    return sessions


def _result(
    before: World,
    after: World,
    tvs: Sequence[VolumeRef],
    plan: Plan,
    request: BackupRequest,
    recovered: Sequence[str],
) -> Result:
    planned: dict[VolumeRef, str] = {step.tv: step.backup.id for step in plan.steps if isinstance(step, SplitCopy)}
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
