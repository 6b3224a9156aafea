# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore from a disk generation: behaviour.md §6."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import restore
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore import RestoreRequest
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role, TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import PATIENCE


@pytest.fixture
def oradata(house):
    """A TV with two generations, and the contents at their points in time: newest first."""
    tv = house.tv("oradata", 3)
    contents = []
    for value in (11, 22):
        house.fabric.write(tv, 0, value)
        house.cycle("oradata")
        contents.insert(0, list(house.fabric.content[tv]))
    house.fabric.write(tv, 0, 99)
    return contents


def run(house, wait=PATIENCE, check=False, **request):
    values = {"volume": "oradata", "confirm": "oradata", **request}
    return restore.restore(house.context(check=check), RestoreRequest(**values), wait)


def content(house, name):
    return house.fabric.content[house.by_name[name].ref]


def marked(house):
    return [house.look().name(ref) for ref in house.look().undefined]


@pytest.mark.rule("R6.3", "R1.7")
def test_generation_1_is_the_newest_and_the_default(house, oradata):
    result = run(house)
    assert result.values["finished"]
    assert content(house, "oradata") == oradata[0]


@pytest.mark.rule("R6.1")
def test_a_generation_is_restored_and_history_is_unchanged(house, oradata):
    history = house.generations("oradata")
    assert run(house, choice=Choice(generation=2)).changed
    assert content(house, "oradata") == oradata[1]
    assert house.generations("oradata") == history
    assert marked(house) == []


@pytest.mark.rule("R6.3")
def test_a_backup_is_chosen_by_its_id(house, oradata):
    run(house, choice=Choice(backup_id=house.generations("oradata")[1].id))
    assert content(house, "oradata") == oradata[1]


@pytest.mark.rule("R6.3")
def test_by_time_the_newest_backup_at_or_before_it_is_chosen(house, oradata):
    newest, _older = house.generations("oradata")
    run(house, choice=Choice(at=newest.point_in_time - timedelta(seconds=1)))
    assert content(house, "oradata") == oradata[1]
    run(house, choice=Choice(at=newest.point_in_time))
    assert content(house, "oradata") == oradata[0]


def test_a_restore_onto_a_volume_that_is_not_registered(house, oradata):
    house.volume("scratch", None)
    result = run(house, target="scratch", confirm="", choice=Choice(generation=2))
    assert result.values["restore"]["target"] == "scratch"
    assert content(house, "scratch") == oradata[1]
    assert content(house, "oradata")[0] == 99


@pytest.mark.rule("R6.4b")
def test_an_unused_bv_as_a_target_is_reserved(house, oradata):
    run(house, target="bv3", confirm="")
    assert content(house, "bv3") == oradata[0]
    assert house.unused() == []


@pytest.mark.rule("R6.4b")
def test_a_reserved_bv_is_released_by_its_name(house, oradata):
    run(house, target="bv3", confirm="")
    assert not house.cancel("oradata").changed
    assert house.cancel("oradata", bvs=["bv3"]).changed
    assert house.unused() == ["bv3"]


@pytest.mark.rule("R9.6")
def test_a_wait_that_runs_out_is_no_failure_and_the_next_call_goes_on(house, oradata):
    first = run(house, wait=Wait(0.5, 1.0))
    assert (first.values["finished"], first.values["restore"]["state"]) == (False, "executing")
    assert marked(house) == ["oradata"]
    calls = len(house.array.calls)
    second = run(house)
    assert second.values["finished"]
    assert not second.changed
    assert len(house.array.calls) == calls
    assert marked(house) == []


@pytest.mark.rule("R9.8")
def test_one_key_never_restores_twice(house, oradata):
    assert run(house, key="job-9").changed
    house.fabric.write(house.by_name["oradata"].ref, 1, 1234)
    again = run(house, key="job-9")
    assert (again.values["finished"], again.changed) == (True, False)
    assert content(house, "oradata")[1] == 1234
    assert run(house, key="job-10").changed


def test_a_key_of_a_restore_that_the_array_refused_is_not_used_up(house, oradata):
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        run(house, key="job-9")
    assert run(house, key="job-9").changed


@pytest.mark.rule("R9.8")
def test_a_key_whose_restore_was_cancelled_restores_again(house, oradata):
    run(house, key="job-9", wait=Wait(0.5, 0.0))
    restore.cancel_restore(house.context(), RestoreRequest("oradata"))
    again = run(house, key="job-9")
    assert (again.values["finished"], again.changed) == (True, True)
    assert content(house, "oradata") == oradata[0]
    assert marked(house) == []


