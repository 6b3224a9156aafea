# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What schema version 2 remembers, on both databases: how a group was split, unfinished tape legs, restore tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, RestoreTest, TapeState
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.conftest import House
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    backup,
    copy,
    ref,
)

PROOF = RestoreTest("R2", "A", ref(1), ref(13), "tape", 2, NOW, True, 67108864, "ab" * 32)
FAILED = RestoreTest("R1", "A", ref(1), ref(13), "disk", 0, NOW, False, 67108864, "cd" * 32, "checksum_mismatch")
OF_ANOTHER = RestoreTest("R0", "B", ref(2), ref(14), "disk", 0, NOW - timedelta(days=1), True, 9, "")


@pytest.mark.parametrize(("consistent", "skew"), [(True, 12), (False, 1500), (None, None)])
def test_a_backup_says_how_its_group_was_split(house: House, consistent: bool | None, skew: int | None) -> None:
    split = replace(backup("A", 10), group_id="G", consistent=consistent, skew_ms=skew)
    with house.catalog.begin() as records:
        records.add_backups([split])
        assert records.backups() == [split]


def test_a_borrowed_volume_is_no_generation_and_may_be_read(house: House) -> None:
    one = backup("A", 10, tape=(copy(),))
    borrowed = replace(one, disk=replace(one.disk, state=DiskState.BORROWED))
    with house.catalog.begin() as records:
        records.add_backups([borrowed])
        (read,) = records.backups()
    assert read == borrowed
    assert (read.good_on_disk, read.whole_on_disk) == (False, True)


def test_only_tape_legs_that_are_not_written_are_unfinished(house: House) -> None:
    states = (TapeState.QUEUED, TapeState.WRITING, TapeState.FAILED, TapeState.WRITTEN)
    with house.catalog.begin() as records:
        for age, state in enumerate(states):
            records.add_backups([backup(state.value, age=age, tape=(copy(1, state), copy(2, TapeState.WRITTEN)))])
        records.add_backups([backup("disk", 10)])
        found = records.unfinished_tape()
        assert [one.id for one in found] == ["failed", "writing", "queued"]
        assert [len(one.tape) for one in found] == [2, 2, 2]


def test_restore_tests_come_oldest_first_and_by_volume_and_outlive_their_backup(house: House) -> None:
    with house.catalog.begin() as records:
        assert records.restore_tests() == []
        records.add_backups([backup("A", 10)])
        for test in (PROOF, FAILED, OF_ANOTHER):
            records.add_restore_test(test)
        records.drop_disk(["A"])
        assert records.backups() == []
    with house.catalog.read() as records:
        assert records.restore_tests() == [OF_ANOTHER, FAILED, PROOF]
        assert records.restore_tests([ref(1)]) == [FAILED, PROOF]
        assert records.restore_tests([ref(3)]) == []


def test_a_restore_test_is_written_once(house: House) -> None:
    with house.catalog.begin() as records:
        records.add_restore_test(PROOF)
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.add_restore_test(replace(PROOF, ok=False))
