# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever plants a link, a pipe or a second name where a file of ours belongs gets a named error, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import exported, imported
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._private import open_plain
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_host import Locks
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import registered
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, refused, write_files

PRECIOUS = b"precious" * 1000


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of somebody else's that must stay as it is."""
    path = tmp_path / "victim"
    path.write_bytes(PRECIOUS)
    return path


def plant(place: Path, kind: str, victim: Path) -> None:
    """Put something else in the place of a file."""
    place.unlink(missing_ok=True)
    if kind == "link":
        place.symlink_to(victim)
    elif kind == "link to nowhere":
        place.symlink_to(victim.parent / "nowhere")
    elif kind == "second name":
        os.link(victim, place)
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()


def untouched(victim: Path) -> None:
    assert victim.read_bytes() == PRECIOUS
    assert not (victim.parent / "nowhere").exists()


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "catalog.db"
    with closing(open_catalog(url(path))) as opened, opened.begin() as records:
        records.put_volumes([registered(1)])
    return path


def _write(path: Path) -> None:
    with closing(open_catalog(url(path))) as opened, opened.begin() as records:
        records.put_volumes([registered(2)])


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "pipe", "directory"])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_what_stands_in_the_place_of_the_catalog_or_of_its_log_is_refused(
    catalog: Path, victim: Path, ending: str, kind: str
) -> None:
    plant(Path(f"{catalog}{ending}"), kind, victim)
    refused("catalog_unavailable", _write, catalog)
    untouched(victim)


def test_a_second_name_in_the_place_of_the_catalog_is_another_programs_file(catalog: Path, victim: Path) -> None:
    plant(catalog, "second name", victim)
    refused("catalog_unavailable", _write, catalog)
    untouched(victim)


def _export(catalog: Path, target: Path, *, force: bool = True) -> None:
    exported({"catalog_url": url(catalog), "path": str(target), "force": force}, check_mode=False)


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "pipe", "directory"])
def test_what_stands_in_the_place_of_an_export_is_refused(catalog: Path, victim: Path, kind: str) -> None:
    target = catalog.parent / "export.jsonl"
    plant(target, kind, victim)
    refused("invalid_option", _export, catalog, target)
    untouched(victim)


def test_a_second_name_in_the_place_of_an_export_is_replaced_and_not_written(catalog: Path, victim: Path) -> None:
    target = catalog.parent / "export.jsonl"
    plant(target, "second name", victim)
    with pytest.raises(BackupError, match="no export"):
        _export(catalog, target, force=False)
    _export(catalog, target)
    assert target.read_bytes() != PRECIOUS
    untouched(victim)


def test_a_device_is_neither_written_nor_read_as_an_export(catalog: Path) -> None:
    refused("invalid_option", _export, catalog, Path("/dev/null"))
    for path in ("/dev/zero", "/dev/null"):
        arguments = {"catalog_url": url(catalog), "path": path, "force": True, "trust": False}
        refused("invalid_option", lambda given=arguments: imported(given, check_mode=False))


def test_an_import_does_not_wait_for_a_pipe(catalog: Path, victim: Path) -> None:
    target = catalog.parent / "export.jsonl"
    plant(target, "pipe", victim)
    arguments = {"catalog_url": url(catalog), "path": str(target), "force": True, "trust": False}
    refused("invalid_option", lambda: imported(arguments, check_mode=False))


@pytest.fixture
def library(tmp_path: Path) -> VirtualLibrary:
    library = VirtualLibrary(str(tmp_path / "library"))
    library.create({"A1": 8 * MIB, "A2": 8 * MIB})
    with library.load("A1", "me") as drive:
        write_files(drive, 100, 200)
    return library


def _load(library: VirtualLibrary) -> None:
    with library.load("A1", "me") as drive:
        drive.position_file(0)
        write_files(drive, 50)


ALL = ["link", "link to nowhere", "second name", "pipe", "directory"]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("name", "error_class", "act"),
    [
        ("library.json", "tape_unavailable", VirtualLibrary.inventory),
        ("drive0", "tape_unavailable", _load),
        ("A1/cartridge.json", "tape_unavailable", _load),
    ],
)
def test_what_stands_in_the_place_of_a_librarys_file_is_refused(
    library: VirtualLibrary,
    victim: Path,
    name: str,
    error_class: str,
    act: Callable[[VirtualLibrary], object],
    kind: str,
) -> None:
    plant(Path(library.path, name), kind, victim)
    if (name, kind) == ("A1/cartridge.json", "second name"):  # it is read, and makes no sense
        error_class = "suspect_cartridge"
    refused(error_class, act, library)
    untouched(victim)


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "second name", "pipe"])
@pytest.mark.parametrize("name", ["00000", ".cartridge.json"])
def test_what_stands_in_the_place_of_a_tape_file_is_neither_written_nor_waited_for(
    library: VirtualLibrary, victim: Path, name: str, kind: str
) -> None:
    plant(Path(library.path, "A1", name), kind, victim)
    with pytest.raises(Exception, match=r"tape file 0|directory|argument|links|address"):
        _load(library)
    untouched(victim)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_stands_in_the_place_of_a_cartridge_or_of_the_exported_ones_is_not_entered(
    library: VirtualLibrary, tmp_path: Path, victim: Path, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    Path(library.path, "A2").rename(outside / "A2")
    for name in ("A2", "import_export"):
        plant(Path(library.path, name), kind, outside if kind == "link" else victim)
    refused("no_cartridge", lambda: library.load("A2", "me").__enter__())
    refused("tape_unavailable", library.export_cartridge, "A1", "me")
    assert [slot.barcode for slot in library.inventory().slots] == ["A1"]
    assert sorted(path.name for path in outside.rglob("*")) == ["A2", "cartridge.json"]


def test_a_link_in_the_place_of_a_lock_or_of_their_directory_is_not_followed(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "locks").mkdir(mode=0o700)
    plant(tmp_path / "locks" / "drive", "link", victim)
    with pytest.raises(OSError, match="symbolic"):
        Locks(str(tmp_path / "locks")).take("drive", "me", "now")
    (tmp_path / "other").symlink_to(tmp_path / "locks")
    with pytest.raises(PermissionError):
        Locks(str(tmp_path / "other")).take("drive", "me", "now")
    untouched(victim)


def test_a_second_name_may_be_read_and_not_written(tmp_path: Path, victim: Path) -> None:
    plant(tmp_path / "other", "second name", victim)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        os.close(open_plain("other", os.O_RDONLY, directory))
        with pytest.raises(OSError, match="links"):
            open_plain("other", os.O_RDWR, directory)
    finally:
        os.close(directory)
