# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Restore: which backup, from disk or tape, onto what, or why not (behaviour.md §6). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_session_limit
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import on_tape, to_read
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import RestoreCopy
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, Role, TapeCopy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

_COPYING = (SessionState.EXECUTING, SessionState.RESTORING)


class Source(str, Enum):
    """Where a restore may take a backup from; ``ANY``: its disk copy, else its tape copy (behaviour.md §6)."""

    DISK = "disk"
    TAPE = "tape"
    ANY = "any"


@dataclass(frozen=True)
class Choice:
    """Which backup: by relative generation (1 is the newest), by id, or the newest at or before a time (UTC)."""

    generation: Optional[int] = None
    backup_id: str = ""
    at: Optional[datetime] = None
    source: Source = Source.DISK


@dataclass(frozen=True)
class Chosen:
    """A backup, and the tape copy that it comes from; without one it comes from its backup volume."""

    backup: Backup
    tape: Optional[TapeCopy] = None

    @property
    def bv(self) -> Optional[VolumeRef]:
        """Return the backup volume that is read, None when a tape is."""
        return self.backup.disk.bv if self.tape is None and self.backup.disk is not None else None


def choose(world: World, tv: VolumeRef, choice: Choice) -> Chosen:
    """Return the chosen backup: first which one, then its disk copy before its tape copy (behaviour.md §6).

    A relative generation counts what the source holds, the newest first: disk generations, backups on tape, or (any)
    every backup that can be restored. A borrowed copy is no generation, and is found by id, time, or by *any*.
    """
    name, history = world.name(tv), tuple(reversed(world.backups.get(tv, ())))
    if choice.backup_id:
        found = next((backup for backup in history if backup.id == choice.backup_id), None)
        if found is None:
            raise _no_backup(f"{name} has no backup {choice.backup_id}.", "See eternus_backup_info for its history.")
        return _copy_of(name, found, choice.source, spoiled=world.spoiled(found), named=True)
    whole = [one for one in history if one.good_on_tape or (one.whole_on_disk and choice.source is not Source.TAPE)]
    if choice.at is not None:
        at = choice.at
        found = next((backup for backup in whole if backup.point_in_time <= at), None)
        if found is None:
            where = " on tape" if choice.source is Source.TAPE else ""
            raise _no_backup(f"{name} has no backup of {at.isoformat()} or before{where}.", "Choose a later time.")
        return _copy_of(name, found, choice.source, spoiled=world.spoiled(found))
    counted = world.generations(tv) if choice.source is Source.DISK else whole
    number = 1 if choice.generation is None else choice.generation
    if not 1 <= number <= len(counted):
        raise _no_generation(name, choice.source, len(counted), number)
    return _copy_of(name, counted[number - 1], choice.source, spoiled=world.spoiled(counted[number - 1]))


def _copy_of(name: str, backup: Backup, source: Source, *, spoiled: bool, named: bool = False) -> Chosen:
    better = source is Source.ANY and spoiled and on_tape(backup) is not None
    if source is not Source.TAPE and backup.whole_on_disk and not better:
        return Chosen(backup)
    copy = on_tape(backup)
    if copy is None or source is Source.DISK:
        raise _not_there(name, backup, source)
    return Chosen(backup, to_read(name, backup, copy, named=named))


