# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalogs for tests: a SQLite file, and a schema of a PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import allocation, registered


@pytest.fixture(autouse=True)
def no_execution_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests run inside ansible-runner too."""
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)


def _binaries() -> Path:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    places += [Path(found).resolve().parent] if found else []
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    pytest.fail("PostgreSQL is missing on this machine: apt-get install postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a private server on a socket of its own; yield its URL."""
    binaries = _binaries()
    # As root the server runs as its own user, and a socket's path must be short.
    place = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if who:
        shutil.chown(place, "postgres")

    def run(argv: list[str]) -> None:
        subprocess.run([*who, *argv], check=True, stdout=subprocess.DEVNULL, cwd="/")

    options = f"-k {place} -c listen_addresses='' -c fsync=off -c synchronous_commit=off"
    control = [str(binaries / "pg_ctl"), "-D", str(place / "data")]
    try:
        initdb = [str(binaries / "initdb"), "-A", "trust", "--no-sync", "-U", "eternus", "-D", str(place / "data")]
        run(initdb)
        run([*control, "-w", "-l", str(place / "log"), "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://eternus@/postgres?host={place}"
        finally:
            run([*control, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a catalog that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/catalog.db"
    import psycopg

    server = request.getfixturevalue("postgres_server")
    schema = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{server}&options=-csearch_path%3D{schema}"


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    """Return a catalog on either database."""
    made = open_catalog(url)
    yield made
    made.close()


@dataclass(frozen=True)
class House:
    """A catalog with TVs 1-2, BVs 10-14; BVs 10-12 serve TV 1."""

    catalog: SqlCatalog
    url: str


@pytest.fixture
def house(catalog: SqlCatalog, url: str) -> House:
    with catalog.begin() as records:
        records.put_volumes([registered(number, Role.TRANSACTION) for number in (1, 2)])
        records.put_volumes([registered(number) for number in range(10, 15)])
        records.allocate([allocation(number) for number in (10, 11, 12)])
    return House(catalog, url)
