# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cartridges and drives that fail while a backup is verified or restored (behaviour.md §4, §5, §6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import BAD, LOST, Fault, FaultyLibrary, pull
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse

WANTED = Wanted(volume="oradata", confirm="oradata")
Harm = Callable[[TapeHouse, str], None]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """One backup with two written copies, over A1, A2, A3 and over B1, B2, B3."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2", "A3", "B1", "B2", "B3", capacity=3 * MIB)
    house.backup("NEW", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("NEW", TapeCopy(2, TapeState.QUEUED, "weekly", START, bytes_total=SIZE))
    house.copy()
    assert [[part.barcode for part in copy.parts] for copy in house.get("NEW").tape] == [
        ["A1", "A2", "A3"],
        ["B1", "B2", "B3"],
    ]
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def flipped(number: int, at: int = 30) -> Harm:
    return lambda house, barcode: flip(house.bed.file(barcode, number), at)


def cut(number: int, left: int) -> Harm:
    def act(house: TapeHouse, barcode: str) -> None:
        with house.bed.file(barcode, number).open("r+b") as file:
            file.truncate(left)

    return act


def wrong_cartridge(house: TapeHouse, barcode: str) -> None:
    """The slot's barcode says A2, the label of what lies there says B2."""
    house.bed.file(barcode, 0).write_bytes(house.bed.file(f"B{barcode[1:]}", 0).read_bytes())


def newer_version(house: TapeHouse, barcode: str) -> None:
    label = house.bed.file(barcode, 0)
    label.write_bytes(label.read_bytes().replace(b"LABEL 1\n", b"LABEL 7\n", 1))


def foreign(house: TapeHouse, barcode: str) -> None:
    house.bed.file(barcode, 0).write_bytes(b"VOL1 of another software" + bytes(56))


