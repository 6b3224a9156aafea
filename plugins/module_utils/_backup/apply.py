# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Apply the steps of a plan: journal the intent, ask the array, confirm by its session list, record (DESIGN.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import (
    Key,
    Sessions,
    confirm,
    gone,
    not_confirmed,
    running,
    send,
    shown,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    CancelTapeLeg,
    DropGeneration,
    FreeReserved,
    ReleaseCopy,
    ResumeCopy,
    StartCopy,
    Step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    JournalEntry,
    StepState,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, combined

Copy = Union[StartCopy, ResumeCopy]


def apply_catalog_steps(records: Records, steps: Sequence[Step]) -> None:
    """Carry out the steps that are the catalog's alone, in the caller's transaction."""
    for step in steps:
        if isinstance(step, CancelTapeLeg):
            for backup in records.backups(ids=[step.backup_id]):
                queued = [copy.number for copy in backup.tape if copy.state is TapeState.QUEUED]
                records.remove_tape_copies(step.backup_id, queued)
        elif isinstance(step, FreeReserved):
            records.free([step.bv])
        elif isinstance(step, DropGeneration) and step.wait:
            records.set_disk_leaving([step.backup_id])
        elif isinstance(step, DropGeneration):
            records.drop_disk([step.backup_id])
            if step.free:
                records.free([step.bv])


def apply_start(work: Operation, world: World, steps: Sequence[Step]) -> Sessions:
    """Start and resume copies; return the sessions as they are then.

    What the array refuses is undone; the rest stays, and the error says so.

    Raises ``Conflict`` when another process took a BV first: nothing was changed then.
    """
    now = work.ctx.clock.now()
    copies: list[Copy] = [step for step in steps if isinstance(step, (StartCopy, ResumeCopy))]
    starts = [step for step in copies if isinstance(step, StartCopy)]
    with work.transaction() as records:
        apply_catalog_steps(records, steps)
        records.allocate([Allocation(step.bv, step.tv, step.copy_type, now) for step in starts])
        entries = dict(zip(copies, work.intend(records, copies)))
    errors = _send_copies(work, world, copies)
    accepted = [step for step in copies if errors.get(step) is None]
    sessions = confirm(work, {(s.tv, s.bv): shown if isinstance(s, StartCopy) else running for s in accepted})
    for step in accepted:
        session = sessions.get((step.tv, step.bv))
        if session is None or (isinstance(step, ResumeCopy) and not running(session)):
            errors[step] = not_confirmed(world.pair(step.tv, step.bv), "executing", session)
    open_still = {step for step in accepted if errors.get(step) is not None}
    with work.transaction() as records:
        for step in copies:
            if step not in open_still:
                settle_copy(records, step, entries[step], errors.get(step) is None, work.ctx.clock.now())
    _raise_partial(world, copies, errors)
    return sessions


def settle_copy(records: Records, step: Copy, entry: JournalEntry, done: bool, now: datetime) -> None:
    """Write down that a copy runs, or that it never came to be: its BV is unused again, or still suspended."""
    records.settle([entry.id], StepState.DONE if done else StepState.UNDONE, now)
    if isinstance(step, StartCopy) and not done:
        records.free([step.bv])
    elif isinstance(step, ResumeCopy) and done:
        records.set_suspended([step.bv], None)


def _send_copies(work: Operation, world: World, copies: Sequence[Copy]) -> dict[Copy, Optional[BackupError]]:
    fresh = [(s.copy_type, world.pair(s.tv, s.bv)) for s in copies if isinstance(s, StartCopy)]
    known = [(s.copy_type, world.pair(s.tv, s.bv)) for s in copies if isinstance(s, ResumeCopy)]
    answers: dict[Key, Optional[BackupError]] = {}
    answers.update(send(work, fresh, lambda array, copy_type, pairs: array.start(copy_type, pairs)))
    answers.update(send(work, known, lambda array, copy_type, pairs: array.resume(copy_type, pairs)))
    return {step: answers[(step.tv, step.bv)] for step in copies}


def apply_release(work: Operation, world: World, entries: Sequence[tuple[JournalEntry, ReleaseCopy]]) -> Sessions:
    """End sessions that are journalled already, free BVs that nothing uses any more; return the sessions then."""
    pairs = [(step.copy_type, world.pair(step.tv, step.bv)) for _entry, step in entries]
    answers = send(work, pairs, lambda array, copy_type, wanted: array.release(copy_type, wanted))
    accepted: list[tuple[JournalEntry, ReleaseCopy]] = []
    errors: list[BackupError] = []
    refused: list[JournalEntry] = []
    for entry, step in entries:
        error = answers[(step.tv, step.bv)]
        if error is None:
            accepted.append((entry, step))
        else:
            errors.append(error)
            refused.append(entry)
    sessions = confirm(work, {(step.tv, step.bv): gone for _entry, step in accepted})
    with work.transaction() as records:
        records.settle([entry.id for entry in refused], StepState.UNDONE, work.ctx.clock.now())
        for entry, step in accepted:
            still = sessions.get((step.tv, step.bv))
            if still is not None:
                errors.append(not_confirmed(world.pair(step.tv, step.bv), "ended", still))
            else:
                settle_release(records, step, entry, sessions, work.ctx.clock.now())
    if errors:
        raise combined(errors, unchanged="Sessions that are named here still stand; all others were ended.")
    return sessions


def settle_release(records: Records, step: ReleaseCopy, entry: JournalEntry, sessions: Sessions, now: datetime) -> None:
    """Write down that a session ended; its BV is unused when no generation, session or reader is left on it (§4)."""
    records.settle([entry.id], StepState.DONE, now)
    records.set_suspended([step.bv], None)
    if is_idle(records, step.tv, step.bv, sessions):
        records.free([step.bv])


def is_idle(records: Records, tv: VolumeRef, bv: VolumeRef, sessions: Sessions) -> bool:
    """Tell whether a BV carries no generation, no session, and nobody reads it (behaviour.md §4)."""
    if any(backup.disk is not None and backup.disk.bv == bv for backup in records.backups(tvs=[tv])):
        return False
    return not records.readers([bv]) and not any(bv in key for key in sessions)


def _raise_partial(world: World, copies: Sequence[Copy], errors: Mapping[Copy, Optional[BackupError]]) -> None:
    failed = [error for error in errors.values() if error is not None]
    if not failed:
        return
    running_now = [world.name(step.tv) for step in copies if errors.get(step) is None]
    unchanged = (
        f"Started all the same: {', '.join(running_now)}. Nothing was changed for the others."
        if running_now
        else "Nothing was changed."
    )
    raise combined(failed, unchanged=unchanged)
