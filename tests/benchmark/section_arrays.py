# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several arrays in one task, asked side by side, against the same code asking one after another.

1, 2, 4 and 8 arrays, each a process, at 0, 5 and 50 ms device latency. What is timed is what each task begins with:
connections, serials, session lists and capabilities (as kept by an earlier run, except the first time), then volumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Callable
from unittest import mock

from ansible_collections.eternus.backup.plugins.module_utils._backup import connected, observe, side_by_side
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill, served
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.figures import paired
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated, certificates

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

BOUNDS: tuple[Bound, ...] = ()
PLAIN = "one after another"


def measure(bench: Bench) -> None:
    """Measure for each number of arrays and each latency."""
    counts = (1, 2) if bench.small else (1, 2, 4, 8)
    volumes = 20 if bench.small else 200
    url = f"sqlite:///{bench.directory}/catalog.db"
    open_catalog(url, create=True).close()
    certificates(bench.directory / "tls")
    with ExitStack() as stack:
        arrays = []
        for number in range(max(counts)):
            config = {"model": f"ET603SA4621302{100 + number}", "name": f"array{number}"}
            place = bench.directory / f"array{number}"
            arrays.append(stack.enter_context(served(place, config, tls=bench.directory / "tls")))
            fill(arrays[-1], [f"vol{one:04}" for one in range(volumes)], MIB)
        for latency in (0, 5) if bench.small else (0, 5, 50):
            for array in arrays:
                array.knobs(latency=latency / 1000)
            for count in counts:
                _compared(bench, arrays[:count], url, latency)


def _compared(bench: Bench, arrays: list[Simulated], url: str, latency: int) -> None:
    known, _trips = _look(arrays, url, None)
    trips = 0

    def side() -> None:
        nonlocal trips
        trips = _look(arrays, url, known)[1]

    def serial() -> None:
        with _one_by_one():
            _look(arrays, url, known)

    times = paired({"side": side, "serial": serial}, bench.rounds)
    name = f"arrays_n{len(arrays)}_lat{latency}"
    bench.figures.put(f"{name}_round_trips", trips, "round trips")
    bench.figures.put(f"{name}_seconds", times.median("side"), "s", runs=bench.rounds)
    bench.figures.put(f"{name}_ratio", times.ratio("serial", "side"), "x", versus=PLAIN, runs=bench.rounds)


def _look(arrays: list[Simulated], url: str, known: Any) -> tuple[list[Any], int]:
    """Look at arrays as a task does; return what is known of them then, and the round trips."""
    options = [array.options() for array in arrays]
    with closing(open_catalog(url)) as catalog, connected.opened(options, known or [None] * len(options)) as ends:
        ctx = Context(catalog, ends)
        observe.observe(ctx)
        side_by_side.asked(ends.values(), lambda array: array.volumes())
        return [end.known for end in ends.values()], sum(end.round_trips for end in ends.values())


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Let the same code ask one array after another for the time of the block."""

    def asked(arrays: Iterable[Any], question: Callable[[Any], Any]) -> list[Any]:
        return [question(one) for one in arrays]

    with ExitStack() as stack:
        for module in (connected, observe, side_by_side):
            stack.enter_context(mock.patch.object(module, "asked", asked))
        yield
