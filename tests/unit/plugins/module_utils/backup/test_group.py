# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Consistency groups: one id, one point in time, all or nothing (behaviour.md §3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

MEMORY = True  # the catalog is a model too: these are many small histories

MEMBERS = ("oradata", "redolog", "archive")


@pytest.fixture
def slow(tmp_path):
    """An array without lists: pair by pair, and every pair takes 0.2 s."""
    house = House(tmp_path, lists=False, memory=True)
    house.array.seconds_per_call = 0.2
    return house


def stamped(house):
    """Let a writer stamp a growing number into every member, in turn, as a database does with its log first."""
    house.stamp += 1
    for name in MEMBERS:
        house.fabric.write(house.by_name[name].ref, 0, house.stamp)


def cut(house):
    """Return the stamps that the newest generations of the members carry."""
    return [house.fabric.content[house.generations(name)[0].disk.bv][0] for name in MEMBERS]


def newest(house):
    return [house.generations(name)[0] for name in MEMBERS]


def refused_whole(house, error_class, **request):
    """Expect a refusal after the split that left every member as it was, equivalent again."""
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.backup(*MEMBERS, **request)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    house.equivalent(*MEMBERS)
    after = house.everything()
    assert after.backups == before.backups
    assert set(after.allocations) == set(before.allocations)
    assert after.sessions.keys() == before.sessions.keys()
    with house.catalog.read() as records:
        assert not records.open_entries()
    return caught.value


@pytest.mark.rule("R3.12")
@pytest.mark.parametrize("suspend", [False, True])
def test_a_group_has_one_id_one_point_in_time_and_a_backup_id_for_each_member(house, suspend):
    house.group(*MEMBERS, bvs=3, suspend=suspend)
    house.cycle(*MEMBERS)
    made = newest(house)
    assert len({backup.id for backup in made}) == 3
    assert len({backup.group_id for backup in made}) == 1
    assert made[0].group_id
    assert len({backup.point_in_time for backup in made}) == 1
    assert [(backup.consistent, backup.skew_ms) for backup in made] == [(True, 0)] * 3


@pytest.mark.rule("R3.12")
def test_every_group_backup_has_an_id_of_its_own(house):
    house.group(*MEMBERS, bvs=6)
    house.cycle(*MEMBERS)
    first = newest(house)[0].group_id
    house.cycle(*MEMBERS)
    assert newest(house)[0].group_id != first


@pytest.mark.rule("R3.12", "R9.19")
def test_naming_one_member_backs_up_the_whole_group(house):
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    result = house.backup("redolog")
    assert sorted(row["volume"] for row in result.values["backups"]) == sorted(MEMBERS)
    assert all(row["group_id"] and row["consistent"] for row in result.values["backups"])
    assert len({backup.group_id for backup in newest(house)}) == 1


@pytest.mark.rule("R3.12a")
def test_with_lists_all_members_are_split_by_one_request_and_released_by_one_after_recording(house):
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    del house.array.calls[:]
    recorded = []
    release = house.array.release

    def look_then_release(*args):
        recorded.append([len(house.history(name)) for name in MEMBERS])
        return release(*args)

    house.array.release = look_then_release
    house.backup(*MEMBERS)
    assert house.array.calls == [("suspend", 3), ("release", 3)]
    assert recorded == [[1, 1, 1]]
    assert house.fabric.copies == {}


@pytest.mark.rule("R3.12c")
def test_without_lists_the_result_says_inconsistent_and_bears_the_skew(slow):
    slow.group(*MEMBERS, bvs=3)
    slow.equivalent(*MEMBERS)
    slow.array.between = lambda: stamped(slow)
    result = slow.backup(*MEMBERS)
    rows = result.values["backups"]
    assert {row["consistent"] for row in rows} == {False}
    assert len({backup.group_id for backup in newest(slow)}) == 1
    assert all(400 <= backup.skew_ms <= 1000 for backup in newest(slow))
    assert len(set(cut(slow))) == 3, "the writer shows that it is no consistent cut"


@pytest.mark.rule("R3.12a")
def test_with_lists_the_members_carry_a_consistent_cut(house):
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    house.array.between = lambda: stamped(house)
    stamped(house)
    house.backup(*MEMBERS)
    assert cut(house) == [house.stamp] * 3


