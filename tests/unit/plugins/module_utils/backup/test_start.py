# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start synchronization: behaviour.md §2.1, §2.6, §2.7, the arrows, and the refusals of §4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import synchronize
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Reader,
    ReaderPurpose,
    RegisteredVolume,
    Role,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START, Fault
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


def session_of(house: House, tv: str):
    return house.look().active_mirror(house.by_name[tv].ref)


@pytest.mark.rule("R2.1", "R4.35", "R1.3")
def test_start_picks_an_unused_bv_of_exactly_the_tvs_size(house):
    house.volume("smaller", Role.BACKUP, blocks=2047)
    house.volume("larger", Role.BACKUP, blocks=2049)
    house.tv("oradata", 1)
    result = house.start("oradata")
    assert result.changed
    assert result.values["synchronizations"][0]["backup_volume"] == "bv1"
    assert session_of(house, "oradata").copy_type is CopyType.EC


@pytest.mark.rule("R2.1b")
def test_start_of_an_executing_tv_changes_nothing(house):
    house.tv("oradata", 3)
    house.start("oradata")
    again = house.start("oradata")
    assert not again.changed
    assert house.array.calls == [("start", 1)]


@pytest.mark.rule("R2.1b")
def test_start_of_an_equivalent_tv_changes_nothing(house):
    house.tv("oradata", 3)
    house.equivalent("oradata")
    assert not house.start("oradata").changed


@pytest.mark.rule("R2.2", "R2.8", "R1.6")
def test_the_pair_becomes_equivalent_and_follows_every_write(house):
    tv = house.tv("oradata", 1)
    result = house.equivalent("oradata")
    assert result.values["equivalent"]
    house.fabric.write(tv, 0, 77)
    assert house.fabric.content[session_of(house, "oradata").target][0] == 77


@pytest.mark.rule("R9.6")
def test_a_wait_that_runs_out_is_no_failure(house):
    house.tv("oradata", 1)
    result = house.start("oradata", wait=Wait(interval=1.0, timeout=2.0))
    assert not result.values["equivalent"]
    assert result.values["synchronizations"][0]["state"] == "executing"
    assert house.equivalent("oradata").values["equivalent"]


def test_one_look_reads_all_sessions_however_many_wait(house):
    names = [f"tv{number}" for number in range(5)]
    for name in names:
        house.tv(name, 1)
    house.start(*names)
    before = house.array.round_trips
    result = house.start(*names, wait=Wait(interval=1.0, timeout=60.0))
    assert house.array.round_trips - before == result.values["looks"] + 1


def test_a_list_is_one_request_where_the_array_takes_lists(house):
    for name in ("oradata", "redolog", "archive"):
        house.tv(name, 1)
    house.start("oradata", "redolog", "archive")
    assert house.array.calls == [("start", 3)]


@pytest.mark.rule("R9.2")
def test_no_names_means_every_tv_with_a_policy(house):
    house.tv("oradata", 1)
    house.tv("redolog", 1)
    house.volume("unmanaged", Role.TRANSACTION)
    assert [row["volume"] for row in house.start().values["synchronizations"]] == ["oradata", "redolog"]


@pytest.mark.rule("R9.3")
def test_check_mode_shows_the_plan_and_changes_nothing(house):
    house.tv("oradata", 1)
    house.array.reads_only = True
    before = house.everything()
    result = synchronize.start(house.context(check=True), ["oradata"])
    assert result.changed
    assert result.before["oradata"]["synchronization"]["state"] == "none"
    assert result.after["oradata"]["synchronization"] == {
        "state": "executing",
        "percent": 0,
        "backup_volume": "bv1",
        "copy_type": "EC",
    }
    assert house.everything() == before


@pytest.mark.rule("R2.1a", "R4.4", "R4.1", "R4.2")
def test_no_unused_volume_says_the_size_and_what_each_bv_is_doing(house, refused):
    house.tv("redolog", 1, generations=1)
    house.cycle("redolog")
    house.volume("odd", Role.BACKUP, blocks=99)
    house.tv("oradata")
    error = refused("no_unused_volume", house.start, "oradata")
    assert "2048 blocks" in error.message
    assert "bv1: bound to redolog, generation 1" in error.message
    assert "odd: unused (other size)" in error.message


