# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels that are not what they should be, and media that fail while they are labelled (behaviour.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import ensure_present
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteOutcome, WriteProtected
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import BAD, LOST, Failure, Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse

FOREIGN = b"VOL1 of another software" + bytes(56)
Spoil = Callable[[TapeHouse], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Two labelled cartridges, A1 and A2, a blank one, N1, and a backup that waits for its copy."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2")
    house.bed.library.create({"N1": 16 * MIB})
    house.backup("B1", 11)
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def newer_version(house: TapeHouse) -> None:
    label = house.bed.file("A1", 0)
    label.write_bytes(label.read_bytes().replace(b"LABEL 1\n", b"LABEL 7\n", 1))


def label_of_another(house: TapeHouse) -> None:
    """The slot's barcode says A1, the label of what lies there says Z9."""
    label = house.bed.file("A1", 0)
    label.write_bytes(label.read_bytes().replace(b'"A1"', b'"Z9"', 1))


def foreign(house: TapeHouse) -> None:
    house.bed.file("A1", 0).write_bytes(FOREIGN)


def present(house: TapeHouse, barcode: str, library: FaultyLibrary | None = None, *, force: bool = False) -> None:
    ensure_present(house.context(), library or house.bed.library, [barcode], "weekly", force=force)


def refused(error_class: str, act: Callable[..., object], *args: object, **params: object) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args, **params)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(
    ("spoil", "error_class", "word"),
    [
        (newer_version, "suspect_cartridge", "newer version"),
        (label_of_another, "foreign_cartridge", "Z9"),
        (foreign, "foreign_cartridge", "foreign"),
        (lambda house: flip(house.bed.file("A1", 0), 2), "foreign_cartridge", "foreign"),
        (lambda house: flip(house.bed.file("A1", 0), 30), "suspect_cartridge", "damaged"),
        (lambda house: house.bed.file("A1", 0).write_bytes(b""), "suspect_cartridge", "blank"),
    ],
    ids=["newer version", "label of another", "foreign tape", "flipped magic", "flipped bit", "empty label"],
)
@pytest.mark.parametrize("other", [True, False], ids=["with another", "alone"])
def test_a_cartridge_whose_label_is_not_the_one_that_is_known_is_suspect_and_never_written(
    house: TapeHouse, spoil: Spoil, error_class: str, word: str, other: bool
) -> None:
    spoil(house)
    if not other:
        house.bed.library.export_cartridge("A2", "me")
    before = house.bed.file("A1", 0).read_bytes()
    if other:
        house.copy()
        assert [part.barcode for part in house.tape("B1").parts] == ["A2"]
    else:
        refused(error_class, house.copy)
    assert house.bed.file("A1", 0).read_bytes() == before
    assert not house.bed.file("A1", 1).exists()
    with house.catalog.read() as records:
        (why,) = [one.suspect for one in records.cartridges() if one.suspect]
    assert "A1" in why
    assert word in why


@pytest.mark.rule("R4.22")
def test_a_foreign_tape_is_overwritten_only_by_force(house: TapeHouse) -> None:
    house.bed.file("N1", 0).write_bytes(FOREIGN)
    mark = house.bed.file("N1", 0).parent / "cartridge.json"
    mark.write_text(mark.read_text().replace('"files": 0', '"files": 1'))
    refused("foreign_cartridge", present, house, "N1")
    assert house.bed.file("N1", 0).read_bytes() == FOREIGN
    present(house, "N1", force=True)
    assert house.bed.contents("N1").label.barcode == "N1"


@pytest.mark.parametrize(
    ("failure", "error_class"),
    [
        (BAD, "suspect_cartridge"),
        (WriteProtected(), "suspect_cartridge"),
        (WriteOutcome.END_OF_MEDIUM, "suspect_cartridge"),
        (LOST, "tape_unavailable"),
    ],
    ids=["write error", "write-protected", "too short", "offline"],
)
@pytest.mark.parametrize("on", ["write", "mark"])
def test_a_blank_cartridge_that_cannot_be_labelled_is_named_and_can_be_labelled_later(
    house: TapeHouse, on: str, failure: Failure, error_class: str
) -> None:
    library = FaultyLibrary(house.bed.library.path, Fault(on, 1, failure, "N1"))
    assert "N1" in refused(error_class, present, house, "N1", library).message
    with house.catalog.read() as records:
        assert not [one for one in records.cartridges() if one.barcode == "N1" and one.labelled_at]
    present(house, "N1", force=True)
    assert house.bed.contents("N1").entries == ()
    house.bed.library.export_cartridge("A1", "me")
    house.bed.library.export_cartridge("A2", "me")
    house.copy()
    assert [part.barcode for part in house.tape("B1").parts] == ["N1"]


@pytest.mark.parametrize("failure", [BAD, WriteProtected(), LOST], ids=["write error", "write-protected", "offline"])
def test_where_a_blank_one_cannot_be_labelled_a_scratch_pool_takes_the_next(house: TapeHouse, failure: Failure) -> None:
    house.bed.library.create({"N2": 16 * MIB})
    house.backup("B2", 12, pool="spare")
    library = FaultyLibrary(house.bed.library.path, Fault("write", 1, failure, "N1"))
    house.copy(desk=replace(house.desk, library=library), backups=["B2"])
    assert [part.barcode for part in house.tape("B2").parts] == ["N2"]


@pytest.mark.parametrize("error", [BAD, LOST], ids=["read error", "offline"])
def test_a_cartridge_that_cannot_be_looked_at_is_not_taken_for_blank(house: TapeHouse, error: Exception) -> None:
    house.backup("B2", 12, pool="spare")
    before = house.bed.file("N1", 0).exists()
    library = FaultyLibrary(house.bed.library.path, Fault("any", 1, error, "N1"))
    refused("no_cartridge", house.copy, desk=replace(house.desk, library=library), backups=["B2"])
    assert house.bed.file("N1", 0).exists() is before is False