@pytest.mark.rule("R3.12", "R4.3", "R4.1")
def test_a_member_that_is_not_equivalent_refuses_the_whole_group_by_name(house, refused):
    house.group(*MEMBERS, bvs=4)
    house.equivalent("oradata", "archive")
    house.start("redolog")
    error = refused("not_equivalent", house.backup, *MEMBERS)
    assert "redolog" in error.message
    house.cancel("redolog")
    assert "redolog" in refused("not_equivalent", house.backup, "oradata").message


@pytest.mark.rule("R3.12b")
@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("pair", [0, 1, 2])
def test_one_member_refused_by_the_array_takes_all_back(tmp_path, lists, pair):
    house = House(tmp_path, lists=lists, memory=True)
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    house.array.faults.append(Fault("suspend", "refuse", 32786, pair=pair))
    refused_whole(house, "array_error")
    assert house.backup(*MEMBERS).changed


@pytest.mark.rule("R3.12b")
def test_a_member_that_breaks_in_the_split_takes_all_back(house):
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    broken = house.look().active_mirror(house.by_name["archive"].ref)
    suspend = house.array.suspend

    def breaks(*args):
        outcomes = suspend(*args)
        house.fabric.set_state(broken.source, broken.target, SessionState.FAILED)
        return outcomes

    house.array.suspend = breaks
    with pytest.raises(BackupError):
        house.backup(*MEMBERS)
    assert all(house.history(name) == [] for name in MEMBERS)
    states = [house.look().active_mirror(house.by_name[name].ref) for name in ("oradata", "redolog")]
    assert all(session.state in (SessionState.EXECUTING, SessionState.EQUIVALENT) for session in states)


@pytest.mark.rule("R3.12b")
def test_a_skew_above_max_skew_takes_all_back(slow):
    slow.group(*MEMBERS, bvs=3)
    slow.equivalent(*MEMBERS)
    slow.array.seconds_per_call = 0.6
    error = refused_whole(slow, slow_error(slow))
    assert "1" in error.message
    assert slow.backup(*MEMBERS, max_skew=timedelta(seconds=5)).changed


def slow_error(_house):
    return "copy_failed"


@pytest.mark.rule("R7.2b")
@pytest.mark.parametrize("lists", [True, False])
def test_a_split_that_ends_after_its_deadline_takes_all_back(tmp_path, lists):
    house = House(tmp_path, lists=lists, memory=True)
    house.group(*MEMBERS, bvs=3)
    house.equivalent(*MEMBERS)
    suspend = house.array.suspend

    def slowly(*args):
        house.clock.sleep(20)
        return suspend(*args)

    house.array.suspend = slowly
    refused_whole(house, "copy_failed", deadline=house.clock.now() + timedelta(seconds=10), max_skew=timedelta(hours=1))


@pytest.mark.rule("R7.2b")
def test_a_single_split_that_ends_after_its_deadline_is_taken_back_too(house):
    house.tv("oradata", 1)
    house.equivalent("oradata")
    suspend = house.array.suspend

    def slowly(*args):
        house.clock.sleep(20)
        return suspend(*args)

    house.array.suspend = slowly
    with pytest.raises(BackupError):
        house.backup("oradata", deadline=house.clock.now() + timedelta(seconds=10))
    assert house.history("oradata") == []
    house.array.suspend = suspend
    house.equivalent("oradata")
    assert house.backup("oradata", deadline=house.clock.now() + timedelta(seconds=10)).changed


@pytest.mark.rule("R3.12")
def test_the_same_key_never_makes_a_second_group_backup(house):
    house.group(*MEMBERS, bvs=6)
    house.cycle(*MEMBERS, key="monday")
    made = newest(house)
    house.equivalent(*MEMBERS)
    assert not house.backup(*MEMBERS, key="monday").changed
    assert newest(house) == made


@pytest.mark.rule("R3.12", "R9.29")
def test_a_young_backup_of_the_whole_group_is_enough(house):
    house.group(*MEMBERS, bvs=6)
    house.cycle(*MEMBERS)
    house.equivalent(*MEMBERS)
    assert not house.backup("oradata", max_age=timedelta(hours=1)).changed
    house.clock.sleep(3600)
    assert house.backup("oradata", max_age=timedelta(hours=1)).changed
    assert [len(house.generations(name)) for name in MEMBERS] == [2, 2, 2]


