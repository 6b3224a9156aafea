# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every library and every drive does, whether in a directory or by SCSI (make tape-test runs these there)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Blank, read_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    EndOfData,
    MediumError,
    Position,
    WriteOutcome,
)
from ansible_collections.eternus.backup.tests.unit.support.module_paths import TREE
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import (
    BLOCK,
    MIB,
    SOURCE,
    TARGET,
    Bed,
    noise,
    refused,
    write_files,
)


@pytest.fixture
def library(plain: Bed):
    plain.library.create({"A1": 8 * MIB, "A2": 8 * MIB, "A3": 8 * MIB})
    return plain.library


def test_a_new_cartridge_is_blank(library) -> None:
    with library.load("A1", "me") as drive:
        assert isinstance(read_label(drive), Blank)
        assert drive.end_of_data().file == 0


def test_files_are_found_by_number(library) -> None:
    with library.load("A1", "me") as drive:
        write_files(drive, 100, BLOCK + 7, 5)
        assert drive.end_of_data().file == 3
        buffer = memoryview(bytearray(BLOCK))
        drive.position_file(1)
        assert drive.position().file == 1
        assert [drive.read_block(buffer) for _turn in range(3)] == [BLOCK, 7, 0]
        assert drive.read_block(buffer) == 5
        assert drive.read_block(buffer) == 0
        with pytest.raises(EndOfData):
            drive.read_block(buffer)
        with pytest.raises(EndOfData):
            drive.position_file(4)


@pytest.mark.able
def test_blocks_are_found_by_position(library) -> None:
    with library.load("A1", "me") as drive:
        write_files(drive, 100, BLOCK + 7, 5)
        assert drive.end_of_data() == Position(3, 7)
        buffer = memoryview(bytearray(BLOCK))
        drive.position_file(1)
        assert drive.position() == Position(1, 2)
        drive.seek_block(3, 1)
        assert drive.read_block(buffer) == 7
        assert drive.read_block(buffer) == 0
        assert drive.read_block(buffer) == 5
        assert drive.read_block(buffer) == 0
        with pytest.raises(EndOfData):
            drive.seek_block(9)


def test_writing_truncates_what_follows(library) -> None:
    with library.load("A1", "me") as drive:
        write_files(drive, 100, 200, 300)
        drive.position_file(1)
        write_files(drive, 5)
        assert drive.end_of_data().file == 2
        buffer = memoryview(bytearray(BLOCK))
        drive.position_file(1)
        assert drive.read_block(buffer) == 5


def test_a_file_without_a_mark_gets_one_when_the_drive_is_closed(library) -> None:
    with library.load("A1", "me") as drive:
        drive.write_block(b"x" * 10)
    with library.load("A1", "me") as drive:
        assert drive.end_of_data().file == 1


def test_early_warning_is_told_once_and_a_trailer_still_fits(library) -> None:
    with library.load("A1", "me") as drive:
        outcomes = [drive.write_block(bytes(BLOCK)) for _turn in range(32)]
        warning = outcomes.index(WriteOutcome.EARLY_WARNING)
        assert outcomes[:warning] == [WriteOutcome.WRITTEN] * warning
        assert outcomes.count(WriteOutcome.EARLY_WARNING) == 1
        assert outcomes[warning + 1] is WriteOutcome.WRITTEN
        assert drive.write_filemark(synchronous=True) is WriteOutcome.WRITTEN
        assert drive.end_of_data().file == 1


@pytest.mark.able
def test_behind_the_early_warning_nothing_fits_at_last(library) -> None:
    with library.load("A1", "me") as drive:
        outcomes = [drive.write_block(bytes(BLOCK)) for _turn in range(18)]
    assert outcomes[-1] is WriteOutcome.END_OF_MEDIUM
    assert outcomes.count(WriteOutcome.WRITTEN) <= 8 * MIB // BLOCK


def test_a_backup_that_spans_cartridges_comes_back_byte_by_byte(plain: Bed) -> None:
    content = noise(9 * MIB + 12345)
    plain.volume(SOURCE, content)
    target = plain.volume(TARGET, bytes(len(content)))
    plain.cartridges("A1", "A2", "A3", capacity=6 * MIB)
    sha256, parts = plain.write(len(content), "A1", "A2", "A3")
    assert [one.entry.header.cartridge for one in parts] in (["A1", "A2"], ["A1", "A2", "A3"])
    assert [one.full for one in parts] == [True] * (len(parts) - 1) + [False]
    assert plain.restore(parts, len(content)) == sha256 == hashlib.sha256(content).hexdigest()
    assert target.read_bytes() == content


