# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Restore from a backup volume by OPC or ROPC; until the end the target is marked undefined (behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Pair,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._backup.moving import sessions_moving
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    read_world,
    session_list,
    transaction_volumes,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation, operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import (
    Choice,
    Chosen,
    choose,
    plan_restore,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import foresee, recover
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import (
    CONFIRM,
    confirm,
    gone,
    journalled,
    send,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import (
    CANCELLED,
    FAILED,
    RUNNING,
    restore_key,
    restore_owner,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import overwritten
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_view import Asked, result_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.restored import (
    end_reading,
    settle_restores,
    settle_seen,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import RestoreCopy
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Reader,
    ReaderPurpose,
    Role,
    StepState,
    UndefinedTarget,
    UsedKey,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    BackupError,
    ErrorClass,
    with_unchanged,
)
from ansible_collections.eternus.backup.plugins.module_utils._pace import Shares
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until


@dataclass(frozen=True)
class RestoreRequest:
    """What the caller asks for. ``target`` empty: the TV itself. ``confirm``: the name of what is overwritten.

    One ``key`` never restores twice onto a target, so that a job may be run again without harm.
    """

    volume: str
    choice: Choice = field(default_factory=Choice)
    target: str = ""
    confirm: str = ""
    key: str = ""


def restore(ctx: Context, request: RestoreRequest, wait: Wait) -> Result:
    """Copy a backup onto its TV, or onto another volume of the same size, and wait; history is unchanged.

    A wait that runs out is no failure: the result says how far it is, the same call again goes on waiting while the
    copy runs. Once it has ended, it restores again, unless the key is the same. A backup that has to come from tape is
    chosen and checked here, and written by the tape server: nothing is changed.
    """
    tv, target = _volumes(ctx, request)
    if ctx.check_mode:
        world, warnings = foresee(ctx, _look(ctx, tv, target.ref, request), [tv])
        return result_of(_ask(ctx, request, tv, target, world), None, warnings)
    with operation(ctx, {tv, target.ref}) as work:
        warnings = recover(work, [tv])
        asked = _ask(ctx, request, tv, target, _look(ctx, tv, target.ref, request))
        if settle_restores(ctx, asked.world.sessions, targets=[target.ref]):  # one from another volume's backup
            asked = _ask(ctx, request, tv, target, _look(ctx, tv, target.ref, request))
        if asked.step is not None:
            _start(work, asked, asked.step)
    try:
        session = _wait(ctx, asked, wait)
    except BackupError as error:
        left = f"The generation is unchanged; the content of {target.name} is undefined until a restore has ended."
        raise with_unchanged(error, left, changed=asked.step is not None) from error
    return result_of(asked, session, warnings, read_back=True)


def cancel_restore(ctx: Context, request: RestoreRequest) -> Result:
    """Cancel a running restore; the target is left undefined, and stays marked until a restore succeeds."""
    tv, target = _volumes(ctx, request)
    ctx.array_of(target.ref)
    ours = _restores_onto(ctx, target)
    sessions = list(ours)
    values = {
        "restore": {"volume": request.volume, "target": target.name, "state": "cancelled" if sessions else "none"},
        "finished": False,
    }
    if not sessions or ctx.check_mode:
        return Result(bool(sessions), values, _running(sessions), {})
    with operation(ctx, {tv, target.ref}) as work:
        now = ctx.clock.now()
        with work.transaction() as records:
            # First, so that nobody takes a copy that vanishes for one that has ended.
            for marker in records.undefined_targets([target.ref]):
                records.mark_undefined(replace(marker, reason=CANCELLED, since=now))
            for session in sessions:
                records.remove_reader(session.source, restore_owner(target.ref))
        pairs = [(session.copy_type, Pair(source, target)) for session, source in ours.items()]
        told = f"The copy may have been ended; {target.name} stays marked as undefined."
        try:
            errors = send(work, pairs, lambda array, copy_type, wanted: array.release(copy_type, wanted))
        except BackupError as error:
            raise with_unchanged(error, told, changed=True) from error
        for refusal in errors.values():
            if refusal is not None:
                raise with_unchanged(refusal, told, changed=True)
        confirm(work, {session.key: gone for session in sessions})
        with work.transaction() as records:
            for session in sessions:
                finish_leaving(records, session.source)
    return Result(True, values, _running(sessions), {})


def _running(sessions: Sequence[Session]) -> dict[str, Any]:
    return {s.target.device_id: {"copy": s.copy_type.value, "state": s.state.value} for s in sessions}


def _restores_onto(ctx: Context, target: Volume) -> dict[Session, Volume]:
    """Look for our copies onto a target; one that was started just now may be missing from a stale list (array.md)."""
    with ctx.catalog.read() as records:
        markers = [marker for marker in records.undefined_targets([target.ref]) if marker.reason == RUNNING]

    def settled(found: dict[Session, Volume]) -> bool:
        return bool(found) or all(marker.since + SETTLED <= ctx.clock.now() for marker in markers)

    def look() -> dict[Session, Volume]:
        return _registered(ctx, session_list(ctx), target)

    return wait_until(look, settled, CONFIRM, ctx.clock).last


def _registered(ctx: Context, sessions: Sequence[Session], target: Volume) -> dict[Session, Volume]:
    """Return the copies onto a target that are a restore of ours: a marker says so, and the source is registered."""
    copies = [s for s in sessions if s.target == target.ref and not s.copy_type.mirror]
    with ctx.catalog.read() as records:
        if not records.undefined_targets([target.ref]):
            return {}
        known = {row.ref: row.volume for row in records.volumes([session.source for session in copies])}
    return {session: known[session.source] for session in copies if session.source in known}


def _volumes(ctx: Context, request: RestoreRequest) -> tuple[VolumeRef, Volume]:
    """Return the TV and the target, which need not be registered."""
    with ctx.catalog.read() as records:
        tv = transaction_volumes(records, [request.volume])[0]
        name = request.target or request.volume
        known = records.find_volumes([name]).get(name)
    if known is not None:
        return tv, known.volume
    for array in ctx.arrays.values():
        found = array.find_volumes([name]).get(name)
        if found is not None:
            return tv, found
    raise BackupError(
        ErrorClass.NO_SUCH_VOLUME,
        f"No array of this task has a volume {name}.",
        next_step="See eternus_info for the volumes that it has.",
        volume=name,
    )


def _look(ctx: Context, tv: VolumeRef, target: VolumeRef, request: RestoreRequest) -> World:
    """Look at everything that a plan needs; the TV's own array need not be there.

    Of a long history only what the choice can fall upon: what is on disk, the newest on tape, and what is named.
    """
    choice = request.choice
    sessions = session_list(ctx)
    capabilities = {serial: array.capabilities() for serial, array in ctx.arrays.items()}
    with ctx.catalog.read() as records:
        taped = records.taped(tv, at=choice.at, limit=max(1, choice.generation or 1))
        used = records.used_keys(restore_key(request.key), [target]).values()
        ids = [name for name in (choice.backup_id, *used, *(one.id for one in taped)) if name]
        return read_world(ctx, records, sessions, capabilities, [tv], ids=ids)


def _ask(ctx: Context, request: RestoreRequest, tv: VolumeRef, target: Volume, world: World) -> Asked:
    """Choose and plan. Both ends' arrays are needed; the TV's own only where it is one of them [decided]:

    what came from another array (REC) can be brought back onto a third volume when that array has burnt down.
    """
    with ctx.catalog.read() as records:
        used = records.used_keys(restore_key(request.key), [target.ref]).get(target.ref, "")
        shown = overwritten(records, target.ref)
    marker = world.undefined.get(target.ref)  # as check mode foresees it
    shown["undefined"] = marker.reason if marker else None
    done = used and target.ref not in world.undefined
    chosen = _restored_before(world, tv, used) if done else choose(world, tv, request.choice)
    asked = Asked(world, chosen, target, None, shown)
    if done:
        return replace(asked, ended=True)
    for end in (chosen.bv or target.ref, target.ref):
        ctx.array_of(end)
    if _under_way(asked):
        return replace(asked, runs=True)
    step = plan_restore(world, chosen, target, confirm=request.confirm, key=request.key)
    return replace(asked, step=step, runs=step is None and chosen.tape is None)


def _restored_before(world: World, tv: VolumeRef, backup_id: str) -> Chosen:
    """Return the backup that a key has restored, whatever would be chosen now."""
    found = next((backup for backup in world.backups.get(tv, ()) if backup.id == backup_id), None)
    if found is not None:
        return Chosen(found)
    raise BackupError(
        ErrorClass.NO_SUCH_BACKUP,
        f"This key has restored backup {backup_id} before, which is in the history no more.",
        next_step="Nothing is left to do; to restore once more, give another key.",
        backup=backup_id,
    )


def _under_way(asked: Asked) -> bool:
    """Tell whether this very restore runs, or is so young that the array may not show it yet: it is not started again.

    One that has ended unnoticed is another matter: the target may have been written since.
    """
    bv, target = asked.chosen.bv, asked.target.ref
    marker = asked.world.undefined.get(target)
    if bv is None or marker is None or (marker.backup_id, marker.reason) != (asked.chosen.backup.id, RUNNING):
        return False
    mine = any(reader.owner == restore_owner(target) for reader in asked.world.readers.get(bv, ()))
    return mine and ((bv, target) in asked.world.sessions or marker.since + SETTLED > asked.world.now)


def _start(work: Operation, asked: Asked, step: RestoreCopy) -> None:
    """Mark the target undefined, bind what the copy needs, and start it; a refusal takes all of it back."""
    ctx, now = work.ctx, work.ctx.clock.now()
    before = asked.world.undefined.get(step.target)
    reserve = _reserves(asked.world, step)
    with work.transaction() as records:
        records.mark_undefined(UndefinedTarget(step.target, step.backup_id, now, RUNNING))
        records.add_reader(Reader(step.bv, step.backup_id, ReaderPurpose.RESTORE, restore_owner(step.target), now))
        if reserve:
            records.allocate([Allocation(step.target, step.tv, None, now)])
        entries = work.intend(records, [step])
    pair = Pair(asked.world.volume(step.bv), asked.target)
    with journalled():
        answers = send(work, [(step.copy_type, pair)], lambda array, kind, pairs: array.start(kind, pairs))
    error = answers[pair.key]
    with work.transaction() as records:
        state = StepState.DONE if error is None else StepState.UNDONE
        records.settle([entry.id for entry in entries], state, ctx.clock.now())
        if error is None:
            if step.key:
                records.use_key(UsedKey(step.target, restore_key(step.key), step.backup_id))
            return
        end_reading(records, step.target, step.bv)
        if before is None:
            records.clear_undefined(step.target)
        else:
            records.mark_undefined(before)
        if reserve:
            records.free([step.target])
    raise error


def _reserves(world: World, step: RestoreCopy) -> bool:
    """Tell whether the target is an unused BV, which is reserved from now on until it is released by name (§6)."""
    registered = world.volumes.get(step.target)
    return registered is not None and registered.role is Role.BACKUP and step.target not in world.allocations


def _wait(ctx: Context, asked: Asked, wait: Wait) -> Optional[Session]:
    """Wait until the copy has ended; return the session that still runs, or None when none does."""
    bv = asked.chosen.bv
    if bv is None or (asked.step is None and not asked.runs):
        return None
    key = (bv, asked.target.ref)
    seen = key in asked.world.sessions
    unseen_until = ctx.clock.monotonic() + SETTLED.total_seconds()

    def look() -> Optional[Session]:
        nonlocal seen
        session = next((s for s in session_list(ctx) if s.key == key), None)
        if session is not None:
            seen = True
            if session.state in (SessionState.FAILED, SessionState.UNKNOWN):
                raise _broke(ctx, asked, session)
        return session

    def done(session: Optional[Session]) -> bool:
        # A finished OPC session disappears, and a list may lag: one never seen is believed gone only after a while.
        return session is None and (seen or ctx.clock.monotonic() >= unseen_until)

    def shares(session: Optional[Session]) -> Shares:
        return sessions_moving([session] if session else [])

    waited = wait_until(
        look, done, Wait(wait.interval, max(wait.timeout, 0.0)), ctx.clock, shares, fresh=not asked.runs
    )
    if not waited.satisfied:
        return waited.last or Session(bv, asked.target.ref, CopyType.OPC, SessionState.EXECUTING)
    marker = settle_seen(ctx, bv, asked.target.ref)
    if marker is not None:
        raise _not_whole(asked, marker)
    return None


def _not_whole(asked: Asked, marker: UndefinedTarget) -> BackupError:
    """A session that has gone is no copy that has ended: another job may have cancelled it (behaviour.md §6)."""
    name = asked.target.name
    return BackupError(
        ErrorClass.COPY_FAILED if marker.reason == FAILED else ErrorClass.TARGET_UNDEFINED,
        f"The copy of backup {asked.chosen.backup.id} onto {name} has gone, but {name} is not whole: {marker.reason}.",
        next_step="Find out who ended it, or restores another backup onto it; then restore again.",
        volume=name,
    )


def _broke(ctx: Context, asked: Asked, session: Session) -> BackupError:
    with ctx.catalog.begin() as records:
        for marker in records.undefined_targets([asked.target.ref]):
            records.mark_undefined(replace(marker, reason=FAILED))
        end_reading(records, asked.target.ref, session.source)
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"The {session.copy_type.value} copy onto {asked.target.name} is {session.state.value} on the array.",
        next_step="Find the cause on the array, cancel with eternus_restore, state: cancelled, and restore again.",
        volume=asked.target.name,
    )
