# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other hands and slow arrays do to a backup: refused whole, taken back whole, and never a false record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def refused(error_class, act, *names, **options):
    with pytest.raises(BackupError) as caught:
        act(*names, **options)
    assert caught.value.error_class.value == error_class
    return caught.value


def resumed_by_other_hands(house):
    """A suspended generation whose session somebody resumed past the product."""
    tv = house.tv("oradata", 3, suspend=True)
    house.cycle("oradata")
    (key,) = house.fabric.copies
    house.fabric.set_state(*key, SessionState.EQUIVALENT)
    return tv


@pytest.mark.parametrize("act", ["backup", "start", "cancel"])
def test_a_generation_that_other_hands_resumed_is_neither_taken_over_nor_hidden(house, act):
    resumed_by_other_hands(house)
    before = house.everything()
    error = refused("copy_failed", getattr(house, act), "oradata")
    assert "resumed_generation" in error.next_step
    assert house.everything() == before
    with house.catalog.read() as records:
        assert not records.open_entries()


def test_a_broken_snapshot_is_no_young_enough_backup_and_is_overwritten_first(house):
    house.tv("oradata", 2, method="snapshot", generations=2)
    good, _broken = house.nights("oradata", 2)[::-1]
    newest = house.generations("oradata")[0]
    house.fabric.copy_seconds = 9000.0
    house.clock.sleep(60)
    house.forget("oradata", newest.id)
    house.clock.sleep(60)
    broken = house.backup("oradata").values["backups"][0]
    bv = house.by_name[broken["disk"]["backup_volume"]].ref
    house.fabric.set_state(house.by_name["oradata"].ref, bv, SessionState.FAILED)
    again = house.backup("oradata", max_age=timedelta(hours=1)).values["backups"][0]
    assert again["taken"]
    assert [one.id for one in house.generations("oradata")] == [again["id"], good]


def test_a_deadline_that_has_passed_before_anything_is_sent_changes_nothing(house):
    house.tv("oradata", 1, method="snapshot", generations=1)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    before = house.everything()
    error = refused("copy_failed", house.backup, "oradata", deadline=house.clock.now() - timedelta(seconds=1))
    assert (error.unchanged, error.changed) == ("Nothing was changed.", False)
    assert house.everything() == before


def test_under_a_deadline_the_skew_of_a_group_is_measured_for_itself(tmp_path):
    house = House(tmp_path, lists=False)
    house.tv("alone", 2)
    house.group("oradata", "redolog", bvs=4)
    house.equivalent("alone", "oradata", "redolog")
    house.array.seconds_per_call = 2.0
    late = house.clock.now() + timedelta(hours=1)
    refused("copy_failed", house.backup, "alone", "oradata", deadline=late)
    assert not house.generations("alone")
    taken = house.backup("alone", "oradata", deadline=late, max_skew=timedelta(seconds=10)).values["backups"]
    assert [(one["volume"], one["consistent"]) for one in taken] == [
        ("alone", None),
        ("oradata", False),
        ("redolog", False),
    ]


def test_an_old_session_that_was_not_ended_yet_leaves_its_generation_whole(tmp_path):
    """Killed before the old copy was ended: the generation there is what it was, and counts again."""
    house = House(tmp_path)
    house.tv("oradata", 1, method="snapshot", generations=1)
    house.nights("oradata", 1)
    house.fabric.copy_seconds = 9000.0
    house.clock.sleep(60)
    (old,) = house.nights("oradata", 1)
    house.clock.sleep(60)
    house.array.faults.append(Fault("release", "killed_before"))
    with pytest.raises(Killed):
        house.backup("oradata")
    house.clock.sleep(300)
    house.cancel("oradata")
    assert [one.id for one in house.generations("oradata")] == [old]
    assert house.content(house.on("oradata")[0])[0] == house.stamp


def test_members_whose_young_backups_are_not_one_group_backup_are_backed_up_again(house):
    house.volume("spare", Role.BACKUP)
    house.tv("oradata", 3)
    house.tv("redolog", 3)
    house.cycle("oradata")
    house.cycle("redolog")
    house.declare("oradata", group="erp")
    house.declare("redolog", group="erp")
    house.equivalent("oradata", "redolog")
    rows = house.backup("oradata", max_age=timedelta(days=1)).values["backups"]
    assert len({row["group_id"] for row in rows}) == 1
    assert all(row["taken"] for row in rows)
