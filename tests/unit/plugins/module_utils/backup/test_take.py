# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a backup: behaviour.md §2.3 to §2.6, its arrows, and DESIGN.md on keys and ages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import take
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Reader,
    ReaderPurpose,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START, Fault


@pytest.mark.rule("R2.3", "R2.3a", "R2.10", "R4.3", "R4.1")
def test_a_backup_before_the_pair_is_equivalent_is_refused_and_the_pair_goes_on(house, refused):
    house.tv("oradata", 1)
    house.start("oradata")
    error = refused("not_equivalent", house.backup, "oradata")
    assert "executing" in error.message
    assert house.equivalent("oradata").values["equivalent"]


def test_a_backup_without_synchronization_is_refused(house, refused):
    house.tv("oradata", 1)
    assert refused("not_equivalent", house.backup, "oradata").details["state"] == "none"


@pytest.mark.rule("R2.3b", "R2.9", "R1.7")
def test_a_backup_stops_the_synchronization_and_makes_the_bv_the_newest_generation(house):
    tv = house.tv("oradata", 3)
    house.cycle("oradata")
    house.fabric.write(tv, 0, 5)
    house.equivalent("oradata")
    at_split = list(house.fabric.content[tv])
    result = house.backup("oradata")
    made = result.values["backups"][0]
    assert (made["generation"], made["disk"]["backup_volume"], made["taken"]) == (1, "bv2", True)
    assert house.look().active_mirror(tv) is None
    assert house.fabric.copies == {}
    house.fabric.write(tv, 0, 6)
    assert house.fabric.content[house.by_name["bv2"].ref] == at_split


@pytest.mark.rule("R2.4", "R3.1", "R5.4")
def test_after_a_plain_backup_the_oldest_bv_goes_back_to_unused(house):
    house.tv("redolog", 3, generations=2)
    for _cycle in range(3):
        house.cycle("redolog")
    assert house.on("redolog") == ["bv3", "bv2"]
    assert house.unused() == ["bv1"]


@pytest.mark.rule("R2.4b", "R2.4")
def test_with_one_generation_the_old_one_is_dropped_after_the_new_one_succeeded(house):
    house.tv("archive", 2, generations=1)
    house.cycle("archive")
    house.equivalent("archive")
    house.array.faults.append(Fault("suspend", "refuse", 32786))
    with pytest.raises(BackupError):
        house.backup("archive")
    assert house.on("archive") == ["bv1"]
    house.backup("archive")
    assert house.on("archive") == ["bv2"]


@pytest.mark.rule("R2.4a", "R2.12", "R2.17", "R4.37")
def test_with_suspend_the_session_stays_and_the_oldest_bv_stays_bound(house):
    tv = house.tv("oradata", 3, suspend=True, generations=2)
    for _cycle in range(4):
        house.cycle("oradata")
    assert house.on("oradata") == ["bv1", "bv3"]
    assert house.unused() == []
    states = {house.bv_of(session.target): session.state for session in house.look().mirrors_of(tv)}
    assert states == dict.fromkeys(("bv1", "bv2", "bv3"), SessionState.SUSPENDED)


@pytest.mark.rule("R2.17a", "R3.2", "R2.13", "R2.17", "R2.14", "R2.6")
def test_only_the_first_g_plus_1_cycles_copy_everything(house):
    house.tv("oradata", 3, suspend=True, generations=2)
    actions = []
    for _cycle in range(6):
        actions.append(house.equivalent("oradata").values["synchronizations"][0]["action"])
        house.backup("oradata")
    assert actions == ["started"] * 3 + ["resumed"] * 3


@pytest.mark.rule("R3.11")
def test_a_single_backup_may_override_the_policys_suspend(house):
    tv = house.tv("oradata", 2)
    house.cycle("oradata", suspend=True)
    assert [session.state for session in house.look().mirrors_of(tv)] == [SessionState.SUSPENDED]


@pytest.mark.rule("R9.4")
def test_the_same_key_never_makes_a_second_generation(house):
    house.tv("oradata", 3)
    first = house.cycle("oradata", key="2026-11-22").values["backups"][0]
    house.equivalent("oradata")
    again = house.backup("oradata", key="2026-11-22")
    assert not again.changed
    assert again.values["backups"][0]["id"] == first["id"]
    assert not again.values["backups"][0]["taken"]


def test_the_same_key_is_enough_even_before_the_pair_is_equivalent(house):
    house.tv("oradata", 3)
    house.cycle("oradata", key="job-7")
    assert not house.backup("oradata", key="job-7").changed


@pytest.mark.rule("R9.4")
def test_a_key_whose_backup_has_gone_is_still_used_up(house, refused):
    house.tv("oradata", 2, generations=1)
    house.cycle("oradata", key="monday")
    house.cycle("oradata", key="tuesday")
    house.equivalent("oradata")
    again = house.backup("oradata", key="monday")
    assert not again.changed
    assert house.generations("oradata")[0].key == "tuesday"


