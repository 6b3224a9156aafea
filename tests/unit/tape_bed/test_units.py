# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives and changer of the tape bed answer as SSC and SMC say, command by command."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._tape import scsi_sg
from ansible_collections.eternus.backup.tests.tape_bed.changer import DRIVES, OUTSIDE, STORAGE
from ansible_collections.eternus.backup.tests.tape_bed.drive import Drive
from ansible_collections.eternus.backup.tests.tape_bed.library import MIB, Library
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check

NOTHING = memoryview(b"")
BLOCK = 256 * 1024


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path / "cartridges")
    library.reset({"A1": 2 * MIB, "A2": 2 * MIB, "CLN001L1": MIB}, early_warning=MIB)
    library.changer.attentions.clear()
    return library


@pytest.fixture
def drive(library: Library) -> Drive:
    """Drive 1 with cartridge A1."""
    move(library, STORAGE, DRIVES + 1)
    library.drives[0].attentions.clear()
    return library.drives[0]


def move(library: Library, source: int, target: int) -> None:
    library.changer.execute(struct.pack(">BxHHH4x", 0xA5, 1, source, target), NOTHING)


def sense_of(act, *args) -> tuple[int, int, int, int]:
    """Return key, codes and residue of a command that does not go as asked."""
    with pytest.raises(Check) as caught:
        act(*args)
    sense = caught.value.sense
    assert len(sense) == 18
    assert sense[0] == 0xF0
    return sense[2] & 0x0F, sense[12], sense[13], int.from_bytes(sense[3:7], "big", signed=True)


def six(code: int, count: int = 0, flags: int = 0) -> bytes:
    return bytes([code, flags]) + (count & 0xFFFFFF).to_bytes(3, "big") + b"\0"


def write(drive: Drive, data: bytes) -> None:
    drive.execute(six(0x0A, len(data)), memoryview(data))


def read(drive: Drive, length: int) -> bytes:
    return drive.execute(six(0x08, length), NOTHING)


def test_drives_are_in_another_order_than_their_elements_and_only_serial_numbers_tell(library: Library) -> None:
    command = bytes([0xB8, 4, 0, 0, 0xFF, 0xFF, 1, 0, 0xFF, 0xFF, 0, 0])
    elements = dict(scsi_sg.parse_elements(library.changer.execute(command, NOTHING)))
    serials = {
        one: scsi_sg.serial_of(one.execute(bytes([0x12, 1, 0x80, 0, 252, 0]), NOTHING)) for one in library.drives
    }
    assert elements[DRIVES].means(serials[library.drives[1]])
    assert elements[DRIVES + 1].means(serials[library.drives[0]])
    assert not elements[DRIVES].means(serials[library.drives[0]])


def test_a_loaded_cartridge_can_be_taken_out_only_when_ejected(library: Library, drive: Drive) -> None:
    assert sense_of(move, library, DRIVES + 1, STORAGE)[:3] == (5, 0x53, 0x02)
    drive.execute(six(0x1B), NOTHING)
    assert sense_of(drive.execute, six(0x00), NOTHING)[:3] == (2, 0x3A, 0)
    move(library, DRIVES + 1, OUTSIDE)
    assert library.status()["slots"][str(OUTSIDE)] == "A1"


def test_moves_that_make_no_sense_are_refused(library: Library, drive: Drive) -> None:
    assert sense_of(move, library, STORAGE, OUTSIDE)[:3] == (5, 0x3B, 0x0E)
    assert sense_of(move, library, STORAGE + 1, DRIVES + 1)[:3] == (5, 0x3B, 0x0D)
    assert sense_of(move, library, 9999, OUTSIDE)[:3] == (5, 0x21, 0x01)


def test_the_first_command_after_a_load_is_a_unit_attention(library: Library) -> None:
    move(library, STORAGE, DRIVES)
    assert sense_of(library.drives[1].execute, six(0x00), NOTHING)[:3] == (6, 0x28, 0)
    assert library.drives[1].execute(six(0x00), NOTHING) == b""


def test_a_cleaning_cartridge_makes_no_drive_ready(library: Library) -> None:
    move(library, STORAGE + 2, DRIVES)
    library.drives[1].attentions.clear()
    assert sense_of(library.drives[1].execute, six(0x00), NOTHING)[:3] == (2, 0x30, 0x03)


