# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations on sessions (array.md "Operations"): what is allowed when, and what each does; a list at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from .model import Code, CopyState, CopyType, Key, Operation, Progress, Refused, Session, now
from .replica import Replica
from .start import begin_run, check_cascade

if TYPE_CHECKING:
    from .array import SimArray

_WITHOUT_PEER = {Operation.DETACH, Operation.ABORT, Operation.SUSPEND, Operation.FRACTURE, Operation.SPLIT}
_TRACKED = {CopyState.SYNCHRONIZED, CopyState.RESTORED, CopyState.BROKEN, CopyState.ABORTED}


def operate(array: SimArray, keys: Sequence[Key], operation: int, force: bool) -> list[Session]:
    """Carry out one operation on all these sessions, or refuse it for all. The caller holds the lock."""
    try:
        wanted = Operation(operation)
    except ValueError as error:
        raise Refused(Code.INVALID_PARAMETER, f"no operation {operation}") from error
    if not keys or len(set(keys)) != len(keys):
        raise Refused(Code.INVALID_PARAMETER, "no session, or one of them twice")
    replicas = [_find(array, key) for key in keys]
    for replica in replicas:
        if not array.domain.reachable(replica) and wanted not in _WITHOUT_PEER:
            raise Refused(Code.REC_PATH, f"the array of {replica.view.target_id} cannot be reached")
        _ALLOWED[wanted](array, replica, force)
    for device_id in {device_id for key in keys for device_id in key}:
        if array.domain.owner(device_id) is not None:
            array.traffic.notice(device_id)
    for replica in replicas:
        before = replica.snapshot()
        _ACTS[wanted](array, replica)
        replica.home.note_change(before.key, before)
    homes: dict[str, list[Replica]] = {}
    for replica in replicas:
        homes.setdefault(replica.home.serial, []).append(replica)
    for here in homes.values():
        here[0].home.remember(*here)
    array.fill(replicas)
    for replica in replicas:
        if wanted in {Operation.RESYNC, Operation.RESTORE, Operation.FRACTURE, Operation.SPLIT}:
            _tidy(replica, wanted)
    array.wake()
    return [replica.snapshot() for replica in replicas]


def _find(array: SimArray, key: Key) -> Replica:
    replica = array.domain.replicas.get(key)
    if replica is None or not array.sees(replica):
        raise Refused(Code.NO_SESSION, f"no session from {key[0]} to {key[1]}")
    return replica


def _phase(replica: Replica, text: str) -> Refused:
    view = replica.view
    state = f"CopyState {int(view.copy_state)}, ProgressStatus {int(view.progress_status)}"
    return Refused(Code.PHASE, f"{view.source_id} to {view.target_id}: {text} ({state})")


# what is allowed


def _may_split(_array: SimArray, replica: Replica, _force: bool) -> None:
    view = replica.view
    if not replica.mirror or view.copy_state != CopyState.SYNCHRONIZED or view.progress_status != Progress.COMPLETED:
        raise _phase(replica, "not equivalent")


def _may_resync(array: SimArray, replica: Replica, _force: bool) -> None:
    if replica.mirror:
        allowed = replica.suspended or replica.dead
    else:
        tracked = replica.view.sync_maintained and replica.view.copy_type == CopyType.OPC
        allowed = tracked and replica.view.copy_state in _TRACKED and not replica.running
    if not allowed:
        raise _phase(replica, "cannot be resynchronized")
    check_cascade(array, replica.key, mirror=replica.mirror)


def _may_restore(array: SimArray, replica: Replica, _force: bool) -> None:
    if replica.dead or replica.restoring or replica.view.copy_state == CopyState.SUSPENDED:
        raise _phase(replica, "cannot be restored from")
    if replica.mirror and not replica.suspended:
        raise _phase(replica, "not suspended")
    source = replica.view.source_id
    for other in array.domain.of_volume(source):
        if other is replica:
            continue
        if other.view.source_id == source and other.active_mirror:
            raise Refused(Code.CASCADE_NOT_SUSPENDED, f"{source} is the source of a mirror that is not suspended")
        if other.restoring or (other.view.target_id == source and other.copying):
            raise Refused(Code.VOLUME_BUSY, f"{source} is being written by another copy")


def _may_pause(_array: SimArray, replica: Replica, _force: bool) -> None:
    equivalent = replica.mirror and replica.view.copy_state == CopyState.SYNCHRONIZED
    if replica.restoring or not (replica.running or equivalent):
        raise _phase(replica, "nothing to suspend")


def _may_resume(_array: SimArray, replica: Replica, _force: bool) -> None:
    if replica.view.copy_state != CopyState.SUSPENDED:
        raise _phase(replica, "not suspended")


def _may_abort(_array: SimArray, replica: Replica, _force: bool) -> None:
    if not replica.running:
        raise _phase(replica, "nothing to abort")


def _may_detach(_array: SimArray, replica: Replica, force: bool) -> None:
    if not force and (replica.copying and not (replica.mirror and not replica.running)):
        raise _phase(replica, "still copying; Force ends it")


