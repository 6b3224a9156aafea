# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cartridge of the tape bed behaves as a tape: blocks, filemarks, and what a write leaves of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.tests.tape_bed.medium import Medium, Recording

KIB = 1024
LENGTHS = st.lists(st.integers(1, 9), max_size=8)


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return Medium.create(tmp_path / "A1", 64 * KIB, 8 * KIB)


def record(medium: Medium, *files: list[bytes]) -> None:
    for blocks in files:
        for block in blocks:
            assert medium.write(memoryview(block)) >= 0
        medium.mark(1)


def blocks_of(medium: Medium, number: int) -> list[bytes]:
    medium.go(number, 0)
    return [medium.read(KIB)[1] for _turn in range(medium.blocks(number))]


@given(LENGTHS)
def test_blocks_of_any_lengths_are_found_again(lengths: list[int]) -> None:
    recording, size = Recording(), 0
    for number, length in enumerate(lengths):
        recording.append(number, length, size)
        size += length
    assert recording.count(size) == len(lengths)
    assert [recording.length(number, size) for number in range(len(lengths))] == lengths
    assert [recording.offset(number) for number in range(len(lengths))] == [
        sum(lengths[:number]) for number in range(len(lengths))
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=40), max_size=4), max_size=4))
def test_what_is_recorded_is_read_again_also_by_another_drive(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[bytes]]
) -> None:
    medium = Medium.create(tmp_path_factory.mktemp("medium") / "A1", 64 * KIB, 0)
    record(medium, *files)
    for one in (medium, Medium(medium.directory)):
        assert one.marks == len(files)
        assert [blocks_of(one, number) for number in range(one.marks)] == files
        one.end()
        assert one.tell() == sum(map(len, files)) + len(files)
        one.close()


def test_tape_files_are_plain_files(medium: Medium) -> None:
    record(medium, [b"label"], [b"a" * KIB, b"b"])
    assert (medium.directory / "00000").read_bytes() == b"label"
    assert (medium.directory / "00001").read_bytes() == b"a" * KIB + b"b"
    assert not (medium.directory / "00002").exists()


def test_a_write_forgets_what_is_behind_it(medium: Medium) -> None:
    record(medium, [b"one"], [b"two", b"more"], [b"three"])
    medium.go(1, 1)
    record(medium, [b"new"])
    assert [blocks_of(medium, number) for number in range(medium.marks)] == [[b"one"], [b"two", b"new"]]
    medium.end()
    assert (medium.file, medium.block, medium.at_end()) == (2, 0, True)


def test_a_position_is_told_and_found_again(medium: Medium) -> None:
    record(medium, [b"x"] * 3, [], [b"y"])
    places = []
    for file, blocks in ((0, 3), (1, 0), (2, 1)):
        for block in range(blocks + 1):
            medium.go(file, block)
            places.append(medium.tell())
            assert medium.locate(places[-1])
            assert (medium.file, medium.block) == (file, block)
    assert places == list(range(7))
    assert medium.locate(7)
    assert not medium.locate(8)
    assert medium.at_end()


def test_it_says_how_much_fits_and_takes_nothing_beyond(medium: Medium) -> None:
    assert medium.write(memoryview(bytes(60 * KIB))) == 4 * KIB
    assert medium.write(memoryview(bytes(5 * KIB))) == -KIB
    assert medium.used() == 60 * KIB


def test_a_file_that_somebody_cut_has_fewer_blocks(medium: Medium) -> None:
    record(medium, [b"a" * 10, b"b" * 10, b"c" * 10])
    medium.path(0).write_bytes(b"a" * 15)
    assert blocks_of(medium, 0) == [b"a" * 10, b"a" * 5]
    medium.path(0).unlink()
    medium.close()
    assert medium.blocks(0) == 0
