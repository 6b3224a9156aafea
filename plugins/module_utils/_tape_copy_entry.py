# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the options of tape_copy to its result: one for many legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import the_volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_leg import (
    LegDone,
    check_leg,
    check_verify,
    run_step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import (
    TapeAction,
    TapePlan,
    TapeStep,
    plan_tape,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_show import names_of, show_copy
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def copy_tapes(ctx: Context, desk: TapeDesk, params: Mapping[str, Any]) -> Result:
    """Write and verify the tape copies that are asked for; every one is tried, whatever became of the others."""
    plan, names = _planned(ctx, params)
    if plan.refusals:
        raise combined(plan.refusals)
    done: list[LegDone] = []
    for step in plan.steps:
        try:
            done.append(_checked(ctx, desk, step) if ctx.check_mode else run_step(ctx, desk, step))
        except BackupError as error:
            done.append(LegDone(step.backup, step.copy, False, error))
    shown = [
        {
            **show_copy(one.backup, one.copy, names.get(one.backup.tv, one.backup.tv.device_id)),
            "changed": one.changed,
            "error_class": one.error.error_class.value if one.error else "",
        }
        for one in done
    ]
    errors = [one.error for one in done if one.error is not None]
    if errors:
        whole = combined(errors, errors[0].unchanged if len(errors) == 1 else "The disk generations stay valid.")
        whole.details["copies"] = shown
        whole.details["changed"] = any(one.changed for one in done)
        raise whole
    before = {_key(step): _state(step.copy.state, step.copy.verified_ok) for step in plan.steps}
    after = {_key(one): _state(one.copy.state, one.copy.verified_ok) for one in done}
    if ctx.check_mode:
        after = {_key(step): _after(step) for step in plan.steps}
    return Result(any(one.changed for one in done), {"copies": shown}, {"copies": before}, {"copies": after})


def _planned(ctx: Context, params: Mapping[str, Any]) -> tuple[TapePlan, dict[Any, str]]:
    ids: Sequence[str] = list(dict.fromkeys(params["backups"] or []))
    with ctx.catalog.read() as records:
        tvs = [the_volume(records, name).ref for name in params["volumes"] or []] or None
        backups = records.backups(tvs=tvs, ids=ids or None)
        missing = sorted(set(ids) - {backup.id for backup in backups})
        if missing:
            raise BackupError(
                ErrorClass.NO_SUCH_BACKUP,
                f"No such backup: {', '.join(missing)}.",
                next_step="List the backups with eternus_backup_info.",
                backups=missing,
            )
        plan = plan_tape(
            backups,
            {policy.tv: policy for policy in records.policies()},
            records.leases(),
            ctx.clock.now(),
            named=bool(ids),
            verify=params["verify"],
            pool=params["pool"] or "",
            owner=ctx.owner,
        )
        return plan, names_of(records)


def _checked(ctx: Context, desk: TapeDesk, step: TapeStep) -> LegDone:
    """Check mode: everything that could refuse, and nothing else."""
    if step.action is TapeAction.WRITE:
        check_leg(ctx, desk, step)
    elif step.action is TapeAction.VERIFY:
        check_verify(ctx, desk, step)
    return LegDone(step.backup, step.copy, step.action is not TapeAction.KEEP)


def _key(one: Any) -> str:
    return f"{one.backup.id}:{one.copy.number}"


def _state(state: TapeState, verified: Any) -> str:
    return f"{state.value}, {'verified' if verified else 'not verified'}"


def _after(step: TapeStep) -> str:
    proven = step.verify if step.action is not TapeAction.KEEP else step.copy.verified_ok
    return _state(TapeState.WRITTEN, proven)