def plan_restore(world: World, chosen: Chosen, target: Volume, *, confirm: str, key: str = "") -> Optional[RestoreCopy]:
    """Return the copy to start; None when this very restore runs already, or when the tape server has to write it.

    :param confirm: the target's name, needed when it is a transaction volume: it is overwritten.
    """
    backup, bv = chosen.backup, chosen.bv
    _refuse_while_synchronized(world, backup.tv, target)
    writing = next((one for one in world.touching(target.ref) if one.target == target.ref), None)
    if writing is not None and writing.source == bv and writing.state in _COPYING:
        return None
    if target.ref != backup.tv:
        _refuse_taken(world, backup.tv, target)
    if writing is not None:
        raise _busy_target(world, target, writing)
    _refuse_other_size(world, chosen, target)
    registered = world.volumes.get(target.ref)
    if registered is not None and registered.role is Role.TRANSACTION and confirm != target.name:
        raise _unconfirmed(target, confirm)
    if bv is None:
        return None
    if world.spoiled(backup):
        raise _not_whole(world, backup, bv)
    for end in (bv, target.ref):
        if len(world.touching(end)) + 1 > world.session_limit(end.array):
            raise refuse_session_limit(world, end, len(world.touching(end)), world.session_limit(end.array))
    copy_type = CopyType.OPC if bv.array == target.ref.array else CopyType.ROPC
    for serial in dict.fromkeys((bv.array, target.ref.array)):
        capabilities = world.capabilities.get(serial)
        if capabilities is None or copy_type not in capabilities.copies:
            raise _unsupported(world, backup, bv, serial, copy_type)
    return RestoreCopy(backup.tv, bv, target.ref, copy_type, backup.id, key)


def _refuse_while_synchronized(world: World, tv: VolumeRef, target: Volume) -> None:
    for source in dict.fromkeys((tv, target.ref)):
        session = world.active_mirror(source)
        if session is not None:
            raise BackupError(
                ErrorClass.BUSY,
                f"{world.name(source)} is {session.state.value} with {world.name(session.target)}.",
                next_step="Cancel the synchronization (eternus_sync, state: cancelled), or take a backup, first.",
                volume=world.name(source),
                holder=f"{session.copy_type.value} session onto {world.name(session.target)}",
            )


def _refuse_taken(world: World, tv: VolumeRef, target: Volume) -> None:
    """Neither a BV under generation management nor another policy's TV; an unused BV is reserved (behaviour.md §6)."""
    registered = world.volumes.get(target.ref)
    if target.ref in world.policies:
        raise BackupError(
            ErrorClass.ROLE_CONFLICT,
            f"{target.name} is the transaction volume of another policy.",
            next_step="Restore onto the volume itself, or onto a volume without a policy.",
            volume=target.name,
        )
    if registered is None or registered.role is not Role.BACKUP:
        return
    row = world.allocations.get(target.ref)
    busy = world.readers.get(target.ref) or any(session.source == target.ref for session in world.touching(target.ref))
    reserved = row is not None and row.copy_type is None and world.backup_on(target.ref, row.tv) is None
    mine = reserved and row is not None and row.tv == tv and not busy
    untouched = row is None and not registered.unknown and target.ref in world.undefined
    if not (mine or untouched or world.unused(registered)):
        release = "Release it by name (eternus_sync, state: cancelled, backup_volumes), or name another volume."
        raise BackupError(
            ErrorClass.VOLUME_RESERVED,
            f"{target.name} is a backup volume in use: {world.doing(registered)}.",
            next_step=release if reserved else "Name an unused backup volume, or a volume that is not registered.",
            volume=target.name,
        )


def _busy_target(world: World, target: Volume, session: Session) -> BackupError:
    """One volume is the target of one session at most, even of a suspended one."""
    mirror = "End that session first; whoever made it knows whether it is still needed."
    broken = session.state is SessionState.FAILED
    cancel = "cancel it (eternus_restore, state: cancelled)"
    return BackupError(
        ErrorClass.COPY_FAILED if broken else ErrorClass.BUSY,
        f"{target.name} is the target of a session by {session.copy_type.value} from {world.name(session.source)} "
        f"({session.state.value}, {session.percent} %).",
        next_step=mirror
        if session.copy_type.mirror
        else (f"Find the cause on the array, {cancel}, and restore again." if broken else f"Wait for it, or {cancel}."),
        volume=target.name,
        holder=f"{session.copy_type.value} copy from {world.name(session.source)}",
    )


