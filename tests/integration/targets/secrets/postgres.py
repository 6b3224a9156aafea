# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL server on a free port of loopback, whose only user needs a password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "keeper"


@dataclass(frozen=True)
class Server:
    """Where it listens, and where its files are."""

    port: int
    files: Path


def _binaries() -> Path:
    found = shutil.which("initdb")
    places = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *([Path(found).parent] if found else []),
    ]
    return next(place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres(password: str) -> Iterator[Server]:
    """Run one until the block ends; as root it runs as its own user, who needs a directory in reach."""
    place = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    secret = place / "password"
    secret.touch(0o600)
    secret.write_text(password, encoding="utf-8")
    if who:
        shutil.chown(place, "postgres")
        shutil.chown(secret, "postgres")
    port, data, binaries = _free_port(), place / "data", _binaries()

    def run(name: str, *words: str) -> None:
        argv = [*who, str(binaries / name), "-D", str(data), *words]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/")

    try:
        run("initdb", "-A", "scram-sha-256", "--no-sync", "-U", USER, "-E", "UTF8", "--pwfile", str(secret))
        secret.unlink()
        options = f"-k {place} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c log_statement=all"
        run("pg_ctl", "-w", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield Server(port, place)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
