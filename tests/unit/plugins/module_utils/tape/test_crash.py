# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that dies at any write leaves a cartridge that is readable up to its last complete part (tape.md)."""

from __future__ import annotations

import hashlib
import os
import signal

import pytest

from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import (
    MIB,
    SOURCE,
    Bed,
    die,
    noise,
)

SIZE = 3 * MIB
#: header, its mark, six blocks, the data's mark, trailer, its mark.
WRITES = 11


def crash_at(bed: Bed, number: int) -> None:
    """Write in a child that is killed at its n-th write."""
    child = os.fork()
    if child == 0:
        bed.write(SIZE, "A1", backup_id="B2", library=FaultyLibrary(bed.library, Fault("put", number, die)))
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.rule("R10.2")
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_crash_at_a_write_leaves_what_was_complete_and_the_next_run_goes_on_behind_it(
    plain: Bed, number: int
) -> None:
    bed = plain
    first, second = noise(SIZE, 1), noise(SIZE, 2)
    bed.volume(SOURCE, first)
    bed.cartridges("A1")
    sha256, parts = bed.write(SIZE, "A1", backup_id="B1")
    bed.volume(SOURCE, second)
    crash_at(bed, number)
    whole = ["B1", "B2"] if number == WRITES and bed.closing_marks else ["B1"]
    assert [entry.header.backup_id for entry in bed.contents("A1").entries] == whole
    assert bed.contents("A1").append_file == 1 + 3 * len(whole)
    assert bed.verify(parts) == sha256
    _again, more = bed.write(SIZE, "A1", backup_id="B2")
    assert [entry.header.backup_id for entry in bed.contents("A1").entries] == [*whole, "B2"]
    assert bed.verify(more) == hashlib.sha256(second).hexdigest()
    assert bed.verify(parts) == sha256


def test_a_dead_process_frees_its_drive(plain: Bed) -> None:
    bed = plain
    bed.volume(SOURCE, noise(SIZE))
    bed.cartridges("A1")
    crash_at(bed, 3)
    assert all(not drive.owner for drive in bed.library.inventory().drives)


@pytest.mark.rule("R10.2")
def test_a_trailer_cut_off_in_the_middle_does_not_count(plain: Bed) -> None:
    bed = plain
    bed.volume(SOURCE, noise(SIZE))
    bed.cartridges("A1")
    bed.write(SIZE, "A1", backup_id="B1")
    bed.write(SIZE, "A1", backup_id="B2")
    with bed.file("A1", 6).open("r+b") as file:  # the driver closed it with a mark, as it does when a process dies
        file.truncate(700)
    assert [entry.header.backup_id for entry in bed.contents("A1").entries] == ["B1"]
