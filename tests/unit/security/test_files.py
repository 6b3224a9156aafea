# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files are 0600 and directories 0700 whatever the umask; what everybody may write is not used (SECURITY.md, Files)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import exported
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._private import make_directory
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_host import Locks
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import registered
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, refused, write_files


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory under which everything is made under an umask."""
    tmp_path.chmod(0o755)
    before = os.umask(request.param)
    try:
        yield tmp_path
    finally:
        os.umask(before)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def for_the_owner_alone(place: Path) -> list[str]:
    """Assert it of everything below a directory; return the names."""
    found = sorted(place.rglob("*"))
    for path in found:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:03o}"
    return [path.relative_to(place).as_posix() for path in found]


def test_the_catalog_its_log_and_its_export_are_for_their_owner_alone(place: Path) -> None:
    catalog = place / "var" / "lib" / "eternus" / "catalog.db"
    (place / "var").mkdir(mode=0o700)
    with closing(open_catalog(url(catalog))) as opened:
        with opened.begin() as records:
            records.put_volumes([registered(1)])
        exported(
            {"catalog_url": url(catalog), "path": str(catalog.parent / "export.jsonl"), "force": False},
            check_mode=False,
        )
        names = for_the_owner_alone(place)
    assert {"var/lib/eternus/catalog.db-wal", "var/lib/eternus/export.jsonl"} <= set(names)
    assert catalog.parent / "catalog.db" == catalog
    for_the_owner_alone(place)


def test_a_library_and_all_that_is_in_it_are_for_their_owner_alone(place: Path) -> None:
    library = VirtualLibrary(str(place / "srv" / "tape" / "library"))
    library.create({"A1": 8 * MIB, "A2": 8 * MIB})
    with library.load("A1", "me") as drive:
        write_files(drive, 100, 200)
        for_the_owner_alone(place)
    library.export_cartridge("A2", "me")
    names = for_the_owner_alone(place)
    assert {"srv/tape/library/drive0", "srv/tape/library/import_export/A2", "srv/tape/library/A1/00001"} <= set(names)


def test_the_locks_of_tape_drives_are_for_their_owner_alone(place: Path) -> None:
    locks = Locks(str(place / "run" / "lock" / "eternus"))
    with locks.alone("changer"):
        taken = locks.take("drive", "me", "now")
    assert taken is not None
    os.close(taken)
    assert set(for_the_owner_alone(place)) >= {"run/lock/eternus/changer", "run/lock/eternus/drive"}


def test_a_directory_is_made_once_by_whoever_comes_first_and_never_where_a_file_is(place: Path) -> None:
    make_directory(str(place / "a" / "b"))
    make_directory(str(place / "a" / "b"))
    (place / "file").touch(0o600)
    for path in ("file", "file/below"):
        with pytest.raises(OSError):
            make_directory(str(place / path))
    assert for_the_owner_alone(place) == ["a", "a/b", "file"]


def test_a_relative_path_is_made_below_the_current_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    for path in ("a", "b/c", "d/"):
        make_directory(path)
    assert for_the_owner_alone(place) == ["a", "b", "b/c", "d"]


@pytest.mark.parametrize("what", ["catalog.db", "catalog.db-wal", "."])
def test_a_catalog_that_every_user_may_write_is_refused_by_name(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state" / "catalog.db"
    with closing(open_catalog(url(path))) as opened:
        with opened.begin() as records:
            records.put_volumes([registered(1)])
        lax = path.parent / what
        lax.chmod(0o777 if what == "." else 0o666)
        error = refused("catalog_unavailable", open_catalog, url(path))
    assert error.error_class is ErrorClass.CATALOG_UNAVAILABLE
    assert "Every user of this host may write" in error.message
    assert "chmod o-w" in error.next_step


@pytest.mark.parametrize(("file", "directory"), [(0o644, 0o755), (0o660, 0o770), (0o600, 0o1777)])
def test_what_others_may_read_or_a_group_may_share_is_the_operators_choice(
    tmp_path: Path, file: int, directory: int
) -> None:
    path = tmp_path / "state" / "catalog.db"
    with closing(open_catalog(url(path))) as opened, opened.begin() as records:
        records.put_volumes([registered(1)])
    path.chmod(file)
    path.parent.chmod(directory)
    with closing(open_catalog(url(path))) as opened, opened.begin() as records:
        assert records.volumes() == [registered(1)]
    assert stat.S_IMODE(path.stat().st_mode) == file


def test_a_library_or_a_cartridge_that_every_user_may_write_is_refused_by_name(tmp_path: Path) -> None:
    library = VirtualLibrary(str(tmp_path / "library"))
    library.create({"A1": 8 * MIB})
    (tmp_path / "library" / "A1").chmod(0o777)
    error = refused("suspect_cartridge", lambda: library.load("A1", "me").__enter__())
    assert "every user of this host may change it" in error.message
    (tmp_path / "library").chmod(0o777)
    error = refused("tape_unavailable", library.inventory)
    assert "every user of this host may put files into it" in error.message


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o770])
def test_a_directory_of_locks_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks").chmod(mode)
    with pytest.raises(PermissionError), Locks(str(tmp_path / "locks")).alone("drive"):
        pass
    assert list((tmp_path / "locks").iterdir()) == []
