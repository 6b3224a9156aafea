# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Steps as journal entries and back: intent before act (DESIGN.md). Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.ids import new_id
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    RestoreCopy,
    ResumeCopy,
    SnapCopy,
    SplitCopy,
    StartCopy,
    Untaped,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskCopy,
    DiskState,
    JournalEntry,
    Method,
    StepState,
    TapeCopy,
    TapeState,
)

#: The steps that touch the array; all others are one catalog transaction each and need no journal.
ArrayStep = Union[StartCopy, ResumeCopy, SplitCopy, SnapCopy, ReleaseCopy, RestoreCopy]


def entry_of(step: ArrayStep, operation_id: str, now: datetime) -> JournalEntry:
    """Return the entry that says what is about to happen."""
    payload: dict[str, Any] = {"bv": _ref(step.bv), "copy_type": step.copy_type.value}
    if isinstance(step, SplitCopy):
        payload.update(backup=_backup(step.backup), certain=step.certain)
    elif isinstance(step, SnapCopy):
        payload.update(backup=_backup(step.backup), certain=step.certain)
        payload.update(resume=step.resume, replaces=step.replaces, untaped=_legs(step.untaped))
        payload.update(spoiled=step.spoiled, before=step.before.value)
        payload["synced_at"] = step.synced_at.isoformat() if step.synced_at else None
    elif isinstance(step, (StartCopy, ResumeCopy)) and step.untaped is not None:
        payload["untaped"] = {"id": step.untaped.backup_id, "tape": _legs(step.untaped.copies)}
    elif isinstance(step, ReleaseCopy):
        payload.update(free=step.free, strikes=step.strikes)
    elif isinstance(step, RestoreCopy):
        payload.update(target=_ref(step.target), backup_id=step.backup_id, key=step.key)
    kind = type(step).__name__
    return JournalEntry(new_id(now), operation_id, kind, step.tv, payload, StepState.INTENDED, now)


def step_of(entry: JournalEntry) -> ArrayStep:
    """Return the step that an entry stands for."""
    payload = entry.payload
    bv, copy_type = _volume(payload["bv"]), CopyType(payload["copy_type"])
    if entry.kind == "StartCopy":
        return StartCopy(entry.tv, bv, copy_type, _untaped(entry))
    if entry.kind == "ResumeCopy":
        return ResumeCopy(entry.tv, bv, copy_type, _untaped(entry))
    if entry.kind == "SplitCopy":
        return SplitCopy(
            entry.tv, bv, copy_type, _planned(entry.tv, bv, payload["backup"]), payload.get("certain", True)
        )
    if entry.kind == "SnapCopy":
        return SnapCopy(
            entry.tv,
            bv,
            copy_type,
            _planned(entry.tv, bv, payload["backup"]),
            payload["resume"],
            payload["replaces"],
            _queued(payload["untaped"], entry.written_at),
            payload["certain"],
            payload["spoiled"],
            DiskState(payload["before"]),
            datetime.fromisoformat(payload["synced_at"]) if payload["synced_at"] else None,
        )
    if entry.kind == "ReleaseCopy":
        return ReleaseCopy(entry.tv, bv, copy_type, payload["free"], payload.get("strikes", ""))
    if entry.kind == "RestoreCopy":
        target = _volume(payload["target"])
        return RestoreCopy(entry.tv, bv, target, copy_type, payload["backup_id"], payload["key"])
    raise ValueError(f"journal entry {entry.id} is of an unknown kind {entry.kind}")


def _ref(ref: VolumeRef) -> list[str]:
    return [ref.array, ref.device_id]


def _volume(value: list[str]) -> VolumeRef:
    return VolumeRef(value[0], value[1])


def _backup(backup: Backup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "key": backup.key,
        "group_id": backup.group_id,
        "method": backup.method.value,
        "copy_type": backup.copy_type.value,
        "suspend": backup.suspend,
        "size": backup.size,
        "at": backup.point_in_time.isoformat(),
        "disk": backup.disk.state.value if backup.disk else DiskState.VALID.value,
        "consistent": backup.consistent,
        "skew_ms": backup.skew_ms,
        "tape": _legs(backup.tape),
    }


def _legs(copies: tuple[TapeCopy, ...]) -> list[list[Any]]:
    return [[copy.number, copy.pool] for copy in copies]


def _queued(legs: list[list[Any]], at: datetime) -> tuple[TapeCopy, ...]:
    return tuple(TapeCopy(number, TapeState.QUEUED, pool, at) for number, pool in legs)


def _untaped(entry: JournalEntry) -> Optional[Untaped]:
    value = entry.payload.get("untaped")
    return Untaped(value["id"], _queued(value["tape"], entry.written_at)) if value else None


def _planned(tv: VolumeRef, bv: VolumeRef, value: dict[str, Any]) -> Backup:
    at = datetime.fromisoformat(value["at"])
    return Backup(
        id=value["id"],
        tv=tv,
        point_in_time=at,
        method=Method(value["method"]),
        copy_type=CopyType(value["copy_type"]),
        suspend=value["suspend"],
        size=value["size"],
        key=value["key"],
        group_id=value["group_id"],
        consistent=value.get("consistent"),
        skew_ms=value.get("skew_ms"),
        disk=DiskCopy(bv, DiskState(value.get("disk", DiskState.VALID.value)), at),
        tape=_queued(value["tape"], at),
    )
