# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make scale: many arrays and many workers over one catalog, as far as this machine goes. Figures in build/scale.json.

PARTS="growth commits big" measures only these; SMALL=1 runs all at a size that only shows that it works; OUT is where
the figures go, TMPDIR where arrays and SQLite catalogs lie (commits are written to that disk). Nothing is asserted.

growth: w workers, w arrays (one each), and then 8 arrays shared by 1 to 8 workers: throughput, CPU of workers, arrays
and database apart, and the law that fits it. commits: the catalog's transactions alone, by w writers. big: one array's
work in a catalog that knows the volumes of up to 100.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill, served
from ansible_collections.eternus.backup.tests.benchmark.figures import Figures
from ansible_collections.eternus.backup.tests.benchmark.scale_big import measure_big, other_array
from ansible_collections.eternus.backup.tests.benchmark.scale_field import (
    SIZE,
    Durable,
    Share,
    Worker,
    cpu_of,
    crew,
    durable_postgres,
    many_arrays,
    registered,
)
from ansible_collections.eternus.backup.tests.benchmark.scale_law import Law, fitted


@dataclass(frozen=True)
class Extent:
    """How much is measured. ``pairs`` a cycle and array; ``latency`` of a request, ``seconds`` of committing: in s."""

    workers: Sequence[int] = (1, 2, 4, 8, 16, 32)
    shared: int = 8
    pairs: int = 8
    latency: float = 0.05
    seconds: float = 3.0
    rounds: int = 2
    volumes: int = 10_000
    arrays: Sequence[int] = (1, 10, 100)


#: With more workers than this on one host nobody keeps the catalog in SQLite.
_ON_ONE_HOST = 16

SMALL = Extent((1, 2), 2, 2, 0.01, 0.3, 1, 100, (1, 3))


@dataclass
class Cycles:
    """Cycles of synchronization and backup over one catalog; each cycle has a key of its own."""

    figures: Figures
    database: str
    url: str
    shares: Sequence[Share]
    workers: Sequence[Worker]
    server: Durable
    number: int = 0

    def run(self, arrays: int, workers: int) -> dict[str, float]:
        """Let so many workers share the work of so many arrays; return seconds, pairs, and CPU seconds by whose."""
        self.number += 1
        busy = self.workers[:workers]
        shares = self.shares[:arrays]
        pids = [int(share.array.endpoint["pid"]) for share in shares]
        before = (sum(map(cpu_of, pids)), cpu_of(self.server.pid, children=True))
        begun = time.perf_counter()
        for place, worker in enumerate(busy):
            mine = [share.order() for share in shares[place::workers]]
            worker.tell({"work": "cycle", "url": self.url, "key": f"cycle{self.number}", "arrays": mine})
        told = [worker.answer() for worker in busy]
        return {
            "seconds": time.perf_counter() - begun,
            "pairs": sum(one["pairs"] for one in told),
            "round_trips": sum(one["round_trips"] for one in told),
            "worker": sum(one["cpu"] for one in told),
            "array": sum(map(cpu_of, pids)) - before[0],
            "database": cpu_of(self.server.pid, children=True) - before[1],
        }

    def measure(self, tag: str, arrays: int, workers: int, rounds: int) -> float:
        """Keep the medians of some cycles; return pairs per second."""
        runs = [self.run(arrays, workers) for _round in range(rounds)]
        name = f"scale_{self.database}_{tag}"

        def kept(what: str, value: Callable[[dict[str, float]], float], unit: str) -> float:
            found = median(map(value, runs))
            self.figures.put(f"{name}_{what}", found, unit, runs=rounds)
            return found

        kept("round_trips_per_pair", lambda run: run["round_trips"] / run["pairs"], "round trips")
        for whose in ("worker", "array", *(["database"] if self.database == "postgresql" else [])):
            kept(f"cpu_{whose}_per_pair", lambda run, whose=whose: run[whose] / run["pairs"], "s")  # type: ignore[misc]
        return kept("pairs_per_second", lambda run: run["pairs"] / run["seconds"], "pairs/s")


def growth(figures: Figures, folder: Path, extent: Extent, postgres: Durable, workers: Sequence[Worker]) -> None:
    """Grow workers and arrays together; then share a fixed number of arrays among more and more workers."""
    count = max(extent.workers)
    with many_arrays(folder, count, list_support=False) as arrays:
        urls = {"postgresql": postgres.new_url(), "sqlite": f"sqlite:///{folder}/growth/catalog.db"}
        for database, url in urls.items():
            local = database == "sqlite"
            counts = [n for n in extent.workers if n <= _ON_ONE_HOST or not local]
            used = arrays[: max(counts)]
            shares = [
                registered(array, url, f"{database[0]}{number:02}", extent.pairs) for number, array in enumerate(used)
            ]
            cycles = Cycles(figures, database, url, shares, workers, postgres)
            for _first in range(2):  # copies onto both BVs of each TV: from now on they are resumed in turn
                cycles.run(len(used), len(used))
            for array in used:
                array.knobs(latency=extent.latency)
            rounds = 1 if local else extent.rounds
            together = {n: cycles.measure(f"w{n}_k{n}", n, n, rounds) for n in counts}
            _told(figures, f"scale_{database}_together", fitted(together))
            if not local:
                few = [n for n in extent.workers if n <= extent.shared]
                shared = {n: cycles.measure(f"w{n}_k{extent.shared}", extent.shared, n, 1) for n in few}
                _told(figures, f"scale_{database}_shared", fitted(shared))
            for array in used:
                array.knobs(latency=0.0)


