# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the catalog is found, made, upgraded and refused."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog import connect, schema
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.conftest import House
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import registered


def refused(error_class: ErrorClass, url: str, write: bool = False, **how: bool) -> BackupError:
    with pytest.raises(BackupError) as caught:
        catalog = open_catalog(url, **how)
        with catalog.begin() if write else catalog.read() as records:
            records.volumes()
    assert caught.value.error_class is error_class
    assert caught.value.next_step
    return caught.value


def at(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_catalog_that_is_not_there_reads_as_empty_until_the_first_writer_makes_it(url: str) -> None:
    catalog = open_catalog(url)
    with catalog.read() as records:
        assert records.volumes() == []
    refused(ErrorClass.CATALOG_UNAVAILABLE, url, create=False)
    with catalog.begin() as records:
        records.put_volumes([registered(1)])
    with catalog.read() as records:
        assert records.volumes() == [registered(1)]
    catalog.close()
    with open_catalog(url, create=False, read_only=True).read() as records:
        assert records.volumes() == [registered(1)]


def test_check_mode_neither_makes_a_catalog_nor_writes_one(url: str, tmp_path: Path) -> None:
    catalog = open_catalog(url, read_only=True)
    with pytest.raises(RuntimeError), catalog.begin():
        pass
    with catalog.read() as records:
        assert records.policies() == []
    refused(ErrorClass.CATALOG_UNAVAILABLE, url, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_that_was_made_meanwhile_is_seen(url: str) -> None:
    early = open_catalog(url)
    with early.read() as records:
        assert records.volumes() == []
    with open_catalog(url).begin() as records:
        records.put_volumes([registered(1)])
    with early.read() as records:
        assert records.volumes() == [registered(1)]


def test_the_file_and_its_directory_are_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "catalog.db"
    with open_catalog(at(path)).begin() as records:
        records.put_volumes([registered(1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {one.name for one in path.parent.iterdir()} <= {"catalog.db", "catalog.db-wal", "catalog.db-shm"}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_empty_file_becomes_a_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.touch(0o640)
    with open_catalog(at(path)).begin() as records:
        records.put_volumes([registered(1)])
    with open_catalog(at(path)).read() as records:
        assert records.volumes() == [registered(1)]


@pytest.mark.parametrize("linked", ["catalog.db", "."])
def test_a_symbolic_link_is_refused(tmp_path: Path, linked: str) -> None:
    real = tmp_path / "real"
    with open_catalog(at(real / "catalog.db")).begin():
        pass
    if linked == ".":
        place = tmp_path / "link"
        place.symlink_to(real)
    else:
        place = tmp_path / "dir"
        place.mkdir()
        (place / "catalog.db").symlink_to(real / "catalog.db")
    error = refused(ErrorClass.CATALOG_UNAVAILABLE, at(place / "catalog.db"))
    assert "symbolic link" in error.message


@pytest.mark.rule("R4.32")
def test_garbage_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a catalog\n" * 1000)
    error = refused(ErrorClass.CATALOG_UNAVAILABLE, at(path), write=True)
    assert str(path) in error.message
    assert path.read_bytes() == b"not a catalog\n" * 1000


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE volumes (id INTEGER)")
    error = refused(ErrorClass.CATALOG_UNAVAILABLE, at(path), write=True)
    assert "other tables" in error.message
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_a_directory_or_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(ErrorClass.CATALOG_UNAVAILABLE, at(tmp_path))
    refused(ErrorClass.CATALOG_UNAVAILABLE, at(tmp_path / "file" / "catalog.db"), write=True)


def test_sqlite_inside_an_execution_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner")
    error = refused(ErrorClass.CATALOG_UNAVAILABLE, at(tmp_path / "catalog.db"))
    assert "execution environment" in error.message


@pytest.mark.parametrize(
    "url",
    ["mysql://root:secret@db/x", "sqlite://", "sqlite:///relative.db", "secret", "://secret@", "sqlite:///:memory:"],
)
def test_a_url_of_another_kind_is_an_invalid_option_and_is_not_repeated(url: str) -> None:
    error = refused(ErrorClass.INVALID_OPTION, url)
    assert "secret" not in str(error.as_result())


def test_an_unreachable_server_is_named_without_the_password(tmp_path: Path) -> None:
    for url in (
        "postgresql+psycopg://backup:s3cr3t@127.0.0.1:1/catalog",
        f"postgresql://backup:s3cr3t@/catalog?host={tmp_path}",
    ):
        error = refused(ErrorClass.CATALOG_UNAVAILABLE, url)
        assert "s3cr3t" not in str(error.as_result())
        assert "catalog at" in error.message


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_MISSING", "missing")
    assert "SQLAlchemy" in refused(ErrorClass.CATALOG_UNAVAILABLE, "sqlite:////x").message


def set_version(house: House, version: int) -> None:
    with house.catalog.begin() as records:
        records._connection.execute(schema.tables().schema.update().values(version=version))


@pytest.mark.rule("R4.33", "R9.26")
@pytest.mark.parametrize("write", [True, False])
def test_a_newer_catalog_is_refused_and_left_alone(house: House, write: bool) -> None:
    set_version(house, schema.CURRENT + 1)
    error = refused(ErrorClass.CATALOG_SCHEMA, house.url, write=write)
    assert error.details == {"found": schema.CURRENT + 1, "known": schema.CURRENT}
    with pytest.raises(BackupError) as caught, house.catalog.begin():
        pass
    assert caught.value.error_class is ErrorClass.CATALOG_SCHEMA


@pytest.mark.rule("R9.26")
def test_an_older_catalog_is_upgraded_in_order_and_once_by_a_writer_and_refused_to_a_reader(house: House) -> None:
    ran: list[int] = []
    one, two = schema.CURRENT + 1, schema.CURRENT + 2
    steps = (*schema.STEPS, schema.Step(one, lambda _: ran.append(one)), schema.Step(two, lambda _: ran.append(two)))
    with house.catalog.begin() as records:
        for known in (one, two, two):
            schema.upgrade(records._connection, "here", steps[:known])
    assert ran == [one, two]
    schema.check_version(1, "here", ours=2)
    with pytest.raises(BackupError) as caught:
        schema.check_version(1, "here", upgradable=False, ours=2)
    assert caught.value.error_class is ErrorClass.CATALOG_SCHEMA


def test_the_tables_are_those_of_this_version(catalog: connect.SqlCatalog) -> None:
    """Who changes a value of the catalog changes the tables: then this fails until a step and a version are added."""
    with catalog.begin() as records:
        tables = sorted(schema.tables().metadata.tables.values(), key=lambda table: table.name)
        shape = {table.name.removeprefix("eternus_"): len(table.c) for table in tables}
        assert schema.version_of(records._connection) == schema.CURRENT == 4
    assert shape == {
        "allocations": 7,
        "arrays": 4,
        "backups": 13,
        "cartridges": 14,
        "disk_copies": 5,
        "journal": 10,
        "leases": 5,
        "policies": 17,
        "pools": 4,
        "readers": 6,
        "restore_tests": 13,
        "schema": 3,
        "tape_copies": 14,
        "tape_parts": 9,
        "undefined_targets": 5,
        "used_keys": 4,
        "volumes": 10,
    }


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that a stranger reaches too."""
    place = Path(tempfile.mkdtemp(prefix="catalog", dir="/tmp"))
    place.chmod(0o755)
    yield place
    place.chmod(0o755)
    shutil.rmtree(place)


def as_stranger(work: Callable[[str], object], url: str) -> object:
    """Do work as a user who may read the catalog and not write it: root may do everything, hence in a process."""
    answers: multiprocessing.Queue[object] = multiprocessing.get_context("fork").Queue()

    def run() -> None:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        try:
            answers.put(work(url))
        except BackupError as error:
            answers.put(error.sentence())

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    found = answers.get(timeout=60)
    child.join()
    return found


def reads(url: str) -> int:
    with open_catalog(url).read() as records:
        return len(records.volumes())


def writes(url: str) -> int:
    with open_catalog(url).begin() as records:
        return len(records.volumes())


@pytest.mark.parametrize("open_elsewhere", [True, False])
def test_a_catalog_that_may_not_be_written_is_read(shared: Path, open_elsewhere: bool) -> None:
    path = shared / "catalog.db"
    catalog = open_catalog(at(path))
    with catalog.begin() as records:
        records.put_volumes([registered(1)])
    if not open_elsewhere:
        catalog.close()
    for one in shared.iterdir():
        one.chmod(0o444 if os.geteuid() else 0o644)
    shared.chmod(0o555 if os.geteuid() else 0o755)
    assert as_stranger(reads, at(path)) == 1
    said = str(as_stranger(writes, at(path)))
    assert said.startswith("catalog_unavailable: ")
    assert str(path) in said
    catalog.close()


def test_a_directory_that_may_not_be_written_gets_no_catalog(shared: Path) -> None:
    shared.chmod(0o555)
    said = str(as_stranger(writes, at(shared / "catalog.db")))
    assert said.startswith(f"catalog_unavailable: The catalog {shared}/catalog.db cannot be made: Permission denied.")


def test_a_file_that_may_not_be_read_is_refused(shared: Path) -> None:
    path = shared / "catalog.db"
    with open_catalog(at(path)).begin():
        pass
    path.chmod(0o000)
    assert "may not be read" in str(as_stranger(reads, at(path)))