def test_blocks_filemarks_and_the_end_of_data_are_told_apart(drive: Drive) -> None:
    for data in (b"a" * 100, b"b" * 50):
        write(drive, data)
    drive.execute(six(0x10, 1), NOTHING)
    drive.execute(six(0x01), NOTHING)
    assert sense_of(read, drive, 200) == (0, 0, 0, 100)  # too long a buffer: the residue
    assert sense_of(read, drive, 20) == (0, 0, 0, -30)  # too short a one
    assert sense_of(read, drive, 20) == (0, 0, 1, 20)
    assert sense_of(read, drive, 20) == (8, 0, 5, 20)


def test_spacing_over_filemarks_tells_what_was_left(drive: Drive) -> None:
    for _turn in range(3):
        write(drive, b"x")
        drive.execute(six(0x10, 1), NOTHING)
    assert sense_of(drive.execute, six(0x11, -5, 1), NOTHING) == (0, 0, 4, 2)
    assert sense_of(drive.execute, six(0x11, 0x7FFFFF, 1), NOTHING) == (8, 0, 5, 0x7FFFFF - 3)
    drive.execute(six(0x11, -1, 1), NOTHING)
    assert drive.execute(bytes([0x34]) + bytes(9), NOTHING)[4:8] == (5).to_bytes(4, "big")


def test_locate_and_position_agree(drive: Drive) -> None:
    for _turn in range(2):
        write(drive, b"x")
        drive.execute(six(0x10, 1), NOTHING)
    for place in (4, 2, 0):
        drive.execute(bytes([0x2B, 0, 0]) + place.to_bytes(4, "big") + bytes(3), NOTHING)
        answer = drive.execute(bytes([0x34]) + bytes(9), NOTHING)
        assert len(answer) == 20
        assert int.from_bytes(answer[4:8], "big") == place
        assert bool(answer[0] & 0x80) == (place == 0)
    assert sense_of(drive.execute, bytes([0x2B, 0, 0, 0, 0, 0, 9, 0, 0, 0]), NOTHING)[:3] == (8, 0, 5)


def test_the_early_warning_comes_with_a_block_that_was_written_and_then_nothing_fits(drive: Drive) -> None:
    block = bytes(BLOCK)
    for _turn in range(4):
        write(drive, block)
    for _turn in range(4):
        assert sense_of(write, drive, block)[:3] == (0, 0, 2)
    assert drive.medium is not None
    assert drive.medium.used() == 8 * BLOCK
    assert sense_of(write, drive, block) == (13, 0, 2, BLOCK)


def test_a_write_protected_cartridge_is_only_read(library: Library) -> None:
    library.protect("A1")
    move(library, STORAGE, DRIVES + 1)
    drive = library.drives[0]
    drive.attentions.clear()
    assert sense_of(write, drive, b"x")[:3] == (7, 0x27, 0)
    assert drive.execute(bytes([0x1A, 8, 0x3F, 0, 255, 0]), NOTHING)[2] & 0x80


def test_the_cartridges_memory_tells_its_capacity(drive: Drive) -> None:
    command = bytes([0x8C]) + bytes(9) + (0x1000).to_bytes(4, "big") + b"\0\0"
    assert scsi_sg.parse_capacity(drive.execute(command, NOTHING)) == 2 * MIB


def test_a_fault_happens_where_it_was_asked_for(library: Library, drive: Drive) -> None:
    library.fault("write", [3, 0x0C, 0], barcode="A1", skip=1)
    library.fault("write", [3, 0x0C, 0], barcode="A2")
    write(drive, b"x")
    assert sense_of(write, drive, b"x")[:3] == (3, 0x0C, 0)
    write(drive, b"x")


def test_what_hands_do_is_seen_by_drives_and_changer(library: Library, drive: Drive) -> None:
    write(drive, b"data")
    library.pull("A1")
    assert sense_of(write, drive, b"x")[:3] == (2, 0x3A, 0)
    library.insert("A3", MIB)
    library.swap("A2", "A3")
    assert library.status()["slots"][str(STORAGE)] == "A3"
    library.offline("drive1")
    assert sense_of(drive.execute, six(0x00), NOTHING)[:3] == (2, 0x04, 0x12)
