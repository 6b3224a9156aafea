# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What is there: history, policies with overdue, the pool, sessions, running copies (behaviour.md §8). Only reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import backup_view, policy_view, view
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    read_world,
    session_list,
    transaction_volumes,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import proven_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Media,
    Policy,
    RegisteredVolume,
    RestoreTest,
    Role,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._query import Search
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

SUBSETS = ("history", "policies", "pool", "running", "sessions")

_COPYING = (SessionState.EXECUTING, SessionState.RESTORING, SessionState.PAUSED)


def show(ctx: Context, names: Sequence[str], wanted: Collection[str], search: Optional[Search] = None) -> Result:
    """Return the chosen parts for the named TVs, for every registered TV when none is named.

    Sessions are those of the arrays at hand; a TV on another array has a synchronization of state ``unknown``.
    """
    sessions = session_list(ctx)
    with ctx.catalog.read() as records:
        named = transaction_volumes(records, names) if names else ()
        world = read_world(ctx, records, sessions, {})
        tvs = named or tuple(ref for ref, volume in world.volumes.items() if volume.role is Role.TRANSACTION)
        if "history" in wanted:
            world = _with_history(world, records.backups(tvs=tvs))
        open_entries = records.open_entries(named or None)
        tests = records.last_tests(named or None)
        proven = proven_volumes(records, tvs)
        backups = records.count(tvs)
    policies = [_policy(world, world.policies[tv], tests.get(tv), tv in proven) for tv in tvs if tv in world.policies]
    pool = [_bv(world, bv) for bv in world.backup_volumes()]
    parts: dict[str, Any] = {}
    if "history" in wanted:
        parts["volumes"] = [_tv(ctx, world, tv) for tv in tvs]
    if "policies" in wanted:
        parts["policies"] = policies
    if "pool" in wanted:
        parts["pool"] = pool
    if "running" in wanted:
        parts["running"] = [*_running_sessions(world), *_running_tape(world, tvs)]
    if "sessions" in wanted:
        parts["sessions"] = [_session(world, session) for session in sessions]
    broken = _not_whole(world, tvs)
    parts["summary"] = {
        **_counts(world, tvs, backups),
        "overdue": [row["volume"] for row in policies if row["overdue"]],
        "unproven": [row["volume"] for row in policies if row["media"] != Media.DISK.value and not row["proven_tape"]],
        "broken": [backup.id for backup in broken],
        "pool": dict(Counter(row["use"] for row in pool)),
        "arrays": sorted(ctx.arrays),
        "interrupted": len(open_entries),
    }
    values = dict(parts)
    if search is not None:
        values["query_result"] = search(parts)
    told = [
        f"An earlier run was interrupted at {entry.kind} of {world.name(entry.tv)}; the next run settles it."
        for entry in open_entries
    ]
    told.extend(_told_broken(world, backup) for backup in broken)
    return Result(changed=False, values=values, warnings=told)


def _with_history(world: World, backups: Sequence[Backup]) -> World:
    """Return the world with the whole history of some TVs; of the others it has what stands."""
    whole: dict[VolumeRef, list[Backup]] = defaultdict(list)
    for backup in backups:
        whole[backup.tv].append(backup)
    return replace(world, backups={**world.backups, **{tv: tuple(some) for tv, some in whole.items()}})


def last_good(world: World, tv: VolumeRef) -> Optional[Backup]:
    """Return the newest backup that can be restored: whole on disk, or written to tape."""
    history = reversed(world.backups.get(tv, ()))
    return next((backup for backup in history if _good(world, backup)), None)


def overdue(world: World, policy: Policy) -> bool:
    """Tell whether more than the policy's days have passed since the last good backup (behaviour.md §7)."""
    if not policy.interval_days:
        return False
    due = next_due(world, policy)
    return due is None or world.now > due


def next_due(world: World, policy: Policy) -> Optional[datetime]:
    """Return when the next backup is due; None without interval days, and while there is no good backup to count from.

    It schedules nothing (behaviour.md §7).
    """
    last = last_good(world, policy.tv)
    if last is None or not policy.interval_days:
        return None
    return last.point_in_time + timedelta(days=policy.interval_days)


def use_of(world: World, bv: RegisteredVolume) -> str:
    """Return what a BV is used for, in the original's words (behaviour.md §8); an unexplained one has its own."""
    if bv.unknown:
        return "Backup (unknown)"
    if world.unused(bv):
        return "Backup (free)"
    allocation = world.allocations.get(bv.ref)  # tells it where no array is asked
    tracked = allocation is not None and allocation.copy_type is CopyType.QUICK_OPC
    tracked |= any(s.tracked or s.state is SessionState.TRACKING for s in world.touching(bv.ref))
    return "Backup (used-T)" if tracked else "Backup (used)"


def _good_on_disk(world: World, backup: Backup) -> bool:
    """Tell whether its disk copy is a generation that can be read; a snapshot that has failed is none (§3)."""
    return backup.good_on_disk and not world.spoiled(backup)


