# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failing media and drives under Linux's own st driver and mtx: the bed's target injects what goes wrong.

Runs in the tape bed only (make tape-test). The same rules as in tests/unit/.../tape/test_failing_media*.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import ensure_present
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.control import tell
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse

pytestmark = pytest.mark.skipif("BED_CONTROL" not in os.environ, reason="needs the tape bed with its own target")

A, B, C = "BED001L8", "BED002L8", "BED003L8"
WRITE_ERROR, READ_ERROR = [3, 0x0C, 0], [3, 0x11, 0]
WANTED = Wanted(volume="oradata", confirm="oradata")
#: A cartridge whose early warning comes behind its label and two blocks of data.
SMALL, SMALL_WARNING = 3 * MIB, 3 * MIB // 2


def bed(order: str, /, **options: Any) -> Any:
    return tell(os.environ["BED_CONTROL"], order, **options)


def tape_file(barcode: str, number: int) -> Path:
    return Path(os.environ["BED_CARTRIDGES"], barcode, f"{number:05d}")


class House(TapeHouse):
    """A tape server with the bed's library."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.library = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], lock_dir=str(path / "locks"))
        self.desk = replace(self.desk, library=self.library)
        self.backup("B1", 11)

    def stock(self, *barcodes: str, capacity: int = 64 * MIB, early_warning: int = 2 * MIB) -> None:
        """Begin with these cartridges, labelled."""
        bed("reset", cartridges=dict.fromkeys(barcodes, capacity), early_warning=early_warning)
        ensure_present(self.context(), self.library, barcodes, "weekly", force=False)
        self.put_away()

    def put_away(self) -> None:
        """Bring every cartridge into a slot: what lies in a drive would be taken first, and hands do not reach it."""
        for barcode in filter(None, bed("status")["drives"].values()):
            self.library.export_cartridge(barcode, "test")
            self.library.import_cartridge(barcode, "test")

    def with_faults(self, *faults: Fault) -> Any:
        return replace(self.desk, library=FaultyLibrary(self.library, *faults))

    def two_copies(self) -> None:
        """Two written copies of B1: on A and on B."""
        with self.catalog.begin() as records:
            records.put_tape_copy("B1", TapeCopy(2, TapeState.QUEUED, "weekly", START, bytes_total=SIZE))
        self.copy()
        assert self.on() == [[A], [B]]

    def on(self) -> list[list[str]]:
        return [[part.barcode for part in copy.parts] for copy in self.get("B1").tape]

    def suspects(self) -> list[str]:
        with self.catalog.read() as records:
            return [one.barcode for one in records.cartridges() if one.suspect]

    def comes_back(self) -> int:
        """Restore, compare every byte, and return which copy was read."""
        done = restore(self.context(), self.desk, WANTED)
        assert self.file(1).read_bytes() == self.contents["B1"]
        return done.copy.number


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("template"))


@pytest.fixture
def house(template: House, tmp_path: Path) -> Iterator[House]:
    house = template.clone(tmp_path)
    assert isinstance(house, House)
    house.library = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], lock_dir=str(tmp_path / "locks"))
    house.desk = replace(house.desk, library=house.library)
    try:
        yield house
    finally:
        bed("heal")
        for name in bed("status")["drives"]:
            bed("online", drive=name)


def failed(error_class: str, act: Callable[..., Any], *args: Any, **params: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args, **params)
    assert caught.value.error_class.value == error_class, caught.value.message
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(("command", "skip"), [("write", 0), ("write", 4), ("write", 7), ("filemarks", 2)])
def test_after_a_write_error_the_cartridge_is_suspect_and_the_copy_goes_on_with_another(
    house: House, command: str, skip: int
) -> None:
    house.stock(A, B)
    bed("fault", command=command, sense=WRITE_ERROR, barcode=A, skip=skip)
    house.copy()
    assert house.on() == [[B]]
    assert house.suspects() == [A]
    house.comes_back()


def test_a_write_error_in_the_second_part_leaves_the_first_as_it_is(house: House) -> None:
    house.stock(A, B, C, capacity=SMALL, early_warning=SMALL_WARNING)
    bed("fault", command="write", sense=WRITE_ERROR, barcode=B, skip=1)
    house.copy()
    assert house.on() == [[A, C]]
    assert house.suspects() == [B]
    house.comes_back()


def test_two_bad_cartridges_in_a_row_in_one_drive_are_the_drives_fault_and_the_leg_waits(house: House) -> None:
    house.stock(A, B)
    device = house.library.inventory().drives[0].device
    only = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], [device], lock_dir=str(house.path / "locks"))
    for barcode in (A, B):
        bed("fault", command="write", sense=WRITE_ERROR, barcode=barcode, skip=2)
    error = failed("tape_unavailable", house.copy, desk=replace(house.desk, library=only))
    assert "one after the other" in error.message
    assert house.suspects() == [A]
    assert house.tape("B1").state is TapeState.QUEUED


def test_a_write_error_with_no_other_cartridge_is_named_and_the_disk_generation_stays(house: House) -> None:
    house.stock(A)
    bed("fault", command="write", sense=WRITE_ERROR, barcode=A, skip=2)
    assert failed("suspect_cartridge", house.copy).details["barcode"] == A
    assert house.tape("B1").state is TapeState.FAILED
    assert house.get("B1").good_on_disk


@pytest.mark.parametrize("skip", [0, 7])
def test_a_read_error_is_a_suspect_cartridge_and_the_other_copy_is_restored(house: House, skip: int) -> None:
    house.stock(A, B)
    house.two_copies()
    bed("fault", command="read", sense=READ_ERROR, barcode=A, skip=skip, times=50)
    failed("suspect_cartridge", house.copy, verify=True)
    assert [copy.verified_ok for copy in house.get("B1").tape] == [False, True]
    assert house.suspects() == [A]
    assert house.comes_back() == 2


def test_a_read_error_in_a_restore_goes_on_with_the_other_copy(house: House) -> None:
    house.stock(A, B)
    house.two_copies()
    bed("fault", command="read", sense=READ_ERROR, barcode=A, skip=5, times=50)
    assert house.comes_back() == 2
    assert house.suspects() == [A]


def test_a_drive_that_cannot_locate_is_positioned_by_file_number(house: House) -> None:
    house.stock(A)
    house.copy()
    bed("fault", command="locate", sense=[5, 0x20, 0], times=50)
    house.copy(verify=True)
    assert house.tape("B1").verified_ok is True
    assert not house.suspects()


def test_a_cartridge_that_is_pulled_while_it_is_written_is_not_suspect_and_another_goes_on(house: House) -> None:
    house.stock(A, B)
    house.copy(desk=house.with_faults(Fault("write", 4, lambda: bed("pull", barcode=A), A)))
    assert house.on() == [[B]]
    assert not house.suspects()
    assert house.library.inventory().slot(A) is None
    house.comes_back()


def test_a_cartridge_that_is_pulled_while_it_is_read_refutes_nothing(house: House) -> None:
    house.stock(A, B)
    house.two_copies()
    desk = house.with_faults(Fault("read", 5, lambda: bed("pull", barcode=A), A))
    failed("tape_unavailable", house.copy, desk=desk, verify=True)
    assert [copy.verified_ok for copy in house.get("B1").tape] == [None, True]
    assert not house.suspects()
    assert house.comes_back() == 2


def drive_of(barcode: str) -> str:
    return next(name for name, inside in bed("status")["drives"].items() if inside == barcode)


def test_a_drive_that_goes_offline_is_left_and_the_copy_goes_on_in_the_other(house: House) -> None:
    house.stock(A, B)
    house.copy(desk=house.with_faults(Fault("write", 4, lambda: bed("offline", drive=drive_of(A)), A)))
    assert house.on() == [[B]]
    assert not house.suspects()
    house.comes_back()
    assert [drive.problem != "" for drive in house.library.inventory().drives].count(True) == 1


def test_where_no_other_cartridge_is_left_the_leg_waits_until_the_drive_is_back(house: House) -> None:
    house.stock(A)
    desk = house.with_faults(Fault("write", 4, lambda: bed("offline", drive=drive_of(A)), A))
    failed("tape_unavailable", house.copy, desk=desk)
    assert house.tape("B1").state is TapeState.QUEUED
    assert not house.suspects()
    bed("online", drive=drive_of(A))
    house.copy()
    assert house.on() == [[A]]
    house.comes_back()


def test_a_drive_that_goes_offline_while_it_is_read_refutes_nothing(house: House) -> None:
    house.stock(A, B)
    house.two_copies()
    desk = house.with_faults(Fault("read", 5, lambda: bed("offline", drive=drive_of(A)), A))
    failed("tape_unavailable", house.copy, desk=desk, verify=True)
    assert [copy.verified_ok for copy in house.get("B1").tape] == [None, True]
    assert not house.suspects()


def test_the_wrong_cartridge_in_a_slot_is_never_written_and_never_taken_for_the_other(house: House) -> None:
    house.stock(A, B, C)
    before = tape_file(A, 0).read_bytes()
    bed("swap", first=A, second=B)
    house.copy()
    assert house.on() == [[C]]
    assert house.suspects() == [A, B]
    assert tape_file(B, 0).read_bytes() == before
    assert not tape_file(A, 1).exists()


def test_the_wrong_cartridge_in_a_slot_is_not_read_as_the_other(house: House) -> None:
    house.stock(A, B)
    house.copy()
    house.put_away()
    bed("swap", first=A, second=B)
    error = failed("foreign_cartridge", house.copy, verify=True)
    assert f"its label says {B}" in error.message
    assert house.suspects() == [A]
    house.put_away()
    bed("swap", first=A, second=B)
    house.copy(verify=True)
    house.comes_back()


@pytest.mark.parametrize(
    ("number", "error_class"),
    [(0, "suspect_cartridge"), (1, "suspect_cartridge"), (2, "checksum_mismatch"), (3, "suspect_cartridge")],
    ids=["label", "header", "data", "trailer"],
)
def test_a_flipped_bit_on_the_medium_is_named_and_the_other_copy_is_restored(
    house: House, number: int, error_class: str
) -> None:
    house.stock(A, B)
    house.two_copies()
    flip(tape_file(A, number), 30)
    failed(error_class, house.copy, verify=True)
    assert [copy.verified_ok for copy in house.get("B1").tape] == [False, True]
    assert house.suspects() == [A]
    assert house.comes_back() == 2


@pytest.mark.parametrize("left", [0, SIZE - 1])
def test_a_truncated_image_is_a_suspect_cartridge_and_the_other_copy_is_restored(house: House, left: int) -> None:
    house.stock(A, B)
    house.two_copies()
    os.truncate(tape_file(A, 2), left)
    failed("suspect_cartridge", house.copy, verify=True)
    assert house.suspects() == [A]
    assert house.comes_back() == 2


@pytest.mark.parametrize("extra", [0, 100_001])
def test_an_end_of_medium_within_a_block_puts_the_whole_block_onto_the_next_cartridge(house: House, extra: int) -> None:
    house.stock(A, B, C, capacity=SMALL + extra, early_warning=SMALL_WARNING)
    house.copy(verify=True)
    assert len(house.on()[0]) > 1
    assert all(part.size % (MIB // 2) == 0 for part in house.tape("B1").parts)
    for part in house.tape("B1").parts:
        assert tape_file(part.barcode, part.data_file).stat().st_size == part.size
    assert not house.suspects()
    house.comes_back()


def test_a_cartridge_that_ends_without_room_for_a_trailer_is_suspect_and_the_part_begun_anew(house: House) -> None:
    label, blocks, header_and_not_a_trailer_too = MIB // 16, 3 * MIB // 2, 1500
    house.stock(A, capacity=label + blocks + header_and_not_a_trailer_too, early_warning=0)
    bed("insert", barcode=B, capacity=64 * MIB)
    ensure_present(house.context(), house.library, [B], "weekly", force=False)
    house.put_away()
    house.copy()
    assert house.on() == [[B]]
    assert house.suspects() == [A]
    house.comes_back()


def test_a_write_protected_cartridge_is_passed_over_and_can_still_be_read(house: House) -> None:
    house.stock(A, B)
    house.copy()
    house.put_away()
    bed("protect", barcode=A)
    house.backup("B2", 12)
    house.copy(backups=["B2"])
    assert [part.barcode for part in house.tape("B2").parts] == [B]
    assert house.suspects() == [A]
    house.copy(backups=["B1"], verify=True)
    assert house.tape("B1").verified_ok is True


def test_a_label_of_a_newer_version_and_a_foreign_tape_are_never_written(house: House) -> None:
    house.stock(A, B, C)
    label = tape_file(A, 0).read_bytes()
    tape_file(A, 0).write_bytes(label.replace(b"LABEL 1\n", b"LABEL 7\n", 1))
    tape_file(B, 0).write_bytes(b"VOL1 of another software".ljust(len(label)))
    before = [tape_file(barcode, 0).read_bytes() for barcode in (A, B)]
    house.copy()
    assert house.on() == [[C]]
    assert [tape_file(barcode, 0).read_bytes() for barcode in (A, B)] == before
    assert house.suspects() == [A, B]


def test_a_foreign_tape_is_overwritten_only_by_force(house: House) -> None:
    house.stock(A)
    with house.library.load(A, "test") as drive:
        drive.position_file(0)
        drive.write_block(b"VOL1 of another software")
        drive.write_filemark(synchronous=True)
    bed("insert", barcode=B, capacity=64 * MIB)
    with house.library.load(B, "test") as drive:
        drive.write_block(b"VOL1 of another software")
        drive.write_filemark(synchronous=True)
    before = tape_file(A, 0).read_bytes()
    failed("foreign_cartridge", ensure_present, house.context(), house.library, [B], "weekly", force=False)
    assert tape_file(B, 0).read_bytes() == before
    ensure_present(house.context(), house.library, [B], "weekly", force=True)
    house.put_away()
    house.copy()
    assert house.suspects() == [A]
    assert tape_file(A, 0).read_bytes() == before
    assert house.on() == [[B]]
    house.comes_back()