def _refuse_other_size(world: World, chosen: Chosen, target: Volume) -> None:
    """The target has exactly the backup's size: in blocks from disk, in bytes from tape (behaviour.md §6)."""
    if chosen.bv is None:
        if target.size == chosen.backup.size:
            return
        what = f"{target.name} has {target.size} bytes; backup {chosen.backup.id} has {chosen.backup.size}."
        details: dict[str, Any] = {"size": target.size, "needed": chosen.backup.size}
    else:
        source = world.volume(chosen.bv)
        if (target.blocks, target.block_size) == (source.blocks, source.block_size):
            return
        what = f"{target.name} has {target.blocks} blocks; the generation on {source.name} has {source.blocks}."
        details = {"blocks": target.blocks, "needed": source.blocks}
    raise BackupError(
        ErrorClass.SIZE_MISMATCH,
        what,
        next_step="Name a target of exactly the same size.",
        volume=target.name,
        **details,
    )


def _unconfirmed(target: Volume, confirm: str) -> BackupError:
    given = f"confirm is {confirm!r}" if confirm else "confirm is not given"
    return BackupError(
        ErrorClass.CONFIRMATION_REQUIRED,
        f"The restore would overwrite transaction volume {target.name}, and {given}.",
        next_step=f"Give confirm: {target.name}",
        volume=target.name,
    )


def _unsupported(world: World, backup: Backup, bv: VolumeRef, serial: str, copy_type: CopyType) -> BackupError:
    capabilities = world.capabilities.get(serial)
    offered = sorted(copy.value for copy in capabilities.copies) if capabilities else []
    tape = f"Restore it from tape: tape_restore with backup_id: {backup.id}."
    return BackupError(
        ErrorClass.UNSUPPORTED_COPY,
        f"{copy_type.value} from {world.name(bv)} is not offered; array {serial} offers "
        f"{', '.join(offered) or 'no copies'}.",
        next_step=tape if backup.good_on_tape else "Check the array's Advanced Copy licence, or name another target.",
        array=serial,
        offered=offered,
    )


def _not_whole(world: World, backup: Backup, bv: VolumeRef) -> BackupError:
    state = world.sessions[(backup.tv, bv)].state.value
    tape = f"Restore it from tape: tape_restore with backup_id: {backup.id}."
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"Backup {backup.id} is not whole: the copy onto {world.name(bv)} that made it is {state} on the array.",
        next_step=tape if backup.good_on_tape else "Restore another backup, and find the cause on the array.",
        volume=world.name(backup.tv),
        backup_id=backup.id,
    )


def _no_backup(message: str, next_step: str) -> BackupError:
    return BackupError(ErrorClass.NO_SUCH_BACKUP, message, next_step=next_step)


def _no_generation(name: str, source: Source, there: int, number: int) -> BackupError:
    what = {Source.DISK: "disk generations", Source.TAPE: "backups on tape", Source.ANY: "backups on disk or tape"}
    more = "; older backups may be on tape (source: any, or tape_restore)" if source is Source.DISK else ""
    return BackupError(
        ErrorClass.NO_SUCH_GENERATION,
        f"{name} has {there} {what[source]}, not a generation {number}.",
        next_step=f"See eternus_backup_info for its history{more}.",
        volume=name,
        generations=there,
    )


def _not_there(name: str, backup: Backup, source: Source) -> BackupError:
    if source is Source.TAPE:
        where, next_step = "is not on tape", "Restore it from disk, or choose another backup."
    elif backup.good_on_tape:
        where, next_step = "is only on tape", "Restore it with tape_restore; source: any chooses what is there."
    else:
        where, next_step = "is being dropped from disk", "Choose another backup."
    return BackupError(
        ErrorClass.NO_SUCH_GENERATION,
        f"Backup {backup.id} of {name} {where}.",
        next_step=next_step,
        volume=name,
        backup_id=backup.id,
    )
