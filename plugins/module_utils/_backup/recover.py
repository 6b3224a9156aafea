# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finish or undo what was left half done: the journal says what was meant, the array what became of it (DESIGN.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import (
    apply_release,
    settle_copy,
    settle_release,
    still_standing,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.moving import sessions_moving
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world, refresh
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation, open_mates
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import after_record
from ansible_collections.eternus.backup.plugins.module_utils._backup.record import Taken, record_taken
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import CONFIRM, Sessions, look
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import BROKEN_OFF, restore_key
from ansible_collections.eternus.backup.plugins.module_utils._backup.restored import (
    dead_comparisons,
    end_comparisons,
    end_reading,
    running_restores,
    settle_restores,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    FreeVolume,
    ReleaseCopy,
    ResumeCopy,
    SnapCopy,
    SplitCopy,
    StartCopy,
    Taking,
    project,
    without_disk,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.undo import Item, settle_not_made, take_back
from ansible_collections.eternus.backup.plugins.module_utils._backup.verdict import (
    Found,
    Verdict,
    acted,
    judge,
    moment,
    surely_not,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    JournalEntry,
    StepState,
    UsedKey,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, with_unchanged
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until


def recover(
    work: Operation, tvs: Collection[VolumeRef], *, restores: bool = True, patience: Optional[Wait] = None
) -> list[str]:
    """Settle every open entry of these TVs; needs their leases. Returns sentences on what was done.

    :param restores: notice too that a restore has ended meanwhile.
    :param patience: how long to wait until pairs whose split was taken back are equivalent again, as they were before
        the run that was interrupted.
    """
    tvs = {*tvs, *work.mates}
    with work.ctx.catalog.read() as records:
        found = [Found.of(entry) for entry in records.open_entries(tvs)]
        running = restores and running_restores(records, tvs, tvs)
        ends = {item.step.tv for item in found} | {marker.volume for marker, _reader in running or ()}
        names = {volume.ref: volume.name for volume in records.volumes(ends)}
        dead = dead_comparisons(records, work.ctx.clock.now())
    if dead:
        with work.transaction() as records:
            end_comparisons(records, dead)
    if not found and not running:
        return []
    told = _settle_journal(work, tvs, found, names, patience) if found else []
    if running:
        ended = settle_restores(work.ctx, look(work.ctx), tvs=tvs, targets=tvs)
        told += [f"A restore onto {names.get(target, target.device_id)} has ended." for target in ended]
    return told


def _settle_journal(
    work: Operation,
    tvs: Collection[VolumeRef],
    found: Sequence[Found],
    names: Mapping[VolumeRef, str],
    patience: Optional[Wait],
) -> list[str]:
    sessions = _settled_sessions(work, found)
    told = []
    taken: list[Taken] = []
    undoing: list[Item] = []
    releases: list[tuple[JournalEntry, ReleaseCopy]] = []
    with work.transaction() as records:
        for item, verdict in zip(found, _judged(records, found, sessions, tvs)):
            step = item.step
            if verdict is Verdict.RECORD and isinstance(step, (SplitCopy, SnapCopy)):
                taken.append(Taken(step, item.entry, moment(item, sessions, work.ctx.clock.now())))
                outcome = f"backup {step.backup.id} is recorded"
            elif verdict is Verdict.TAKE_BACK and isinstance(step, (SplitCopy, SnapCopy)):
                undoing.append((step, item.entry))
                outcome = "its part of a backup that did not become whole is taken back"
            elif verdict is Verdict.NOT_MADE and isinstance(step, (SplitCopy, SnapCopy)):
                now, whole = work.ctx.clock.now(), _surely_not(item, found, sessions)
                if whole and isinstance(step, SnapCopy) and (step.tv, step.bv) in sessions:
                    step = replace(step, spoiled=False)  # its old session stands: what it carries is whole
                settle_not_made(records, step, item.entry, sessions, now, refused=whole)
                outcome = _NOT_MADE[SplitCopy if whole else type(step)]
            elif verdict is Verdict.NOT_MADE:
                records.settle([item.entry.id], StepState.UNDONE, work.ctx.clock.now())
                outcome = "the old session stays"
            elif verdict is Verdict.FINISH and isinstance(step, ReleaseCopy):
                releases.append((item.entry, step))
                outcome = "the session is ended now"
            else:
                outcome = _settle(work, records, item, sessions)
            told.append(f"Recovered {names.get(step.tv, step.tv.device_id)}: {outcome}.")
        releases.extend(record_taken(work, records, taken, sessions))
        world = read_world(work.ctx, records, sessions.values(), {}, tvs)
    standing: dict[Any, BackupError] = {}
    if undoing:
        standing.update(take_back(work, world, undoing, sessions)[1])
        if patience is not None:
            _wait_for_pairs(work, [step for step, _entry in undoing if isinstance(step, SplitCopy)], patience)
    if releases:
        standing.update(apply_release(work, world, releases)[1])
    if standing:
        raise still_standing(world, standing, "")
    return told


def _wait_for_pairs(work: Operation, steps: Sequence[SplitCopy], patience: Wait) -> None:
    """Wait until no pair that was resynchronized is executing any more; whoever plans next sees how it ended.

    Where array or catalog are lost meanwhile, the error says what has been taken back before.
    """

    def seen() -> Sessions:
        work.before_act()
        return look(work.ctx)

    def done(sessions: Sessions) -> bool:
        return not executing(sessions)

    def executing(sessions: Sessions) -> list[Session]:
        found = [sessions.get((step.tv, step.bv)) for step in steps]
        return [session for session in found if session is not None and session.state is SessionState.EXECUTING]

    try:
        wait_until(seen, done, patience, work.ctx.clock, lambda sessions: sessions_moving(executing(sessions)))
    except BackupError as error:
        raise with_unchanged(error, _TAKEN_BACK, changed=True) from error


_TAKEN_BACK = "What an earlier run had begun was taken back, and its pairs go on copying; nothing else was changed."
_NOT_MADE = {
    SplitCopy: "the copy had not been made, or is not ours any more; nothing was recorded",
    SnapCopy: "no copy shows on the array; nothing was recorded, and what it was to overwrite is not trusted",
}


def _judged(records: Records, found: Sequence[Found], sessions: Sessions, tvs: Collection[VolumeRef]) -> list[Verdict]:
    serving = {row.bv: row.tv for row in records.allocations(bvs={item.step.bv for item in found})}
    return judge(found, sessions, serving, _carried(records.standing(tvs)))


def _carried(backups: Iterable[Backup]) -> dict[VolumeRef, str]:
    return {backup.disk.bv: backup.id for backup in backups if backup.disk is not None}


def _surely_not(item: Found, found: Sequence[Found], sessions: Sessions) -> bool:
    """Tell whether a copy was certainly not sent: what it was to overwrite is as it was."""
    step = item.step
    ending = {(one.step.tv, one.step.bv) for one in found if isinstance(one.step, ReleaseCopy)}
    return (step.tv, step.bv) in ending or surely_not(step, sessions)


def foresee(
    ctx: Context, world: World, tvs: Collection[VolumeRef], *, patient: bool = False
) -> tuple[World, list[str]]:
    """Return the world as recovery would leave it, and what it would do: check mode plans from there.

    :param patient: whether recovery would wait until pairs that it resynchronizes are equivalent.
    """
    with ctx.catalog.read() as records:
        together = {*tvs, *open_mates(records, tvs)}
        found = [Found.of(entry) for entry in records.open_entries(together)]
        running = running_restores(records, tvs, tvs)
    told = []
    serving = {row.bv: row.tv for row in world.allocations.values()}
    carried = _carried(backup for history in world.backups.values() for backup in history)
    seen = world.sessions
    for item, verdict in zip(found, judge(found, seen, serving, carried)):
        world = _foreseen(world, item, verdict, whole=_surely_not(item, found, seen))
        key = (item.step.tv, item.step.bv)
        if patient and verdict is Verdict.TAKE_BACK and isinstance(item.step, SplitCopy) and key in world.sessions:
            awaited = replace(world.sessions[key], state=SessionState.EQUIVALENT, percent=100)
            world = replace(world, sessions={**world.sessions, key: awaited})
        name = world.name(item.step.tv)
        told.append(f"An earlier run was interrupted at {item.entry.kind} of {name}; the next run settles it.")
    for marker, reader in running:
        if (reader.bv, marker.volume) not in world.sessions and marker.since + SETTLED <= world.now:
            undefined = {ref: one for ref, one in world.undefined.items() if ref != marker.volume}
            left = tuple(one for one in world.readers.get(reader.bv, ()) if one != reader)
            world = replace(world, undefined=undefined, readers={**world.readers, reader.bv: left})
            told.append(f"A restore onto {world.name(marker.volume)} has ended.")
    return world, told


def with_everybody(ctx: Context, world: World, tvs: Collection[VolumeRef]) -> World:
    """Return the world with everybody's history, for a message that tells what every BV is doing.

    It is read anew; check mode sees it as recovery would leave it, as it saw the one before.
    """
    return _foreseen_anew(ctx, refresh(ctx, world, None, None), tvs)


def seeing_all(ctx: Context, world: World, tvs: Collection[VolumeRef]) -> World:
    """Return the world with the volumes of all arrays, read anew: a plan looks for a BV beyond those near (near.py)."""
    wide = replace(refresh(ctx, world, None, tvs, wide=True), lost_races=world.lost_races)
    return _foreseen_anew(ctx, wide, tvs)


def _foreseen_anew(ctx: Context, world: World, tvs: Collection[VolumeRef]) -> World:
    return foresee(ctx, world, tvs)[0] if ctx.check_mode else world


def _put_back(world: World, step: Taking) -> World:
    """Return the world with a disk copy as it was before a snapshot was to overwrite it."""
    if not isinstance(step, SnapCopy):
        return world
    history = tuple(
        replace(one, disk=replace(one.disk, state=step.before), tape=(*one.tape, *step.untaped))
        if one.id == step.replaces and one.disk
        else one
        for one in world.backups.get(step.tv, ())
    )
    return replace(world, backups={**world.backups, step.tv: history})


def _foreseen(world: World, item: Found, verdict: Verdict, *, whole: bool) -> World:
    """Return the world after one open step is settled."""
    step = item.step
    if isinstance(step, (SplitCopy, SnapCopy)):
        if verdict is Verdict.RECORD:
            backup = replace(step.backup, point_in_time=moment(item, world.sessions, world.now))
            world = project(world, [replace(step, backup=backup)])
            return project(world, after_record(world, backup, world.policies.get(step.tv)))
        if whole and not (isinstance(step, SnapCopy) and step.spoiled and (step.tv, step.bv) not in world.sessions):
            return _put_back(world, step)
        if isinstance(step, SnapCopy):
            world = without_disk(world, step.tv, step.replaces)
            if verdict is Verdict.TAKE_BACK and not step.resume:
                return project(world, [ReleaseCopy(step.tv, step.bv, step.copy_type, free=True)])
            free = (step.tv, step.bv) not in world.sessions and world.backup_on(step.bv, step.tv) is None
            return project(world, [FreeVolume(step.tv, step.bv)]) if free else world
        return project(world, [ResumeCopy(step.tv, step.bv, step.copy_type)]) if verdict is Verdict.TAKE_BACK else world
    if verdict is Verdict.FINISH:
        return project(world, [step])
    if isinstance(step, StartCopy) and not acted(step, world.sessions) and step.untaped is None:
        return project(world, [FreeVolume(step.tv, step.bv)])
    return world


def _settled_sessions(work: Operation, found: Sequence[Found]) -> Sessions:
    """Read session lists until one is as young as every entry needs: a list may lag behind the act (array.md)."""
    believable = max(item.entry.written_at for item in found) + SETTLED

    def done(sessions: Sessions) -> bool:
        if work.ctx.clock.now() >= believable:
            return True
        return all(acted(item.step, sessions) for item in found)

    return wait_until(lambda: look(work.ctx), done, CONFIRM, work.ctx.clock).last


def _settle(work: Operation, records: Records, item: Found, sessions: Sessions) -> str:
    """Finish or undo one entry in the caller's transaction; splits to record and releases to send are the caller's."""
    step, entry, now = item.step, item.entry, work.ctx.clock.now()
    done = acted(step, sessions)
    if isinstance(step, (StartCopy, ResumeCopy)):
        settle_copy(records, step, entry, done, now)
        return "the copy had started" if done else "the copy had not started"
    if isinstance(step, (SplitCopy, SnapCopy)):
        raise ValueError(f"journal entry {entry.id}: a split is recorded or taken back, not settled here")
    if isinstance(step, ReleaseCopy):
        settle_release(records, step, entry, sessions, now)
        return "the session had ended"
    records.settle([entry.id], StepState.DONE if done else StepState.UNDONE, now)
    if done:
        if step.key:
            records.use_key(UsedKey(step.target, restore_key(step.key), step.backup_id))
        return "the restore runs"
    # A copy that never started looks like one that ended: the target stays marked until a restore succeeds.
    for marker in records.undefined_targets([step.target]):
        records.mark_undefined(replace(marker, reason=BROKEN_OFF))
    end_reading(records, step.target, step.bv)
    return "the restore must be run again"
