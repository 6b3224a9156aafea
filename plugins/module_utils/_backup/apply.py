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
    journalled,
    not_confirmed,
    running,
    send,
    shown,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    DropGeneration,
    FreeVolume,
    ReleaseCopy,
    ResumeCopy,
    StartCopy,
    Step,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
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
        if isinstance(step, FreeVolume):
            records.free([step.bv])
            records.clear_undefined(step.bv)
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
    fresh = [step for step in copies if isinstance(step, StartCopy) and step.untaped is None]
    with work.transaction() as records:
        apply_catalog_steps(records, steps)
        records.allocate([Allocation(step.bv, step.tv, step.copy_type, now) for step in fresh])
        for step in copies:
            _set_leg_aside(records, step)
        entries = dict(zip(copies, work.intend(records, copies)))
    with journalled():
        errors = _send_copies(work, world, copies)
        wanted = {(s.tv, s.bv): shown if isinstance(s, StartCopy) else running for s in copies if errors[s] is None}
        sessions = confirm(work, wanted)
    unconfirmed = set()
    for step in copies:
        session = sessions.get((step.tv, step.bv))
        there = session is not None if isinstance(step, StartCopy) else running(session)
        if errors[step] is None and not there:
            errors[step] = not_confirmed(world.pair(step.tv, step.bv), "executing", session)
            unconfirmed.add(step)
        elif errors[step] is not None and there:
            errors[step] = None  # an array that answers an error and does it all the same: the session is ours
    with work.transaction() as records:
        for step in copies:
            if step not in unconfirmed:
                settle_copy(records, step, entries[step], errors[step] is None, work.ctx.clock.now())
    _raise_partial(world, copies, errors, bool(unconfirmed))
    return sessions


def _set_leg_aside(records: Records, step: Copy) -> None:
    """Take the queued tape copies that are given up out of the queue, so that nobody begins to read the BV now."""
    if step.untaped is None:
        return
    backup = next(iter(records.backups(ids=[step.untaped.backup_id])), None)
    queued = {copy.number for copy in backup.tape if copy.state is TapeState.QUEUED} if backup else set()
    if queued != {copy.number for copy in step.untaped.copies} or records.readers([step.bv]):
        raise Conflict(f"the tape leg of backup {step.untaped.backup_id} went on")
    records.remove_tape_copies(step.untaped.backup_id, queued)


def settle_copy(records: Records, step: Copy, entry: JournalEntry, done: bool, now: datetime) -> None:
    """Write down that a copy runs, or that it never came to be: its BV is unused again, still suspended, or waits."""
    records.settle([entry.id], StepState.DONE if done else StepState.UNDONE, now)
    if step.untaped is not None and done:
        records.drop_disk([step.untaped.backup_id])
    elif step.untaped is not None:
        for copy in step.untaped.copies:
            records.put_tape_copy(step.untaped.backup_id, copy)
    elif isinstance(step, StartCopy) and not done:
        records.free([step.bv])
    if done:
        records.set_suspended([step.bv], None)


def _send_copies(work: Operation, world: World, copies: Sequence[Copy]) -> dict[Copy, Optional[BackupError]]:
    fresh = [(s.copy_type, world.pair(s.tv, s.bv)) for s in copies if isinstance(s, StartCopy)]
    known = [(s.copy_type, world.pair(s.tv, s.bv)) for s in copies if isinstance(s, ResumeCopy)]
    answers: dict[Key, Optional[BackupError]] = {}
    answers.update(send(work, fresh, lambda array, copy_type, pairs: array.start(copy_type, pairs)))
    answers.update(send(work, known, lambda array, copy_type, pairs: array.resume(copy_type, pairs)))
    return {step: answers[(step.tv, step.bv)] for step in copies}


def apply_release(
    work: Operation, world: World, entries: Sequence[tuple[JournalEntry, ReleaseCopy]]
) -> tuple[Sessions, dict[ReleaseCopy, BackupError]]:
    """End sessions that are journalled already, and free BVs that nothing uses any more.

    Returns the sessions as they are then, and the errors of those that still stand.
    """
    pairs = [(step.copy_type, world.pair(step.tv, step.bv)) for _entry, step in entries]
    with journalled():
        answers = send(work, pairs, lambda array, copy_type, wanted: array.release(copy_type, wanted))
        keys = [(step.tv, step.bv) for _entry, step in entries]
        sessions = confirm(work, {key: gone for key in keys if answers[key] is None})
    errors: dict[ReleaseCopy, BackupError] = {}
    with work.transaction() as records:
        for entry, step in entries:
            session, error = sessions.get((step.tv, step.bv)), answers[(step.tv, step.bv)]
            if session is None:
                settle_release(records, step, entry, sessions, work.ctx.clock.now())
            elif error is not None:
                errors[step] = error
                records.settle([entry.id], StepState.UNDONE, work.ctx.clock.now())
            else:
                errors[step] = not_confirmed(world.pair(step.tv, step.bv), "ended", session)
    return sessions, errors


def still_standing(world: World, errors: Mapping[ReleaseCopy, BackupError], told: str) -> BackupError:
    """Return one error for sessions that could not be ended; ``told`` says what was done all the same."""
    names = ", ".join(f"{world.name(step.tv)} onto {world.name(step.bv)}" for step in errors)
    kept = " The journal keeps what is not confirmed." if any(error.changed for error in errors.values()) else ""
    unchanged = f"{told}The sessions of {names} still stand.{kept}"
    return combined(list(errors.values()), unchanged=unchanged, changed=bool(told))


def settle_release(records: Records, step: ReleaseCopy, entry: JournalEntry, sessions: Sessions, now: datetime) -> None:
    """Write down that a session ended; its BV is unused when no generation, session or reader is left on it (§4)."""
    records.settle([entry.id], StepState.DONE, now)
    if not any(row.tv == step.tv for row in records.allocations(bvs=[step.bv])):
        return  # a session by other hands that was named
    records.set_suspended([step.bv], None)
    if step.strikes and any(one.good_on_disk for one in records.backups(ids=[step.strikes])):
        records.set_disk_leaving([step.strikes])
    if is_idle(records, step.tv, step.bv, sessions):
        records.free([step.bv])


def is_idle(records: Records, tv: VolumeRef, bv: VolumeRef, sessions: Sessions) -> bool:
    """Tell whether a BV carries no generation, no session, and nobody reads it (behaviour.md §4)."""
    if any(backup.tv == tv for backup in records.carrying([bv])):
        return False
    return not records.readers([bv]) and not any(bv in key for key in sessions)


def _raise_partial(
    world: World, copies: Sequence[Copy], errors: Mapping[Copy, Optional[BackupError]], unconfirmed: bool
) -> None:
    failed = [error for error in errors.values() if error is not None]
    if not failed:
        return
    started = [world.name(step.tv) for step in copies if errors.get(step) is None]
    told = f"Started all the same: {', '.join(started)}. " if started else ""
    told += "Nothing was changed for the others." if started else "Nothing was changed."
    if unconfirmed:
        told = f"{told.partition('Nothing')[0]}The journal keeps what is not confirmed; the next run settles it."
    raise combined(failed, unchanged=told, changed=bool(started) or unconfirmed)
