# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup with two tape copies comes back as long as one of them is whole (behaviour.md §6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_places import ensure_exported
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import plan_restore, restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse

WANTED = Wanted(volume="oradata", confirm="oradata")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """One backup with two written copies, on A1 and A2."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2")
    house.backup("NEW", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("NEW", TapeCopy(2, TapeState.QUEUED, "weekly", START, bytes_total=SIZE))
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def test_two_copies_lie_on_two_cartridges(house: TapeHouse) -> None:
    assert [{part.barcode for part in copy.parts} for copy in house.get("NEW").tape] == [{"A1"}, {"A2"}]


@pytest.mark.rule("R10.5")
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_where_one_copy_is_damaged_the_other_is_restored_and_the_damage_is_told_and_kept(
    house: TapeHouse, number: int
) -> None:
    flip(house.bed.file("A1", number), 30)
    done = restore(house.context(), house.desk, WANTED)
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert (done.copy.number, done.sha256) == (2, done.copy.sha256)
    assert "Tape copy 1" in " ".join(done.warnings)
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [False, True]
    with house.catalog.read() as records:
        assert {one.barcode: bool(one.suspect) for one in records.cartridges()} == {"A1": True, "A2": False}
        assert not records.undefined_targets()


def test_where_both_are_damaged_the_target_is_undefined_and_the_error_names_the_last(house: TapeHouse) -> None:
    for barcode in ("A1", "A2"):
        flip(house.bed.file(barcode, 2), SIZE // 2)
    with pytest.raises(BackupError) as caught:
        restore(house.context(), house.desk, WANTED)
    assert caught.value.error_class.value == "checksum_mismatch"
    assert caught.value.details["barcode"] == "A2"
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [False, False]  # it proves nothing any more
    with house.catalog.read() as records:
        assert records.undefined_targets()
        assert all(one.suspect for one in records.cartridges())


def test_the_copy_whose_cartridges_are_in_the_library_is_read(house: TapeHouse) -> None:
    (Path(house.bed.library.path) / "A1").rename(house.path / "vault")
    assert plan_restore(house.context(), house.desk, WANTED).copy.number == 2
    (Path(house.bed.library.path) / "A2").rename(house.path / "vault2")
    with pytest.raises(BackupError) as caught:
        plan_restore(house.context(), house.desk, WANTED)
    assert caught.value.error_class.value == "no_cartridge"
    assert "A1" in caught.value.message


@pytest.mark.rule("R10.12")
def test_a_cartridge_that_is_missed_is_named_with_its_place(house: TapeHouse) -> None:
    for barcode in ("A1", "A2"):
        ensure_exported(house.context(), house.bed.library, [barcode], f"the safe, shelf {barcode}")
    with pytest.raises(BackupError) as caught:
        restore(house.context(), house.desk, WANTED)
    assert caught.value.error_class.value == "no_cartridge"
    assert "A1 (the safe, shelf A1)" in caught.value.message
