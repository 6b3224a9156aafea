# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cartridge tells by itself what is on it: the newest trailer, else every header (tape.md, The format)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Blank
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import DriveLost, MediumError
from ansible_collections.eternus.backup.plugins.module_utils._tape.scan import Scanned, Unsupported, scan
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, Bed, noise

SIZE = MIB
NAMED = {ErrorClass.FOREIGN_CARTRIDGE, ErrorClass.SUSPECT_CARTRIDGE, ErrorClass.TAPE_UNAVAILABLE}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """One cartridge with three backups."""
    bed = Bed(tmp_path, threads=False)
    bed.volume(SOURCE, noise(SIZE))
    bed.cartridges("A1")
    for name in ("B1", "B2", "B3"):
        bed.write(SIZE, "A1", backup_id=name)
    return bed


def look(bed: Bed, *faults: Fault, headers: bool = False, barcode: str = "A1") -> Scanned | Unsupported | Blank:
    with FaultyLibrary(bed.library, *faults).load(barcode, "test") as drive:
        return scan(drive, headers=headers)


def found(bed: Bed, *faults: Fault, headers: bool = False) -> Scanned:
    seen = look(bed, *faults, headers=headers)
    assert isinstance(seen, Scanned)
    return seen


def names(seen: Scanned) -> list[str]:
    return [entry.header.backup_id for entry in seen.entries]


def damage(bed: Bed, number: int, content: bytes = b"nothing of ours") -> None:
    bed.file("A1", number).write_bytes(content)


@pytest.mark.parametrize("headers", [False, True])
def test_a_scan_finds_what_was_written(bed: Bed, headers: bool) -> None:
    seen = found(bed, headers=headers)
    contents = bed.contents("A1")
    assert (seen.label, seen.entries, seen.files) == (contents.label, contents.entries, contents.append_file)
    assert (seen.complete, seen.problems) == (True, ())


def test_one_trailer_tells_of_the_whole_cartridge(bed: Bed) -> None:
    reads = Fault("read", 10**6, MediumError("never"))
    found(bed, reads)
    once = reads.count
    reads.count = 0
    found(bed, reads, headers=True)
    assert once < reads.count


def test_where_the_newest_trailer_cannot_be_read_the_others_tell_of_all_that_they_prove(bed: Bed) -> None:
    damage(bed, 9)
    seen = found(bed)
    assert names(seen) == ["B1", "B2"]
    assert not seen.complete, "the third may be there"
    assert seen.files == 10
    assert "tape file 9" in seen.problems[0]


def test_a_trailer_inside_that_cannot_be_read_is_made_good_by_a_later_one(bed: Bed) -> None:
    damage(bed, 6)
    assert names(found(bed)) == ["B1", "B2", "B3"]
    seen = found(bed, headers=True)
    assert names(seen) == ["B1", "B2", "B3"]
    assert not seen.complete


