# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real bytes to cartridges and back (tape.md, The format)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape import stream
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import read_trailer
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import BLOCK_SIZE
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import read_image
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import BAD, Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import (
    MIB,
    SOURCE,
    TARGET,
    Bed,
    flip,
    noise,
)

SIZE = 9 * MIB + 12345  # ends in a short block


@pytest.fixture
def data(bed: Bed) -> bytes:
    content = noise(SIZE)
    bed.volume(SOURCE, content)
    bed.volume(TARGET, bytes(SIZE))
    return content


def test_a_volume_comes_back_byte_by_byte(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    sha256, parts = bed.write(SIZE, "A1")
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert bed.file("A1", 2).read_bytes() == data
    assert bed.verify(parts) == sha256
    assert bed.restore(parts, SIZE) == sha256
    assert bed.volume(TARGET, (bed.path / "volume-00020000").read_bytes()).read_bytes() == data


def test_a_volume_of_whole_blocks_comes_back(bed: Bed) -> None:
    content = noise(8 * MIB)
    bed.volume(SOURCE, content)
    bed.cartridges("A1")
    sha256, parts = bed.write(8 * MIB, "A1")
    assert bed.verify(parts) == sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.able
def test_a_backup_goes_on_on_the_next_cartridge_at_early_warning(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1", "A2", "A3", capacity=6 * MIB)
    sha256, parts = bed.write(SIZE, "A1", "A2", "A3")
    assert [one.entry.header.cartridge for one in parts] == ["A1", "A2", "A3"]
    assert [one.full for one in parts] == [True, True, False]
    assert b"".join(bed.file(barcode, 2).read_bytes() for barcode in ("A1", "A2", "A3")) == data
    assert [one.entry.header.offset for one in parts] == [
        0,
        parts[0].entry.bytes,
        parts[0].entry.bytes + parts[1].entry.bytes,
    ]
    assert all(one.entry.bytes % BLOCK_SIZE == 0 for one in parts[:-1])
    for one, piece in zip(parts, ("A1", "A2", "A3")):
        assert one.entry.sha256 == hashlib.sha256(bed.file(piece, 2).read_bytes()).hexdigest()
    assert [one.entry.last for one in parts] == [False, False, True]
    assert bed.restore(parts, SIZE) == sha256 == hashlib.sha256(data).hexdigest()
    assert (bed.path / "volume-00020000").read_bytes() == data


@pytest.mark.rule("R4.20")
def test_a_cartridge_without_room_for_one_block_is_told_and_passed_over(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1", capacity=5 * MIB)
    bed.cartridges("A2")
    bed.volume(SOURCE, noise(2 * MIB))
    bed.write(2 * MIB, "A1", backup_id="B0")
    bed.volume(SOURCE, data)
    _sha256, parts = bed.write(SIZE, "A1", "A2", backup_id="B1")
    assert [one.entry.header.cartridge for one in parts][-1] == "A2"
    assert bed.verify(parts) == hashlib.sha256(data).hexdigest()


def test_many_backups_share_a_cartridge_and_the_last_trailer_lists_them(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1", capacity=40 * MIB)
    written = [bed.write(SIZE, "A1", backup_id=f"B{number}") for number in range(3)]
    entries = bed.contents("A1").entries
    assert [entry.header.backup_id for entry in entries] == ["B0", "B1", "B2"]
    assert [entry.header.data_file for entry in entries] == [2, 5, 8]
    for sha256, parts in written:
        assert bed.verify(parts) == sha256


def test_the_printed_dd_line_alone_restores_a_spanned_backup(bed: Bed, data: bytes, tmp_path: Path) -> None:
    bed.cartridges("A1", "A2", capacity=8 * MIB)
    bed.write(SIZE, "A1", "A2")
    target = tmp_path / "shell"
    for barcode in ("A1", "A2"):
        directory = bed.file(barcode, 0).parent
        text = (directory / "00001").read_text()
        value = json.loads(text.partition("\n")[2].rpartition("}")[0] + "}")
        line = value["dd_file"].replace("TARGET", str(target))
        subprocess.run(line.split(), cwd=directory, check=True, capture_output=True)
        assert value["dd"] in text.rpartition("}")[2]
        assert value["dd"] == f"mt -f /dev/nst0 asf 2; {value['dd_file'].replace('00002', '/dev/nst0')}"
    assert target.read_bytes() == data
    trailer = bed.file("A2", 3).read_text()
    assert hashlib.sha256(target.read_bytes()).hexdigest() in trailer


def test_the_label_tells_a_person_how_to_restore(plain: Bed) -> None:
    plain.cartridges("A1")
    label = plain.file("A1", 0).read_bytes()
    assert len(label) == 64 * 1024
    assert label.startswith(b"ETERNUS-BACKUP TAPE LABEL 1\n")
    assert b"HOW TO RESTORE" in label
    assert shutil.which("dd")


@pytest.mark.rule("R4.24")
@pytest.mark.parametrize("offset", [0, 4 * MIB, SIZE - 1])
def test_a_flipped_bit_is_a_checksum_mismatch(bed: Bed, data: bytes, offset: int) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    flip(bed.file("A1", 2), offset)
    with pytest.raises(BackupError) as caught:
        bed.verify(parts)
    assert caught.value.error_class.value == "checksum_mismatch"
    assert caught.value.details["sha256_expected"] == parts[0].entry.sha256


@pytest.mark.rule("R4.23")
@pytest.mark.parametrize("left", [0, 3 * MIB, SIZE - 1])
def test_a_truncated_data_file_is_a_suspect_cartridge(bed: Bed, data: bytes, left: int) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    with bed.file("A1", 2).open("r+b") as file:
        file.truncate(left)
    with pytest.raises(BackupError) as caught:
        bed.verify(parts)
    assert caught.value.error_class.value == "suspect_cartridge"
    assert str(left) in caught.value.message


def test_a_data_file_that_grew_is_a_suspect_cartridge(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    with bed.file("A1", 2).open("ab") as file:
        file.write(bytes(MIB))
    with pytest.raises(BackupError) as caught:
        bed.verify(parts)
    assert caught.value.error_class.value == "suspect_cartridge"


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_label_or_header_is_a_named_error_and_nothing_is_written_to_the_target(
    bed: Bed, data: bytes, number: int
) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    flip(bed.file("A1", number), 30)
    with pytest.raises(BackupError) as caught:
        bed.restore(parts, SIZE)
    assert caught.value.error_class.value == "suspect_cartridge"
    assert (bed.path / "volume-00020000").read_bytes() == bytes(SIZE)


def test_a_damaged_trailer_is_a_named_error(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    flip(bed.file("A1", 3), 30)
    with pytest.raises(BackupError) as caught:
        bed.restore(parts, SIZE)
    assert caught.value.error_class.value == "suspect_cartridge"


def test_a_swapped_cartridge_is_found_by_its_label(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    bed.cartridges("A1")  # labelled anew by somebody: same barcode and uuid, nothing on it
    with pytest.raises(BackupError) as caught:
        bed.verify(parts)
    assert caught.value.error_class.value == "suspect_cartridge"


def test_a_missing_tape_file_is_a_suspect_cartridge(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    _sha256, parts = bed.write(SIZE, "A1")
    bed.file("A1", 2).unlink()
    with pytest.raises(BackupError) as caught:
        bed.verify(parts)
    assert caught.value.error_class.value == "suspect_cartridge"


def test_a_write_error_names_the_cartridge(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1")
    with pytest.raises(BackupError) as caught:
        bed.write(SIZE, "A1", library=FaultyLibrary(bed.library, Fault("put", 7, BAD)))
    assert caught.value.error_class.value == "suspect_cartridge"
    assert caught.value.details["barcode"] == "A1"
    assert bed.contents("A1").entries == ()


def test_a_missing_part_is_noticed_before_it_is_read(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1", "A2", capacity=8 * MIB)
    _sha256, parts = bed.write(SIZE, "A1", "A2")
    with pytest.raises(BackupError) as caught:
        bed.verify(parts[1:])
    assert caught.value.error_class.value == "suspect_cartridge"


@pytest.mark.rule("R10.20")
def test_a_rate_limit_lets_as_much_time_pass_as_the_bytes_need(plain: Bed) -> None:
    class Slow:
        waited = 0.0

        def now(self):
            raise NotImplementedError

        def monotonic(self) -> float:
            return self.waited

        def sleep(self, seconds: float) -> None:
            self.waited += seconds

    clock = Slow()
    plain.volume(SOURCE, noise(8 * MIB))
    plain.cartridges("A1")
    plain.options = StreamOptions(rate=MIB, threads=False, clock=clock)
    plain.write(8 * MIB, "A1")
    assert clock.waited == pytest.approx(8.0)


def test_digests_of_each_gib_are_in_the_trailer(plain: Bed) -> None:
    content = noise(3 * MIB)
    plain.volume(SOURCE, content)
    plain.cartridges("A1")
    plain.write(3 * MIB, "A1")
    text = plain.file("A1", 3).read_text()
    value = json.loads(text.partition("\n")[2])
    assert value["digests"] == [hashlib.sha256(content).hexdigest()]


def test_a_trailer_bears_running_digests_of_its_part_and_the_first_damaged_gib_is_named(
    bed: Bed, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GIB", MIB)
    bed.cartridges("A1", "A2", capacity=8 * MIB)
    _sha256, parts = bed.write(SIZE, "A1", "A2")
    for one in parts:
        image = bed.file(one.entry.header.cartridge, 2).read_bytes()
        with bed.load(one.entry.header.cartridge) as drive:
            digests = read_trailer(drive, 2).digests
        ends = [*range(MIB, len(image), MIB), len(image)]
        assert digests == tuple(hashlib.sha256(image[:end]).hexdigest() for end in ends)
    flip(bed.file("A1", 2), 2 * MIB + 5)
    with pytest.raises(BackupError, match="from its GiB 3 on"):
        bed.verify(parts)


def test_a_part_is_found_by_file_number_where_its_block_number_leads_elsewhere(bed: Bed, data: bytes) -> None:
    bed.cartridges("A1", capacity=32 * MIB)
    bed.write(SIZE, "A1")
    sha256, parts = bed.write(SIZE, "A1", backup_id="second")
    for block in (-1, 0, 3, 10_000):
        moved = [replace(one, data_block=block) for one in bed.to_read(parts)]
        assert read_image(moved, bed.load, None, lambda _done: None, bed.options) == sha256