def test_the_end_of_one_restore_says_nothing_of_another_one(house, oradata):
    house.volume("scratch", None)
    run(house, wait=Wait(0.5, 0.0))
    restore.cancel_restore(house.context(), RestoreRequest("oradata"))
    run(house, target="scratch", confirm="")
    assert marked(house) == ["oradata"]


@pytest.mark.rule("R6.5a")
def test_the_target_is_undefined_until_the_copy_has_ended(house, oradata):
    run(house, wait=Wait(0.5, 0.0))
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value in ("target_undefined", "busy")
    house.clock.sleep(60)
    assert house.start("oradata").changed


@pytest.mark.rule("R6.5", "R6.5a", "R8.7")
def test_a_cancelled_restore_leaves_the_target_undefined_until_one_succeeds(house, oradata):
    run(house, wait=Wait(0.5, 0.0))
    assert restore.cancel_restore(house.context(), RestoreRequest("oradata")).changed
    house.clock.sleep(60)
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "target_undefined"
    run(house)
    assert marked(house) == []
    assert house.start("oradata").changed


def test_cancelling_when_no_restore_runs_changes_nothing(house, oradata):
    assert not restore.cancel_restore(house.context(), RestoreRequest("oradata")).changed


def test_a_restore_that_breaks_is_copy_failed_and_stays_marked(house, oradata):
    bv = house.generations("oradata")[0].disk.bv
    tv = house.by_name["oradata"].ref
    house.clock.listeners.insert(0, lambda _s: house.fabric.set_state(bv, tv, SessionState.FAILED))
    with pytest.raises(BackupError) as caught:
        run(house)
    assert caught.value.error_class.value == "copy_failed"
    assert marked(house) == ["oradata"]


