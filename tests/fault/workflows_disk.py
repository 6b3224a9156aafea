# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs that are killed, those on disk: synchronization and every method of backup (behaviour.md §2, §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup
from ansible_collections.eternus.backup.tests.fault.crash import Workflow, note
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.world import SIZE, World

Expected = Callable[[World, Ledger], Sequence[str]]


def site(world: World, ledger: Ledger, tvs: Sequence[str], bvs: Sequence[str], **policy: Any) -> None:
    """Make volumes with content, register them, and declare one policy for all transaction volumes."""
    world.array.create_volumes(*tvs, size=SIZE)
    world.arrays[-1].create_volumes(*bvs, size=SIZE)
    ledger.write(world, *tvs)
    world.done("eternus_volume", volumes=list(tvs), role="transaction")
    world.done("eternus_volume", volumes=list(bvs), role="backup")
    wanted = {"generations": 1, "media": "disk", **policy}
    world.done("eternus_policy", policies=[{"volume": tv, **wanted} for tv in tvs])


def cycle(world: World, ledger: Ledger, *tvs: str, sync: bool = True, key: str = "") -> list[str]:
    """Take a backup of each volume, then let hosts write on. Return the ids."""
    if sync:
        world.done("eternus_sync", volumes=list(tvs))
    more = {"key": key} if key else {}
    taken = world.done("eternus_backup", volumes=list(tvs), **more)["backups"]
    ledger.report(world)
    ledger.write(world, *tvs)
    return [row["id"] for row in taken]


def history(world: World, tv: str) -> list[Backup]:
    """Return a volume's backups, newest first."""
    with world.records() as records:
        assert records is not None
        ref = records.find_volumes([tv])[tv].ref
        return list(records.backups(tvs=[ref]))[::-1]


def states(world: World, tv: str) -> list[int]:
    """Return the CopyState of each session from a volume."""
    names = {row["device_id"]: row["name"] for array in world.arrays for row in array.state()["volumes"]}
    return sorted(row["copy_state"] for key, row in world.sessions().items() if names[key[0].device_id] == tv)


def one_pair(*tvs: str, state: int = 4) -> Expected:
    """Expect that each volume has exactly one session in that CopyState (4: synchronized)."""

    def missing(world: World, _ledger: Ledger) -> list[str]:
        return [f"{tv} has {found}" for tv in tvs for found in [states(world, tv)] if found.count(state) != 1]

    return missing


def newest(*tvs: str, key: str = "night", generations: int = 1) -> Expected:
    """Expect that each volume's newest generation was made by that key, and that there are so many."""

    def missing(world: World, _ledger: Ledger) -> list[str]:
        found = []
        for tv in tvs:
            good = [backup for backup in history(world, tv) if backup.good_on_disk]
            if not good or good[0].key != key:
                found.append(f"the newest generation of {tv} is not of this job")
            if len(good) != generations:
                found.append(f"{tv} has {len(good)} generations, wanted {generations}")
        return found

    return missing