@pytest.mark.rule("R9.1")
def test_one_refused_tv_refuses_the_whole_request(house, refused):
    house.tv("oradata", 1)
    house.tv("big", blocks=4096)
    refused("no_unused_volume", house.start, "oradata", "big")


@pytest.mark.rule("R4.13")
def test_an_unregistered_volume_is_refused_by_name(house, refused):
    error = refused("not_registered", house.start, "nobody")
    assert error.details["volumes"] == ["nobody"]


def test_a_tv_without_a_policy_is_refused(house, refused):
    house.volume("oradata", Role.TRANSACTION)
    refused("policy_violation", house.start, "oradata")


def test_a_bv_is_no_tv(house, refused):
    house.tv("oradata", 1)
    refused("role_conflict", house.start, "bv1")


@pytest.mark.rule("R4.38")
def test_an_unknown_bv_is_never_allocated(house, refused):
    house.tv("oradata")
    volume = house.volume("bv1", None)
    with house.catalog.begin() as records:
        records.put_volumes([RegisteredVolume(volume, Role.BACKUP, START, unknown=True)])
    error = refused("no_unused_volume", house.start, "oradata")
    assert "bv1: unknown content" in error.message


@pytest.mark.parametrize("change", [{"unknown": True}, {"role": Role.TRANSACTION}, None])
def test_a_bv_that_changed_between_plan_and_allocation_is_left_and_another_is_taken(house, monkeypatch, change):
    house.tv("oradata", 2)
    apply_start = synchronize.apply_start

    def meanwhile(work, world, steps):
        monkeypatch.undo()
        bv1 = world.volumes[house.by_name["bv1"].ref]
        assert steps[0].bv == bv1.ref
        with house.catalog.begin() as records:
            records.remove_volumes([bv1.ref]) if change is None else records.put_volumes([replace(bv1, **change)])
        return apply_start(work, world, steps)

    monkeypatch.setattr(synchronize, "apply_start", meanwhile)
    assert house.start("oradata").values["synchronizations"][0]["backup_volume"] == "bv2"


def test_a_bv_in_a_session_by_other_hands_is_never_allocated(house, refused):
    house.tv("oradata", 1)
    other = house.volume("other", None)
    house.array._start(CopyType.EC, Pair(other, house.by_name["bv1"]))
    error = refused("no_unused_volume", house.start, "oradata")
    assert "a session that the catalog does not know" in error.message


@pytest.mark.rule("R4.41")
def test_pinned_bvs_are_used_in_their_order_and_by_nobody_else(house, refused):
    for name in ("bv1", "bv2", "bv3"):
        house.volume(name, Role.BACKUP)
    house.tv("oradata", pinned=["bv3", "bv2"], generations=1)
    house.tv("redolog")
    house.tv("archive")
    assert house.start("oradata").values["synchronizations"][0]["backup_volume"] == "bv3"
    assert house.start("redolog").values["synchronizations"][0]["backup_volume"] == "bv1"
    error = refused("no_unused_volume", house.start, "archive")
    assert "bv2: unused, pinned by another policy" in error.message


@pytest.mark.rule("R4.9")
def test_ec_is_refused_where_the_array_does_not_offer_it(tmp_path):
    house = House(tmp_path, copies="OPC")
    house.tv("oradata", 1)
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "unsupported_copy"
    assert caught.value.details["offered"] == ["OPC"]


@pytest.mark.rule("R2.7", "R1.5")
def test_rec_goes_to_another_array_where_both_offer_it(tmp_path):
    house = House(tmp_path, arrays=("ET1", "ET2"))
    house.volume("remote", Role.BACKUP, array="ET2")
    house.tv("oradata")
    result = house.equivalent("oradata")
    assert result.values["synchronizations"][0]["copy_type"] == "REC"
    assert house.backup("oradata").values["backups"][0]["copy_type"] == "REC"