def _told(figures: Figures, name: str, law: Law) -> None:
    figures.put(f"{name}_sigma", law.sigma, "share")
    figures.put(f"{name}_kappa", law.kappa, "share")
    if law.kappa > 0:
        figures.put(f"{name}_peak_workers", law.peak(), "workers")


def commits(figures: Figures, folder: Path, extent: Extent, postgres: Durable, workers: Sequence[Worker]) -> None:
    """Let w writers, each at its own array's volume, write what each step of a backup writes, as fast as they can."""
    urls = {"postgresql": postgres.new_url(), "sqlite": f"sqlite:///{folder}/commits/catalog.db"}
    for database, url in urls.items():
        with closing(open_catalog(url)) as catalog, catalog.begin():
            pass
        for number in range(len(workers)):
            other_array(url, number, 2)
        for writers in (n for n in extent.workers if n <= 16):
            busy = workers[:writers]
            before = cpu_of(postgres.pid, children=True)
            for number, worker in enumerate(busy):
                serial = f"OTHER{number:012d}"
                pair = [[serial, f"6{number:015X}{end:016X}"] for end in (0, 1)]
                order = {"work": "commit", "url": url, "owner": f"w{number}", "pair": pair, "seconds": extent.seconds}
                worker.tell(order)
            told = [worker.answer() for worker in busy]
            waits = sorted(wait for one in told for wait in one["waits"])
            seconds = max(one["seconds"] for one in told)
            name = f"scale_{database}_writers{writers}"
            figures.put(f"{name}_commits_per_second", len(waits) / seconds, "commits/s")
            figures.put(f"{name}_turn_mean", mean(waits) * 1000, "ms")
            figures.put(f"{name}_turn_p95", waits[int(len(waits) * 0.95)] * 1000, "ms")
            figures.put(f"{name}_cpu_worker_per_commit", sum(one["cpu"] for one in told) / len(waits) * 1000, "ms")
            if database == "postgresql":
                spent = cpu_of(postgres.pid, children=True) - before
                figures.put(f"{name}_cpu_database_per_commit", spent / len(waits) * 1000, "ms")


def big(figures: Figures, folder: Path, extent: Extent, postgres: Durable, _workers: Sequence[Worker]) -> None:
    """Work on one array's volumes in catalogs of more and more other arrays."""
    with served(folder / "big", {"model": "ET603SA4621399999"}, tls=folder / "tls") as array:
        names = [f"vol{number:05d}" for number in range(extent.volumes)]
        fill(array, names, SIZE)
        for database, url in (
            ("sqlite", f"sqlite:///{folder}/catalog/catalog.db"),
            ("postgresql", postgres.new_url()),
        ):
            sizes = extent.arrays if database == "sqlite" else (extent.arrays[0], extent.arrays[-1])
            measure_big(figures, array, names, database, url, sizes)


PARTS = {"growth": growth, "commits": commits, "big": big}


def main() -> int:
    """Measure the parts that are asked for, and write the file."""
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    wanted = os.environ.get("PARTS", "").split() or list(PARTS)
    extent = SMALL if os.environ.get("SMALL", "") not in ("", "0") else Extent()
    place = Path(os.environ.get("OUT") or "build/scale.json")
    figures = Figures()
    if place.is_file() and len(wanted) < len(PARTS):
        figures.rows.update(json.loads(place.read_text(encoding="utf-8")))
    begun = time.monotonic()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        postgres = stack.enter_context(durable_postgres())
        workers = stack.enter_context(crew(0 if wanted == ["big"] else max(extent.workers)))
        for name in wanted:
            if name not in PARTS:
                print(f"No such part: {name}; there are {', '.join(PARTS)}.", file=sys.stderr)
                return 2
            print(f"{name}:", flush=True)
            before = time.monotonic()
            PARTS[name](figures, folder, extent, postgres, workers)
            figures.put(f"scale_{name}_part_seconds", time.monotonic() - before, "s")
    figures.put("scale_seconds", time.monotonic() - begun, "s")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(figures.rows, indent=1) + "\n", encoding="utf-8")
    print(f"Figures: {place}")
    return 0
