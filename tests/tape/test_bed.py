# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only a SCSI library has: drives by serial number, idle cartridges, slots, other processes; in the tape bed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteOutcome, WriteProtected
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.control import tell

MIB = 1 << 20
BARCODES = ["BED001L8", "BED002L8", "BED003L8"]
A, B, C = BARCODES
CLEANING = "CLN001L1"


@pytest.fixture
def library(tmp_path: Path) -> ScsiLibrary:
    tell(os.environ["BED_CONTROL"], "reset", cartridges={**dict.fromkeys(BARCODES, 16 * MIB), CLEANING: MIB})
    return ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], lock_dir=str(tmp_path / "locks"))


def bed(command: str, **options):
    return tell(os.environ["BED_CONTROL"], command, **options)


def refused(error_class: str, act, *args) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


def test_drives_are_found_by_serial_number_where_elements_and_devices_are_in_another_order(library) -> None:
    drives = library.inventory().drives
    assert [(drive.serial, drive.device) for drive in drives] == [
        ("BED0000002", "/dev/nst1"),
        ("BED0000001", "/dev/nst0"),
    ]
    for barcode in (A, B):
        with library.load(barcode, "me") as drive:
            assert drive.write_block(barcode.encode()) is WriteOutcome.WRITTEN
    for barcode in (A, B):
        assert Path(os.environ["BED_CARTRIDGES"], barcode, "00000").read_bytes() == barcode.encode()


def test_the_capacity_comes_from_the_cartridges_own_memory(library) -> None:
    with library.load(A, "me") as drive:
        assert drive.capacity == 16 * MIB


def test_a_cartridge_stays_in_its_drive_and_is_loadable_at_once(library) -> None:
    with library.load(A, "me"):
        pass
    assert library.inventory().slot(A).drive
    assert library.inventory().in_use == frozenset()
    with library.load(A, "you"):
        pass
    assert [barcode for barcode, _drive in bed("status")["loads"]] == [A]


def test_an_idle_cartridge_makes_room_and_goes_home(library) -> None:
    homes = {slot.barcode: slot.element for slot in library.inventory().slots}
    for barcode in (A, B, C):
        with library.load(barcode, "me") as drive:
            assert drive.barcode == barcode
    slots = library.inventory().slots
    assert sum(bool(slot.drive) for slot in slots) == 2
    assert {slot.barcode: slot.element for slot in slots} == homes


def test_a_cleaning_cartridge_is_shown_and_never_loaded(library) -> None:
    assert library.inventory().slot(CLEANING).cleaning
    refused("no_cartridge", lambda: library.load(CLEANING, "me").__enter__())
    assert bed("status")["loads"] == []


def test_an_idle_cartridge_is_exported_out_of_its_drive(library) -> None:
    with library.load(A, "me"):
        pass
    element = library.export_cartridge(A, "me")
    assert "import/export" in element
    assert library.inventory().slot(A).outside
    assert library.import_cartridge(A, "me") == library.inventory().slot(A).element


def test_no_free_import_export_slot_is_said(library) -> None:
    library.export_cartridge(A, "me")
    library.export_cartridge(B, "me")
    error = refused("tape_unavailable", library.export_cartridge, C, "me")
    assert "import/export" in error.message
    assert not library.inventory().slot(C).outside


def test_a_drive_that_another_program_holds_is_busy_and_the_other_one_serves(library) -> None:
    with library.load(A, "me"):
        pass
    device = next(one.device for one in library.inventory().drives if one.barcode == A)
    with subprocess.Popen(["sh", "-c", f"exec 3< {device}; echo; exec sleep 600"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            error = refused("busy", lambda: library.load(A, "me").__enter__())
            assert str(other.pid) in error.message
            with library.load(B, "me") as drive:
                assert drive.barcode == B
        finally:
            other.kill()
    with library.load(A, "me"):
        pass


def test_a_write_protected_cartridge_is_read_and_not_written(library) -> None:
    bed("protect", barcode=A)
    with library.load(A, "me") as drive, pytest.raises(WriteProtected):
        drive.write_block(b"no")


def test_a_cartridge_whose_barcode_cannot_be_read_is_counted(library) -> None:
    bed("unlabel", barcode=B)
    inventory = library.inventory()
    assert inventory.unreadable == 1
    assert inventory.slot(B) is None


def test_a_drive_that_is_offline_leaves_the_other_one(library) -> None:
    bed("offline", drive="drive2")
    for barcode in (A, B):
        with library.load(barcode, "me") as drive:
            assert drive.write_block(barcode.encode()) is WriteOutcome.WRITTEN


def test_only_the_named_drives_are_used(library, tmp_path: Path) -> None:
    one = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], ["/dev/nst0"], lock_dir=str(tmp_path / "locks"))
    with one.load(A, "me"):
        refused("busy", lambda: one.load(B, "you").__enter__())
    assert bed("status")["drives"] == {"drive1": A, "drive2": ""}