@pytest.mark.rule("R9.12")
def test_a_bv_of_the_same_array_comes_before_a_remote_one(tmp_path):
    house = House(tmp_path, arrays=("ET1", "ET2"))
    house.volume("remote", Role.BACKUP, array="ET2")
    house.volume("zz-local", Role.BACKUP, array="ET1")
    house.tv("oradata")
    assert house.start("oradata").values["synchronizations"][0]["backup_volume"] == "zz-local"


@pytest.mark.rule("R2.7")
def test_a_volume_of_an_array_that_this_task_is_not_connected_to_is_refused(house, refused):
    house.volume("far", Role.TRANSACTION, array="ET9")
    house.declare("far")
    error = refused("array_unreachable", house.start, "far")
    assert error.details["array"] == "ET9"


@pytest.mark.rule("R3.8b", "R4.8", "R3.8a")
def test_a_start_beyond_the_session_limit_is_refused(house, refused):
    house.tv("oradata", 4, suspend=True)
    house.cycle("oradata")
    house.cycle("oradata")
    house.array.limit(3)
    error = refused("session_limit", house.start, "oradata")
    assert (error.details["sessions"], error.details["limit"]) == (2, 3)


@pytest.mark.rule("R9.14")
def test_a_broken_session_refuses_a_start_until_it_is_cancelled(house, refused):
    tv = house.tv("oradata", 2)
    house.start("oradata")
    house.fabric.set_state(tv, session_of(house, "oradata").target, SessionState.FAILED)
    refused("copy_failed", house.start, "oradata")
    house.cancel("oradata")
    assert house.equivalent("oradata").values["equivalent"]


@pytest.mark.rule("R4.26")
def test_a_session_that_breaks_while_we_wait_is_copy_failed(house):
    tv = house.tv("oradata", 1)
    house.start("oradata")
    target = session_of(house, "oradata").target
    house.clock.listeners.append(lambda _seconds: house.fabric.set_state(tv, target, SessionState.FAILED))
    with pytest.raises(BackupError) as caught:
        house.start("oradata", wait=Wait(1.0, 60.0))
    assert caught.value.error_class.value == "copy_failed"


@pytest.mark.rule("R4.29")
def test_a_tv_left_undefined_by_a_restore_is_not_synchronized(house, refused):
    tv = house.tv("oradata", 2)
    with house.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(tv, "B1", START, "a restore failed"))
    refused("target_undefined", house.start, "oradata")


def test_what_the_array_refuses_leaves_the_bv_unused(house):
    house.tv("oradata", 1)
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        house.start("oradata")
    assert house.unused() == ["bv1"]
    assert house.start("oradata").changed


def test_a_stale_session_list_is_read_again_until_it_shows_the_start(house):
    house.fabric.stale = 3.0
    house.tv("oradata", 1)
    assert house.start("oradata").changed
    assert house.start("oradata").changed is False


@pytest.mark.rule("R4.25")
def test_two_tasks_on_one_tv_one_works_and_the_other_says_who_holds_it(house):
    tv = house.tv("oradata", 1)
    with operation(house.context(owner="job-17"), [tv]), pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "busy"
    assert "job-17" in caught.value.message


@pytest.mark.rule("R2.6", "R2.14", "R2.18")
def test_suspended_differences_resume_on_the_bv_that_was_suspended_last(house):
    house.tv("oradata", 4, suspend=True, generations=2)
    for _cycle in range(3):
        house.cycle("oradata")
    assert house.on("oradata") == ["bv3", "bv2"]
    result = house.start("oradata")
    assert result.values["synchronizations"][0] == {
        "state": "executing",
        "percent": 0,
        "backup_volume": "bv1",
        "copy_type": "EC",
        "volume": "oradata",
        "action": "resumed",
    }


@pytest.mark.rule("R2.18", "R2.13")
def test_of_several_resumable_bvs_the_one_suspended_last_is_taken(house):
    house.tv("oradata", 3, suspend=True, generations=2)
    for _cycle in range(3):
        house.cycle("oradata")
    house.declare("oradata", generations=1, suspend=True)
    house.cycle("oradata")  # resumes bv1, keeps one generation: bv2 and bv3 lose theirs
    assert house.on("oradata") == ["bv1"]
    assert house.start("oradata").values["synchronizations"][0]["backup_volume"] == "bv3"


