# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of every kind, interrupted anywhere: the next run finishes or undoes them (DESIGN.md, behaviour.md §3)."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

POLICIES = {
    "snapshot": {"method": "snapshot", "generations": 2},
    "snapshot, safe": {"method": "snapshot", "generations": 2, "safe_rotation": True},
    "differential": {"method": "differential", "generations": 2},
    "tape only": {"method": "tape_only", "generations": 2, "media": "both", "tape_pool": "pool"},
    "snapshot, media tape": {"method": "snapshot", "media": "tape", "tape_pool": "pool"},
    "snapshot, both": {"method": "snapshot", "generations": 1, "media": "both", "tape_pool": "pool"},
}
policies = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
fast_or_slow = pytest.mark.parametrize("copy_seconds", [4.0, 900.0], ids=["copied", "still-copying"])
COMMITS = range(7)


def ready(tmp_path, policy, copy_seconds=4.0):
    house = House(tmp_path, memory=True)
    house.tv("oradata", 3, **policy)
    for _night in range(2):
        house.nights("oradata", 1, drop_untaped=True)
        if policy.get("media") == "tape" or policy["method"] == "tape_only":  # one BV is borrowed at a time
            house.tape_all("oradata")
    house.clock.sleep(3600)
    house.fabric.copy_seconds = copy_seconds
    return house


def night(house, **request):
    house.stamp += 1
    house.fabric.write(house.by_name["oradata"].ref, 0, house.stamp)
    return house.backup("oradata", key=f"night-{house.stamp}", drop_untaped=True, **request)


def mended(house, contents):
    """Let the next run mend it; return the history. Nothing leaks, every disk copy that counts is right."""
    with contextlib.suppress(BackupError):
        house.cancel("oradata")
    with house.catalog.read() as records:
        assert not records.open_entries()
    history = house.history("oradata")
    for backup in history:
        if backup.disk is not None and backup.disk.state is not DiskState.LEAVING:
            assert house.fabric.content[backup.disk.bv][0] == contents.get(backup.id, house.stamp)
    world = house.look()
    for bv, allocation in world.allocations.items():
        assert world.backup_on(bv, allocation.tv) or world.touching(bv)
    for session in world.sessions.values():
        assert world.allocations[session.target].tv == session.source
    return history


def before(house):
    return {b.id: house.fabric.content[b.disk.bv][0] for b in house.history("oradata") if b.disk}


@policies
@fast_or_slow
@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("commit", COMMITS)
def test_death_at_any_commit_is_mended(tmp_path, policy, copy_seconds, commit, written):
    house = ready(tmp_path, policy, copy_seconds)
    contents = before(house)
    house.dying(commit, written, lambda: night(house))
    mended(house, contents)
    house.clock.sleep(3600)
    house.tape_all("oradata")
    made = night(house).values["backups"][0]
    assert made["taken"]
    assert house.fabric.content[house.backup_of(made["id"]).disk.bv][0] == house.stamp


@policies
@fast_or_slow
@pytest.mark.parametrize("kind", ["killed_before", "killed_after", "lost", "unreachable"])
def test_death_or_silence_at_the_copy_is_mended(tmp_path, policy, copy_seconds, kind):
    house = ready(tmp_path, policy, copy_seconds)
    contents = before(house)
    house.array.faults.append(Fault("resume" if policy["method"] == "differential" else "start", kind))
    with contextlib.suppress(Killed, BackupError):
        night(house)
    assert not house.array.faults
    house.clock.sleep(300)
    mended(house, contents)
    house.clock.sleep(3600)
    house.tape_all("oradata")
    assert night(house).values["backups"][0]["taken"]


@policies
@pytest.mark.parametrize("kind", ["killed_after", "lost"])
def test_a_copy_that_is_seen_to_run_is_recorded_by_the_next_run_under_its_key(tmp_path, policy, kind):
    house = ready(tmp_path, policy, 9000.0)
    method = "resume" if policy["method"] == "differential" else "start"
    house.array.faults.append(Fault(method, kind))
    with pytest.raises((Killed, BackupError)):
        night(house)
    house.clock.sleep(300)
    again = house.backup("oradata", key=f"night-{house.stamp}", drop_untaped=True).values["backups"][0]
    assert not again["taken"]
    assert house.fabric.content[house.backup_of(again["id"]).disk.bv][0] == house.stamp


@policies
@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("written", [False, True])
def test_check_mode_foresees_what_recovery_and_the_backup_do(tmp_path, policy, commit, written):
    house = ready(tmp_path, policy, 900.0)
    house.dying(commit, written, lambda: night(house))
    house.array.reads_only = True
    foreseen = house.foreseen("oradata", key=f"night-{house.stamp}", drop_untaped=True)
    house.array.reads_only = False
    done = house.backup("oradata", key=f"night-{house.stamp}", drop_untaped=True)
    assert house.alike(replace(foreseen, warnings=[])) == house.alike(replace(done, warnings=[]))


@pytest.mark.parametrize("commit", range(9))
@pytest.mark.parametrize("written", [False, True])
def test_a_suspended_generation_that_auto_overwrites_is_never_lost_without_reason(tmp_path, commit, written):
    house = House(tmp_path, memory=True)
    house.tv("oradata", 2, method="auto", suspend=True, generations=2)
    house.cycle("oradata")
    house.cycle("oradata")
    house.fabric.copy_seconds = 900.0
    contents = before(house)
    house.dying(commit, written, lambda: night(house))
    mended(house, contents)
    house.clock.sleep(3600)
    assert len(house.generations("oradata")) >= 1
    assert night(house).values["backups"][0]["taken"]


@pytest.mark.parametrize("kind", ["killed_before", "killed_after", "lost", "refuse"])
@pytest.mark.parametrize("method", ["release", "start"])
def test_an_old_session_that_was_ended_for_a_copy_is_mended(tmp_path, method, kind):
    house = ready(tmp_path, POLICIES["snapshot"], 9e5)
    house.nights("oradata", 2)
    contents = before(house)
    house.array.faults.append(Fault(method, kind, 32786))
    with contextlib.suppress(Killed, BackupError):
        night(house)
    house.array.faults.clear()
    house.clock.sleep(300)
    mended(house, contents)
    assert night(house).values["backups"][0]["taken"]
