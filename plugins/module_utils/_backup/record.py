# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Write a finished split into the history and rotate, in one transaction: never a moment without a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import apply_catalog_steps
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import after_record
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import Sessions
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    SnapCopy,
    SplitCopy,
    Taking,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.undo import take_over
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, JournalEntry, StepState


@dataclass(frozen=True)
class Taken:
    """A split or snapshot that was made, with a time no earlier than itself (UTC).

    For a group: ``consistent``, whether one request split it; ``skew_ms``, how far apart its members are at most.
    """

    step: Taking
    entry: JournalEntry
    at: datetime
    consistent: Optional[bool] = None
    skew_ms: Optional[int] = None


def record_taken(
    work: Operation, records: Records, taken: Sequence[Taken], sessions: Sessions
) -> list[tuple[JournalEntry, ReleaseCopy]]:
    """Make BVs the newest generations and drop what is surplus; return the releases that are journalled now.

    A restore "at a time" must never bring back what was written after it: a time is never earlier than the split. The
    members of a group bear the same one.
    """
    if not taken:
        return []
    for one in taken:
        if isinstance(one.step, SnapCopy):
            take_over(records, one.step, work.ctx.clock.now())
    times = _times(records, taken)
    dated = {one.step: _dated(one, times[one.step]) for one in taken}
    records.add_backups(list(dated.values()))
    for step, backup in dated.items():
        if isinstance(step, SplitCopy):
            records.set_suspended([step.bv], backup.point_in_time)
    records.settle([one.entry.id for one in taken], StepState.DONE, work.ctx.clock.now())
    world = read_world(work.ctx, records, sessions.values(), {}, [step.tv for step in dated])
    steps = [
        follow for step, backup in dated.items() for follow in after_record(world, backup, world.policies.get(step.tv))
    ]
    apply_catalog_steps(records, steps)
    releases = [follow for follow in steps if isinstance(follow, ReleaseCopy)]
    return list(zip(work.intend(records, releases), releases))


def _times(records: Records, taken: Sequence[Taken]) -> dict[Taking, datetime]:
    """Return the point in time of each; a clock that went back never makes one older than the one before."""
    found: dict[Taking, datetime] = {}
    common: dict[str, datetime] = {}
    last = {backup.tv: backup.point_in_time for backup in records.standing({one.step.tv for one in taken})}
    for one in taken:
        newest = last.get(one.step.tv)
        at = one.at if newest is None or one.at > newest else newest + timedelta(milliseconds=1)
        found[one.step] = at
        group = one.step.backup.group_id
        if group:
            common[group] = max(at, common.get(group, at))
    return {step: common.get(step.backup.group_id, at) for step, at in found.items()}


def _dated(one: Taken, at: datetime) -> Backup:
    planned = one.step.backup
    disk = replace(planned.disk, written_at=at) if planned.disk is not None else None
    tape = tuple(replace(copy, queued_at=at) for copy in planned.tape)
    dated = replace(planned, point_in_time=at, disk=disk, tape=tape)
    return dated if one.skew_ms is None else replace(dated, consistent=one.consistent, skew_ms=one.skew_ms)