def _good(world: World, backup: Backup) -> bool:
    return _good_on_disk(world, backup) or backup.good_on_tape


def _not_whole(world: World, tvs: Sequence[VolumeRef]) -> list[Backup]:
    """Return the generations, and what is borrowed for tape, whose snapshot has failed on the array."""
    return [one for tv in tvs for one in world.backups.get(tv, ()) if one.whole_on_disk and world.spoiled(one)]


def _told_broken(world: World, backup: Backup) -> str:
    bv = world.name(backup.disk.bv) if backup.disk is not None else ""
    return (
        f"The disk copy of backup {backup.id} of {world.name(backup.tv)} is not whole: its {backup.copy_type.value} "
        f"session onto {bv} has failed on the array. eternus_reconcile shows it; take another backup."
    )


def _policy(world: World, policy: Policy, tested: Optional[RestoreTest], proven: bool) -> dict[str, Any]:
    last, due = last_good(world, policy.tv), next_due(world, policy)
    return {
        **policy_view(world, policy),
        "last_backup": last.point_in_time.isoformat() if last else None,
        "last_backup_id": last.id if last else None,
        "next_due": due.isoformat() if due else None,
        "overdue": overdue(world, policy),
        "last_test": tested.tested_at.isoformat() if tested else None,
        "last_test_ok": tested.ok if tested else None,
        "proven_tape": proven,
    }


def _tv(ctx: Context, world: World, tv: VolumeRef) -> dict[str, Any]:
    shown = view(world, tv)
    if tv.array not in ctx.arrays:
        shown["synchronization"] = {"state": "unknown", "percent": 0, "backup_volume": None, "copy_type": None}
        rows = [row for row in world.allocations.values() if row.tv == tv and row.suspended_at is not None]
        shown["suspended"] = sorted(world.name(row.bv) for row in rows)
    marker = world.undefined.get(tv)
    return {
        **shown,
        "use": "Transaction",
        "size": world.volume(tv).size,
        "blocks": world.volume(tv).blocks,
        "undefined": {"since": marker.since.isoformat(), "reason": marker.reason} if marker else None,
    }


def _bv(world: World, bv: RegisteredVolume) -> dict[str, Any]:
    allocation = world.allocations.get(bv.ref)
    backup = world.backup_on(bv.ref, allocation.tv) if allocation else None
    shown = backup_view(world, backup) if backup else {}
    return {
        "name": bv.name,
        "device_id": bv.ref.device_id,
        "array": bv.ref.array,
        "size": bv.volume.size,
        "blocks": bv.volume.blocks,
        "use": use_of(world, bv),
        "doing": world.doing(bv),
        "volume": world.name(allocation.tv) if allocation else None,
        "backup_id": shown.get("id"),
        "generation": shown.get("generation"),
    }


def _session(world: World, session: Session) -> dict[str, Any]:
    allocation = world.allocations.get(session.target)
    return {
        "source": world.name(session.source),
        "target": world.name(session.target),
        "copy_type": session.copy_type.value,
        "state": session.state.value,
        "percent": session.percent,
        "suspended_at": session.suspended_at.isoformat() if session.suspended_at else None,
        "in_catalog": allocation is not None and allocation.tv == session.source,
    }


def _running_sessions(world: World) -> list[dict[str, Any]]:
    return [
        {
            "kind": "synchronization" if session.copy_type.mirror else "copy",
            "source": world.name(session.source),
            "target": world.name(session.target),
            "state": session.state.value,
            "percent": session.percent,
        }
        for session in world.sessions.values()
        if session.state in _COPYING
    ]


def _running_tape(world: World, tvs: Sequence[VolumeRef]) -> list[dict[str, Any]]:
    return [
        {
            "kind": "tape",
            "source": world.name(tv),
            "target": copy.pool,
            "state": copy.state.value,
            "percent": int(100 * copy.bytes_done / copy.bytes_total) if copy.bytes_total else 0,
            "backup_id": backup.id,
            "copy": copy.number,
            "bytes_done": copy.bytes_done,
            "bytes_total": copy.bytes_total,
        }
        for tv in tvs
        for backup in world.backups.get(tv, ())
        for copy in backup.tape
        if copy.state is TapeState.WRITING
    ]


def _counts(world: World, tvs: Sequence[VolumeRef], backups: int) -> dict[str, int]:
    """Count the states of these TVs' backups; the world has at least all that are on disk, or not written to tape.

    A backup without any copy is in no history (behaviour.md §5): one that the world has not is on tape.
    """
    history = [backup for tv in tvs for backup in world.backups.get(tv, ())]
    legs = Counter(copy.state for backup in history for copy in backup.tape)
    return {
        "volumes": len(tvs),
        "backups": backups,
        "on_disk": sum(_good_on_disk(world, backup) for backup in history),
        "on_tape": backups - sum(not backup.good_on_tape for backup in history),
        **{f"tape_{state.value}": legs[state] for state in (TapeState.QUEUED, TapeState.WRITING, TapeState.FAILED)},
    }