@pytest.mark.rule("R9.5")
def test_a_younger_good_generation_than_max_age_is_enough(house):
    house.tv("oradata", 3)
    house.cycle("oradata")
    house.equivalent("oradata")
    assert not house.backup("oradata", max_age=timedelta(hours=20)).changed
    house.clock.sleep(21 * 3600)
    assert house.backup("oradata", max_age=timedelta(hours=20)).changed


@pytest.mark.rule("R9.3")
def test_check_mode_shows_the_rotation_and_changes_nothing(house):
    house.tv("redolog", 3, generations=1)
    house.cycle("redolog")
    house.equivalent("redolog")
    before = house.everything()
    house.array.reads_only = True
    result = take.take_backup(house.context(check=True), ["redolog"], BackupRequest())
    assert result.changed
    assert [row["disk"]["backup_volume"] for row in result.before["redolog"]["backups"]] == ["bv1"]
    assert [row["disk"]["backup_volume"] for row in result.after["redolog"]["backups"]] == ["bv2"]
    assert house.everything() == before


@pytest.mark.rule("R2.3c", "R3.6")
def test_the_backup_owes_the_tape_copies_that_its_policy_names(house):
    house.tv("oradata", 2, media="both", tape_pool="pool", tape_copies=2)
    house.cycle("oradata")
    copies = house.generations("oradata")[0].tape
    assert [(copy.number, copy.state, copy.pool) for copy in copies] == [
        (1, TapeState.QUEUED, "pool"),
        (2, TapeState.QUEUED, "pool"),
    ]


@pytest.mark.rule("R5.3")
def test_a_drop_whose_bv_waits_for_tape_is_carried_out_by_who_ends_the_read(house):
    house.tv("archive", 2, generations=1)
    house.cycle("archive")
    old = house.generations("archive")[0]
    with house.catalog.begin() as records:
        records.add_reader(Reader(old.disk.bv, old.id, ReaderPurpose.TAPE, "drive-1", START))
    house.cycle("archive")
    assert house.on("archive") == ["bv2"]
    assert house.unused() == []
    with house.catalog.begin() as records:
        records.remove_reader(old.disk.bv, "drive-1")
        assert finish_leaving(records, old.disk.bv)
    assert house.unused() == ["bv1"]


@pytest.mark.rule("R5.3")
def test_a_drop_that_nobody_carried_out_is_done_by_the_next_run(house):
    house.tv("archive", 2, generations=1)
    house.cycle("archive")
    old = house.generations("archive")[0]
    with house.catalog.begin() as records:
        records.add_reader(Reader(old.disk.bv, old.id, ReaderPurpose.TAPE, "drive-1", START))
    house.cycle("archive")
    with house.catalog.begin() as records:
        records.remove_reader(old.disk.bv, "drive-1")
    assert house.start("archive").values["synchronizations"][0]["backup_volume"] == "bv1"


@pytest.mark.rule("R5.3a", "R5.4d")
def test_held_generations_do_not_count_towards_g(house):
    house.tv("archive", 3, generations=1)
    house.cycle("archive")
    with house.catalog.begin() as records:
        records.set_hold([house.generations("archive")[0].id], True)
    house.cycle("archive")
    house.cycle("archive")
    assert house.on("archive") == ["bv3", "bv1"]


@pytest.mark.rule("R9.13")
def test_a_clock_that_goes_back_never_makes_the_newest_generation_older(house):
    house.tv("oradata", 3)
    house.cycle("oradata")
    house.clock.seconds -= 3600
    house.cycle("oradata")
    assert house.on("oradata") == ["bv2", "bv1"]


@pytest.mark.rule("R4.15", "R4.1")
def test_what_the_array_refuses_to_split_goes_on_and_is_not_recorded(house):
    house.tv("oradata", 1)
    house.equivalent("oradata")
    house.array.faults.append(Fault("suspend", "refuse", 32787))
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert "Nothing was recorded" in caught.value.unchanged
    assert house.generations("oradata") == []
    assert house.look().active_mirror(house.by_name["oradata"].ref).state is SessionState.EQUIVALENT


def test_a_session_that_breaks_in_the_split_is_never_recorded(house):
    tv = house.tv("oradata", 1)
    house.equivalent("oradata")
    target = house.look().active_mirror(tv).target
    suspend = house.array._suspend

    def breaks(pair):
        suspend(pair)
        house.fabric.set_state(tv, target, SessionState.FAILED)

    house.array._suspend = breaks
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.error_class.value == "copy_failed"
    assert house.generations("oradata") == []


@pytest.mark.rule("R5.2c")
def test_a_generation_whose_tape_leg_failed_goes_and_is_warned_of(house):
    house.tv("archive", 2, generations=1, media="both", tape_pool="pool")
    house.cycle("archive")
    old = house.generations("archive")[0]
    with house.catalog.begin() as records:
        records.put_tape_copy(old.id, replace(old.tape[0], state=TapeState.FAILED, error="drive"))
    result = house.cycle("archive")
    assert result.warnings == [f"Backup {old.id} of archive leaves the disk, and its tape leg had failed."]
    assert house.unused() == ["bv1"]
