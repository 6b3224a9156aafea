# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Write a finished split into the history and rotate, in one transaction: never a moment without a generation."""

from __future__ import annotations

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


def record_split(
    work: Operation, records: Records, step: SplitCopy, entry: JournalEntry, sessions: Sessions, at: datetime
) -> list[tuple[JournalEntry, ReleaseCopy]]:
    """Make the BV the newest generation and drop what is surplus; return the releases that are journalled now.

    :param at: no earlier than the split: a restore "at a time" must never bring back what was written after it (UTC).
    """
    backup = _dated(records, step.backup, at)
    records.add_backups([backup])
    records.set_suspended([step.bv], backup.point_in_time)
    records.settle([entry.id], StepState.DONE, work.ctx.clock.now())
    world = read_world(work.ctx, records, sessions.values(), {}, [step.tv])
    steps = after_record(world, backup, world.policies.get(step.tv))
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
