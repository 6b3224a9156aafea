# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finish or undo what was left half done: the journal says what was meant, the array what became of it (DESIGN.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import (
    apply_release,
    settle_copy,
    settle_release,
    still_standing,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.journal import ArrayStep, step_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import after_record
from ansible_collections.eternus.backup.plugins.module_utils._backup.record import record_splits
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import CONFIRM, Sessions, look
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import BROKEN_OFF, restore_key
from ansible_collections.eternus.backup.plugins.module_utils._backup.restored import (
    end_reading,
    running_restores,
    settle_restores,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    FreeVolume,
    ReleaseCopy,
    RestoreCopy,
    ResumeCopy,
    SplitCopy,
    StartCopy,
    project,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, StepState, UsedKey
from ansible_collections.eternus.backup.plugins.module_utils._waiter import wait_until

_RUNNING = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED, SessionState.RESTORING)


@dataclass(frozen=True)
class _Found:
    """An open entry and the step that it stands for."""

    entry: JournalEntry
    step: ArrayStep


def recover(work: Operation, tvs: Collection[VolumeRef], *, restores: bool = True) -> list[str]:
    """Settle every open entry of these TVs; needs their leases. Returns sentences on what was done.

    :param restores: notice too that a restore has ended meanwhile.
    """
    with work.ctx.catalog.read() as records:
        found = [_Found(entry, step_of(entry)) for entry in records.open_entries(tvs)]
        running = restores and running_restores(records, tvs, tvs)
        names = {volume.ref: volume.name for volume in records.volumes()} if found or running else {}
    if not found and not running:
        return []
    told = _settle_journal(work, tvs, found, names) if found else []
    if running:
        ended = settle_restores(work.ctx, look(work.ctx), tvs=tvs, targets=tvs)
        told += [f"A restore onto {names.get(target, target.device_id)} has ended." for target in ended]
    return told


def _settle_journal(
    work: Operation, tvs: Collection[VolumeRef], found: Sequence[_Found], names: Mapping[VolumeRef, str]
) -> list[str]:
    sessions = _settled_sessions(work, found)
    told = []
    splits: list[tuple[SplitCopy, JournalEntry, datetime]] = []
    releases: list[tuple[JournalEntry, ReleaseCopy]] = []
    with work.transaction() as records:
        for item in found:
            step = item.step
            if isinstance(step, SplitCopy) and _acted(step, sessions) and _still_serves(records, step):
                splits.append((step, item.entry, _moment(item, sessions)))
                outcome = f"backup {step.backup.id} is recorded"
            elif isinstance(step, ReleaseCopy) and not _acted(step, sessions):
                releases.append((item.entry, step))
                outcome = "the session is ended now"
            else:
                outcome = _settle(work, records, item, sessions)
            told.append(f"Recovered {names.get(step.tv, step.tv.device_id)}: {outcome}.")
        releases.extend(record_splits(work, records, splits, sessions))
        world = read_world(work.ctx, records, sessions.values(), {}, tvs)
    if releases:
        _sessions, standing = apply_release(work, world, releases)
        if standing:
            raise still_standing(world, standing, "")
    return told


def foresee(ctx: Context, world: World, tvs: Collection[VolumeRef]) -> tuple[World, list[str]]:
    """Return the world as recovery would leave it, and what it would do: check mode plans from there."""
    with ctx.catalog.read() as records:
        found = [_Found(entry, step_of(entry)) for entry in records.open_entries(tvs)]
        running = running_restores(records, tvs, tvs)
    told = []
    for item in found:
        step = item.step
        acted = _acted(step, world.sessions)
        if isinstance(step, SplitCopy) and acted:
            backup = replace(step.backup, point_in_time=_moment(item, world.sessions))
            world = project(world, [replace(step, backup=backup)])
            world = project(world, after_record(world, backup, world.policies.get(step.tv)))
        elif isinstance(step, ReleaseCopy) and not acted:
            world = project(world, [step])
        elif isinstance(step, StartCopy) and not acted and step.untaped is None:
            world = project(world, [FreeVolume(step.tv, step.bv)])
        name = world.name(step.tv)
        told.append(f"An earlier run was interrupted at {item.entry.kind} of {name}; the next run settles it.")
    for marker, reader in running:
        if (reader.bv, marker.volume) not in world.sessions and marker.since + SETTLED <= world.now:
            undefined = {ref: one for ref, one in world.undefined.items() if ref != marker.volume}
            left = tuple(one for one in world.readers.get(reader.bv, ()) if one != reader)
            world = replace(world, undefined=undefined, readers={**world.readers, reader.bv: left})
            told.append(f"A restore onto {world.name(marker.volume)} has ended.")
    return world, told


def _moment(item: _Found, sessions: Sessions) -> datetime:
    """Return a time no earlier than the split: the array's own, unless its clock is behind the journal's."""
    session = _session(item.step, sessions)
    at = session.suspended_at if session is not None else None
    return max(at or item.entry.written_at, item.entry.written_at)


def _still_serves(records: Records, step: SplitCopy) -> bool:
    return any(row.tv == step.tv for row in records.allocations(bvs=[step.bv]))


def _settled_sessions(work: Operation, found: Sequence[_Found]) -> Sessions:
    """Read session lists until one is as young as every entry needs: a list may lag behind the act (array.md)."""
    believable = max(item.entry.written_at for item in found) + SETTLED

    def done(sessions: Sessions) -> bool:
        if work.ctx.clock.now() >= believable:
            return True
        return all(_acted(item.step, sessions) for item in found)

    return wait_until(lambda: look(work.ctx), done, CONFIRM, work.ctx.clock).last


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


def _settle(work: Operation, records: Records, item: _Found, sessions: Sessions) -> str:
    """Finish or undo one entry in the caller's transaction; splits to record and releases to send are the caller's."""
    step, entry, now = item.step, item.entry, work.ctx.clock.now()
    acted = _acted(step, sessions)
    if isinstance(step, (StartCopy, ResumeCopy)):
        settle_copy(records, step, entry, acted, now)
        return "the copy had started" if acted else "the copy had not started"
    if isinstance(step, SplitCopy):
        records.settle([entry.id], StepState.UNDONE, now)
        return "the pair had not been split, or is not ours any more; nothing was recorded"
    if isinstance(step, ReleaseCopy):
        settle_release(records, step, entry, sessions, now)
        return "the session had ended"
    records.settle([entry.id], StepState.DONE if acted else StepState.UNDONE, now)
    if acted:
        if step.key:
            records.use_key(UsedKey(step.target, restore_key(step.key), step.backup_id))
        return "the restore runs"
    # A copy that never started looks like one that ended: the target stays marked until a restore succeeds.
    for marker in records.undefined_targets([step.target]):
        records.mark_undefined(replace(marker, reason=BROKEN_OFF))
    end_reading(records, step.target, step.bv)
    return "the restore must be run again"