@pytest.mark.rule("R10.18")
def test_what_a_crash_cut_off_is_no_part_and_the_cartridge_is_complete(bed: Bed) -> None:
    state = bed.file("A1", 0).with_name("cartridge.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "files": 9}))  # the last trailer has no filemark
    bed.file("A1", 9).unlink()
    for headers in (False, True):
        seen = found(bed, headers=headers)
        assert (names(seen), seen.complete, seen.files) == (["B1", "B2"], True, 7)


@pytest.mark.rule("R10.18")
def test_a_trailer_of_another_place_or_cartridge_proves_nothing(bed: Bed) -> None:
    bed.cartridges("A2")
    bed.write(SIZE, "A2", backup_id="X1")
    damage(bed, 9, bed.file("A1", 6).read_bytes())
    assert names(found(bed)) == ["B1", "B2"]
    damage(bed, 3, bed.file("A2", 3).read_bytes())
    assert names(found(bed, headers=True)) == ["B1", "B2"]


def test_a_part_of_which_header_and_trailer_say_different_things_is_left_out_when_headers_are_read(bed: Bed) -> None:
    file = bed.file("A1", 4)
    file.write_bytes(file.read_bytes().replace(b'"generation": 1', b'"generation": 7'))
    assert names(found(bed)) == ["B1", "B2", "B3"]
    seen = found(bed, headers=True)
    assert names(seen) == ["B1", "B3"]
    assert "contradict" in seen.problems[0]


def test_a_tape_whose_end_cannot_be_found_is_read_header_by_header(bed: Bed) -> None:
    # label twice (its version, itself), then the end of data
    seen = found(bed, Fault("move", 3, MediumError("Input/output error")))
    assert names(seen) == ["B1", "B2", "B3"]
    assert not seen.complete
    assert seen.files == 10


def test_blank_foreign_and_other_versions_are_told_apart(bed: Bed) -> None:
    bed.library.create({"E1": 16 * MIB})
    assert isinstance(look(bed, barcode="E1"), Blank)
    label = bed.file("A1", 0).read_bytes()
    damage(bed, 0, label.replace(b"LABEL 1\n", b"LABEL 2\n"))
    assert look(bed) == Unsupported(2)
    damage(bed, 0)
    with pytest.raises(BackupError) as caught:
        look(bed)
    assert caught.value.error_class is ErrorClass.FOREIGN_CARTRIDGE


def test_a_lost_drive_says_nothing_about_the_cartridge(bed: Bed) -> None:
    for at in range(1, 6):
        with pytest.raises(BackupError) as caught:
            look(bed, Fault("any", at, DriveLost("offline")))
        assert caught.value.error_class is ErrorClass.TAPE_UNAVAILABLE


@pytest.mark.parametrize("headers", [False, True])
@pytest.mark.parametrize("at", range(1, 24))
def test_a_medium_error_anywhere_is_named_or_told_and_invents_nothing(bed: Bed, at: int, headers: bool) -> None:
    fault = Fault("any", at, MediumError("Input/output error"))
    try:
        seen = found(bed, fault, headers=headers)
    except BackupError as error:
        assert error.error_class is ErrorClass.SUSPECT_CARTRIDGE
        return
    assert set(seen.entries) <= set(bed.contents("A1").entries)
    assert seen.complete is not fault.happened


edits = st.lists(
    st.tuples(
        st.integers(0, 10),
        st.one_of(
            st.tuples(st.just("cut"), st.integers(0, 5000)),
            st.tuples(st.just("noise"), st.binary(max_size=200)),
            st.tuples(st.just("copy"), st.integers(0, 9)),
            st.tuples(st.just("gone"), st.none()),
            st.tuples(st.just("flip"), st.integers(0, 3000)),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(edits=edits, headers=st.booleans(), files=st.one_of(st.none(), st.integers(0, 12)))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_wrong_with_a_cartridge_a_scan_names_it_and_tells_only_of_parts_that_a_trailer_lists(
    bed: Bed, edits: list, headers: bool, files: int | None
) -> None:
    home, kept = bed.file("A1", 0).parent, bed.path / "kept"
    if not kept.exists():
        shutil.copytree(home, kept)
    shutil.rmtree(home)
    shutil.copytree(kept, home)
    before = {(one.header.backup_id, one.header.data_file, one.bytes) for one in bed.contents("A1").entries}
    flipped = False
    for number, (kind, value) in edits:
        file = home / f"{number:05d}"
        old = file.read_bytes() if file.exists() else b""
        if kind == "cut":
            file.write_bytes(old[:value])
        elif kind == "noise":
            file.write_bytes(value)
        elif kind == "copy":
            file.write_bytes((kept / f"{value:05d}").read_bytes())
        elif kind == "gone":
            file.unlink(missing_ok=True)
        elif len(old) > value:
            file.write_bytes(old[:value] + bytes([old[value] ^ 1]) + old[value + 1 :])
            flipped = True
    if files is not None:
        state = home / "cartridge.json"
        state.write_text(json.dumps({**json.loads(state.read_text()), "files": files}))
    try:
        seen = look(bed, headers=headers)
    except BackupError as error:
        assert error.error_class in NAMED
        return
    if isinstance(seen, Scanned) and not flipped:  # text bears no checksum of its own
        assert {(one.header.backup_id, one.header.data_file, one.bytes) for one in seen.entries} <= before
