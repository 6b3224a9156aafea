# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL server of the tests' own, on a socket: one for a test run, a schema for each catalog."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _binaries() -> Path:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    places += [Path(found).resolve().parent] if found else []
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    pytest.fail("PostgreSQL is missing on this machine: apt-get install postgresql")


class Postgres:
    """A server; ``url`` is that of its database."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        # As root the server runs as its own user, and a socket's path must be short.
        self.place = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._who:
            shutil.chown(self.place, "postgres")
        self.url = f"postgresql+psycopg://eternus@/postgres?host={self.place}"

    def _run(self, program: str, *options: str) -> None:
        argv = [*self._who, str(self._binaries / program), "-D", str(self.place / "data"), *options]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def make(self) -> None:
        """Make its files."""
        self._run("initdb", "-A", "trust", "--no-sync", "-U", "eternus")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self.place} -c listen_addresses='' -c fsync=off -c synchronous_commit=off"
        self._run("pg_ctl", "-w", "-l", str(self.place / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a crash does: every connection breaks, what was committed stays."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Let it be away for the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def reset_connections(self) -> int:
        """Break every connection but this one; return how many there were."""
        import psycopg

        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'eternus' AND pid <> %s"
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            return connection.execute(others, [connection.info.backend_pid]).rowcount

    def new_url(self) -> str:
        """Return the URL of a catalog that does not exist yet."""
        import psycopg

        schema = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{self.url}&options=-csearch_path%3D{schema}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Make and start a server for the block."""
    server = Postgres()
    try:
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(server.place, ignore_errors=True)
