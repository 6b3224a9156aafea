# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cartridges and drives that fail while a backup is written (behaviour.md §4, §5; tape.md, The format)."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteOutcome, WriteProtected
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import BAD, LOST, Fault, FaultyLibrary, pull
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, TapeHouse

#: A cartridge that takes two blocks of data, then warns: a backup of SIZE takes three of them.
SMALL = 3 * MIB
HEADER, HEADER_MARK, FIRST, SECOND, DATA_MARK, TRAILER, TRAILER_MARK = 1, 2, 3, 4, 6, 7, 8


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    return TapeHouse(tmp_path_factory.mktemp("template"))


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def faulty(house: TapeHouse, *faults: Fault) -> FaultyLibrary:
    return FaultyLibrary(house.bed.library.path, *faults)


def copied(house: TapeHouse, library: FaultyLibrary, **params: Any) -> Any:
    return house.copy(desk=replace(house.desk, library=library), **params)


def failed(error_class: str, house: TapeHouse, library: FaultyLibrary, **params: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        copied(house, library, **params)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


def suspects(house: TapeHouse) -> dict[str, str]:
    with house.catalog.read() as records:
        return {one.barcode: one.suspect for one in records.cartridges() if one.suspect}


def barcodes(house: TapeHouse, name: str = "B1") -> list[str]:
    return [part.barcode for part in house.tape(name).parts]


def comes_back(house: TapeHouse, name: str = "B1") -> None:
    """The copy is read whole, and its bytes are those of the volume."""
    restore(house.context(), house.desk, Wanted(volume="oradata", confirm="oradata", backup_id=name))
    assert house.file(1).read_bytes() == house.contents[name]


def still_protected(house: TapeHouse, state: TapeState) -> None:
    """The disk generation is as good as before, nobody holds anything, and the copy is in this state."""
    copy = house.tape("B1")
    assert (copy.state, copy.parts) == (state, ())
    assert house.get("B1").good_on_disk
    assert not house.readers()
    with house.catalog.read() as records:
        assert not records.leases()
    assert not [drive for drive in house.bed.library.inventory().drives if drive.owner]


@pytest.mark.rule("R4.23")
@pytest.mark.parametrize("at", range(1, 9))
def test_whatever_write_of_the_second_part_fails_it_is_begun_anew_on_the_next_cartridge(
    house: TapeHouse, at: int
) -> None:
    house.cartridges("A1", "A2", "A3", "A4", capacity=SMALL)
    house.backup("B1", 11)
    fault = Fault("put", at, BAD, "A2")
    copied(house, faulty(house, fault))
    assert fault.happened
    assert barcodes(house) == ["A1", "A3", "A4"]
    assert list(suspects(house)) == ["A2"]
    assert "Input/output error" in suspects(house)["A2"]
    assert [part.offset for part in house.tape("B1").parts] == [0, MIB, 2 * MIB]
    assert house.bed.contents("A1").entries[0].bytes == MIB
    comes_back(house)


def test_what_a_cartridge_held_before_it_failed_stays_readable(house: TapeHouse) -> None:
    house.cartridges("A1", "A2")
    house.backup("B0", 12, age=1)
    house.copy()
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("write", SECOND, BAD, "A1")))
    assert (barcodes(house, "B0"), barcodes(house)) == (["A1"], ["A2"])
    assert [entry.header.backup_id for entry in house.bed.contents("A1").entries] == ["B0"]
    comes_back(house, "B0")
    comes_back(house)


def test_a_suspect_cartridge_takes_nothing_more(house: TapeHouse) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("write", FIRST, BAD, "A1")))
    before = house.bed.file("A1", 0).read_bytes()
    house.backup("B2", 12)
    house.copy()
    assert barcodes(house, "B2") == ["A2"]
    assert house.bed.file("A1", 0).read_bytes() == before


def test_a_whole_part_between_two_bad_cartridges_means_that_the_drive_is_good(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", "A4", "A5", capacity=SMALL)
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("write", FIRST, BAD, "A1"), Fault("write", FIRST, BAD, "A3")))
    assert barcodes(house) == ["A2", "A4", "A5"]
    assert list(suspects(house)) == ["A1", "A3"]
    comes_back(house)


