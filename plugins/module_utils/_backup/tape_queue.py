# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The queue of tape legs: each process takes the next free leg until none is left (behaviour.md §5).

Any number of processes, on any number of hosts, work on one queue side by side: the catalog gives a leg to one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import tidy_pools
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk, living_leases
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_leg import (
    LegDone,
    check_leg,
    check_verify,
    run_step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import (
    LegTaken,
    TapeAction,
    TapePlan,
    TapeStep,
    plan_tape,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError

Tried = set[tuple[str, int]]


@dataclass(frozen=True)
class Asked:
    """What of the queue is wanted.

    :param tvs: only these volumes' legs; empty: all.
    :param verify: each copy is read again after writing, and written copies that were not found equal since as well.
    :param limit: how many legs at most; 0: until the queue is empty.
    :param retry_failed: legs that failed before are written anew.
    """

    tvs: tuple[VolumeRef, ...] = ()
    verify: bool = False
    limit: int = 0
    retry_failed: bool = True


def attempt(ctx: Context, desk: TapeDesk, step: TapeStep, *, shared: bool = False) -> LegDone:
    """Do a step, or in check mode all that could refuse it; an error is part of what is returned."""
    try:
        if not ctx.check_mode:
            return run_step(ctx, desk, step, shared=shared)
        if step.action is TapeAction.WRITE:
            check_leg(ctx, desk, step)
        elif step.action is TapeAction.VERIFY:
            check_verify(ctx, desk, step)
        return LegDone(step.backup, step.copy, step.action is not TapeAction.KEEP)
    except BackupError as error:
        return LegDone(step.backup, step.copy, False, error)


def work_queue(ctx: Context, desk: TapeDesk, asked: Asked) -> list[tuple[TapeStep, LegDone]]:
    """Take one leg after the other, looking at the queue anew before each, so that what comes meanwhile is taken too.

    Each is tried once. What another process was quicker to take is passed over, and is not part of what is returned.
    """
    begin = ctx.clock.now()
    tidy_pools(ctx)
    done: list[tuple[TapeStep, LegDone]] = []
    tried: Tried = set()
    for step in _each(ctx, asked, begin, tried):
        one = attempt(ctx, desk, step, shared=True)
        if not isinstance(one.error, LegTaken):
            done.append((step, one))
        if asked.limit and len(done) == asked.limit:
            break
    return done


def _each(ctx: Context, asked: Asked, begin: datetime, tried: Tried) -> Iterator[TapeStep]:
    """Give the next free leg, oldest first, then what is to be verified, until there is none."""
    for verifying in (False, True) if asked.verify else (False,):
        while True:
            step = _next(_plan(ctx, asked, whole=verifying), asked, begin, tried)
            if step is None:
                break
            tried.add((step.backup.id, step.copy.number))
            yield step


def _plan(ctx: Context, asked: Asked, *, whole: bool) -> TapePlan:
    """Plan all that waits; ``whole``: the history is read too, for what was written and not verified."""
    with ctx.catalog.read() as records:
        tvs = asked.tvs or None
        backups = records.unverified_tape(tvs) if whole else records.unfinished_tape()
        return plan_tape(
            [backup for backup in backups if not asked.tvs or backup.tv in asked.tvs],
            {},
            living_leases(records),
            ctx.clock.now(),
            named=False,
            verify=asked.verify,
            owner=ctx.owner,
        )


def _next(plan: TapePlan, asked: Asked, begin: datetime, tried: Tried) -> Optional[TapeStep]:
    for step in plan.steps:
        known = (step.backup.id, step.copy.number) in tried
        if step.action is TapeAction.KEEP or known or _failed_here(step, asked, begin):
            continue
        return step
    return None


def _failed_here(step: TapeStep, asked: Asked, begin: datetime) -> bool:
    """Tell whether a failed leg is left alone: by wish, or since another process has just tried it in vain."""
    copy = step.copy
    if copy.state is not TapeState.FAILED:
        return False
    return not asked.retry_failed or (copy.started_at is not None and copy.started_at > begin)
