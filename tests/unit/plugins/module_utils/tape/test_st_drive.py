# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive as the st driver shows it: what its errors mean (tape.md, How the real st driver behaves)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape import st_ioctl
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Blank, read_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    DriveLost,
    EndOfData,
    MediumError,
    Position,
    WriteOutcome,
    WriteProtected,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.st_drive import StDrive
from ansible_collections.eternus.backup.tests.unit.support.st_host import StHost

BLOCK = 512 * 1024
BUFFER = memoryview(bytearray(BLOCK))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StHost:
    host = StHost(tmp_path, monkeypatch)
    host.reset("A1", "A2", early_warning=2 << 20)
    return host


@pytest.fixture
def drive(host: StHost) -> Iterator[StDrive]:
    with host.scsi().load("A1", "me") as drive:
        yield drive


@pytest.fixture
def stranger(host: StHost) -> Iterator[StDrive]:
    """A drive that can neither locate nor tell where it is, and gives zeros behind the end."""
    for driver in host.drivers.values():
        driver.stranger = True
    with host.scsi().load("A1", "me") as drive:
        yield drive


@pytest.fixture(params=["drive", "stranger"])
def either(request: pytest.FixtureRequest) -> StDrive:
    return request.getfixturevalue(request.param)


def write(drive: StDrive, *files: tuple[int, ...]) -> None:
    for blocks in files:
        for size in blocks:
            assert drive.write_block(bytes([size % 251]) * size) is WriteOutcome.WRITTEN
        drive.write_filemark(synchronous=False)


def read(drive: StDrive) -> list[int]:
    """Read to the end of the file."""
    sizes = []
    while size := drive.read_block(BUFFER):
        sizes.append(size)
    return sizes


def test_the_requests_are_those_of_the_kernels_header() -> None:
    assert (st_ioctl.MTIOCTOP, st_ioctl.MTIOCGET, st_ioctl.MTIOCPOS) == (0x40086D01, 0x80306D02, 0x80086D03)


def test_a_new_cartridge_is_blank_and_reading_it_is_the_end_of_data(either: StDrive) -> None:
    for _turn in range(2):
        with pytest.raises(EndOfData):
            either.read_block(BUFFER)
        assert either.end_of_data().file == 0
        either.position_file(0)
    assert isinstance(read_label(either), Blank)


def test_a_tape_that_begins_with_filemarks_is_not_blank_and_therefore_foreign(either: StDrive) -> None:
    write(either, (), (), (100,))
    with pytest.raises(BackupError) as caught:
        read_label(either)
    assert caught.value.error_class.value == "foreign_cartridge"


def test_files_are_found_by_number_from_wherever_the_drive_stands(either: StDrive) -> None:
    write(either, (BLOCK, 7), (3,), (), (BLOCK,), (5, 5))
    expected = [[BLOCK, 7], [3], [], [BLOCK], [5, 5]]
    for number in (4, 3, 0, 2, 1, 1, 4, 0):
        either.position_file(number)
        assert either.position().file == number
        assert read(either) == expected[number]
    assert either.end_of_data().file == 5
    either.position_file(5)
    for number in (6, 99):
        with pytest.raises(EndOfData):
            either.position_file(number)
    either.position_file(1)
    assert read(either) == [3]


def test_behind_the_last_record_is_the_end_of_data_each_time_one_reads(either: StDrive) -> None:
    write(either, (100,))
    for _turn in range(2):
        with pytest.raises(EndOfData):
            either.read_block(BUFFER)
    either.position_file(0)
    assert read(either) == [100]
    for _turn in range(3):
        with pytest.raises(EndOfData):
            either.read_block(BUFFER)
    assert either.end_of_data().file == 1


def test_appending_goes_on_behind_the_last_record(either: StDrive) -> None:
    write(either, (100,), (200,))
    assert either.end_of_data().file == 2
    write(either, (300,))
    assert either.end_of_data().file == 3
    either.position_file(2)
    assert read(either) == [300]


def test_a_drive_that_knows_no_block_numbers_says_so_and_its_files_can_be_counted(stranger: StDrive) -> None:
    write(stranger, (100,))
    assert stranger.position() == Position(1, -1)
    with pytest.raises(MediumError, match="no block numbers"):
        stranger.seek_block(1)
    stranger.position_file(0)
    assert stranger.position() == Position(0, 0)


def test_blocks_are_found_by_number_and_what_is_not_recorded_is_the_end_of_data(drive: StDrive) -> None:
    write(drive, (10, 20), (30, 40))
    assert drive.position() == Position(2, 6)
    drive.seek_block(4, 1)
    assert drive.position() == Position(1, 4)
    assert drive.read_block(BUFFER) == 40
    assert drive.read_block(BUFFER) == 0
    with pytest.raises(EndOfData):
        drive.read_block(BUFFER)
    with pytest.raises(EndOfData):
        drive.seek_block(7)
    drive.seek_block(1)
    assert drive.position() == Position(-1, 1)
    assert read(drive) == [20]
    drive.position_file(1)
    assert read(drive) == [30, 40]
    drive.seek_block(2, 0)
    assert drive.end_of_data() == Position(2, 6)


