# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore that is asked for again, cancelled by another job, or foreseen after a crash: behaviour.md §6."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup import restore
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore import RestoreRequest
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import NO_PATIENCE, PATIENCE


@pytest.fixture
def oradata(house):
    """A TV with one generation of what was 11; it is 99 since."""
    tv = house.tv("oradata", 3)
    house.fabric.write(tv, 0, 11)
    house.cycle("oradata")
    house.fabric.write(tv, 0, 99)
    return tv


def outcome(house, wait=PATIENCE, **request):
    """Restore; return whether it changed anything, how it is, and the target's first block."""
    result = house.restore("oradata", wait=wait, **request)
    return result.changed, result.values["restore"]["state"], house.content(request.get("target") or "oradata")[0]


def foreseen(house, **request):
    """Return what check mode says of a restore onto the TV."""
    wanted = RestoreRequest("oradata", **{"confirm": "oradata", **request})
    return restore.restore(house.context(check=True), wanted, PATIENCE)


@pytest.mark.rule("R6.1")
def test_once_a_restore_has_ended_the_same_one_restores_again(house, oradata):
    outcome(house, wait=NO_PATIENCE)
    house.clock.sleep(86400)
    house.fabric.write(oradata, 0, 99)
    assert foreseen(house).changed
    assert outcome(house) == (True, "finished", 11)
    assert house.look().undefined == {}
    assert house.look().readers == {}


@pytest.mark.rule("R6.1")
def test_that_holds_for_another_target_too(house, oradata):
    scratch = house.volume("scratch", None).ref
    outcome(house, target="scratch", wait=NO_PATIENCE)
    house.clock.sleep(86400)
    house.fabric.write(scratch, 0, 99)
    assert outcome(house, target="scratch") == (True, "finished", 11)


@pytest.mark.rule("R9.8")
def test_a_key_whose_restore_ended_unnoticed_does_not_restore_again(house, oradata):
    outcome(house, key="job-9", wait=NO_PATIENCE)
    house.clock.sleep(86400)
    house.fabric.write(oradata, 0, 99)
    assert outcome(house, key="job-9") == (False, "finished", 99)
    assert house.look().undefined == {}
    assert outcome(house, key="job-10") == (True, "finished", 11)


@pytest.mark.rule("R9.6")
def test_a_restore_that_the_list_does_not_show_yet_is_waited_for(house, oradata):
    house.clock.sleep(60)
    house.fabric.stale = 8.0
    outcome(house, wait=NO_PATIENCE)
    assert outcome(house, wait=Wait(1.0, 60.0)) == (False, "finished", 11)


def while_it_copies(house, act, target="scratch"):
    """Do something once, as another job, while a restore onto a target is waited for."""
    done = []

    def listener(_seconds):
        if not done and any(key[1] == house.by_name[target].ref for key in house.fabric.copies):
            done.append(True)
            act()

    house.clock.listeners.append(listener)


@pytest.mark.rule("R6.5", "R6.5a")
def test_a_restore_that_another_job_cancels_is_not_reported_as_finished(house, oradata):
    house.volume("scratch", None)
    house.fabric.copy_seconds = 50.0
    while_it_copies(house, lambda: house.cancel_restore("oradata", "scratch"))
    with pytest.raises(BackupError) as caught:
        outcome(house, target="scratch")
    assert caught.value.error_class.value == "target_undefined"
    assert "a restore was cancelled" in caught.value.message
    assert caught.value.changed
    assert [one.reason for one in house.look().undefined.values()] == ["a restore was cancelled"]


@pytest.mark.rule("R6.5a")
def test_the_end_of_a_cancelled_restore_does_not_end_the_one_that_follows_it(house, oradata):
    house.cycle("oradata")
    older = house.generations("oradata")[1].id
    house.volume("scratch", None)
    house.fabric.copy_seconds = 50.0

    def instead():
        house.cancel_restore("oradata", "scratch")
        house.restore("oradata", "scratch", wait=NO_PATIENCE, choice=Choice(backup_id=older))

    while_it_copies(house, instead)
    with pytest.raises(BackupError) as caught:
        outcome(house, target="scratch")
    assert caught.value.error_class.value == "target_undefined"
    assert [one.backup_id for one in house.look().undefined.values()] == [older]
    assert outcome(house, target="scratch", choice=Choice(backup_id=older)) == (False, "finished", 11)


def as_foreseen(house):
    """Tell of the same restore in check mode and then in earnest: which moment, from where, and its generation."""
    house.clock.sleep(400)
    house.volume("scratch", None)
    shown = [foreseen(house, target="scratch"), house.restore("oradata", "scratch")]
    rows = [result.values["restore"] for result in shown]
    return [(result.changed, row["point_in_time"], row["backup_volume"]) for result, row in zip(shown, rows)]


@pytest.mark.rule("R9.3")
def test_check_mode_restores_the_backup_that_an_interrupted_run_took(house, oradata):
    house.equivalent("oradata")
    house.clock.sleep(60)
    house.array.faults.append(Fault("suspend", "killed_after"))
    with pytest.raises(Killed):
        house.backup("oradata")
    check, real = as_foreseen(house)
    assert check == real
    assert real[2] == house.on("oradata")[0] == "bv2"


@pytest.mark.rule("R9.3")
def test_check_mode_restores_the_generation_that_an_interrupted_run_did_not_overwrite(house):
    house.tv("oradata", 1, method="differential", generations=1)
    house.backup("oradata")
    house.clock.sleep(60)
    house.array.faults.append(Fault("resume", "killed_before"))
    with pytest.raises(Killed):
        house.backup("oradata")
    check, real = as_foreseen(house)
    assert check == real
    assert real[0]


@pytest.mark.rule("R9.3")
@pytest.mark.parametrize("when", ["before", "after"])
def test_check_mode_starts_anew_what_died_around_its_start(house, oradata, when):
    house.array.faults.append(Fault("start", f"killed_{when}"))
    with pytest.raises(Killed):
        house.restore("oradata")
    house.clock.sleep(400)
    assert foreseen(house).changed
    assert outcome(house) == (True, "finished", 11)


@pytest.mark.rule("R6.4b")
def test_a_reserved_target_is_not_released_while_the_list_does_not_show_its_restore_yet(house, oradata):
    house.clock.sleep(60)
    house.fabric.copy_seconds = 500.0
    house.fabric.stale = 8.0
    (target, *_more) = house.unused()
    outcome(house, target=target, wait=NO_PATIENCE)
    assert not house.cancel("oradata", bvs=[target]).changed
    assert target not in house.unused()
    house.clock.sleep(1000)
    assert house.cancel("oradata", bvs=[target]).changed
    assert house.look().readers == {}
    assert target in house.unused()
