# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Round trips and seconds to start, wait for, split and record N pairs in arrays of V volumes.

Each work goes by what a module calls (``on_array``): it opens the catalog and a connection of its own over https, and
uses what an earlier task kept of the array. The start of a process is not in it; section beside has that. Requests are
what the array itself counted; where something is waited for (the wait, jobs) further looks are counted apart.
``suspend`` and ``plain`` (split, then release) include recording the backups.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import start
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import QUICK, Estate, estate

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

SIZE = 64 << 10  # bytes of a volume: real ones, on sparse files
VOLUMES = (100, 1_000, 10_000)
PAIRS = (1, 10, 100, 1_000)
LATENCIES = (0, 5, 50)  # milliseconds
WAYS = {"lists": True, "single": False}
#: What ends the copies: the kind of policy by which a backup suspends its pair, or splits and releases it.
KINDS = {"suspend": True, "plain": False}
#: A look at the sessions, or at a job; a task looks before its plan and after its act, however soon all is done.
_LOOKS = ("EnumerateInstances", "GetInstance")
_OWN_LOOKS = 2
#: One by one at 50 ms, 1,000 pairs only repeat what 100 tell: they are measured up to here.
SLOW_SINGLE = 100


@dataclass(frozen=True)
class Cell:
    """So many pairs, ended by this kind of backup, at this latency (milliseconds); jobs: whether all is a job."""

    pairs: int
    kind: str
    latency: int
    jobs: bool = False


@dataclass(frozen=True)
class Cost:
    """What one work cost: requests but polls, polls, seconds, and CPU seconds of this process."""

    round_trips: int
    polls: int
    seconds: float
    cpu: float


def measure(bench: Bench) -> None:
    """Measure every array with lists, and one by one."""
    for volumes in VOLUMES[:1] if bench.small else VOLUMES:
        for way, lists in WAYS.items():
            cells = list(_cells(volumes, lists))
            knobs = {"list_support": lists, "max_sessions_device": 10_000}  # suspended pairs keep their sessions
            with estate(bench.directory / f"{volumes}{way}", {"knobs": knobs}) as place:
                names = _provided(place, volumes, cells)
                for cell in cells:
                    _measure(bench, place, f"vol{volumes}", way, cell, list(islice(names, cell.pairs)))
    for way in WAYS:
        for work in ("start", *KINDS):
            _spread(bench, way, work)


def _cells(volumes: int, lists: bool) -> Iterator[Cell]:
    """Yield what fits into an array: all counts at no latency, all latencies in the largest array."""
    for pairs in PAIRS:
        if pairs * 10 > volumes:
            continue
        for kind in KINDS:
            yield Cell(pairs, kind, 0)
            if pairs == 10 or (pairs == 100 and volumes == 1_000):
                yield Cell(pairs, kind, 0, jobs=True)
            if volumes == VOLUMES[-1] and pairs >= 10 and (pairs < 1_000 or kind == "suspend"):
                for latency in LATENCIES[1:]:
                    if lists or latency < LATENCIES[-1] or pairs <= SLOW_SINGLE:
                        yield Cell(pairs, kind, latency)


def _provided(place: Estate, volumes: int, cells: list[Cell]) -> Iterator[str]:
    """Fill the array; return the names of the TVs, cell by cell."""
    names: dict[str, list[str]] = {kind: [] for kind in KINDS}
    tvs: list[str] = []
    for number, cell in enumerate(cells):
        made = [f"tv{number}x{one}" for one in range(cell.pairs)]
        names[cell.kind] += made
        tvs += made
    for kind, suspend in KINDS.items():
        place.provide(names[kind], [f"bv{name}" for name in names[kind]], SIZE, suspend=suspend)
    fill(place.array, [f"other{number}" for number in range(volumes - 2 * len(tvs))], SIZE)
    _cost(place, _registered, jobs=False)
    return iter(tvs)


def _registered(ctx: Context) -> Result:
    """Ask what eternus_volume asks when volumes are registered, and keeps."""
    for array in ctx.arrays.values():
        array.capabilities()
    return Result(changed=False)


def _measure(bench: Bench, place: Estate, array: str, way: str, cell: Cell, names: list[str]) -> None:
    place.array.knobs(jobs="always" if cell.jobs else "never", latency=cell.latency / 1000)
    costs = {
        "start": _cost(place, lambda ctx: start(ctx, names), jobs=cell.jobs),
        "wait": _cost(place, lambda ctx: start(ctx, names, wait=QUICK), jobs=False),
        cell.kind: _cost(place, lambda ctx: take_backup(ctx, names, BackupRequest()), jobs=cell.jobs),
    }
    place.array.knobs(latency=0.0)
    jobs = "_jobs" if cell.jobs else ""
    for work, cost in costs.items():
        if work != cell.kind and cell.kind == "plain":
            continue  # told by the cells that suspend
        name = f"pairs_{work}_n{cell.pairs}_{array}_lat{cell.latency}{jobs}_{way}"
        bench.figures.put(f"{name}_round_trips", cost.round_trips, "requests")
        if cell.jobs or work == "wait":
            bench.figures.put(f"{name}_polls", cost.polls, "requests")
        bench.figures.put(f"{name}_seconds", cost.seconds, "s")
        bench.figures.put(f"{name}_cpu_seconds", cost.cpu, "s")


def _cost(place: Estate, work: Callable[[Context], Result], *, jobs: bool) -> Cost:
    """Do a work as a module does."""
    place.array.reset_counters()
    begun, cpu = time.perf_counter(), time.process_time()
    params = {"use_tls": True, "validate_certs": True, "request_timeout": 60.0}
    params.update(place.array.args(), catalog_url=place.url)
    result = on_array(params, check_mode=False, work=work, must_exist=True)
    seconds, spent = time.perf_counter() - begun, time.process_time() - cpu
    asked = place.array.counters()
    polls = int(result.values.get("looks", 0))
    if jobs:
        polls = max(0, sum(asked["requests"].get(name, 0) for name in _LOOKS) - _OWN_LOOKS)
    return Cost(int(asked["requests_total"]) - polls, polls, seconds, spent)


def _spread(bench: Bench, way: str, work: str) -> None:
    """Put how far the round trips of 10 pairs lie apart between arrays of all sizes."""
    rows = bench.figures.rows
    found = [
        rows[name]["value"]
        for volumes in VOLUMES
        for name in [f"pairs_{work}_n10_vol{volumes}_lat0_{way}_round_trips"]
        if name in rows
    ]
    bench.figures.put(f"pairs_{work}_n10_{way}_spread", max(found) - min(found), "requests", runs=len(found))


def _bounds() -> Iterator[Bound]:
    for pairs in PAIRS:
        for way, lists in WAYS.items():
            for work in ("start", *KINDS):
                most = 8 if lists else (2 if work == "plain" else 1) * pairs + 6
                yield Bound(f"pairs_{work}_n{pairs}_vol{VOLUMES[-1]}_lat0_{way}_round_trips", most)
    for work in ("start", *KINDS):
        for way, lists in WAYS.items():
            yield Bound(f"pairs_{work}_n10_{way}_spread", 1)
            most = 8 if lists else (2 if work == "plain" else 1) * 100 + 6
            yield Bound(f"pairs_{work}_n100_vol1000_lat0_jobs_{way}_round_trips", most)


BOUNDS = tuple(_bounds())
