# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finish or undo what was left half done: the journal says what was meant, the array what became of it (DESIGN.md)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import (
    apply_release,
    settle_copy,
    settle_release,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.journal import ArrayStep, step_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world, session_list
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.record import record_split
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import CONFIRM, Sessions
from ansible_collections.eternus.backup.plugins.module_utils._backup.restored import (
    restore_key,
    restore_owner,
    settle_restores,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    RestoreCopy,
    ResumeCopy,
    SplitCopy,
    StartCopy,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, StepState, UsedKey
from ansible_collections.eternus.backup.plugins.module_utils._waiter import wait_until

_RUNNING = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED, SessionState.RESTORING)


@dataclass(frozen=True)
class _Found:
    """An open entry and the step that it stands for."""

    entry: JournalEntry
    step: ArrayStep


def pending(ctx: Context, tvs: Collection[VolumeRef]) -> list[str]:
    """Say what an earlier run left half done, without touching it (check mode)."""
    with ctx.catalog.read() as records:
        return [
            f"An earlier run was interrupted at {entry.kind} of {entry.tv.device_id}; the next run settles it."
            for entry in records.open_entries(tvs)
        ]


def recover(work: Operation, tvs: Collection[VolumeRef], *, restores: bool = True) -> list[str]:
    """Settle every open entry of these TVs; needs their leases. Returns sentences on what was done.

    :param restores: notice too that a restore onto one of them has ended meanwhile.
    """
    with work.ctx.catalog.read() as records:
        found = [_Found(entry, step_of(entry)) for entry in records.open_entries(tvs)]
        names = {volume.ref: volume.name for volume in records.volumes()} if found else {}
        undefined = records.undefined_targets(tvs)
    if undefined and restores:
        settle_restores(work.ctx, tvs, session_list(work.ctx))
    if not found:
        return []
    sessions = _settled_sessions(work, found)
    told = []
    releases: list[tuple[JournalEntry, ReleaseCopy]] = []
    with work.transaction() as records:
        for item in found:
            outcome, more = _settle(work, records, item, sessions)
            releases.extend(more)
            told.append(f"Recovered {names.get(item.step.tv, item.step.tv.device_id)}: {outcome}.")
        world = read_world(work.ctx, records, sessions.values(), {}, tvs)
    if releases:
        apply_release(work, world, releases)
    return told


def _settled_sessions(work: Operation, found: Sequence[_Found]) -> Sessions:
    """Read session lists until one is as young as every entry needs: a list may lag behind the act (array.md)."""
    newest = max(item.entry.written_at for item in found)
    believable = newest + timedelta(seconds=CONFIRM.timeout)

    def look() -> Sessions:
        return {session.key: session for session in session_list(work.ctx)}

    def done(sessions: Sessions) -> bool:
        if work.ctx.clock.now() >= believable:
            return True
        return all(_acted(item.step, sessions) for item in found)

    return wait_until(look, done, CONFIRM, work.ctx.clock).last


def _session(step: ArrayStep, sessions: Sessions) -> Optional[Session]:
    key = (step.bv, step.target) if isinstance(step, RestoreCopy) else (step.tv, step.bv)
    return sessions.get(key)


def _acted(step: ArrayStep, sessions: Sessions) -> bool:
    """Tell whether the list already shows that the array did it."""
    session = _session(step, sessions)
    if isinstance(step, ReleaseCopy):
        return session is None
    if session is None:
        return False
    if isinstance(step, SplitCopy):
        return session.state is SessionState.SUSPENDED
    return not isinstance(step, ResumeCopy) or session.state in _RUNNING


def _settle(
    work: Operation, records: Records, item: _Found, sessions: Sessions
) -> tuple[str, list[tuple[JournalEntry, ReleaseCopy]]]:
    """Finish or undo one entry in the caller's transaction; releases are left to the caller."""
    step, entry, now = item.step, item.entry, work.ctx.clock.now()
    acted = _acted(step, sessions)
    if isinstance(step, (StartCopy, ResumeCopy)):
        settle_copy(records, step, entry, acted, now)
        return ("the copy had started" if acted else "the copy had not started"), []
    if isinstance(step, SplitCopy):
        if not acted:
            records.settle([entry.id], StepState.UNDONE, now)
            return "the pair had not been split, nothing was recorded", []
        session = _session(step, sessions)
        at = session.suspended_at if session is not None else None
        return f"backup {step.backup.id} is recorded", record_split(work, records, step, entry, sessions, at or now)
    if isinstance(step, ReleaseCopy):
        if acted:
            settle_release(records, step, entry, sessions, now)
            return "the session had ended", []
        return "the session is ended now", [(entry, step)]
    records.settle([entry.id], StepState.DONE if acted else StepState.UNDONE, now)
    if acted and step.key:
        records.use_key(UsedKey(step.target, restore_key(step.key), step.backup_id))
    if not acted:
        # A copy that never started looks like one that ended: the target stays marked until a restore succeeds.
        records.remove_reader(step.bv, restore_owner(step.target))
    return ("the restore runs" if acted else "the restore must be run again"), []
