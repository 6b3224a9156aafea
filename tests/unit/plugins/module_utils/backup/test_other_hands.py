# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others do to the array behind our back, and what it does although it said no: the array is the truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import synchronize, take
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import (
    Fault,
    Killed,
    array_error,
)


def by_hand(house, source, target, copy_type=CopyType.EC):
    assert house.array._start(copy_type, Pair(house.by_name[source], house.by_name[target])) is None


def vanish(house, source, target):
    del house.fabric.copies[(house.by_name[source].ref, house.by_name[target].ref)]


@pytest.mark.rule("R9.9")
@pytest.mark.parametrize("role", [Role.BACKUP, None])
def test_a_session_that_the_catalog_does_not_know_is_neither_used_nor_split(house, refused, role):
    house.tv("oradata")
    house.volume("foreign", role)
    by_hand(house, "oradata", "foreign")
    house.clock.sleep(30)
    refused("volume_reserved", house.start, "oradata")
    refused("volume_reserved", house.backup, "oradata")


def test_our_own_session_comes_before_one_by_other_hands(house):
    house.tv("oradata", 2)
    house.start("oradata")
    house.volume("a-foreign", None)
    by_hand(house, "oradata", "a-foreign")
    house.clock.sleep(30)
    assert house.backup("oradata").values["backups"][0]["disk"]["backup_volume"] == "bv1"


def test_an_array_that_answers_an_error_and_starts_all_the_same_is_believed_by_its_list(house):
    house.tv("oradata", 1)
    start = house.array._start

    def does_it_and_says_no(copy_type, pair):
        start(copy_type, pair)
        return array_error(4)

    house.array._start = does_it_and_says_no
    assert house.start("oradata").changed
    assert house.equivalent("oradata").values["equivalent"]


def test_a_bv_whose_session_was_ended_by_other_hands_is_unused_again(house):
    house.tv("oradata", 1)
    house.start("oradata")
    vanish(house, "oradata", "bv1")
    house.clock.sleep(60)
    assert house.unused() == []
    assert house.start("oradata").values["synchronizations"][0]["action"] == "started"


def test_a_cancel_frees_such_a_bv_too(house):
    house.tv("oradata", 1)
    house.start("oradata")
    vanish(house, "oradata", "bv1")
    house.clock.sleep(60)
    assert house.cancel("oradata").changed
    assert house.unused() == ["bv1"]


def test_a_suspended_bv_that_lost_its_session_and_its_generation_is_unused_again(house):
    house.tv("oradata", 2, suspend=True, generations=1)
    house.cycle("oradata")
    house.cycle("oradata")
    vanish(house, "oradata", "bv1")
    house.clock.sleep(60)
    assert house.start("oradata").values["synchronizations"][0] == {
        "state": "executing",
        "percent": 0,
        "backup_volume": "bv1",
        "copy_type": "EC",
        "volume": "oradata",
        "action": "started",
    }


def test_a_bv_that_others_copied_from_during_a_rotation_is_freed_by_the_next_run(house):
    house.tv("archive", 2, generations=1)
    house.volume("elsewhere", None)
    house.cycle("archive")
    house.equivalent("archive")
    by_hand(house, "bv1", "elsewhere", CopyType.OPC)
    house.backup("archive")
    assert house.unused() == []
    house.clock.sleep(60)
    assert house.start("archive").values["synchronizations"][0]["backup_volume"] == "bv1"


def test_a_bv_of_another_tv_cannot_be_cancelled_by_the_way(house, refused):
    house.tv("oradata", 1, suspend=True)
    house.cycle("oradata")
    house.tv("redolog")
    refused("volume_reserved", house.cancel, "redolog", bvs=["bv1"])


def untaped(house, **policy):
    """A TV whose only BVs are busy: one with its generation, one that waits for its queued leg."""
    house.tv("oradata", 2, generations=1, media="both", tape_pool="pool", **policy)
    house.cycle("oradata")
    house.cycle("oradata")
    return next(b for b in house.look().backups[house.by_name["oradata"].ref] if not b.good_on_disk)


@pytest.mark.rule("R5.2b")
@pytest.mark.parametrize("suspend", [True, False])
def test_drop_untaped_gives_up_a_queued_leg_when_the_array_has_accepted(house, suspend):
    untaped(house, suspend=suspend)
    row = house.start("oradata", drop_untaped=True).values["synchronizations"][0]
    assert (row["backup_volume"], row["action"]) == ("bv1", "resumed" if suspend else "started")
    assert len(house.look().backups[house.by_name["oradata"].ref]) == 1