@pytest.mark.rule("R10.4")
def test_two_bad_cartridges_in_a_row_in_one_drive_are_the_drives_fault_and_the_leg_waits(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3")
    house.backup("B1", 11)
    error = failed("tape_unavailable", house, faulty(house, Fault("write", 2, BAD, "A1"), Fault("write", 2, BAD, "A2")))
    assert "drive0" in error.message
    assert "Clean" in error.next_step
    assert list(suspects(house)) == ["A1"]
    still_protected(house, TapeState.QUEUED)
    house.copy()
    assert barcodes(house) == ["A2"]


def test_two_bad_cartridges_in_a_row_in_two_drives_are_both_suspect(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3")
    house.cartridges("Z1", pool="spare")
    house.backup("B1", 11)
    library = faulty(house, Fault("write", 2, BAD, "A1"), Fault("write", 2, BAD, "A2"))
    with ExitStack() as others:
        library.after["A1"] = lambda: others.enter_context(library.inner.load("Z1", "somebody else"))
        error = failed("suspect_cartridge", house, library)
    assert library.drives == [("A1", "drive0"), ("A2", "drive1")]
    assert error.details["barcode"] == "A2"
    assert list(suspects(house)) == ["A1", "A2"]
    still_protected(house, TapeState.FAILED)


def test_a_write_error_with_no_other_cartridge_is_named_and_the_disk_generation_stays(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    error = failed("suspect_cartridge", house, faulty(house, Fault("write", FIRST, BAD)))
    assert error.details["barcode"] == "A1"
    assert list(suspects(house)) == ["A1"]
    still_protected(house, TapeState.FAILED)
    house.cartridges("A2")
    house.copy()
    comes_back(house)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_drive_that_goes_offline_is_left_and_the_part_begun_anew_in_another(house: TapeHouse, at: int) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    library = faulty(house, Fault("put", at, LOST, "A1", offline=True))
    copied(house, library)
    assert library.drives == [("A1", "drive0"), ("A2", "drive1")]
    assert barcodes(house) == ["A2"]
    assert not suspects(house)
    library.repair()
    comes_back(house)


@pytest.mark.rule("R4.18")
@pytest.mark.parametrize("at", [HEADER, HEADER_MARK, SECOND, TRAILER, TRAILER_MARK, TRAILER_MARK + 3])
def test_where_no_other_cartridge_is_left_the_leg_waits_for_the_drive(house: TapeHouse, at: int) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    library = faulty(house, Fault("put", at, LOST, offline=True))
    error = failed("tape_unavailable", house, library)
    assert "drive0" in error.message
    assert "A1" in error.message
    assert not suspects(house)
    library.repair()
    still_protected(house, TapeState.QUEUED)
    copied(house, library)
    assert barcodes(house) == ["A1"]
    comes_back(house)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_drive_lost_while_a_cartridge_is_looked_at_is_left_for_another(house: TapeHouse, at: int) -> None:
    house.cartridges("A1", "A2")
    house.backup("B0", 12, age=1)
    house.copy()
    house.backup("B1", 11)
    library = faulty(house, Fault("any", at, LOST, "A1", offline=True))
    copied(house, library)
    assert barcodes(house) == ["A2"]
    assert not suspects(house)
    library.repair()
    comes_back(house)
    comes_back(house, "B0")


def test_a_pulled_cartridge_is_not_suspect_and_the_copy_goes_on_with_another(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", "A4", capacity=SMALL)
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("write", SECOND, pull(house.bed.library.path, "A2"), "A2")))
    assert barcodes(house) == ["A1", "A3", "A4"]
    assert not suspects(house)
    assert house.bed.library.inventory().slot("A2") is None
    comes_back(house)


def test_the_cartridge_of_a_finished_part_may_be_pulled_while_the_next_is_written(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", capacity=SMALL)
    house.backup("B1", 11)
    library = faulty(house)
    library.after["A1"] = lambda: (house.path / "library/A1").rename(house.path / "A1")
    copied(house, library)
    assert barcodes(house) == ["A1", "A2", "A3"]
    (house.path / "A1").rename(house.path / "library/A1")
    comes_back(house)


@pytest.mark.rule("R10.19")
@pytest.mark.parametrize("extra", [0, 1, 100_001, MIB // 2 - 1])
def test_an_end_of_medium_within_a_block_puts_the_whole_block_onto_the_next_cartridge(
    house: TapeHouse, extra: int
) -> None:
    house.cartridges("A1", "A2", "A3", capacity=SMALL + extra)
    house.backup("B1", 11)
    house.copy()
    assert len(barcodes(house)) > 1
    assert all(part.size % (MIB // 2) == 0 for part in house.tape("B1").parts)
    comes_back(house)


@pytest.mark.parametrize("at", [FIRST, SECOND])
@pytest.mark.parametrize("outcome", [WriteOutcome.EARLY_WARNING, WriteOutcome.END_OF_MEDIUM])
def test_a_cartridge_that_ends_early_is_full_and_its_block_goes_again_onto_the_next(
    house: TapeHouse, at: int, outcome: WriteOutcome
) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("put", at, outcome, "A1")))
    assert barcodes(house) == (["A2"] if at == FIRST else ["A1", "A2"])
    with house.catalog.read() as records:
        assert {one.barcode: one.full for one in records.cartridges()} == {"A1": True, "A2": False}
    assert not suspects(house)
    comes_back(house)


@pytest.mark.parametrize("at", [HEADER_MARK, DATA_MARK + 3, TRAILER + 3, TRAILER_MARK + 3])
def test_a_cartridge_that_ends_before_its_trailer_fits_is_suspect_and_the_part_begun_anew(
    house: TapeHouse, at: int
) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("put", at, WriteOutcome.END_OF_MEDIUM, "A1")))
    assert barcodes(house) == ["A2"]
    assert list(suspects(house)) == ["A1"]
    comes_back(house)


def test_a_cartridge_that_ends_in_the_middle_of_a_spanned_trailer_loses_that_part_only(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", "A4", capacity=SMALL)
    house.backup("B1", 11)
    copied(house, faulty(house, Fault("put", 7, WriteOutcome.END_OF_MEDIUM, "A2")))
    assert barcodes(house) == ["A1", "A3", "A4"]
    assert list(suspects(house)) == ["A2"]
    comes_back(house)


def test_write_protected_cartridges_are_passed_over_and_are_no_fault_of_the_drive(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3", "A4")
    house.backup("B1", 11)
    faults = [Fault("write", 1, WriteProtected(), barcode) for barcode in ("A1", "A2", "A3")]
    before = [house.bed.file(barcode, 0).read_bytes() for barcode in ("A1", "A2", "A3")]
    copied(house, faulty(house, *faults))
    assert barcodes(house) == ["A4"]
    assert [house.bed.file(barcode, 0).read_bytes() for barcode in ("A1", "A2", "A3")] == before
    assert set(suspects(house)) == {"A1", "A2", "A3"}
    assert "write-protected" in suspects(house)["A1"]
    comes_back(house)


@pytest.mark.rule("R4.25")
def test_another_cartridge_that_is_only_busy_is_waited_for(house: TapeHouse) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)
    library = faulty(house, Fault("write", FIRST, BAD, "A1"))
    with library.inner.load("A2", "somebody else"):
        failed("busy", house, library)
    assert list(suspects(house)) == ["A1"]
    still_protected(house, TapeState.QUEUED)
    house.copy()
    assert barcodes(house) == ["A2"]


def test_the_other_copy_is_written_all_the_same(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", "A3")
    house.backup("B1", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("B1", replace(house.tape("B1"), number=2))
    copied(house, faulty(house, Fault("write", FIRST, BAD, "A1")))
    first, second = ([part.barcode for part in copy.parts] for copy in house.get("B1").tape)
    assert (first, second) == (["A2"], ["A3"])
    assert all(copy.bytes_done == SIZE for copy in house.get("B1").tape)
