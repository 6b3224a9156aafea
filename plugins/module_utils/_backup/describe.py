# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The world as plain values for results and diffs: one shape, whether planned or read back. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, Policy, TapeCopy, TapeState


def view(world: World, tv: VolumeRef) -> dict[str, Any]:
    """Return a TV's synchronization, suspended BVs and history, newest first."""
    mirrors = sorted(world.mirrors_of(tv), key=lambda session: session.target)
    current = world.active_mirror(tv) or world.broken_mirror(tv)
    suspended = [world.name(s.target) for s in mirrors if s.state is SessionState.SUSPENDED]
    return {
        "volume": world.name(tv),
        "device_id": tv.device_id,
        "array": tv.array,
        "synchronization": session_view(world, current),
        "suspended": suspended,
        "backups": [backup_view(world, backup) for backup in reversed(world.backups.get(tv, ()))],
    }


def session_view(world: World, session: Optional[Session]) -> dict[str, Any]:
    """Return the state of a TV's running synchronization; state ``none`` without one."""
    if session is None:
        return {"state": "none", "percent": 0, "backup_volume": None, "copy_type": None}
    return {
        "state": session.state.value,
        "percent": session.percent,
        "backup_volume": world.name(session.target),
        "copy_type": session.copy_type.value,
    }


def backup_view(world: World, backup: Backup) -> dict[str, Any]:
    """Return one backup. ``generation`` is the relative one on disk (1 is the newest), None when not on disk.

    ``group_id`` is empty, ``consistent`` and ``skew_ms`` are None outside a consistency group (behaviour.md §3).
    """
    generations = world.generations(backup.tv)
    return {
        "id": backup.id,
        "key": backup.key,
        "volume": world.name(backup.tv),
        "point_in_time": backup.point_in_time.isoformat(),
        "generation": generations.index(backup) + 1 if backup in generations else None,
        "method": backup.method.value,
        "copy_type": backup.copy_type.value,
        "suspend": backup.suspend,
        "hold": backup.hold,
        "group_id": backup.group_id,
        "consistent": backup.consistent,
        "skew_ms": backup.skew_ms,
        "size": backup.size,
        "disk": disk_view(world, backup),
        "tape_state": tape_state(backup).value,
        "tape": [tape_view(copy) for copy in backup.tape],
    }


def disk_view(world: World, backup: Backup) -> Optional[dict[str, Any]]:
    """Return the disk copy of a backup, None without one."""
    if backup.disk is None:
        return None
    return {"state": backup.disk.state.value, "backup_volume": world.name(backup.disk.bv)}


def tape_state(backup: Backup) -> TapeState:
    """Return one word for all tape copies of a backup: the one that is furthest from being written."""
    order = (TapeState.FAILED, TapeState.QUEUED, TapeState.WRITING, TapeState.WRITTEN)
    states = {copy.state for copy in backup.tape}
    return next((state for state in order if state in states), TapeState.NONE)


def tape_view(copy: TapeCopy) -> dict[str, Any]:
    """Return one tape copy. Sizes in bytes, times in UTC."""
    return {
        "copy": copy.number,
        "state": copy.state.value,
        "pool": copy.pool,
        "bytes_done": copy.bytes_done,
        "bytes_total": copy.bytes_total,
        "cartridges": list(dict.fromkeys(part.barcode for part in copy.parts)),
        "sha256": copy.sha256,
        "written_at": copy.written_at.isoformat() if copy.written_at else None,
        "verified_at": copy.verified_at.isoformat() if copy.verified_at else None,
        "verified_ok": copy.verified_ok,
        "error": copy.error,
    }


def policy_view(world: World, policy: Policy) -> dict[str, Any]:
    """Return a policy as plain values."""
    shown = asdict(policy)
    shown.pop("tv")
    shown.update(
        volume=world.name(policy.tv),
        method=policy.method.value,
        media=policy.media.value,
        pinned=[world.name(bv) for bv in policy.pinned],
    )
    return shown
