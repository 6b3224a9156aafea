# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cartridge a part goes to, and which ones are never written (behaviour.md §1, §5)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import write_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import (
    MIB,
    TrippingDrive,
    TrippingLibrary,
    break_medium,
    flip,
)
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    return TapeHouse(tmp_path_factory.mktemp("template"))


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def refused(error_class: str, house: TapeHouse, **params) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.copy(**params)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    assert house.everything() == before
    return caught.value


def break_at(monkeypatch: pytest.MonkeyPatch, house: TapeHouse, write: int):
    """Let one write of the next leg fail; return a desk whose drives do so."""
    for name, value in (("count", 0), ("at", write), ("trip", staticmethod(break_medium))):
        monkeypatch.setattr(TrippingDrive, name, value)
    return replace(house.desk, library=TrippingLibrary(house.bed.library.path))


@pytest.mark.rule("R10.3")
@pytest.mark.parametrize("write", [1, 2, 5, 9, 10])
def test_after_a_write_error_the_cartridge_is_suspect_and_the_copy_goes_on_with_another(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    house.copy(desk=break_at(monkeypatch, house, write))
    copy = house.tape("B1")
    assert {part.barcode for part in copy.parts} == {"A2"}
    with house.catalog.read() as records:
        assert {one.barcode: bool(one.suspect) for one in records.cartridges()} == {"A1": True, "A2": False}
    house.copy(verify=True)
    assert house.tape("B1").verified_ok is True


def test_a_write_error_with_no_other_cartridge_fails_the_leg_and_names_the_bad_one(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    with pytest.raises(BackupError) as caught:
        house.copy(desk=break_at(monkeypatch, house, 5))
    assert caught.value.error_class.value == "suspect_cartridge"
    assert "A1" in caught.value.message
    assert house.tape("B1").state is TapeState.FAILED


@pytest.mark.rule("R4.21", "R4.22")
def test_a_cartridge_that_is_not_what_the_catalog_knows_is_never_written(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", "A4")
    house.backup("B1", 11)
    house.bed.file("A1", 0).write_bytes(b"VOL1 of somebody else" + bytes(1000))
    with house.bed.load("A2") as drive:
        write_label(drive, Label("A2", "another", "weekly", house.clock.now()))
    house.bed.library.create({"A5": 8 * MIB})
    with house.catalog.read() as records:
        uuid = next(one.uuid for one in records.cartridges() if one.barcode == "A3")
    with house.bed.load("A3") as drive:
        write_label(drive, Label("A3", uuid, "monthly", house.clock.now()))
    before = [house.bed.file(barcode, 0).read_bytes() for barcode in ("A1", "A2", "A3")]
    house.copy()
    assert {part.barcode for part in house.tape("B1").parts} == {"A4"}
    assert [house.bed.file(barcode, 0).read_bytes() for barcode in ("A1", "A2", "A3")] == before
    with house.catalog.read() as records:
        suspects = {one.barcode: one.suspect for one in records.cartridges() if one.suspect}
    assert sorted(suspects) == ["A1", "A2", "A3"]
    assert "foreign" in suspects["A1"]
    assert "monthly" in suspects["A3"]


@pytest.mark.parametrize(
    ("spoil", "error_class"),
    [
        (lambda house: house.bed.file("A1", 0).write_bytes(b"somebody else's" * 9), "foreign_cartridge"),
        (lambda house: flip(house.bed.file("A1", 0), 40), "suspect_cartridge"),
        (lambda house: relabel(house, "monthly"), "wrong_pool"),
        (lambda house: house.bed.file("A1", 0).unlink(), "suspect_cartridge"),
    ],
    ids=["foreign", "damaged", "other pool", "blank"],
)
def test_the_only_cartridge_being_bad_is_the_named_error(house: TapeHouse, spoil, error_class: str) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    spoil(house)
    with pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == error_class
    assert house.tape("B1").state is TapeState.FAILED
    assert house.get("B1").good_on_disk


def relabel(house: TapeHouse, pool: str) -> None:
    with house.catalog.read() as records:
        uuid = records.cartridges()[0].uuid
    with house.bed.load("A1") as drive:
        write_label(drive, Label("A1", uuid, pool, house.clock.now()))


def test_a_cartridge_that_lost_a_living_part_is_not_appended_to(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    house.backup("B2", 12)
    with house.bed.file("A1", 3).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == "suspect_cartridge"
    assert house.bed.file("A1", 2).read_bytes() == house.contents["B1"]


@pytest.mark.rule("R1.12")
def test_blank_cartridges_join_a_scratch_pool_and_strangers_do_not(house: TapeHouse) -> None:
    house.cartridges("A0")
    house.bed.library.create({"A1": 16 * MIB, "A2": 16 * MIB})
    with house.bed.load("A1") as drive:
        drive.write_block(b"somebody else's")
    house.backup("B1", 11, pool="spare")
    house.copy()
    assert {part.barcode for part in house.tape("B1").parts} == {"A2"}
    with house.catalog.read() as records:
        assert {one.barcode: one.pool for one in records.cartridges()} == {"A0": "weekly", "A2": "spare"}
    assert house.bed.file("A1", 0).read_bytes() == b"somebody else's"


@pytest.mark.rule("R1.12")
def test_a_private_pool_takes_no_blank_cartridge(house: TapeHouse) -> None:
    house.bed.library.create({"A1": 16 * MIB})
    house.backup("B1", 11)
    refused("no_cartridge", house)


@pytest.mark.rule("R9.16")
def test_two_copies_of_a_backup_never_share_a_cartridge(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", capacity=20 * MIB)
    house.backup("B1", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("B1", replace(house.tape("B1"), number=2))
    house.copy()
    first, second = ({part.barcode for part in copy.parts} for copy in house.get("B1").tape)
    assert (first, second) == ({"A1"}, {"A2"})
