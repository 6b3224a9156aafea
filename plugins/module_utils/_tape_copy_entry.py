# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the options of tape_copy to its result: the backups that are named, or the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk, living_leases
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_leg import LegDone
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_names import transaction_volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import (
    TapeAction,
    TapePlan,
    TapeStep,
    plan_tape,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_queue import Asked, attempt, work_queue
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_show import names_of, show_copy
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def copy_tapes(ctx: Context, desk: TapeDesk, params: Mapping[str, Any]) -> Result:
    """Write and verify the tape copies that are asked for; every one is tried, whatever became of the others."""
    if params["limit"] < 0:
        raise invalid("limit", params["limit"], "Give how many copies to write at most, 0 for no limit.")
    if params["backups"]:
        plan = _named(ctx, params)
        if plan.refusals:
            raise combined(plan.refusals)
        done = [attempt(ctx, desk, step) for step in plan.steps]
        tried: Sequence[TapeStep] = plan.steps
    else:
        asked = Asked(_volumes(ctx, params), params["verify"], params["limit"], params["retry_failed"])
        work = work_queue(ctx, desk, asked)
        tried, done = [step for step, _done in work], [one for _step, one in work]
    return _result(ctx, tried, done)


def _result(ctx: Context, tried: Sequence[TapeStep], done: Sequence[LegDone]) -> Result:
    with ctx.catalog.read() as records:
        names = names_of(records)
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
    before = {_key(step): _state(step.copy.state, step.copy.verified_ok) for step in tried}
    after = {_key(one): _state(one.copy.state, one.copy.verified_ok) for one in done}
    if ctx.check_mode:
        after = {_key(step): _after(step) for step in tried}
    return Result(any(one.changed for one in done), {"copies": shown}, {"copies": before}, {"copies": after})


def _volumes(ctx: Context, params: Mapping[str, Any]) -> tuple[VolumeRef, ...]:
    with ctx.catalog.read() as records:
        return tuple(transaction_volume(records, name).ref for name in params["volumes"] or [])


def _named(ctx: Context, params: Mapping[str, Any]) -> TapePlan:
    ids: Sequence[str] = list(dict.fromkeys(params["backups"]))
    with ctx.catalog.read() as records:
        backups = records.backups(ids=ids)
        missing = sorted(set(ids) - {backup.id for backup in backups})
        if missing:
            raise BackupError(
                ErrorClass.NO_SUCH_BACKUP,
                f"No such backup: {', '.join(missing)}.",
                next_step="List the backups with eternus_backup_info.",
                backups=missing,
            )
        return plan_tape(
            backups,
            {policy.tv: policy for policy in records.policies()},
            living_leases(records),
            ctx.clock.now(),
            named=True,
            verify=params["verify"],
            pool=params["pool"] or "",
            owner=ctx.owner,
        )


def _key(one: Any) -> str:
    return f"{one.backup.id}:{one.copy.number}"


def _state(state: TapeState, verified: Any) -> str:
    return f"{state.value}, {'verified' if verified else 'not verified'}"


def _after(step: TapeStep) -> str:
    proven = step.verify if step.action is not TapeAction.KEEP else step.copy.verified_ok
    return _state(TapeState.WRITTEN, proven)