def _may_return(array: SimArray, replica: Replica, force: bool) -> None:
    if not replica.snapshot_only:
        raise Refused(Code.NOT_SUPPORTED, "only a SnapOPC session is returned to the pool")
    _may_detach(array, replica, force)


def _may_reverse(array: SimArray, replica: Replica, _force: bool) -> None:
    if not replica.suspended:
        raise _phase(replica, "not suspended")
    view = replica.view
    if (view.target_id, view.source_id) in array.domain.replicas:
        raise _phase(replica, "there is a session in the other direction")
    for other in array.domain.of_volume(view.source_id):
        if other is not replica and other.view.target_id == view.source_id:
            raise Refused(Code.TARGET_SESSIONS, f"{view.source_id} is a target already")


# what is done; fields are set here, and written to the log for all sessions together


def _split(_array: SimArray, replica: Replica, state: CopyState) -> None:
    replica.src.clear()
    replica.tgt.clear()
    replica.view = replace(replica.view, copy_state=state, progress_status=Progress.COMPLETED, when_suspended=now())


def _resync(array: SimArray, replica: Replica) -> None:
    replica.todo.unite(replica.src, replica.tgt)
    replica.cursor = 0
    kind = "differential" if replica.synced_once else "full"
    begin_run(replica, kind, replica.todo.count)
    replica.view = replace(
        replica.view, copy_state=CopyState.UNSYNCHRONIZED, progress_status=Progress.RESYNCING, when_suspended=None
    )
    if not replica.mirror:
        replica.seq = array.domain.next_seq()
        replica.unfilled = "todo"
        replica.view.when_synced = now()
        array.traffic.overwritten(replica.view.target_id, replica, list(replica.todo.runs((0, replica.extents))))


def _restore(array: SimArray, replica: Replica) -> None:
    replica.back.unite(replica.src, replica.tgt)
    replica.cursor = 0
    begin_run(replica, "restore", replica.back.count)
    replica.view = replace(replica.view, copy_state=CopyState.UNSYNCHRONIZED, progress_status=Progress.RESTORING)
    replica.back_seq = array.domain.next_seq()
    replica.unfilled = "back"
    array.traffic.overwritten(replica.view.source_id, replica, list(replica.back.runs((0, replica.extents))))


def _tidy(replica: Replica, operation: Operation) -> None:
    # After the log, never before it: until the new state is on disk the old maps must be.
    if operation in {Operation.RESYNC, Operation.RESTORE}:
        replica.src.clear()
        replica.tgt.clear()


def _pause(_array: SimArray, replica: Replica) -> None:
    replica.resume_to = Progress.RESYNCING if replica.synced_once else Progress.SYNCHRONIZING
    replica.view = replace(
        replica.view, copy_state=CopyState.SUSPENDED, progress_status=Progress.DORMANT, when_suspended=now()
    )


def resume(_array: SimArray, replica: Replica) -> None:
    """Let a paused session, or one that was cut off, go on."""
    replica.view = replace(
        replica.view, copy_state=CopyState.UNSYNCHRONIZED, progress_status=replica.resume_to, when_suspended=None
    )


def _abort(_array: SimArray, replica: Replica) -> None:
    stop(replica, CopyState.ABORTED)


def stop(replica: Replica, state: CopyState) -> None:
    """End a session's copying for good, broken or aborted; what was to be moved is unusable, and counts as changed."""
    replica.give_up()
    replica.src.unite(replica.back)
    replica.back.clear()
    replica.view = replace(replica.view, copy_state=state, progress_status=Progress.DORMANT)


def _detach(array: SimArray, replica: Replica) -> None:
    array.drop(replica)


def _reverse(array: SimArray, replica: Replica) -> None:
    array.reverse(replica)


_Check = Callable[["SimArray", Replica, bool], None]
_Act = Callable[["SimArray", Replica], None]

_ALLOWED: dict[Operation, _Check] = {
    Operation.ABORT: _may_abort,
    Operation.DETACH: _may_detach,
    Operation.FRACTURE: _may_split,
    Operation.RESYNC: _may_resync,
    Operation.RESTORE: _may_restore,
    Operation.RESUME: _may_resume,
    Operation.RETURN: _may_return,
    Operation.REVERSE: _may_reverse,
    Operation.SPLIT: _may_split,
    Operation.SUSPEND: _may_pause,
}

_ACTS: dict[Operation, _Act] = {
    Operation.ABORT: _abort,
    Operation.DETACH: _detach,
    Operation.FRACTURE: lambda array, replica: _split(array, replica, CopyState.FRACTURED),
    Operation.RESYNC: _resync,
    Operation.RESTORE: _restore,
    Operation.RESUME: resume,
    Operation.RETURN: _detach,
    Operation.REVERSE: _reverse,
    Operation.SPLIT: lambda array, replica: _split(array, replica, CopyState.SPLIT),
    Operation.SUSPEND: _pause,
}
