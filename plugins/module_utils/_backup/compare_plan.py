# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a restored volume is to be compared with, or why it cannot be (behaviour.md §6: the restore test)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import on_tape
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import (
    Target,
    choose_target,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_names import the_volume
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid


@dataclass(frozen=True)
class CompareRequest:
    """What the caller asks for. ``source``: where the target was restored from, ``disk`` or ``tape``.

    ``copy`` is the number of the tape copy; None: the one that a restore would take.
    """

    volume: str
    backup_id: str
    target: str
    source: str = "disk"
    copy: Optional[int] = None


@dataclass(frozen=True)
class ComparePlan:
    """A target, and what it must be equal to: the backup volume, the recorded checksum of a tape copy, or both.

    ``copy`` is None where no tape copy is written, ``bv`` where none is to be read.
    """

    volume: str
    backup: Backup
    target: Target
    source: str
    copy: Optional[TapeCopy]
    bv: Optional[VolumeRef]
    bv_name: str = ""

    @property
    def against(self) -> Sequence[str]:
        """Say what the target is compared with, for people."""
        tape = [f"tape copy {self.copy.number}"] if self.copy is not None else []
        return ([f"backup volume {self.bv_name}"] if self.bv is not None else []) + tape


def plan_compare(ctx: Context, records: Records, request: CompareRequest) -> ComparePlan:
    """Find backup, target and what to compare with; a target that is undefined proves nothing."""
    tv = the_volume(records, request.volume)
    backup = next((one for one in records.backups(ids=[request.backup_id]) if one.tv == tv.ref), None)
    if backup is None:
        raise _no_backup(tv.name, f"{tv.name} has no backup {request.backup_id}.")
    target = choose_target(ctx, records, request.target, tv)
    disk = backup.disk
    if disk is not None and disk.bv == target.ref:
        raise invalid("target", request.target, "Name the volume that was restored, not the backup volume itself.")
    if target.size and target.size != backup.size:
        raise BackupError(
            ErrorClass.SIZE_MISMATCH,
            f"{target.name} has {target.size} bytes, and backup {backup.id} has {backup.size}.",
            next_step="Name the volume that was restored.",
            volume=target.name,
            size=target.size,
            needed=backup.size,
        )
    for marker in records.undefined_targets([target.ref]):
        raise BackupError(
            ErrorClass.TARGET_UNDEFINED,
            f"The content of {target.name} is undefined: {marker.reason}.",
            next_step="Wait for the restore, or restore again, then compare.",
            volume=target.name,
        )
    bv = disk.bv if request.source == "disk" and disk is not None and backup.whole_on_disk else None
    copy = _recorded(tv.name, backup, request)
    if bv is None and copy is None:
        raise _no_backup(
            tv.name, f"Nothing is left to compare with: backup {backup.id} is neither on disk nor on tape."
        )
    names = {row.ref: row.name for row in records.volumes([bv])} if bv is not None else {}
    return ComparePlan(tv.name, backup, target, request.source, copy, bv, names.get(bv, "") if bv is not None else "")


def _recorded(volume: str, backup: Backup, request: CompareRequest) -> Optional[TapeCopy]:
    """Return the tape copy whose recorded checksum counts."""
    written = [copy for copy in backup.tape if copy.state is TapeState.WRITTEN]
    if request.copy is None:
        found = on_tape(backup)
    else:
        found = next((copy for copy in written if copy.number == request.copy), None)
    if found is None and (request.copy is not None or request.source == "tape"):
        which = "tape copy" if request.copy is None else f"tape copy {request.copy}"
        raise _no_backup(volume, f"Backup {backup.id} of {volume} has no written {which}.")
    return found


def _no_backup(volume: str, message: str) -> BackupError:
    return BackupError(
        ErrorClass.NO_SUCH_BACKUP,
        message,
        next_step="List what is there with eternus_backup_info, subset history.",
        volume=volume,
    )


def shown_plan(plan: ComparePlan) -> dict[str, Any]:
    """Return a test as plain values, before anything is read."""
    return {
        "id": "",
        "volume": plan.volume,
        "backup_id": plan.backup.id,
        "point_in_time": plan.backup.point_in_time.isoformat(),
        "target": plan.target.name,
        "source": plan.source,
        "tape_copy": plan.copy.number if plan.source == "tape" and plan.copy is not None else 0,
        "size": plan.backup.size,
        "compared_with": [{"what": what, "sha256": ""} for what in plan.against],
        "state": "planned",
        "ok": None,
        "sha256": "",
        "tested_at": None,
        "message": "",
    }