def test_what_the_array_refuses_leaves_no_marker(house, oradata):
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        run(house, target="bv3", confirm="")
    assert marked(house) == []
    assert house.unused() == ["bv3"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_the_start_of_a_restore_the_rerun_finishes_it(house, oradata, when):
    house.array.faults.append(Fault("start", f"killed_{when}"))
    with pytest.raises(Killed):
        run(house)
    house.clock.sleep(300)
    assert marked(house) == ["oradata"]
    assert run(house).values["finished"]
    assert content(house, "oradata") == oradata[0]
    assert marked(house) == []


def test_a_read_generation_is_not_dropped_while_it_is_restored(house, oradata):
    run(house, choice=Choice(generation=2), target="bv3", confirm="", wait=Wait(0.5, 0.0))
    reader = house.look().readers
    assert [house.bv_of(bv) for bv in reader] == ["bv1"]


def test_check_mode_says_what_would_be_overwritten_and_changes_nothing(house, oradata):
    before = house.everything()
    house.array.reads_only = True
    result = run(house, check=True)
    assert result.changed
    assert result.values["restore"]["state"] == "planned"
    assert result.after["oradata"]["overwritten_by"]["backup_volume"] == "bv2"
    assert house.everything() == before


@pytest.mark.rule("R6.4")
def test_refused_while_the_tv_is_synchronized(house, oradata, refused):
    house.equivalent("oradata")
    error = refused("busy", run, house)
    assert "Cancel the synchronization" in error.next_step


@pytest.mark.rule("R4.28", "R9.7")
def test_overwriting_a_transaction_volume_needs_its_name(house, oradata, refused):
    refused("confirmation_required", run, house, confirm="")
    refused("confirmation_required", run, house, confirm="redolog")


@pytest.mark.rule("R6.4a", "R4.5")
def test_a_target_of_another_size_is_refused(house, oradata, refused):
    house.volume("scratch", None, blocks=4096)
    refused("size_mismatch", run, house, target="scratch")


@pytest.mark.rule("R6.4a")
def test_a_bv_under_generation_management_is_no_target(house, oradata, refused):
    refused("volume_reserved", run, house, target="bv1")


@pytest.mark.rule("R6.4a")
def test_the_tv_of_another_policy_is_no_target(house, oradata, refused):
    house.tv("redolog")
    refused("role_conflict", run, house, target="redolog", confirm="redolog")


def test_a_target_that_another_copy_writes_is_busy(house, oradata, refused):
    other, scratch = house.volume("other", None), house.volume("scratch", None)
    house.array.start(CopyType.OPC, [Pair(other, scratch)])
    refused("busy", run, house, target="scratch")


@pytest.mark.rule("R4.12", "R4.11")
def test_a_generation_that_does_not_exist_is_refused(house, oradata, refused):
    refused("no_such_generation", run, house, choice=Choice(generation=3))
    refused("no_such_generation", run, house, choice=Choice(generation=0))
    refused("no_such_backup", run, house, choice=Choice(backup_id="nope"))
    refused("no_such_backup", run, house, choice=Choice(at=house.clock.now() - timedelta(days=9)))


@pytest.mark.rule("R4.10")
def test_a_target_that_no_array_knows_is_refused(house, oradata, refused):
    refused("no_such_volume", run, house, target="nowhere")


def test_a_source_at_its_session_limit_is_refused(house, oradata, refused):
    house.array.limit(0)
    house.array.limit(1)
    house.volume("scratch", None)
    house.volume("late", Role.BACKUP)
    bv = house.generations("oradata")[0].disk.bv
    house.array.start(CopyType.OPC, [Pair(house.fabric.volumes[bv], house.by_name["late"])])
    refused("session_limit", run, house, target="scratch", confirm="")


def test_a_cancel_whose_answer_was_lost_leaves_the_target_marked(house, oradata):
    run(house, wait=Wait(0.5, 0.0))
    house.array.faults.append(Fault("release", "lost"))
    with pytest.raises(BackupError):
        restore.cancel_restore(house.context(), RestoreRequest("oradata"))
    house.clock.sleep(60)
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "target_undefined"
    assert run(house).changed
    assert content(house, "oradata") == oradata[0]


def test_a_failed_copy_that_an_operator_removed_is_no_success(house, oradata):
    bv, tv = house.generations("oradata")[0].disk.bv, house.by_name["oradata"].ref
    run(house, wait=Wait(0.5, 0.0))
    house.fabric.set_state(bv, tv, SessionState.FAILED)
    with pytest.raises(BackupError):
        run(house)
    del house.fabric.copies[(bv, tv)]
    house.clock.sleep(60)
    assert marked(house) == ["oradata"]
    assert run(house).changed


def test_a_rerun_that_dies_before_its_act_leaves_a_cancelled_target_marked(house, oradata):
    run(house, wait=Wait(0.5, 0.0))
    restore.cancel_restore(house.context(), RestoreRequest("oradata"))
    house.array.faults.append(Fault("start", "killed_before"))
    with pytest.raises(Killed):
        run(house)
    house.clock.sleep(300)
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "target_undefined"


def test_a_stale_list_never_ends_a_restore(house, oradata):
    house.clock.sleep(60)
    house.fabric.stale = 8.0
    house.fabric.copy_seconds = 60.0
    assert not run(house, wait=Wait(0.5, 12.0)).values["finished"]
    assert marked(house) == ["oradata"]


def test_a_stale_list_does_not_hide_a_restore_from_its_cancel(house, oradata):
    house.clock.sleep(60)
    house.fabric.stale = 8.0
    house.fabric.copy_seconds = 60.0
    run(house, wait=Wait(0.5, 0.0))
    assert restore.cancel_restore(house.context(), RestoreRequest("oradata")).changed
    assert house.fabric.copies == {}


def test_a_generation_that_had_to_wait_for_a_restore_goes_with_the_next_run(house, oradata):
    house.volume("scratch", None)
    run(house, choice=Choice(generation=2), target="scratch", confirm="", wait=Wait(0.5, 0.0))
    house.fabric.copy_seconds = 1000.0
    house.fabric.copies[(house.by_name["bv1"].ref, house.by_name["scratch"].ref)].left = 100.0
    house.fabric.copy_seconds = 4.0
    house.cycle("oradata")
    assert "bv1" not in house.unused()
    house.clock.sleep(300)
    house.start("oradata")
    assert house.look().readers == {}
    assert house.bv_of(house.look().active_mirror(house.by_name["oradata"].ref).target) == "bv1"


@pytest.mark.rule("R6.3")
def test_by_time_a_newer_backup_that_is_only_on_tape_is_never_passed_over(house, oradata, refused):
    newest, older = house.generations("oradata")
    with house.catalog.begin() as records:
        written = TapeCopy(1, TapeState.WRITTEN, "pool", newest.point_in_time)
        records.put_tape_copy(newest.id, written)
        records.drop_disk([newest.id])
    error = refused("no_such_generation", run, house, choice=Choice(at=newest.point_in_time))
    assert "only on tape" in error.message
    assert run(house, choice=Choice(at=older.point_in_time)).changed


def test_a_copy_by_other_hands_is_not_ours_to_cancel(house, oradata):
    house.volume("scratch", None)
    house.array.start(CopyType.OPC, [Pair(house.by_name["oradata"], house.by_name["scratch"])])
    assert not restore.cancel_restore(house.context(), RestoreRequest("oradata", target="scratch")).changed


def test_a_reserved_target_whose_restore_failed_is_released_with_its_marker(house, oradata):
    run(house, target="bv3", confirm="", wait=Wait(0.5, 0.0))
    restore.cancel_restore(house.context(), RestoreRequest("oradata", target="bv3"))
    house.cancel("oradata", bvs=["bv3"])
    assert house.unused() == ["bv3"]
    assert marked(house) == []
