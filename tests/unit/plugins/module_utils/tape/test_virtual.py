# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library in a directory behaves as a tape library does (tape.md, Two backends)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    MediumError,
    WriteOutcome,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import BLOCK, MIB, Bed, refused, write_files


@pytest.fixture
def library(tmp_path: Path) -> VirtualLibrary:
    library = VirtualLibrary(str(tmp_path / "library"))
    library.create({"A1": 8 * MIB, "A2": 8 * MIB, "A3": 8 * MIB})
    return library


def test_writing_truncates_what_follows(library: VirtualLibrary, tmp_path: Path) -> None:
    with library.load("A1", "me") as drive:
        write_files(drive, 100, 200, 300)
        drive.position_file(1)
        write_files(drive, 5)
        assert drive.end_of_data().file == 2
    assert sorted(name.name for name in (tmp_path / "library" / "A1").glob("0*")) == ["00000", "00001"]
    assert (tmp_path / "library/A1/00001").stat().st_size == 5


def test_early_warning_is_told_once_and_the_block_is_not_written(library: VirtualLibrary) -> None:
    with library.load("A1", "me") as drive:
        outcomes = [drive.write_block(bytes(BLOCK)) for _turn in range(18)]
    assert outcomes[:12] == [WriteOutcome.WRITTEN] * 12
    assert outcomes[12] is WriteOutcome.EARLY_WARNING
    assert outcomes[13:17] == [WriteOutcome.WRITTEN] * 4
    assert outcomes[17] is WriteOutcome.END_OF_MEDIUM


def test_blocks_of_a_file_are_of_one_size_but_the_last(library: VirtualLibrary) -> None:
    with library.load("A1", "me") as drive:
        drive.write_block(b"short")
        with pytest.raises(ValueError, match="one size"):
            drive.write_block(b"more")


@pytest.mark.parametrize("barcode", ["../A1", "A1/..", "", ".hidden", "A" * 33, "A 1", "A1\n", "/etc"])
def test_a_barcode_with_a_part_of_a_path_is_refused(library: VirtualLibrary, barcode: str) -> None:
    refused("invalid_option", lambda: library.load(barcode, "me").__enter__())
    refused("invalid_option", lambda: library.create({barcode: 8 * MIB}))


def test_a_link_instead_of_a_cartridge_is_not_followed(library: VirtualLibrary, tmp_path: Path) -> None:
    (tmp_path / "library" / "A9").symlink_to(tmp_path / "library" / "A1")
    refused("no_cartridge", lambda: library.load("A9", "me").__enter__())
    assert library.inventory().slot("A9") is None


def test_a_link_instead_of_a_tape_file_is_not_followed(library: VirtualLibrary, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "library/A1/00000").symlink_to(victim)
    with library.load("A1", "me") as drive, pytest.raises(MediumError):
        drive.write_block(b"x")
    assert victim.read_bytes() == b"precious"


def test_a_missing_library_or_cartridge_is_named(tmp_path: Path, library: VirtualLibrary) -> None:
    refused("tape_unavailable", VirtualLibrary(str(tmp_path / "nowhere")).inventory)
    (tmp_path / "empty").mkdir()
    refused("tape_unavailable", VirtualLibrary(str(tmp_path / "empty")).inventory)
    refused("no_cartridge", lambda: library.load("ZZ", "me").__enter__())
    (tmp_path / "library/A1/cartridge.json").write_text("{")
    refused("suspect_cartridge", lambda: library.load("A1", "me").__enter__())
    assert library.inventory().slot("A1").capacity == 0


def test_only_the_owner_may_read_what_is_there(plain: Bed) -> None:
    plain.cartridges("A1")
    for path in Path(plain.library.path).rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(Path(plain.library.path).stat().st_mode) == 0o700


def test_creating_again_changes_nothing(library: VirtualLibrary) -> None:
    before = library.inventory()
    library.create({"A1": 99 * MIB})
    assert library.inventory() == before


def test_a_cartridge_appears_whole_or_not_at_all(library: VirtualLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    class Died(BaseException):
        """The process is no more."""

    def die(*_args: object, **_more: object) -> None:
        raise Died

    for moment in ("rename", "fsync"):
        with monkeypatch.context() as dying, pytest.raises(Died):
            dying.setattr(os, moment, die)
            library.create({"B1": 8 * MIB})
        assert "B1" not in library.barcodes()
    library.create({"B1": 8 * MIB})
    with library.load("B1", "test") as drive:
        assert drive.capacity == 8 * MIB
