# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with a directory means what it would mean with a drive (tape.md, Two backends)."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import read_contents, write_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Drive,
    DriveLost,
    MediumError,
    WriteProtected,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, NOW, SOURCE, Bed, noise

SIZE = 3 * MIB


@pytest.fixture
def bed(plain: Bed) -> Bed:
    plain.volume(SOURCE, noise(SIZE))
    plain.cartridges("A1")
    plain.write(SIZE, "A1")
    return plain


def protect(bed: Bed, barcode: str) -> None:
    file = bed.file(barcode, 0).parent / "cartridge.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "write_protected": True}))


WRITES: dict[str, Callable[[Drive], object]] = {
    "block": lambda drive: drive.write_block(b"x"),
    "mark": lambda drive: drive.write_filemark(synchronous=True),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_protected_cartridge_is_read_and_never_written(bed: Bed, write: Callable[[Drive], object]) -> None:
    protect(bed, "A1")
    before = [bed.file("A1", number).read_bytes() for number in range(4)]
    with bed.load("A1") as drive:
        drive.position_file(1)
        with pytest.raises(WriteProtected, match="write-protected"):
            write(drive)
    assert [bed.file("A1", number).read_bytes() for number in range(4)] == before
    assert len(bed.contents("A1").entries) == 1


def test_a_write_protected_cartridge_gets_no_label(bed: Bed) -> None:
    protect(bed, "A1")
    with bed.load("A1") as drive, pytest.raises(BackupError, match="write-protected") as caught:
        write_label(drive, Label("A1", "new", "weekly", NOW))
    assert caught.value.error_class.value == "suspect_cartridge"
    assert bed.contents("A1").label.uuid == "uuid-A1"


@contextmanager
def without_root() -> Iterator[None]:
    """Be nobody for a while: root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_cartridge_without_the_right_to_write_is_write_protected(bed: Bed) -> None:
    bed.file("A1", 2).chmod(0o444)
    bed.file("A1", 2).parent.chmod(0o755)
    with bed.load("A1") as drive:
        drive.position_file(2)
        with without_root():
            with pytest.raises(WriteProtected):
                drive.write_block(b"x")
            assert drive.read_block(memoryview(bytearray(MIB))) == MIB // 2


def test_a_cartridge_that_is_removed_while_in_use_is_a_lost_drive_and_no_bad_medium(bed: Bed) -> None:
    with bed.load("A1") as drive:
        shutil.rmtree(bed.file("A1", 0).parent)
        buffer = memoryview(bytearray(MIB))
        for act in (
            lambda: drive.read_block(buffer),
            drive.end_of_data,
            lambda: drive.seek_block(9),
            lambda: drive.write_block(b"x"),
            lambda: drive.write_filemark(synchronous=True),
        ):
            with pytest.raises(DriveLost):
                act()
        with pytest.raises(BackupError) as caught:
            read_contents(drive)
    assert caught.value.error_class.value == "tape_unavailable"
    assert not [one for one in bed.library.inventory().drives if one.owner]


def test_a_tape_file_that_is_missing_is_a_bad_medium(bed: Bed) -> None:
    bed.file("A1", 2).unlink()
    with bed.load("A1") as drive:
        drive.position_file(2)
        assert drive.read_block(memoryview(bytearray(MIB))) == 0  # nothing between two marks


def test_a_tape_file_that_is_a_directory_is_a_bad_medium(bed: Bed) -> None:
    bed.file("A1", 2).unlink()
    bed.file("A1", 2).mkdir()
    with bed.load("A1") as drive:
        drive.position_file(2)
        with pytest.raises(MediumError):
            drive.read_block(memoryview(bytearray(MIB)))
        with pytest.raises(MediumError):
            drive.write_block(b"x")


def test_a_file_system_without_room_is_a_lost_drive_and_what_was_whole_stays(bed: Bed) -> None:
    """A limit of this process stands for the full file system: the write is refused in the same place."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
        try:
            bed.write(SIZE, "A1", backup_id="B2")
        except BackupError as error:
            os._exit(0 if error.error_class.value == "tape_unavailable" else 1)
        os._exit(2)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert [entry.header.backup_id for entry in bed.contents("A1").entries] == ["B1"]
    bed.write(SIZE, "A1", backup_id="B2")
    assert [entry.header.backup_id for entry in bed.contents("A1").entries] == ["B1", "B2"]


@pytest.mark.parametrize(
    "spoilt", ["", "{", "[]", '{"barcode": "A1"}', '{"barcode": "A2", "capacity": 1, "early_warning": 1}', "null"]
)
def test_a_cartridge_whose_description_is_damaged_is_suspect_and_the_library_goes_on(
    bed: Bed, tmp_path: Path, spoilt: str
) -> None:
    bed.cartridges("A2")
    (tmp_path / "library/A1/cartridge.json").write_text(spoilt)
    with pytest.raises(BackupError) as caught, bed.load("A1"):
        pass
    assert caught.value.error_class.value == "suspect_cartridge"
    assert [slot.barcode for slot in VirtualLibrary(bed.library.path).inventory().slots] == ["A1", "A2"]
    with bed.load("A2") as drive:
        assert drive.barcode == "A2"


def test_a_directory_without_a_description_is_a_foreign_cartridge(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "library/X1").mkdir()
    with pytest.raises(BackupError) as caught, bed.load("X1"):
        pass
    assert caught.value.error_class.value == "foreign_cartridge"
    assert caught.value.details["barcode"] == "X1"
    assert bed.contents("A1").entries


def test_swapped_cartridges_are_told_by_name(bed: Bed, tmp_path: Path) -> None:
    bed.cartridges("A2")
    library = tmp_path / "library"
    for old, new in (("A1", "aside"), ("A2", "A1"), ("aside", "A2")):
        (library / old).rename(library / new)
    with pytest.raises(BackupError) as caught, bed.load("A1"):
        pass
    assert caught.value.error_class.value == "suspect_cartridge"
    assert "holds cartridge A2" in caught.value.message
    assert [slot.barcode for slot in bed.library.inventory().slots] == ["A1", "A2"]
