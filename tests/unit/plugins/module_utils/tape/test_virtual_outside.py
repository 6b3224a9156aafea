# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Export, import and cleaning cartridges of the library in a directory (tape.md, Two backends)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Slot
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB

SIZE = 8 * MIB


@pytest.fixture
def library(tmp_path: Path) -> VirtualLibrary:
    library = VirtualLibrary(str(tmp_path / "library"))
    library.create({"A1": SIZE, "A2": SIZE, "CLN001L1": SIZE, "A00009CU": SIZE})
    return library


def loaded(library: VirtualLibrary, barcode: str) -> None:
    with library.load(barcode, "me") as drive:
        assert drive.barcode == barcode


def refused(error_class: str, act: Callable[..., Any], *args: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


def test_an_exported_cartridge_is_shown_outside_and_keeps_its_bytes(library: VirtualLibrary, tmp_path: Path) -> None:
    with library.load("A1", "me") as drive:
        drive.write_block(b"precious")
        drive.write_filemark(synchronous=True)
    assert library.export_cartridge("A1", "me") == "import/export"
    assert library.inventory().slot("A1") == Slot("A1", "", SIZE, 8, "import/export", outside=True)
    assert not library.inventory().slot("A2").outside
    assert (tmp_path / "library/import_export/A1/00000").read_bytes() == b"precious"
    assert library.import_cartridge("A1", "me") == ""
    assert library.inventory().slot("A1") == Slot("A1", "", SIZE, 8)
    with library.load("A1", "me") as drive:
        assert drive.end_of_data().file == 1


def test_a_cartridge_that_is_outside_must_be_imported_before_it_is_loaded(library: VirtualLibrary) -> None:
    library.export_cartridge("A1", "me")
    error = refused("no_cartridge", loaded, library, "A1")
    assert "import/export" in error.message
    assert "imported" in error.next_step
    library.import_cartridge("A1", "me")
    loaded(library, "A1")


def test_that_it_is_outside_is_told_even_when_no_drive_is_free(library: VirtualLibrary) -> None:
    library.create({"A3": SIZE})
    library.export_cartridge("A3", "me")
    with library.load("A1", "one"), library.load("A2", "two"):
        refused("no_cartridge", loaded, library, "A3")


def test_moving_it_to_where_it_is_changes_nothing(library: VirtualLibrary) -> None:
    before = library.inventory()
    library.import_cartridge("A1", "me")
    assert library.inventory() == before
    library.export_cartridge("A1", "me")
    after = library.inventory()
    assert library.export_cartridge("A1", "me") == "import/export"
    assert library.inventory() == after


def test_a_cartridge_in_use_is_neither_exported_nor_imported(library: VirtualLibrary) -> None:
    with library.load("A1", "first job"):
        before = library.inventory()
        assert "first job" in refused("busy", library.export_cartridge, "A1", "me").message
        refused("busy", library.import_cartridge, "A1", "me")
        assert library.inventory() == before
    library.export_cartridge("A1", "me")


def test_one_can_be_exported_while_every_drive_is_busy(library: VirtualLibrary) -> None:
    library.create({"A3": SIZE})
    with library.load("A1", "one"), library.load("A2", "two"):
        library.export_cartridge("A3", "me")
    assert library.inventory().slot("A3").outside


def test_an_unknown_cartridge_or_a_part_of_a_path_is_refused(library: VirtualLibrary, tmp_path: Path) -> None:
    refused("no_cartridge", library.export_cartridge, "ZZ", "me")
    refused("no_cartridge", library.import_cartridge, "ZZ", "me")
    refused("invalid_option", library.export_cartridge, "../A1", "me")
    assert not (tmp_path / "library/import_export").exists()


@pytest.mark.parametrize("name", ["import_export", "drive0", "drive11"])
def test_the_librarys_own_names_are_no_barcodes(library: VirtualLibrary, name: str) -> None:
    refused("invalid_option", library.create, {name: SIZE})
    refused("invalid_option", loaded, library, name)


def test_a_link_instead_of_the_import_export_slots_is_not_followed(library: VirtualLibrary, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "library/import_export").symlink_to(tmp_path / "elsewhere")
    refused("tape_unavailable", library.export_cartridge, "A1", "me")
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not library.inventory().slot("A1").outside


def test_two_cartridges_of_one_barcode_are_not_moved_over_each_other(library: VirtualLibrary, tmp_path: Path) -> None:
    library.export_cartridge("A1", "me")
    (tmp_path / "library/A1").mkdir()
    assert "two cartridges" in refused("tape_unavailable", library.import_cartridge, "A1", "me").message
    refused("tape_unavailable", library.export_cartridge, "A1", "me")
    assert [slot.outside for slot in library.inventory().slots if slot.barcode == "A1"] == [False]


def test_creating_a_cartridge_that_is_outside_makes_no_second_one(library: VirtualLibrary) -> None:
    library.export_cartridge("A1", "me")
    before = library.inventory()
    library.create({"A1": SIZE})
    assert library.inventory() == before


@pytest.mark.rule("R10.9")
@pytest.mark.parametrize("barcode", ["CLN001L1", "A00009CU"])
def test_a_cleaning_cartridge_is_shown_and_never_loaded(library: VirtualLibrary, barcode: str) -> None:
    assert library.inventory().slot(barcode).cleaning
    assert not library.inventory().slot("A1").cleaning
    assert "cleaning" in refused("no_cartridge", loaded, library, barcode).message
    assert library.export_cartridge(barcode, "me")
    refused("no_cartridge", loaded, library, barcode)
    library.import_cartridge(barcode, "me")
