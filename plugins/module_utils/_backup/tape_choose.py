# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which backup, which of its tape copies, and onto which volume: a restore's choice and refusals (behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import on_tape, to_read
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    RegisteredVolume,
    Role,
    TapeCopy,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

_RUNNING = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED, SessionState.RESTORING)


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; one of ``generation`` (1: the newest on tape), ``backup_id`` and ``at`` (UTC).

    One ``key`` never restores twice onto a target.
    """

    volume: str
    target: str = ""
    generation: int = 1
    backup_id: str = ""
    at: Optional[datetime] = None
    confirm: str = ""
    key: str = ""


@dataclass(frozen=True)
class Target:
    """The volume that is written. ``size`` in bytes, 0 when only the host knows it; ``reserve``: an unused BV."""

    ref: VolumeRef
    name: str
    size: int = 0
    reserve: bool = False


def choose_backup(name: str, backups: Sequence[Backup], wanted: Wanted) -> tuple[Backup, TapeCopy]:
    """Return the backup that is wanted, and its copy; ``backups`` oldest first, only what is on tape counts.

    :raises BackupError: ``checksum_mismatch`` when it was refuted, unless its id was given.
    """
    taped = [(backup, copy) for backup in reversed(backups) for copy in [on_tape(backup)] if copy is not None]
    if wanted.backup_id or wanted.at is not None:
        for backup, copy in taped:
            if backup.id == wanted.backup_id or (wanted.at is not None and backup.point_in_time <= wanted.at):
                return backup, to_read(name, backup, copy, named=bool(wanted.backup_id))
        asked = wanted.backup_id or f"at or before {wanted.at.isoformat() if wanted.at else ''}"
        raise BackupError(
            ErrorClass.NO_SUCH_BACKUP,
            f"No backup {asked} of {name} is on tape.",
            next_step="List what is there with eternus_backup_info or tape_info.",
            volume=name,
        )
    if not 1 <= wanted.generation <= len(taped):
        raise BackupError(
            ErrorClass.NO_SUCH_GENERATION,
            f"{name} has {len(taped)} tape generations, and generation {wanted.generation} was asked for.",
            next_step="List what is there with eternus_backup_info or tape_info.",
            volume=name,
            generations=len(taped),
        )
    backup, copy = taped[wanted.generation - 1]
    return backup, to_read(name, backup, copy, named=False)


def choose_target(ctx: Context, records: Records, name: str, source: RegisteredVolume) -> Target:
    """Return the volume that is to be written, by the catalog, by the array, else by its DeviceID."""
    if not name:
        return Target(source.ref, source.name, source.volume.size)
    found = records.find_volumes([name]).get(name)
    if found is not None:
        unused = found.role is Role.BACKUP and not records.allocations(bvs=[found.ref])
        return Target(found.ref, found.name, found.volume.size, reserve=unused)
    for array in ctx.arrays.values():
        volume = array.find_volumes([name]).get(name)
        if volume is not None:
            return Target(volume.ref, volume.name, volume.size)
    array_of_it, _slash, bare = name.rpartition("/")
    device_id = bare.lower()[len("wwn-0x") :] if bare.lower().startswith("wwn-0x") else bare
    if len(device_id) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in device_id):
        return Target(VolumeRef(array_of_it or source.ref.array, device_id.upper()), name)
    raise BackupError(
        ErrorClass.NO_SUCH_VOLUME,
        f"The target {name} is not registered, and this task has no array to ask for it.",
        next_step="Name it by its DeviceID (32 hex digits, or wwn-0x...), or SERIAL/DeviceID on another array.",
        volume=name,
    )


def refuse_target(records: Records, source: RegisteredVolume, target: Target, wanted: Wanted) -> None:
    """Refuse a target that is somebody else's, of another size, or not confirmed."""
    found = next(iter(records.volumes([target.ref])), None)
    if target.size and target.size != source.volume.size:
        raise BackupError(
            ErrorClass.SIZE_MISMATCH,
            f"{target.name} has {target.size} bytes, and {source.name} has {source.volume.size}.",
            next_step="Name a target of exactly the same size.",
            volume=target.name,
            size=target.size,
            needed=source.volume.size,
        )
    if found is not None and found.role is Role.BACKUP:
        _refuse_backup_volume(records, found, source)
    if found is None or found.role is not Role.TRANSACTION:
        return
    if target.ref != source.ref and records.policies([target.ref]):
        raise BackupError(
            ErrorClass.ROLE_CONFLICT,
            f"{target.name} is the transaction volume of another policy.",
            next_step=f"Restore onto {source.name} itself, or onto a volume without a policy.",
            volume=target.name,
        )
    if wanted.confirm != target.name:
        given = f"confirm is {wanted.confirm!r}" if wanted.confirm else "confirm is not given"
        raise BackupError(
            ErrorClass.CONFIRMATION_REQUIRED,
            f"The restore would overwrite all of transaction volume {target.name}, and {given}.",
            next_step=f"Unmount it, and give confirm: {target.name}",
            volume=target.name,
        )


def _refuse_backup_volume(records: Records, found: RegisteredVolume, source: RegisteredVolume) -> None:
    rows = records.allocations(bvs=[found.ref])
    carries = rows and any(backup.tv == rows[0].tv for backup in records.carrying([found.ref]))
    reserved = rows and rows[0].tv == source.ref and rows[0].copy_type is None and not carries
    if found.unknown or (rows and not reserved) or records.readers([found.ref]):
        why = "its content is unknown" if found.unknown else "it is under generation management"
        raise BackupError(
            ErrorClass.VOLUME_RESERVED,
            f"{found.name} is a backup volume, and {why}.",
            next_step="Name an unused backup volume, or a volume that is not registered.",
            volume=found.name,
        )


def refuse_sessions(ctx: Context, records: Records, source: RegisteredVolume, target: Target) -> None:
    """Refuse while the TV's pair is executing or equivalent: by the array where there is one, else by the catalog."""
    names = {source.ref: source.name, target.ref: target.name}
    for ref, name in names.items():
        array = ctx.arrays.get(ref.array)
        sessions: Optional[Iterable[Session]] = array.sessions() if array is not None else None
        if sessions is None:
            busy = _running_by_catalog(records, ref)
        else:
            busy = any(
                one.state in _RUNNING and (one.target == ref or (one.source == ref and one.copy_type.mirror))
                for one in sessions
            )
        if busy:
            raise BackupError(
                ErrorClass.BUSY,
                f"A copy session of {name} is executing or equivalent.",
                next_step="Take a backup, or cancel it (eternus_sync, state: cancelled), then restore.",
                volume=name,
            )


def _running_by_catalog(records: Records, tv: VolumeRef) -> bool:
    """Tell whether a BV serves this TV by EC/REC, is not suspended, and carries no generation: a session runs."""
    rows = records.allocations(tvs=[tv])
    carrying = {backup.bv for backup in records.carrying([row.bv for row in rows]) if backup.tv == tv}
    return any(
        row.copy_type is not None and row.copy_type.mirror and row.suspended_at is None and row.bv not in carrying
        for row in rows
    )