@pytest.mark.rule("R2.16", "R4.6")
def test_a_suspended_bv_serves_no_other_tv(house, refused):
    house.tv("oradata", 1, suspend=True, generations=1)
    house.cycle("oradata")
    house.tv("redolog")
    error = refused("no_unused_volume", house.start, "redolog")
    assert "bound to oradata" in error.message


@pytest.mark.rule("R5.2a")
def test_a_bv_that_is_read_for_tape_is_not_resumed(house, refused):
    house.tv("oradata", 2, suspend=True, generations=1)
    house.cycle("oradata")
    first = house.generations("oradata")[0]
    with house.catalog.begin() as records:
        records.add_reader(Reader(first.disk.bv, first.id, ReaderPurpose.TAPE, "drive-1", START))
    house.cycle("oradata")
    error = refused("volume_in_use_by_tape", house.start, "oradata", drop_untaped=True)
    assert error.details["backup_volume"] == "bv1"
    with house.catalog.begin() as records:
        records.remove_reader(first.disk.bv, "drive-1")
    assert house.start("oradata").values["synchronizations"][0]["backup_volume"] == "bv1"


@pytest.mark.rule("R4.7", "R5.2a", "R5.2b")
def test_a_queued_tape_leg_protects_its_bv_unless_it_is_given_up(house, refused):
    house.tv("oradata", 2, suspend=True, generations=1, media="both", tape_pool="pool")
    house.cycle("oradata")
    house.cycle("oradata")
    refused("volume_in_use_by_tape", house.start, "oradata")
    result = house.start("oradata", drop_untaped=True)
    assert result.values["synchronizations"][0]["backup_volume"] == "bv1"
    assert len(house.look().backups[house.by_name["oradata"].ref]) == 1


@pytest.mark.rule("R4.36d")
def test_policies_of_one_sync_slot_take_turns(house, refused):
    house.tv("oradata", 4, generations=1, sync_slot="night")
    house.tv("redolog", generations=1, sync_slot="night")
    house.start("oradata")
    error = refused("busy", house.start, "redolog")
    assert error.details["holder"] == "oradata"
    house.equivalent("oradata")
    house.backup("oradata")
    assert house.start("redolog").changed


@pytest.mark.rule("R4.6", "R4.41", "R2.16")
def test_a_pinned_bv_that_serves_another_tv_is_reserved(house, refused):
    house.tv("redolog", 1, generations=1, suspend=True)
    house.cycle("redolog")
    house.tv("oradata", pinned=["bv1"])
    error = refused("volume_reserved", house.start, "oradata")
    assert "bound to redolog" in error.message


def test_the_round_trips_of_a_start_do_not_grow_with_the_lists(house):
    names = [f"tv{number}" for number in range(20)]
    for name in names:
        house.tv(name, 1)
    before = house.array.round_trips
    house.start(*names)
    assert house.array.round_trips - before == 3


def test_a_refusal_tells_what_bvs_do_now_and_not_what_its_plan_would_have_done(house, refused):
    house.tv("oradata", 1)
    house.tv("redolog")
    error = refused("no_unused_volume", house.start, "oradata", "redolog")
    assert "bv1: unused, would be taken for oradata" in error.message


def test_a_wait_that_fails_tells_what_was_started_before(house):
    house.tv("oradata", 1)
    house.array.faults.append(Fault("sessions", "unreachable", skip=2))
    with pytest.raises(BackupError) as caught:
        house.equivalent("oradata")
    assert caught.value.unchanged == "Started before, and going on: oradata. Nothing more was changed."
    assert caught.value.changed


def test_busy_calls_a_volume_by_its_name(house):
    tv = house.tv("oradata", 1)
    with operation(house.context(owner="job-17"), [tv]), pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.message.startswith("Volume oradata is held by job-17")
