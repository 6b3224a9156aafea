# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Take splits and snapshots back that may not be recorded: mirrors go on, snapshots are ended (behaviour.md §3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import is_idle
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
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import SnapCopy, SplitCopy, Taking
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    JournalEntry,
    StepState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError

Item = tuple[Taking, JournalEntry]


def take_back(
    work: Operation, world: World, items: Sequence[Item], seen: Sessions
) -> tuple[Sessions, dict[Taking, BackupError]]:
    """Resynchronize pairs that were split, end snapshots that were made; nothing of them is recorded.

    A split whose session has broken is only written down: in a request for many it would
    keep the others from being taken back.

    :param seen: the sessions as they were after the split.

    Returns the sessions as they are then, and the errors of those that could not be taken back: their entries stay
    open, the next run takes them back.
    """
    splits = [step for step, _entry in items if isinstance(step, SplitCopy) and _apart(step, seen)]
    snaps = [step for step, _entry in items if isinstance(step, SnapCopy) and not step.resume]
    answers: dict[Key, Optional[BackupError]] = {}
    with journalled():
        answers.update(send(work, _pairs(world, splits), lambda array, kind, pairs: array.resume(kind, pairs)))
        answers.update(send(work, _pairs(world, snaps), lambda array, kind, pairs: array.release(kind, pairs)))
        wanted = {(step.tv, step.bv): running for step in splits if answers[(step.tv, step.bv)] is None}
        wanted.update({(step.tv, step.bv): gone for step in snaps if answers[(step.tv, step.bv)] is None})
        sessions = confirm(work, wanted)
    errors: dict[Taking, BackupError] = {}
    with work.transaction() as records:
        for step, entry in items:
            sent = step in splits or step in snaps
            error = _standing(world, step, sessions, answers[(step.tv, step.bv)]) if sent else None
            if error is None:
                settle_not_made(records, step, entry, sessions, work.ctx.clock.now())
            else:
                errors[step] = error
    return sessions, errors


def _apart(step: Taking, sessions: Sessions) -> bool:
    session = sessions.get((step.tv, step.bv))
    return session is not None and session.state not in (SessionState.FAILED, SessionState.UNKNOWN)


def _pairs(world: World, steps: Sequence[Taking]) -> list[tuple[CopyType, Pair]]:
    return [(step.copy_type, world.pair(step.tv, step.bv)) for step in steps]


def _standing(world: World, step: Taking, sessions: Sessions, answer: Optional[BackupError]) -> Optional[BackupError]:
    session = sessions.get((step.tv, step.bv))
    if running(session) if isinstance(step, SplitCopy) else step.resume or session is None:
        return None
    return answer or not_confirmed(
        world.pair(step.tv, step.bv), "executing" if isinstance(step, SplitCopy) else "ended", session
    )


def settle_not_made(
    records: Records, step: Taking, entry: JournalEntry, sessions: Sessions, now: datetime, *, refused: bool = False
) -> None:
    """Write down that a split or snapshot never came to be; what it was to overwrite goes unless it was refused.

    :param refused: the array said no: what was to be overwritten is whole (behaviour.md §3). Else nobody can tell what
        is on it, and it is struck.
    """
    records.settle([entry.id], StepState.UNDONE, now)
    if isinstance(step, SplitCopy) or not any(row.tv == step.tv for row in records.allocations(bvs=[step.bv])):
        return
    if step.replaces and refused and not step.spoiled:
        still = [b for b in records.backups(ids=[step.replaces]) if b.disk is not None and b.disk.bv == step.bv]
        if still:
            records.set_disk_state([step.replaces], step.before)
            for copy in step.untaped:
                records.put_tape_copy(step.replaces, copy)
            return
    elif step.replaces:
        records.drop_disk([step.replaces])
    if is_idle(records, step.tv, step.bv, sessions):
        records.free([step.bv])


def take_over(records: Records, step: SnapCopy, now: datetime) -> None:
    """Let a BV carry what was copied onto it: what it carried goes, and the allocation says how it is bound now."""
    if step.replaces:
        records.drop_disk([step.replaces])
    row = next(iter(records.allocations(bvs=[step.bv])), None)
    if row is not None and row.copy_type is not step.copy_type:
        records.free([step.bv])
        records.allocate([Allocation(step.bv, step.tv, step.copy_type, now)])
    else:
        records.set_suspended([step.bv], None)


def set_aside(records: Records, step: SnapCopy) -> bool:
    """Mark what is to be overwritten as leaving, and give up its queued tape copies; False when a leg went on."""
    if not step.replaces:
        return True
    backup = next(iter(records.backups(ids=[step.replaces])), None)
    if backup is None or backup.disk is None:
        return False
    waiting = {copy.number for copy in step.untaped}
    busy = {copy.number for copy in backup.tape if copy.state.value in ("queued", "writing")}
    if busy != waiting or records.readers([step.bv]):
        return False
    records.set_disk_leaving([step.replaces])
    if waiting:
        records.remove_tape_copies(step.replaces, waiting)
    return True
