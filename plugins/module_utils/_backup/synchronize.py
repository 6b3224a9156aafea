# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Start, wait for, and cancel synchronization (behaviour.md §2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import (
    apply_catalog_steps,
    apply_release,
    apply_start,
    still_standing,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import view
from ansible_collections.eternus.backup.plugins.module_utils._backup.groups import grouped_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.moving import sessions_moving
from ansible_collections.eternus.backup.plugins.module_utils._backup.near import BeyondSight
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    observe,
    raise_refusals,
    refresh,
    resolve,
    session_list,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import (
    ATTEMPTS,
    Operation,
    lost_race,
    operation,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_cancel import plan_cancel
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_start import plan_start
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import (
    foresee,
    recover,
    seeing_all,
    with_everybody,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_broken
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    FreeVolume,
    Plan,
    ReleaseCopy,
    ResumeCopy,
    StartCopy,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    BackupError,
    ErrorClass,
    combined,
    with_unchanged,
)
from ansible_collections.eternus.backup.plugins.module_utils._pace import Shares
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until


def start(
    ctx: Context,
    names: Sequence[str],
    *,
    groups: Sequence[str] = (),
    drop_untaped: bool = False,
    wait: Optional[Wait] = None,
) -> Result:
    """Start synchronization of the named TVs and groups (all of method synchronized when none is named), and wait.

    A wait that runs out is no failure: the result says how far each pair is, and the next run goes on from there.
    """
    with ctx.catalog.read() as records:
        tvs = grouped_volumes(records, names, groups, methods=[Method.SYNCHRONIZED])
    if ctx.check_mode:
        before = observe(ctx, tvs)
        foreseen, told = foresee(ctx, before, tvs)
        foreseen, plan = _planned(ctx, foreseen, tvs, drop_untaped)
        return _result(before, project(foreseen, plan.steps), tvs, plan, told)
    with operation(ctx, tvs) as work:
        told = recover(work, tvs)
        before, plan, after = _start_all(work, tvs, drop_untaped)
    looks = 0
    if wait is not None:
        try:
            after, looks = wait_equivalent(ctx, after, tvs, wait, fresh=bool(plan.steps))
        except BackupError as error:
            begun = _started(after, plan)
            raise with_unchanged(error, f"{begun}Nothing more was changed.", changed=bool(begun)) from error
    return _result(before, after, tvs, plan, told, looks)


def _started(world: World, plan: Plan) -> str:
    names = ", ".join(world.name(step.tv) for step in plan.steps if isinstance(step, (StartCopy, ResumeCopy)))
    return f"Started before, and going on: {names}. " if names else ""


def _start_all(work: Operation, tvs: Sequence[VolumeRef], drop_untaped: bool) -> tuple[World, Plan, World]:
    """Plan and apply; plan anew when another process took a BV first."""
    for attempt in range(ATTEMPTS):
        before = replace(observe(work.ctx, tvs), lost_races=attempt)
        before, plan = _planned(work.ctx, before, tvs, drop_untaped)
        if not plan.steps:
            return before, plan, before
        try:
            sessions = apply_start(work, before, plan.steps)
        except Conflict:
            continue
        return before, plan, refresh(work.ctx, before, sessions.values(), tvs)
    raise lost_race()


def _planned(ctx: Context, world: World, tvs: Sequence[VolumeRef], drop_untaped: bool) -> tuple[World, Plan]:
    """Return the plan, and the world that it was made from: where a BV lies far away, more of it is read."""
    try:
        plan = plan_start(world, tvs, drop_untaped=drop_untaped)
    except BeyondSight:
        world = seeing_all(ctx, world, tvs)
        plan = plan_start(world, tvs, drop_untaped=drop_untaped)
    if any(refusal.error_class is ErrorClass.NO_UNUSED_VOLUME for refusal in plan.refusals):
        # The message tells what every BV is doing: that needs everybody's history.
        plan = plan_start(with_everybody(ctx, world, tvs), tvs, drop_untaped=drop_untaped)
    raise_refusals(plan.refusals)
    return world, plan


def wait_equivalent(
    ctx: Context, world: World, tvs: Sequence[VolumeRef], wait: Wait, *, fresh: bool
) -> tuple[World, int]:
    """Wait until every TV is equivalent; one look reads all sessions. Returns the last world and the number of looks.

    ``fresh``: whether this task has begun copies.
    ``copy_failed`` when a session breaks or vanishes meanwhile.
    """
    expected = {(session.source, session.target) for tv in tvs for session in [world.active_mirror(tv)] if session}

    def look() -> dict[tuple[VolumeRef, VolumeRef], Session]:
        seen = {session.key: session for session in session_list(ctx, tvs)}
        ended = {key for key in expected if key not in seen or seen[key].state is SessionState.SUSPENDED}
        expected.difference_update(_backed_up(ctx, world, ended))
        _raise_broken(world, [(key, seen.get(key)) for key in sorted(expected)])
        return seen

    def done(seen: dict[tuple[VolumeRef, VolumeRef], Session]) -> bool:
        return all(seen[key].state is SessionState.EQUIVALENT for key in expected)

    def shares(seen: dict[tuple[VolumeRef, VolumeRef], Session]) -> Shares:
        return sessions_moving(seen[key] for key in expected)

    waited = wait_until(look, done, wait, ctx.clock, shares, fresh=fresh)
    return refresh(ctx, world, waited.last.values(), tvs), waited.looks


def _backed_up(
    ctx: Context, world: World, pairs: Collection[tuple[VolumeRef, VolumeRef]]
) -> set[tuple[VolumeRef, VolumeRef]]:
    """Return the pairs that another job has backed up meanwhile: they had been equivalent, nothing broke."""
    if not pairs:
        return set()
    known = {backup.id for tv, _bv in pairs for backup in world.backups.get(tv, ())}
    with ctx.catalog.read() as records:
        newer = [backup for backup in records.carrying({bv for _tv, bv in pairs}) if backup.id not in known]
    return {(backup.tv, backup.disk.bv) for backup in newer if backup.disk is not None}.intersection(pairs)


def _raise_broken(world: World, pairs: Sequence[tuple[tuple[VolumeRef, VolumeRef], Optional[Session]]]) -> None:
    errors = []
    for (tv, bv), session in pairs:
        if session is None:
            errors.append(
                BackupError(
                    ErrorClass.COPY_FAILED,
                    f"The session of {world.name(tv)} onto {world.name(bv)} is gone.",
                    next_step="See who ended it, then start again with eternus_sync.",
                    unchanged="Nothing more was changed.",
                    volume=world.name(tv),
                    backup_volume=world.name(bv),
                )
            )
        elif session.state in (SessionState.FAILED, SessionState.SUSPENDED):
            errors.append(refuse_broken(world, session))
    if errors:
        raise combined(errors, unchanged="Nothing more was changed.")


def cancel(
    ctx: Context, names: Sequence[str], *, groups: Sequence[str] = (), bvs: Sequence[str] = (), every: bool = False
) -> Result:
    """Cancel synchronization: the executing or equivalent session of each TV; suspended ones by their BV, or all."""
    with ctx.catalog.read() as records:
        tvs = grouped_volumes(records, names, groups)
        targets = resolve(records, bvs)
    if ctx.check_mode:
        before = observe(ctx, tvs, beside=targets)
        foreseen, told = foresee(ctx, before, tvs)
        plan = plan_cancel(foreseen, tvs, bvs=targets, every=every)
        raise_refusals(plan.refusals)
        return _result(before, project(foreseen, plan.steps), tvs, plan, told)
    with operation(ctx, tvs) as work:
        told = recover(work, tvs)
        before = observe(ctx, tvs, beside=targets)
        plan = plan_cancel(before, tvs, bvs=targets, every=every)
        raise_refusals(plan.refusals)
        steps = [step for step in plan.steps if isinstance(step, ReleaseCopy)]
        sessions = before.sessions
        if steps:
            with work.transaction() as records:
                entries = list(zip(work.intend(records, steps), steps))
            sessions, standing = apply_release(work, before, entries)
            if standing:
                told_ended = "Other sessions were ended. " if len(standing) < len(steps) else ""
                raise still_standing(before, standing, told_ended)
        with work.transaction() as records:
            apply_catalog_steps(records, plan.steps)
        after = refresh(ctx, before, sessions.values(), tvs) if plan.steps else before
    return _result(before, after, tvs, plan, told)


def _result(
    before: World, after: World, tvs: Sequence[VolumeRef], plan: Plan, recovered: Sequence[str], looks: int = 0
) -> Result:
    actions = {StartCopy: "started", ResumeCopy: "resumed", ReleaseCopy: "cancelled", FreeVolume: "released"}
    done: dict[VolumeRef, str] = {step.tv: actions[type(step)] for step in plan.steps if type(step) in actions}
    volumes: list[dict[str, Any]] = []
    for tv in tvs:
        shown = view(after, tv)
        volumes.append({**shown["synchronization"], "volume": shown["volume"], "action": done.get(tv, "none")})
    return Result(
        changed=bool(plan.steps or recovered),
        values={
            "synchronizations": volumes,
            "equivalent": all(row["state"] == SessionState.EQUIVALENT.value for row in volumes),
            "looks": looks,
        },
        before={before.name(tv): view(before, tv) for tv in tvs},
        after={after.name(tv): view(after, tv) for tv in tvs},
        warnings=[*recovered, *plan.warnings],
    )
