# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the catalog's work costs at 10,000, 100,000 and 1,000,000 backups, on SQLite and on PostgreSQL.

The engine's own functions run against a whole catalog (big_catalog.py); no array is asked. Each work is done once
before it is timed, then several times on other volumes; medians of seconds, and of the seconds of this process's CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import GenerationRequest, Wanted, change
from ansible_collections.eternus.backup.plugins.module_utils._backup.history import show
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import read_world
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice, Source, choose
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog import model
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog
from ansible_collections.eternus.backup.tests.benchmark.big_catalog import NOW, Size, filled, tv, unused
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock
from ansible_collections.eternus.backup.tests.unit.support.postgres import running_postgres

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

SIZES = (Size(10_000, 1000), Size(100_000, 1000), Size(1_000_000, 1000))
SMALL = (Size(500, 50), Size(2_000, 50))
DATABASES = ("sqlite", "postgresql")
#: How much more a cost may be at the largest size than at the smallest: log(1,000,000) / log(10,000), a fifth on top
#: for what two medians of one work differ by.
GROWTH = 1.2 * math.log(SIZES[-1].backups) / math.log(SIZES[0].backups)

BOUNDS = (
    *(Bound(f"catalog_generations_1000000_{database}", 20.0) for database in DATABASES),
    *(Bound(f"catalog_restore_at_1000000_{database}", 20.0) for database in DATABASES),
    *(Bound(f"catalog_retention_growth_{database}", round(GROWTH, 2)) for database in DATABASES),
    *(Bound(f"catalog_observe_10_growth_{database}", round(GROWTH, 2)) for database in DATABASES),
)

#: How often a work is timed, each time on other volumes.
TIMES = 7
#: How many nights pass: at the smallest size no more have anything that is beyond the number of tape generations.
NIGHTS = 3


@dataclass(frozen=True)
class Work:
    """A work by its name; ``run`` gets the number of the time, from 0.

    ``items``: how many it is shared by in the figure; ``times``: how often it is timed at most.
    """

    name: str
    run: Callable[[int], Any]
    items: int = 1
    times: int = TIMES


def measure(bench: Bench) -> None:
    """Fill a catalog of each size on each database, and time each work on all sizes by turns."""
    sizes = SMALL if bench.small else SIZES
    with running_postgres() as server:
        for database in DATABASES:
            with ExitStack() as opened:
                catalogs = []
                for size in sizes:
                    url = server.new_url() if database == "postgresql" else _file(bench.directory, size)
                    begun = time.monotonic()
                    catalogs.append(opened.enter_context(closing(filled(url, size))))
                    bench.figures.put(f"catalog_fill_{size.backups}_{database}", time.monotonic() - begun, "s")
                works = [_works(catalog, size) for catalog, size in zip(catalogs, sizes, strict=True)]
                for alike in zip(*works, strict=True):
                    _timed(bench, dict(zip(sizes, alike, strict=True)), database)


def _file(directory: Path, size: Size) -> str:
    return f"sqlite:///{directory}/{size.backups}/catalog.db"


