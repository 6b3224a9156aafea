# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process may die between any two lines: the next run finishes or undoes the step (DESIGN.md)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import owner, synchronize
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import lease_name, operation
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed


def kill(house, method, when, act, *args, **kwargs):
    """Run something that dies at an array request, and let its lease run out."""
    house.array.faults.append(Fault(method, f"killed_{when}"))
    with pytest.raises(Killed):
        act(*args, **kwargs)
    _leave_the_lease(house)


def _leave_the_lease(house):
    house.clock.sleep(300)


def settled(house):
    with house.catalog.read() as records:
        return not records.open_entries()


def test_killed_before_the_start_nothing_is_leaked(house):
    house.tv("oradata", 1)
    kill(house, "start", "before", house.start, "oradata")
    result = house.start("oradata")
    assert "had not started" in result.warnings[0]
    assert result.values["synchronizations"][0]["state"] == "executing"
    assert settled(house)


@pytest.mark.rule("R9.10")
def test_killed_after_the_start_the_copy_is_found_and_goes_on(house):
    house.tv("oradata", 2)
    kill(house, "start", "after", house.start, "oradata")
    result = house.start("oradata")
    assert "the copy had started" in result.warnings[0]
    assert house.array.calls == [("start", 1)]
    assert not house.start("oradata").changed
    assert house.unused() == ["bv2"]


@pytest.mark.rule("R9.10")
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_the_split_one_backup_of_the_same_key_comes_out(house, when):
    house.tv("oradata", 2)
    house.equivalent("oradata")
    kill(house, "suspend", when, house.backup, "oradata", key="night")
    again = house.backup("oradata", key="night")
    assert [backup.key for backup in house.generations("oradata")] == ["night"]
    assert again.values["backups"][0]["generation"] == 1
    assert house.fabric.copies == {}
    assert settled(house)


@pytest.mark.rule("R1.9", "R9.13")
def test_a_backup_recorded_by_recovery_bears_the_arrays_own_time_of_the_split(house):
    house.tv("oradata", 2, suspend=True)
    house.equivalent("oradata")
    split_at = house.clock.now()
    kill(house, "suspend", "after", house.backup, "oradata", key="night")
    house.backup("oradata", key="night")
    assert house.generations("oradata")[0].point_in_time - split_at < timedelta(seconds=1)


@pytest.mark.rule("R9.10")
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_the_release_the_session_is_ended_and_the_generation_kept(house, when):
    house.tv("oradata", 2)
    house.equivalent("oradata")
    kill(house, "release", when, house.backup, "oradata", key="night")
    assert len(house.generations("oradata")) == 1
    house.start("oradata")
    assert [house.bv_of(session.target) for session in house.look().sessions.values()] == ["bv2"]
    assert settled(house)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_a_resume_the_bv_stays_bound_and_resumes(house, when):
    tv = house.tv("oradata", 2, suspend=True, generations=1)
    house.cycle("oradata")
    house.cycle("oradata")
    kill(house, "resume", when, house.start, "oradata")
    house.equivalent("oradata")
    assert house.bv_of(house.look().active_mirror(tv).target) == "bv1"
    assert settled(house)


def test_an_answer_lost_after_the_act_is_found_by_looking(house):
    house.tv("oradata", 2)
    house.array.faults.append(Fault("start", "lost"))
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "array_unreachable"
    assert "may have been done" in caught.value.unchanged
    house.start("oradata")
    assert house.array.calls == [("start", 1)]
    assert house.unused() == ["bv2"]


def test_recovery_believes_a_list_without_the_session_only_after_a_while(house):
    house.fabric.stale = 8.0
    house.tv("oradata", 2)
    house.array.faults.append(Fault("start", "lost"))
    with pytest.raises(BackupError):
        house.start("oradata")
    house.start("oradata")
    assert len(house.fabric.copies) == 1


def test_check_mode_tells_of_the_interrupted_step_and_leaves_it(house):
    house.tv("oradata", 2)
    kill(house, "start", "before", house.start, "oradata")
    result = synchronize.start(house.context(check=True), ["oradata"])
    assert "was interrupted at StartCopy" in result.warnings[0]
    assert not settled(house)


@pytest.mark.rule("R9.11")
def test_a_lease_of_a_process_that_is_gone_is_taken_over_at_once(house):
    tv = house.tv("oradata", 1)
    gone = re.sub(r"process \d+ \[\d+", "process 4194305 [1", owner.default_owner())
    with house.catalog.begin() as records:
        records.take_leases([lease_name(tv)], gone, house.clock.now(), 9999)
    assert house.start("oradata").changed


@pytest.mark.rule("R9.11")
def test_a_lease_of_a_living_process_or_another_host_is_respected(house):
    tv = house.tv("oradata", 1)
    for holder in (owner.default_owner(), "elsewhere, process 1 [1 1-1]"):
        with house.catalog.begin() as records:
            leases = records.take_leases([lease_name(tv)], holder, house.clock.now(), 9999)
        with pytest.raises(BackupError) as caught:
            house.start("oradata")
        assert caught.value.error_class.value == "busy"
        with house.catalog.begin() as records:
            records.drop_leases(leases)


@pytest.mark.rule("R9.11")
def test_an_owner_that_slept_past_its_lease_changes_nothing(house):
    tv = house.tv("oradata", 1)
    with operation(house.context(), [tv]) as sleeper:
        house.clock.sleep(1000)
        house.equivalent("oradata")
        with pytest.raises(BackupError), sleeper.transaction() as records:
            records.free([house.by_name["bv1"].ref])
        with pytest.raises(BackupError):
            sleeper.before_act()
    assert house.look().active_mirror(tv).state is SessionState.EQUIVALENT
