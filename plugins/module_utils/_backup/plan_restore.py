# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Restore from a disk generation: which one, onto what, or why not (behaviour.md §6). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_session_limit
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import RestoreCopy
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass(frozen=True)
class Choice:
    """Which backup: by relative generation (1 is the newest), by id, or the newest at or before a time (UTC)."""

    generation: Optional[int] = None
    backup_id: str = ""
    at: Optional[datetime] = None


def choose_on_disk(world: World, tv: VolumeRef, choice: Choice) -> Backup:
    """Return the chosen backup, which must have a valid disk copy; disk comes before tape (behaviour.md §6)."""
    generations = world.generations(tv)
    name = world.name(tv)
    if choice.backup_id:
        found = next((backup for backup in world.backups.get(tv, ()) if backup.id == choice.backup_id), None)
        if found is None:
            raise _no_backup(f"{name} has no backup {choice.backup_id}.", "See eternus_backup_info for its history.")
        if not found.good_on_disk:
            raise _only_tape(name, found)
        return found
    if choice.at is not None:
        at = choice.at
        whole = [backup for backup in world.backups.get(tv, ()) if backup.good_on_disk or backup.good_on_tape]
        found = next((backup for backup in reversed(whole) if backup.point_in_time <= at), None)
        if found is None:
            raise _no_backup(f"{name} has no backup of {at.isoformat()} or before.", "Choose a later time.")
        if not found.good_on_disk:
            raise _only_tape(name, found)
        return found
    number = 1 if choice.generation is None else choice.generation
    if not 1 <= number <= len(generations):
        raise BackupError(
            ErrorClass.NO_SUCH_GENERATION,
            f"{name} has {len(generations)} disk generations, not a generation {number}.",
            next_step="See eternus_backup_info for its history; older backups may be on tape (tape_restore).",
            volume=name,
            generations=len(generations),
        )
    return generations[number - 1]


def plan_restore(world: World, backup: Backup, target: Volume, *, confirm: str, key: str = "") -> Optional[RestoreCopy]:
    """Return the copy to start; None when this very restore runs already.

    :param confirm: the target's name, needed when it is a transaction volume: it is overwritten.
    """
    tv, bv = backup.tv, _bv(backup)
    _refuse_while_synchronized(world, tv, target)
    running = next((s for s in world.touching(target.ref) if s.target == target.ref and not s.copy_type.mirror), None)
    if running is not None:
        if running.source == bv and running.state in (SessionState.EXECUTING, SessionState.RESTORING):
            return None
        raise _busy_target(world, target, running)
    if (target.blocks, target.block_size) != (world.volume(bv).blocks, world.volume(bv).block_size):
        raise _other_size(world, backup, target)
    if target.ref != tv:
        _refuse_taken(world, target)
    registered = world.volumes.get(target.ref)
    if registered is not None and registered.role is Role.TRANSACTION and confirm != target.name:
        raise _unconfirmed(target, confirm)
    for end in (bv, target.ref):
        if len(world.touching(end)) + 1 > world.session_limit(end.array):
            raise refuse_session_limit(world, end, len(world.touching(end)), world.session_limit(end.array))
    copy_type = CopyType.OPC if bv.array == target.ref.array else CopyType.ROPC
    capabilities = world.capabilities.get(bv.array)
    if capabilities is None or copy_type not in capabilities.copies:
        raise _unsupported(world, bv, copy_type)
    return RestoreCopy(tv, bv, target.ref, copy_type, backup.id, key)


def _bv(backup: Backup) -> VolumeRef:
    if backup.disk is None:
        raise ValueError(f"backup {backup.id} has no disk copy")
    return backup.disk.bv


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


def _refuse_taken(world: World, target: Volume) -> None:
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
    ours = target.ref in world.allocations and not world.touching(target.ref)
    mine = ours and world.allocations[target.ref].copy_type is None
    if not mine and not (world.unused(registered) or target.ref in world.undefined):
        raise BackupError(
            ErrorClass.VOLUME_RESERVED,
            f"{target.name} is a backup volume in use: {world.doing(registered)}.",
            next_step="Name an unused backup volume, or a volume that is not registered.",
            volume=target.name,
        )


def _busy_target(world: World, target: Volume, session: Session) -> BackupError:
    return BackupError(
        ErrorClass.BUSY,
        f"{target.name} is being written by a {session.copy_type.value} copy from {world.name(session.source)} "
        f"({session.state.value}, {session.percent} %).",
        next_step="Wait for it, or cancel it with eternus_restore, state: cancelled.",
        volume=target.name,
        holder=f"{session.copy_type.value} copy from {world.name(session.source)}",
    )


def _other_size(world: World, backup: Backup, target: Volume) -> BackupError:
    source = world.volume(_bv(backup))
    return BackupError(
        ErrorClass.SIZE_MISMATCH,
        f"{target.name} has {target.blocks} blocks; the generation on {source.name} has {source.blocks}.",
        next_step="Name a target of exactly the same size.",
        volume=target.name,
        blocks=target.blocks,
        needed=source.blocks,
    )


def _unconfirmed(target: Volume, confirm: str) -> BackupError:
    given = f"confirm is {confirm!r}" if confirm else "confirm is not given"
    return BackupError(
        ErrorClass.CONFIRMATION_REQUIRED,
        f"The restore would overwrite transaction volume {target.name}, and {given}.",
        next_step=f"Give confirm: {target.name}",
        volume=target.name,
    )


def _unsupported(world: World, bv: VolumeRef, copy_type: CopyType) -> BackupError:
    capabilities = world.capabilities.get(bv.array)
    offered = sorted(copy.value for copy in capabilities.copies) if capabilities else []
    return BackupError(
        ErrorClass.UNSUPPORTED_COPY,
        f"{copy_type.value} from {world.name(bv)} is not offered; array {bv.array} offers "
        f"{', '.join(offered) or 'no copies'}.",
        next_step="Restore from tape with tape_restore, or check the array's Advanced Copy licence.",
        offered=offered,
    )


def _no_backup(message: str, next_step: str) -> BackupError:
    return BackupError(ErrorClass.NO_SUCH_BACKUP, message, next_step=next_step)


def _only_tape(name: str, backup: Backup) -> BackupError:
    where = "is only on tape" if backup.good_on_tape else "is being dropped from disk"
    return BackupError(
        ErrorClass.NO_SUCH_GENERATION,
        f"Backup {backup.id} of {name} {where}.",
        next_step="Restore it with tape_restore." if backup.good_on_tape else "Choose another backup.",
        volume=name,
        backup_id=backup.id,
    )