@pytest.mark.parametrize("suspend", [True, False])
def test_drop_untaped_gives_up_nothing_when_the_array_refuses(house, suspend):
    untaped(house, suspend=suspend)
    before = house.everything()
    house.array.faults.append(Fault("resume" if suspend else "start", "refuse", 32786))
    with pytest.raises(BackupError):
        house.start("oradata", drop_untaped=True)
    assert house.everything() == before


@pytest.mark.parametrize("suspend", [True, False])
def test_drop_untaped_gives_up_nothing_when_killed_before_the_act(house, suspend):
    leaving = untaped(house, suspend=suspend)
    house.array.faults.append(Fault("resume" if suspend else "start", "killed_before"))
    with pytest.raises(Killed):
        house.start("oradata", drop_untaped=True)
    house.clock.sleep(300)
    house.cancel("oradata")
    again = next(b for b in house.look().backups[leaving.tv] if b.id == leaving.id)
    assert [copy.state for copy in again.tape] == [TapeState.QUEUED]


@pytest.mark.rule("R5.2a")
def test_drop_untaped_never_takes_a_bv_that_is_being_written_to_tape(house, refused):
    leaving = untaped(house, suspend=True)
    with house.catalog.begin() as records:
        records.put_tape_copy(leaving.id, replace(leaving.tape[0], state=TapeState.WRITING))
    refused("volume_in_use_by_tape", house.start, "oradata", drop_untaped=True)


def test_two_tvs_of_one_slot_in_one_call_take_turns(house):
    house.tv("oradata", 4, generations=1, sync_slot="night")
    house.tv("redolog", generations=1, sync_slot="night")
    result = house.start("oradata", "redolog")
    assert [row["action"] for row in result.values["synchronizations"]] == ["started", "none"]
    assert result.warnings == ["redolog waits: it takes turns with oradata in sync_slot night."]


def test_a_backup_by_another_job_ends_a_wait_without_an_error(house):
    house.tv("oradata", 2)
    house.tv("redolog", 2)
    house.equivalent("oradata")
    seen = []

    def another_job(_seconds):
        if not seen:
            seen.append(1)
            house.backup("oradata")

    house.start("redolog")
    house.clock.listeners.append(another_job)
    result = house.start("oradata", "redolog", wait=Wait(1.0, 60.0))
    assert [row["state"] for row in result.values["synchronizations"]] == ["none", "equivalent"]


def test_a_session_list_that_cannot_be_read_after_the_split_is_told_as_it_is(house):
    house.tv("oradata", 1)
    house.equivalent("oradata")
    house.array.faults.append(Fault("sessions", "unreachable", skip=1))
    with pytest.raises(BackupError) as caught:
        house.backup("oradata", key="night")
    assert "may have been done" in caught.value.unchanged
    house.backup("oradata", key="night")
    assert len(house.generations("oradata")) == 1


def test_a_release_that_is_refused_after_the_record_says_that_the_backup_was_taken(house):
    house.tv("oradata", 2)
    house.equivalent("oradata")
    house.array.faults.append(Fault("release", "refuse", 32786))
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.unchanged == "Taken all the same: oradata. The sessions of oradata onto bv1 still stand."
    assert len(house.generations("oradata")) == 1


def test_check_mode_plans_from_what_recovery_would_leave(house):
    house.tv("oradata", 2)
    house.equivalent("oradata")
    house.array.faults.append(Fault("suspend", "killed_after"))
    with pytest.raises(Killed):
        house.backup("oradata", key="night")
    house.clock.sleep(300)
    before = house.everything()
    planned = take.take_backup(house.context(check=True), ["oradata"], BackupRequest(key="night"))
    assert planned.changed
    assert house.everything() == before
    done = house.backup("oradata", key="night")
    assert done.changed
    assert [row["key"] for row in done.values["backups"]] == [row["key"] for row in planned.values["backups"]]
    assert not synchronize.cancel(house.context(), ["oradata"]).changed


def test_a_session_that_breaks_while_suspended_is_not_resumed(house):
    tv = house.tv("oradata", 3, suspend=True, generations=1)
    house.cycle("oradata")
    house.cycle("oradata")
    house.fabric.set_state(tv, house.by_name["bv1"].ref, SessionState.FAILED)
    with pytest.raises(BackupError) as caught:
        house.start("oradata")
    assert caught.value.error_class.value == "copy_failed"