def test_the_early_warning_is_told_once_without_the_block_and_a_trailer_still_fits(drive: StDrive) -> None:
    outcomes = []
    while (outcome := drive.write_block(bytes(BLOCK))) is not WriteOutcome.END_OF_MEDIUM:
        outcomes.append(outcome)
    assert outcomes.count(WriteOutcome.EARLY_WARNING) == 1
    assert outcomes.index(WriteOutcome.EARLY_WARNING) == 13
    assert len(outcomes) == 17
    assert drive.write_filemark(synchronous=True) is WriteOutcome.WRITTEN
    assert drive.end_of_data() == Position(1, 17)


def test_a_small_buffer_is_an_error_that_says_so(drive: StDrive) -> None:
    write(drive, (1000,))
    drive.position_file(0)
    with pytest.raises(MediumError, match="does not fit into 10 bytes"):
        drive.read_block(memoryview(bytearray(10)))


@pytest.mark.parametrize("command", ["write", "filemarks"])
def test_a_write_error_is_of_the_medium(host: StHost, drive: StDrive, command: str) -> None:
    host.library.fault(command, [3, 0x0C, 0])
    with pytest.raises(MediumError, match="Input/output error"):
        write(drive, (100,))


def test_a_read_error_is_of_the_medium_and_not_the_end_of_data(host: StHost, drive: StDrive) -> None:
    write(drive, (100,), (100,))
    drive.position_file(0)
    host.library.fault("read", [3, 0x11, 0])
    with pytest.raises(MediumError):
        drive.read_block(BUFFER)
    drive.position_file(1)
    assert read(drive) == [100]


@pytest.mark.parametrize("command", ["space", "locate", "rewind"])
def test_a_tape_that_cannot_be_positioned_is_a_medium_error(host: StHost, drive: StDrive, command: str) -> None:
    write(drive, (100,), (100,), (100,))
    host.library.fault(command, [3, 0x11, 0], times=9)
    acts = {"space": lambda: drive.position_file(2), "locate": lambda: drive.seek_block(2), "rewind": drive.rewind}
    with pytest.raises(MediumError):
        acts[command]()
    host.library.heal()
    drive.position_file(1)
    assert read(drive) == [100]


def test_a_drive_that_miscounts_its_files_is_not_believed(host: StHost, drive: StDrive) -> None:
    write(drive, (100,))
    host.library.fault("space", [3, 0x11, 0])
    with pytest.raises(MediumError, match="lost count"):
        drive.end_of_data()
    drive.position_file(0)
    assert drive.end_of_data() == Position(1, 2)


def act_of(drive: StDrive, name: str) -> None:
    write(drive, (100,)) if name == "write" else drive.position_file(0) if name == "rewind" else read(drive)


@pytest.mark.parametrize("name", ["write", "read", "rewind"])
@pytest.mark.parametrize("how", ["pulled", "offline"])
def test_a_drive_without_its_cartridge_is_lost_and_nothing_is_said_of_the_medium(
    host: StHost, drive: StDrive, name: str, how: str
) -> None:
    write(drive, (100,), (100,))
    drive.position_file(1)
    if how == "pulled":
        host.library.pull("A1")
    else:
        host.library.offline("drive2")
    with pytest.raises(DriveLost):
        act_of(drive, name)


def test_a_drive_that_was_reset_has_lost_its_place(host: StHost, drive: StDrive) -> None:
    write(drive, (100,), (100,))
    unit = host.library.drives[1]
    assert unit.medium is not None
    unit.medium.go(0, 0)
    unit.attend((0x29, 0))
    with pytest.raises(DriveLost, match="beginning"):
        write(drive, (100,))


def test_a_write_protected_cartridge_can_be_read_and_says_so_when_written(host: StHost) -> None:
    with host.scsi().load("A1", "me") as drive:
        write(drive, (100,))
    host.scsi().export_cartridge("A1", "me")
    host.library.protect("A1")
    host.scsi().import_cartridge("A1", "me")
    with host.scsi().load("A1", "me") as drive:
        assert read(drive) == [100]
        with pytest.raises(WriteProtected, match="write-protected"):
            drive.write_block(b"x")
        with pytest.raises(WriteProtected):
            drive.write_filemark(synchronous=True)


def test_a_descriptor_that_is_gone_is_a_lost_drive(host: StHost) -> None:
    with host.scsi().load("A1", "me") as drive:
        os.close(max(host.opened))
        with pytest.raises(DriveLost):
            drive.write_block(b"x")
        os.open(os.devnull, os.O_RDONLY)  # the library closes the number once more
