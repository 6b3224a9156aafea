# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Write a finished split into the history and rotate, in one transaction: never a moment without a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import apply_catalog_steps
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import after_record
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import Sessions
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import ReleaseCopy, SplitCopy
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, JournalEntry, StepState


def record_splits(
    work: Operation,
    records: Records,
    splits: Sequence[tuple[SplitCopy, JournalEntry, datetime]],
    sessions: Sessions,
) -> list[tuple[JournalEntry, ReleaseCopy]]:
    """Make BVs the newest generations and drop what is surplus; return the releases that are journalled now.

    Each split comes with a time no earlier than itself (UTC): a restore "at a time" must never bring back what was
    written after it.
    """
    if not splits:
        return []
    dated = {step: _dated(records, step.backup, at) for step, _entry, at in splits}
    records.add_backups(list(dated.values()))
    for step, backup in dated.items():
        records.set_suspended([step.bv], backup.point_in_time)
    records.settle([entry.id for _step, entry, _at in splits], StepState.DONE, work.ctx.clock.now())
    world = read_world(work.ctx, records, sessions.values(), {}, [step.tv for step in dated])
    steps = [
        follow for step, backup in dated.items() for follow in after_record(world, backup, world.policies.get(step.tv))
    ]
    apply_catalog_steps(records, steps)
    releases = [follow for follow in steps if isinstance(follow, ReleaseCopy)]
    return list(zip(work.intend(records, releases), releases))


def _dated(records: Records, planned: Backup, at: datetime) -> Backup:
    """Give a backup its point in time; a clock that went back never makes it older than the one before."""
    history = records.backups(tvs=[planned.tv])
    newest = history[-1].point_in_time if history else None
    if newest is not None and at <= newest:
        at = newest + timedelta(milliseconds=1)
    disk = replace(planned.disk, written_at=at) if planned.disk is not None else None
    tape = tuple(replace(copy, queued_at=at) for copy in planned.tape)
    return replace(planned, point_in_time=at, disk=disk, tape=tape)
