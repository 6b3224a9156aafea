# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults while the ring of buffers is full: nothing hangs, and every byte is digested and written once (tape.md)."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteOutcome
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import read_image
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import BAD, LOST, Failure, Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, TARGET, Bed, noise

SIZE = 29 * MIB + 12345
DATA = noise(SIZE)


@pytest.fixture(params=[2, 3], ids=lambda count: f"{count} buffers")
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Bed:
    """A volume that is larger than the ring of buffers, and cartridges of which it needs two."""
    bed = Bed(tmp_path)
    bed.options = StreamOptions(threads=True, buffers=request.param)
    bed.volume(SOURCE, DATA)
    bed.volume(TARGET, bytes(SIZE))
    bed.cartridges("A1", "A2", "A3", capacity=24 * MIB)
    return bed


def no_thread_is_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("tape-")]


@pytest.mark.parametrize(
    "failure", [BAD, LOST, WriteOutcome.EARLY_WARNING], ids=["write error", "offline", "early warning"]
)
@pytest.mark.parametrize("at", [1, 3, 12, 30])
def test_after_a_fault_the_image_on_tape_is_the_volume(ring: Bed, failure: Failure, at: int) -> None:
    library = FaultyLibrary(ring.library.path, Fault("write", at, failure, "A1"))
    sha256, parts = ring.write(SIZE, "A1", "A2", "A3", library=library)
    if isinstance(failure, Exception):
        assert [part.entry.header.cartridge for part in parts] == ["A2", "A3"]
    assert sha256 == hashlib.sha256(DATA).hexdigest()
    assert ring.restore(parts, SIZE) == sha256
    assert (ring.path / f"volume-{TARGET[-8:]}").read_bytes() == DATA
    assert no_thread_is_left()


@pytest.mark.parametrize("failure", [BAD, LOST], ids=["read error", "offline"])
@pytest.mark.parametrize("at", [1, 5, 13, 33])
def test_a_fault_while_reading_ends_the_ring_and_is_named(ring: Bed, failure: Exception, at: int) -> None:
    _sha256, parts = ring.write(SIZE, "A1", "A2", "A3")
    library = FaultyLibrary(ring.library.path, Fault("read", at, failure, "A1"))
    with pytest.raises(BackupError) as caught:
        read_image(ring.to_read(parts), lambda code: library.load(code, "test"), None, lambda _done: None, ring.options)
    assert caught.value.error_class.value == ("suspect_cartridge" if failure is BAD else "tape_unavailable")
    assert no_thread_is_left()


def test_when_every_cartridge_fails_the_error_is_named_and_nothing_hangs(ring: Bed) -> None:
    faults = [Fault("write", 4, BAD, barcode) for barcode in ("A1", "A2", "A3")]
    with pytest.raises(BackupError) as caught:
        ring.write(SIZE, "A1", "A2", "A3", library=FaultyLibrary(ring.library.path, *faults))
    assert caught.value.error_class.value == "tape_unavailable"
    assert no_thread_is_left()


def test_a_volume_that_cannot_be_read_is_no_fault_of_a_cartridge(ring: Bed) -> None:
    file = ring.path / f"volume-{SOURCE[-8:]}"

    def shorten() -> None:
        with file.open("r+b") as volume:
            volume.truncate(SIZE // 2)

    library = FaultyLibrary(ring.library.path, Fault("write", 2, shorten, "A1"))
    with pytest.raises(BackupError) as caught:
        ring.write(SIZE, "A1", "A2", "A3", library=library)
    assert caught.value.error_class.value == "copy_failed"
    assert [code for code, _drive in library.drives] == ["A1"]
    assert no_thread_is_left()