@pytest.mark.rule("R3.12", "R9.29")
def test_a_member_without_a_young_backup_takes_the_whole_group_again(house):
    house.group(*MEMBERS, bvs=6)
    house.cycle(*MEMBERS)
    house.forget("archive", newest(house)[2].id)
    house.equivalent(*MEMBERS)
    house.backup(*MEMBERS, max_age=timedelta(hours=1))
    assert len({backup.group_id for backup in newest(house)}) == 1
    assert [len(house.generations(name)) for name in MEMBERS] == [2, 2, 1]


@pytest.mark.rule("R3.12", "R3.3b")
def test_a_group_of_snapshots_rotates_safely_by_one_request(house):
    house.group(*MEMBERS, bvs=6, method="snapshot", generations=1)
    for _night in range(3):
        house.clock.sleep(60)
        stamped(house)
        house.backup("oradata")
        assert cut(house) == [house.stamp] * 3
    assert house.array.calls == [("start", 3)] * 3
    assert [len(house.generations(name)) for name in MEMBERS] == [1, 1, 1]
    assert len(house.unused()) == 3


@pytest.mark.rule("R3.12", "R4.4")
def test_a_group_of_snapshots_without_its_bvs_is_refused_whole(house, refused):
    house.group(*MEMBERS, bvs=5, method="snapshot", generations=1)
    house.backup(*MEMBERS)
    house.clock.sleep(60)
    refused("no_unused_volume", house.backup, *MEMBERS)


@pytest.mark.rule("R3.12b")
@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("pair", [0, 1, 2])
def test_a_snapshot_of_a_member_refused_by_the_array_takes_all_back(tmp_path, lists, pair):
    house = House(tmp_path, lists=lists, memory=True)
    house.group(*MEMBERS, bvs=6, method="snapshot", generations=1)
    house.backup(*MEMBERS)
    house.clock.sleep(60)
    before, unused = house.everything(), house.unused()
    house.array.faults.append(Fault("start", "refuse", 32786, pair=pair))
    with pytest.raises(BackupError):
        house.backup(*MEMBERS)
    assert house.everything() == before
    assert house.unused() == unused


@pytest.mark.rule("R3.12", "R9.20")
@pytest.mark.parametrize("method", ["differential", "tape_only"])
def test_differential_and_tape_only_do_not_go_in_a_group(house, refused, method):
    house.tv("oradata", 2)
    media = {"media": "both", "tape_pool": "pool"} if method == "tape_only" else {}
    refused("policy_violation", house.declare, "oradata", method=method, group="app", strict=True, **media)


@pytest.mark.rule("R3.12", "R9.20")
def test_all_members_of_a_group_are_backed_up_by_one_method(house, refused):
    house.tv("oradata", 4, group="app")
    house.volume("redolog", house.look().volumes[house.by_name["oradata"].ref].role)
    refused("policy_violation", house.declare, "redolog", group="app", method="snapshot", strict=True)


@pytest.mark.rule("R3.12")
def test_two_groups_in_one_run_have_two_ids(house):
    house.group("oradata", "redolog", bvs=4)
    house.group("archive", "index", group="other")
    house.cycle("oradata", "redolog", "archive", "index")
    ids = [house.generations(name)[0].group_id for name in ("oradata", "redolog", "archive", "index")]
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.rule("R3.12")
def test_the_oldest_generation_of_every_member_goes_after_the_group_was_recorded(house):
    house.group(*MEMBERS, bvs=6, generations=1)
    for _cycle in range(3):
        house.cycle(*MEMBERS)
    assert [len(house.generations(name)) for name in MEMBERS] == [1, 1, 1]
    assert len(house.unused()) == 3


@pytest.mark.parametrize("method", ["synchronized", "snapshot"])
@pytest.mark.parametrize("lists", [True, False])
def test_check_mode_foresees_what_is_done(tmp_path, method, lists):
    house = House(tmp_path, lists=lists, memory=True)
    house.group(*MEMBERS, bvs=6, method=method, generations=1)
    for _night in range(2):
        if method == "synchronized":
            house.equivalent(*MEMBERS)
        house.clock.sleep(60)
        house.array.reads_only = True
        foreseen = house.foreseen("oradata")
        house.array.reads_only = False
        assert house.alike(foreseen) == house.alike(house.backup("oradata"))