def _timed(bench: Bench, works: Mapping[Size, Work], database: str) -> None:
    """Put a work's milliseconds (of an item, where it has several), those of CPU, its statements, and its growth."""
    costs: dict[Size, list[tuple[float, float, int]]] = {size: [] for size in works}
    times = 2 if bench.small else min(work.times for work in works.values())
    for number in range(times + 1):
        for size, work in works.items():
            with _counted() as statements:
                wall, cpu = time.perf_counter(), time.process_time()
                work.run(number)
                took = (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000
            if number:  # the first time warms up
                costs[size].append((took[0] / work.items, took[1] / work.items, len(statements)))
    for size, work in works.items():
        name = f"catalog_{work.name}_{size.backups}_{database}"
        for part, (ending, unit) in enumerate((("", "ms"), ("_cpu", "ms"), ("_statements", "statements"))):
            bench.figures.put(f"{name}{ending}", median(one[part] for one in costs[size]), unit, runs=times)
    least, most = min(works, key=lambda size: size.backups), max(works, key=lambda size: size.backups)
    ratio = median(large[0] / small[0] for small, large in zip(costs[least], costs[most], strict=True))
    name, versus = f"catalog_{works[most].name}_growth_{database}", f"{least.backups} backups, by turns"
    bench.figures.put(name, ratio, "x", versus=versus, runs=times)


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Collect the statements that are sent in the block, of every engine."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def _works(catalog: SqlCatalog, size: Size) -> Sequence[Work]:
    """Return all works; the last ones change the catalog, and each time other volumes."""
    ctx = Context(catalog, clock=FakeClock(NOW))
    names = count()

    def at(number: int) -> Any:
        """Find the backup of a time in the middle of the years, as eternus_restore does."""
        when = NOW - timedelta(days=size.days // 2)
        volume = tv(_spread(number, size))
        with catalog.read() as records:
            found = records.standing([volume], ids=[one.id for one in records.taped(volume, at=when)])
        return choose(World(NOW, backups={volume: tuple(found)}), volume, Choice(at=when, source=Source.ANY))

    def generations(number: int) -> Any:
        volume = tv(_spread(number, size))
        with catalog.read() as records:
            return [one.id for one in records.standing([volume]) if one.good_on_disk]

    def history(number: int) -> Any:
        with catalog.read() as records:
            return records.backups(tvs=[tv(_spread(number, size))])

    def of_volume(number: int) -> Any:
        return show(ctx, [f"tv{_spread(number, size)}"], ["history"])

    def look(number: int) -> Any:
        """Read what a start or a backup of ten volumes plans from."""
        with catalog.read() as records:
            return read_world(ctx, records, (), {}, [tv(_spread(10 * number + one, size)) for one in range(10)])

    def allocate(number: int) -> Any:
        bv = unused(number)
        with catalog.begin() as records:
            records.allocate([model.Allocation(bv, tv(number), CopyType.EC, NOW)])
        with catalog.begin() as records:
            records.free([bv])

    def fence(number: int) -> Any:
        with operation(ctx, [tv(_spread(number, size))]) as work:
            for _each in range(10):
                work.before_act()

    def record(number: int) -> Any:
        """Write a backup into the history as a split does, and take it out again."""
        bv, volume, name = unused(number), tv(number), f"C{next(names)}"
        disk = model.DiskCopy(bv, model.DiskState.VALID, NOW)
        made = model.Backup(name, volume, NOW, model.Method.SYNCHRONIZED, CopyType.EC, True, 67108864, name, disk=disk)
        copy = model.TapeCopy(1, model.TapeState.QUEUED, "weekly", NOW)
        with catalog.begin() as records:
            records.allocate([model.Allocation(bv, volume, CopyType.EC, NOW)])
            records.add_backups([replace(made, tape=(copy,))])
        with catalog.begin() as records:
            records.drop_disk([name])
            records.free([bv])

    def expire(number: int) -> Any:
        """The pass of one night: of each volume the oldest backup has expired."""
        nightly = Context(catalog, clock=FakeClock(NOW + timedelta(days=number)))
        result = change(nightly, GenerationRequest(Wanted.EXPIRED))
        if len(result.values["backups"]) != size.tvs:
            raise ValueError(f"{len(result.values['backups'])} backups have expired, and not {size.tvs}")

    return [
        Work("generations", generations),
        Work("restore_at", at),
        Work("history_rows", history),
        Work("history", of_volume),
        Work("observe_10", look),
        Work("overview", lambda _number: show(ctx, [], ["policies", "pool", "running"])),
        Work("allocate", allocate),
        Work("fence", fence, items=10),
        Work("record", record),
        Work("retention", expire, items=size.tvs, times=NIGHTS),
    ]


def _spread(number: int, size: Size) -> int:
    """Return volumes that lie far from each other."""
    return (number * 397 + 11) % size.tvs