HARMS = {
    "a flipped bit in the label": (flipped(0), "suspect_cartridge"),
    "a flipped bit in the magic": (flipped(0, 3), "foreign_cartridge"),
    "a flipped bit in the header": (flipped(1), "suspect_cartridge"),
    "a flipped bit in the data": (flipped(2, MIB // 3), "checksum_mismatch"),
    "a flipped bit in the trailer": (flipped(3), "suspect_cartridge"),
    "a truncated label": (cut(0, 100), "suspect_cartridge"),
    "a truncated header": (cut(1, 100), "suspect_cartridge"),
    "a truncated image": (cut(2, MIB // 2 + 1), "suspect_cartridge"),
    "an empty image": (cut(2, 0), "suspect_cartridge"),
    "a truncated trailer": (cut(3, 100), "suspect_cartridge"),
    "the wrong cartridge": (wrong_cartridge, "foreign_cartridge"),
    "a label of a newer version": (newer_version, "suspect_cartridge"),
    "a foreign tape": (foreign, "foreign_cartridge"),
}
EVERY_HARM = pytest.mark.parametrize(("harm", "error_class"), list(HARMS.values()), ids=list(HARMS))


#: Label, image, the mark behind it, trailer. A header that cannot be read once is looked for by its file number.
UNREADABLE = [1, 5, 6, 7, 8]


def suspects(house: TapeHouse) -> list[str]:
    with house.catalog.read() as records:
        return [one.barcode for one in records.cartridges() if one.suspect]


def undefined(house: TapeHouse) -> list[Any]:
    with house.catalog.read() as records:
        return list(records.undefined_targets())


def with_library(house: TapeHouse, *faults: Fault) -> tuple[Any, FaultyLibrary]:
    library = FaultyLibrary(house.bed.library.path, *faults)
    return replace(house.desk, library=library), library


def failed(error_class: str, act: Callable[..., Any], *args: Any, **params: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args, **params)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


def only_one_copy(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.remove_tape_copies("NEW", [2])


def tapes(house: TapeHouse) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted((house.path / "library").glob("*/0*"))}


@pytest.mark.rule("R4.22", "R4.23", "R4.24")
@EVERY_HARM
def test_a_verify_names_what_is_wrong_and_marks_the_cartridge_and_that_copy_only(
    house: TapeHouse, harm: Harm, error_class: str
) -> None:
    harm(house, "A2")
    before = tapes(house)
    assert "A2" in failed(error_class, house.copy, verify=True).message
    first, second = house.get("NEW").tape
    assert (first.verified_ok, second.verified_ok) == (False, True)
    assert first.verified_at is not None
    assert first.state is TapeState.WRITTEN
    assert suspects(house) == ["A2"]
    assert house.get("NEW").good_on_disk
    assert tapes(house) == before


@EVERY_HARM
def test_a_restore_goes_on_with_the_other_copy_from_its_beginning(
    house: TapeHouse, harm: Harm, error_class: str
) -> None:
    harm(house, "A2")
    before = tapes(house)
    done = restore(house.context(), house.desk, WANTED)
    assert error_class
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert done.copy.number == 2
    assert "A2" in " ".join(done.warnings)
    assert suspects(house) == ["A2"]
    assert not undefined(house)
    assert tapes(house) == before


@EVERY_HARM
def test_where_no_other_copy_is_the_target_is_undefined_until_a_restore_succeeds(
    house: TapeHouse, harm: Harm, error_class: str
) -> None:
    only_one_copy(house)
    whole = tapes(house)
    harm(house, "A2")
    error = failed(error_class, restore, house.context(), house.desk, WANTED)
    assert error.changed
    assert "undefined" in error.unchanged
    (marker,) = undefined(house)
    assert "A2" in marker.reason
    for name, content in whole.items():
        Path(name).write_bytes(content)
    # The copy counts as refuted now: only a restore that names its backup reads it again.
    failed("checksum_mismatch", restore, house.context(), house.desk, WANTED)
    restore(house.context(), house.desk, replace(WANTED, backup_id="NEW"))
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert not undefined(house)


@pytest.mark.parametrize("at", UNREADABLE)
def test_a_read_error_is_a_suspect_cartridge_and_the_copy_is_refuted(house: TapeHouse, at: int) -> None:
    desk, library = with_library(house, Fault("read", at, BAD, "A2"))
    error = failed("suspect_cartridge", house.copy, desk=desk, verify=True)
    assert library.faults[0].happened
    assert error.details["barcode"] == "A2"
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [False, True]
    assert suspects(house) == ["A2"]


@pytest.mark.parametrize("at", UNREADABLE)
def test_after_a_read_error_the_other_copy_is_restored(house: TapeHouse, at: int) -> None:
    desk, library = with_library(house, Fault("read", at, BAD, "A3"))
    done = restore(house.context(), desk, WANTED)
    assert library.faults[0].happened
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert done.copy.number == 2
    assert suspects(house) == ["A3"]
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [False, True]


def test_a_header_that_cannot_be_read_once_is_looked_for_by_its_file_number(house: TapeHouse) -> None:
    desk, library = with_library(house, Fault("read", 3, BAD, "A2"))
    house.copy(desk=desk, verify=True)
    assert library.faults[0].happened
    assert all(copy.verified_ok for copy in house.get("NEW").tape)
    assert not suspects(house)


def test_a_header_that_cannot_be_read_at_all_is_a_suspect_cartridge(house: TapeHouse) -> None:
    desk, _library = with_library(house, Fault("read", 3, BAD, "A2"), Fault("read", 6, BAD, "A2"))
    failed("suspect_cartridge", house.copy, desk=desk, verify=True)
    assert suspects(house) == ["A2"]


@pytest.mark.rule("R4.18")
@pytest.mark.parametrize("at", range(1, 9))
def test_a_drive_that_goes_offline_says_nothing_about_the_copy(house: TapeHouse, at: int) -> None:
    only_one_copy(house)
    desk, library = with_library(house, Fault("any", at, LOST, "A2", offline=True))
    before = house.tape("NEW")
    assert "drive0" in failed("tape_unavailable", house.copy, desk=desk, verify=True).message
    assert house.tape("NEW") == before
    assert not suspects(house)
    library.repair()
    house.copy(desk=desk, verify=True)
    assert house.tape("NEW").verified_ok is True


@pytest.mark.parametrize("at", range(1, 9))
def test_a_drive_lost_in_a_restore_leaves_the_copy_as_it_was_and_the_other_is_read(house: TapeHouse, at: int) -> None:
    desk, library = with_library(house, Fault("any", at, LOST, "A2", offline=True))
    done = restore(house.context(), desk, WANTED)
    assert done.copy.number == 2
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [None, True]
    assert not suspects(house)
    library.repair()


def test_a_cartridge_that_is_pulled_while_it_is_verified_refutes_nothing(house: TapeHouse) -> None:
    desk, _library = with_library(house, Fault("read", 4, pull(house.bed.library.path, "A2"), "A2"))
    failed("tape_unavailable", house.copy, desk=desk, verify=True)
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [None, True]
    assert not suspects(house)


def test_a_cartridge_that_is_pulled_while_it_is_restored_is_done_without(house: TapeHouse) -> None:
    desk, _library = with_library(house, Fault("read", 4, pull(house.bed.library.path, "A2"), "A2"))
    done = restore(house.context(), desk, WANTED)
    assert done.copy.number == 2
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert not suspects(house)


@pytest.mark.parametrize("error_class", [ErrorClass.NO_CARTRIDGE, ErrorClass.TAPE_UNAVAILABLE, ErrorClass.BUSY])
def test_a_cartridge_that_goes_away_between_two_looks_refutes_nothing(
    house: TapeHouse, error_class: ErrorClass
) -> None:
    desk, library = with_library(house)
    library.refuse["A2"] = BackupError(error_class, "It is not here.", next_step="Bring it.", barcode="A2")
    failed(error_class.value, house.copy, desk=desk, verify=True)
    assert [copy.verified_ok for copy in house.get("NEW").tape] == [None, True]
    assert restore(house.context(), desk, WANTED).copy.number == 2
    assert not suspects(house)


def test_a_flipped_bit_on_each_copy_is_named_and_another_generation_still_comes_back(house: TapeHouse) -> None:
    house.cartridges("C1")
    house.backup("OLD", 12, age=5)
    house.copy(backups=["OLD"])
    for barcode in ("A2", "B2"):
        flip(house.bed.file(barcode, 2), 7)
    failed("checksum_mismatch", restore, house.context(), house.desk, WANTED)
    assert suspects(house) == ["A2", "B2"]
    restore(house.context(), house.desk, replace(WANTED, backup_id="OLD"))
    assert house.file(1).read_bytes() == house.contents["OLD"]
    assert not undefined(house)