def _fresh(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv", "tv2"], ["bv1", "bv2", "bv3", "bv4"])


def _resumable(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2"], suspend=True)
    for _cycle in range(2):
        cycle(world, ledger, "tv")


def _rotated(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2", "bv3"], generations=2)
    for _cycle in range(3):
        cycle(world, ledger, "tv")


def _equivalent(world: World, ledger: Ledger, bvs: int = 3, **policy: Any) -> None:
    site(world, ledger, ["tv"], [f"bv{number}" for number in range(1, bvs + 1)], **policy)
    cycle(world, ledger, "tv")
    world.done("eternus_sync", volumes=["tv"])
    ledger.write(world, "tv")


def _frozen(world: World, ledger: Ledger) -> None:
    """A split that must end before a file system is thawed: one that was interrupted is taken back, not recorded."""
    _equivalent(world, ledger)
    note(world, split_deadline=(world.now() + timedelta(days=1)).isoformat())


def _suspended(world: World, ledger: Ledger) -> None:
    _resumable(world, ledger)
    world.done("eternus_sync", volumes=["tv"])
    ledger.write(world, "tv")


def _snapshots(world: World, ledger: Ledger, method: str = "snapshot", generations: int = 2, **policy: Any) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2"], method=method, generations=generations, **policy)
    for _cycle in range(generations):
        cycle(world, ledger, "tv", sync=False)


def _group(world: World, ledger: Ledger, **policy: Any) -> None:
    site(world, ledger, ["data", "log"], ["bv1", "bv2", "bv3", "bv4"], group="app", **policy)
    cycle(world, ledger, "data", "log")
    world.done("eternus_sync", groups=["app"])
    ledger.write(world, "data", "log")


def _remote(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["far1", "far2"], suspend=True)
    cycle(world, ledger, "tv")


def _remote_equivalent(world: World, ledger: Ledger) -> None:
    _remote(world, ledger)
    world.done("eternus_sync", volumes=["tv"])
    ledger.write(world, "tv")


_SYNC = {"volumes": ["tv"]}
_NIGHT = {"volumes": ["tv"], "key": "night"}

DISK = (
    Workflow("start", _fresh, "eternus_sync", {"volumes": ["tv", "tv2"]}, one_pair("tv", "tv2"), writes=("tv", "tv2")),
    Workflow("resume", _resumable, "eternus_sync", _SYNC, one_pair("tv"), writes=("tv",)),
    Workflow("restart_after_rotation", _rotated, "eternus_sync", _SYNC, one_pair("tv"), writes=("tv",)),
    Workflow("backup", _equivalent, "eternus_backup", _NIGHT, newest("tv"), writes=("tv",)),
    Workflow("backup_frozen", _frozen, "eternus_backup", _NIGHT, newest("tv"), writes=("tv",), copy_rate=SIZE),
    Workflow("backup_suspend", _suspended, "eternus_backup", _NIGHT, newest("tv"), writes=("tv",)),
    Workflow("backup_snapshot", _snapshots, "eternus_backup", _NIGHT, newest("tv", generations=2), writes=("tv",)),
    Workflow(
        "backup_snapshot_slow",
        _snapshots,
        "eternus_backup",
        _NIGHT,
        newest("tv", generations=2),
        writes=("tv",),
        copy_rate=SIZE // 8,
    ),
    Workflow(
        "backup_snapshot_safe",
        lambda world, ledger: _snapshots(world, ledger, generations=1, safe_rotation=True),
        "eternus_backup",
        _NIGHT,
        newest("tv"),
        writes=("tv",),
    ),
    Workflow(
        "backup_differential",
        lambda world, ledger: _snapshots(world, ledger, "differential"),
        "eternus_backup",
        _NIGHT,
        newest("tv", generations=2),
        writes=("tv",),
    ),
    Workflow(
        "backup_differential_slow",
        lambda world, ledger: _snapshots(world, ledger, "differential"),
        "eternus_backup",
        _NIGHT,
        newest("tv", generations=2),
        writes=("tv",),
        copy_rate=SIZE // 8,
    ),
    Workflow(
        "backup_group",
        _group,
        "eternus_backup",
        {"groups": ["app"], "key": "night"},
        newest("data", "log"),
        writes=("data", "log"),
    ),
    Workflow(
        "backup_group_suspend",
        lambda world, ledger: _group(world, ledger, suspend=True),
        "eternus_backup",
        {"groups": ["app"], "key": "night"},
        newest("data", "log"),
        writes=("data", "log"),
    ),
    Workflow(
        "backup_group_one_by_one",
        _group,
        "eternus_backup",
        {"groups": ["app"], "key": "night", "max_skew": "1h"},
        newest("data", "log"),
        writes=("data", "log"),
        copy_rate=SIZE,
        knobs={"list_support": False},
    ),
    Workflow("remote_start", _remote, "eternus_sync", _SYNC, one_pair("tv"), writes=("tv",), remote=True),
    Workflow("remote_backup", _remote_equivalent, "eternus_backup", _NIGHT, newest("tv"), writes=("tv",), remote=True),
)