def test_what_was_appended_is_listed_and_all_of_it_verifies(plain: Bed) -> None:
    plain.cartridges("A1", capacity=32 * MIB)
    written = []
    for number in range(3):
        plain.volume(SOURCE, noise(3 * MIB, number))
        written.append(plain.write(3 * MIB, "A1", backup_id=f"B{number}"))
    assert [entry.header.backup_id for entry in plain.contents("A1").entries] == ["B0", "B1", "B2"]
    for sha256, parts in written:
        assert plain.verify(parts) == sha256


def test_a_block_larger_than_the_buffer_is_an_error(library) -> None:
    with library.load("A1", "me") as drive:
        write_files(drive, 1000)
        drive.position_file(0)
        with pytest.raises(MediumError, match="fit into 10"):
            drive.read_block(memoryview(bytearray(10)))


def test_a_loaded_cartridge_is_busy_and_says_who_and_since_when(library) -> None:
    with library.load("A1", "first job"):
        error = refused("busy", lambda: library.load("A1", "second").__enter__())
        assert "first job" in error.message
        assert error.details["since"]
        inventory = library.inventory()
        assert "A1" in inventory.in_use
        assert inventory.slot("A1").drive == next(one.name for one in inventory.drives if one.owner == "first job")
    with library.load("A1", "second"):
        pass


def test_no_free_drive_is_busy(library) -> None:
    with library.load("A1", "one"), library.load("A2", "two"):
        error = refused("busy", lambda: library.load("A3", "three").__enter__())
    assert "no other drive" in error.message


def test_another_process_finds_the_cartridge_busy(library) -> None:
    code = (
        "import sys\n"
        "from ansible_collections.eternus.backup.plugins.module_utils._tape import scsi_library, virtual\n"
        "if sys.argv[2]: library = scsi_library.ScsiLibrary(sys.argv[1], lock_dir=sys.argv[2])\n"
        "else: library = virtual.VirtualLibrary(sys.argv[1])\n"
        "try:\n library.load('A1', 'child').__enter__()\n"
        "except Exception as error: print(error.error_class.value)"
    )
    with library.load("A1", "parent"):
        done = subprocess.run(
            [sys.executable, "-c", code, library.path, getattr(library, "lock_dir", "")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": TREE},
            check=True,
        )
    assert done.stdout.strip() == "busy"


def test_two_drives_work_at_once(plain: Bed) -> None:
    content = noise(4 * MIB)
    plain.volume(SOURCE, content)
    plain.cartridges("A1", "A2", capacity=32 * MIB)
    written: dict[str, tuple] = {}

    def write(barcode: str) -> None:
        written[barcode] = plain.write(len(content), barcode, backup_id=f"on {barcode}")

    with plain.load("A1") as one, plain.load("A2") as two:
        assert one.name != two.name
    threads = [threading.Thread(target=write, args=(barcode,)) for barcode in ("A1", "A2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for barcode in ("A1", "A2"):
        sha256, parts = written[barcode]
        assert [entry.header.backup_id for entry in plain.contents(barcode).entries] == [f"on {barcode}"]
        assert plain.verify(parts) == sha256 == hashlib.sha256(content).hexdigest()


def test_what_was_exported_is_outside_until_it_is_imported(library) -> None:
    assert library.export_cartridge("A2", "me")
    assert library.inventory().slot("A2").outside
    error = refused("no_cartridge", lambda: library.load("A2", "me").__enter__())
    assert "mport" in error.next_step
    assert library.export_cartridge("A2", "me") == library.inventory().slot("A2").element
    library.import_cartridge("A2", "me")
    assert not library.inventory().slot("A2").outside
    with library.load("A2", "me") as drive:
        assert drive.barcode == "A2"


def test_a_cartridge_in_use_is_not_exported(library) -> None:
    with library.load("A1", "a job"):
        error = refused("busy", library.export_cartridge, "A1", "me")
        assert "a job" in error.message
        assert not library.inventory().slot("A1").outside


@pytest.mark.parametrize("barcode", ["../A1", "A1/..", "", ".hidden", "A" * 33, "A 1", "A1\n", "/etc"])
def test_a_barcode_that_is_none_is_refused(library, barcode: str) -> None:
    refused("invalid_option", lambda: library.load(barcode, "me").__enter__())


def test_a_cartridge_that_is_not_there_is_named(library) -> None:
    assert "A7" in refused("no_cartridge", lambda: library.load("A7", "me").__enter__()).message
