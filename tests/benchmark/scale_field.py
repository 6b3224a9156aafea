# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What make scale stands on: many arrays and workers as processes, catalogs that they share, CPU told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import opened
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.registry import register
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media, Policy, Role
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill, served
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated, certificates

#: Bytes of a volume: the array's work is not what is measured.
SIZE = 64 * 1024
_TICK = os.sysconf("SC_CLK_TCK")


class Durable(Postgres):
    """A PostgreSQL server that writes each commit to the disk, as one does that keeps a catalog."""

    def start(self) -> None:
        options = f"-k {self.place} -c listen_addresses='' -c max_connections=200"
        self._run("pg_ctl", "-w", "-l", str(self.place / "log"), "-o", options, "start")

    @property
    def pid(self) -> int:
        """Return the server's first process: those that serve connections are its children."""
        return int((self.place / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])


@contextmanager
def durable_postgres() -> Iterator[Durable]:
    """Make and start a server for the block."""
    server = Durable()
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        subprocess.run(["rm", "-rf", str(server.place)], check=True)


def cpu_of(pid: int, *, children: bool = False) -> float:
    """Return the CPU seconds of a process, on request with those of its children, ended ones too."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    own = sum(map(int, words[11 : 15 if children else 13])) / _TICK
    if not children:
        return own
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return own + sum(_cpu_if_there(int(child)) for child in living)


def _cpu_if_there(pid: int) -> float:
    try:
        return cpu_of(pid)
    except FileNotFoundError:
        return 0.0


@dataclass(frozen=True)
class Share:
    """One array's part: how to reach it, and its TVs, by names that no other array has."""

    array: Simulated
    tvs: Sequence[str]

    def order(self) -> dict[str, Any]:
        """Return it as a worker is told."""
        return {"options": self.array.args(), "volumes": list(self.tvs)}


@contextmanager
def many_arrays(directory: Path, count: int, **knobs: Any) -> Iterator[list[Simulated]]:
    """Serve so many arrays, each a process of its own, started two at a time."""
    certificates(directory / "tls")
    models = [f"ET603SA46213{number:05d}" for number in range(count)]
    with ExitStack() as stack, ThreadPoolExecutor(2) as starters:

        def start(model: str) -> tuple[Any, Simulated]:
            config = {"model": model, "name": model, "knobs": knobs}
            one = served(directory / model, config, tls=directory / "tls")
            return one, one.__enter__()

        found = []
        for one, array in starters.map(start, models):
            stack.push(one.__exit__)
            found.append(array)
        yield found


def registered(array: Simulated, url: str, prefix: str, pairs: int) -> Share:
    """Make volumes on an array, two BVs for each TV; register them and give each TV a policy, in a catalog."""
    tvs = [f"{prefix}tv{number}" for number in range(pairs)]
    bvs = [f"{prefix}bv{number}" for number in range(2 * pairs)]
    fill(array, [*tvs, *bvs], SIZE)
    with closing(open_catalog(url)) as catalog, opened([array.options()]) as arrays:
        ctx = Context(catalog, arrays)
        for names, role in ((bvs, Role.BACKUP), (tvs, Role.TRANSACTION)):
            register(ctx, names, role, known=lambda serial: arrays[serial].known)
        with catalog.begin() as records:
            found = records.find_volumes(tvs)
            records.put_policies([Policy(found[name].ref, 1, media=Media.DISK, suspend=True) for name in tvs])
    return Share(array, tvs)


class Worker:
    """A process that does what one fork of Ansible does (scale_worker.py)."""

    def __init__(self) -> None:
        module = f"{__package__}.scale_worker"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, order: Mapping[str, Any]) -> None:
        """Give an order; the first one may come before it is ready."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer to an order."""
        return dict(json.loads(self._line()))

    def ready(self) -> None:
        """Wait until it has imported what it needs."""
        assert self._line() == "ready\n"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with {self._process.wait()}")
        return line

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def crew(count: int) -> Iterator[list[Worker]]:
    """Start so many workers and wait until they are ready."""
    workers = [Worker() for _number in range(count)]
    try:
        for worker in workers:
            worker.ready()
        yield workers
    finally:
        for worker in workers:
            worker.end()
