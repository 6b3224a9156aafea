# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting: looks, and the lag from the end of a copy to its being seen, against looks at a fixed interval.

Copies of a second to an hour on a simulated clock, over the product's own tasks and a model of an array that tells
whole percents; each length at several phases, since a fixed interval sees an end sooner or later by chance. Then
against a simulated array in real time: short copies, a job of 0.1 s, and what a look costs while many pairs copy. The
fixed way is the same code with pauses that are the interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import mean, median
from typing import TYPE_CHECKING, Any
from unittest import mock

from ansible_collections.eternus.backup.plugins.module_utils import _waiting
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import cancel
from ansible_collections.eternus.backup.plugins.module_utils._pace import Shares
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import Estate, estate
from ansible_collections.eternus.backup.tests.benchmark.figures import paired
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

MIB = 1 << 20
INTERVAL = 5.0  # the default of poll_interval, seconds
PATIENT = Wait(INTERVAL, 3 * 3600.0)
SECONDS = (1, 10, 60, 600, 3600)
WAYS = {"adaptive": False, "fixed": True}
FIXED = "a fixed interval"


class FixedPace:
    """Stands for :class:`Pace`: every pause is the interval."""

    def __init__(self, interval: float, *, fresh: bool = True) -> None:
        """Take the interval in seconds; ``fresh`` makes no difference here."""
        self._interval = interval

    def pause(self, _at: float, _shares: Shares, _cost: float = 0.0) -> float:
        """Return the interval."""
        return self._interval


@contextmanager
def paced(way: str) -> Iterator[None]:
    """Let waits of this process go one way for the time of the block."""
    if WAYS[way]:
        with mock.patch.object(_waiting, "Pace", FixedPace):
            yield
    else:
        yield


def measure(bench: Bench) -> None:
    """Measure on the simulated clock, then in real time."""
    for seconds in SECONDS[:3] if bench.small else SECONDS:
        _simulated(bench, f"copy_{seconds}s", seconds, _copied)
        _simulated(bench, f"restore_{seconds}s", seconds, _restored)
    for seconds in (1,) if bench.small else (1, 7):
        _short_copy(bench, seconds)
    _job(bench, 0.1)
    _many(bench, 10 if bench.small else 100)


def _copied(house: House) -> int:
    result = house.start("tv", wait=PATIENT)
    return int(result.values["looks"])


def _restored(house: House) -> int:
    before = house.array.round_trips
    house.restore("tv", wait=PATIENT)
    return int(house.array.round_trips - before)


def _simulated(bench: Bench, word: str, seconds: int, work: Callable[[House], int]) -> None:
    """Put looks (the median) and lag (mean and worst) of copies that take so long and up to one interval longer."""
    phases = 5 if bench.small else 20
    for way in WAYS:
        looks, lags = [], []
        for phase in range(phases):
            house = House(bench.directory, memory=True)
            house.tv("tv", 1)
            if work is _restored:
                house.cycle("tv")
            house.fabric.copy_seconds = seconds + INTERVAL * phase / phases
            begun = house.clock.seconds
            with paced(way):
                looks.append(work(house))
            lags.append(house.clock.seconds - begun - house.fabric.copy_seconds)
        _put(bench, f"{word}_{way}_looks", median(looks), "looks", way, phases)
        _put(bench, f"{word}_{way}_lag_mean", mean(lags), "s", way, phases)
        _put(bench, f"{word}_{way}_lag_worst", max(lags), "s", way, phases)


def _put(bench: Bench, name: str, value: float, unit: str, way: str, runs: int) -> None:
    bench.figures.put(f"polls_{name}", value, unit, versus="" if WAYS[way] else FIXED, runs=runs)


def _short_copy(bench: Bench, seconds: int) -> None:
    """Put looks and lag of a copy in real time; when it was equivalent is what the array itself tells."""
    size = 16 * MIB
    with estate(bench.directory / f"short{seconds}", {"knobs": {"copy_rate": size // seconds}}) as place:
        place.provide(["tv"], ["bv1"], size)
        place.array.write("tv", b"full" * (size // 4))
        runs: dict[str, list[tuple[int, float]]] = {way: [] for way in WAYS}
        for _round in range(bench.rounds):
            for way in WAYS:
                with paced(way):
                    result = place.start("tv", wait=PATIENT)
                    seen = SystemClock().now()
                with place.engine() as ctx:
                    (session,) = ctx.arrays[place.array.serial].sessions()
                    cancel(ctx, ["tv"])
                assert session.synced_at is not None
                runs[way].append((result.values["looks"], (seen - session.synced_at).total_seconds()))
    for way, found in runs.items():
        name = f"real_copy_{seconds}s_{way}"
        _put(bench, f"{name}_looks", median(looks for looks, _lag in found), "looks", way, bench.rounds)
        _put(bench, f"{name}_lag", median(lag for _looks, lag in found), "s", way, bench.rounds)


def _job(bench: Bench, seconds: float) -> None:
    """Put how long it takes to start a copy where the array answers with a job."""
    with estate(bench.directory / "job", {"knobs": {"jobs": "always", "job_seconds": seconds}}) as place:
        place.provide(["tv"], ["bv1"], MIB)
        place.start("tv")
        found = paired({way: lambda way=way: _started(place, way) for way in WAYS}, bench.rounds)  # type: ignore[misc]
    for way in WAYS:
        _put(bench, f"job_{seconds * 1000:.0f}ms_{way}_start_seconds", found.median(way), "s", way, bench.rounds)
    bench.figures.put("polls_job_quicker", found.ratio("fixed", "adaptive"), "times", versus=FIXED, runs=bench.rounds)


def _started(place: Estate, way: str) -> float:
    with place.engine() as ctx:
        cancel(ctx, ["tv"])
    with paced(way):
        begun = time.perf_counter()
        place.start("tv", wait=None)
        return time.perf_counter() - begun


def _many(bench: Bench, pairs: int) -> None:
    """Put the requests of one look while many pairs copy, by the array's own counters."""
    size = MIB
    tvs, bvs = [f"tv{number}" for number in range(pairs)], [f"bv{number}" for number in range(pairs)]
    with estate(bench.directory / "many", {"knobs": {"copy_rate": pairs * size // 4}}) as place:
        place.provide(tvs, bvs, size)
        for name in tvs:
            place.array.write(name, b"full" * (size // 4))
        place.start(*tvs, wait=None)
        _looks, requests_of_one = _waited(place, tvs, Wait(0.5, 0.0))
        looks, requests = _waited(place, tvs, Wait(0.5, 60.0))
    bench.figures.put("polls_pairs_looks", looks, "looks")
    bench.figures.put("polls_pairs_requests_per_look", (requests - requests_of_one) / (looks - 1), "requests")


def _waited(place: Estate, names: list[str], wait: Wait) -> tuple[int, int]:
    """Return the looks of a wait, and the requests of all of its task."""
    place.array.reset_counters()
    values: Any = place.start(*names, wait=wait).values
    return values["looks"], place.array.requests()


BOUNDS = (
    Bound("polls_pairs_requests_per_look", 1.0),
    Bound("polls_copy_3600s_adaptive_looks", 100),
    Bound("polls_copy_3600s_adaptive_lag_worst", INTERVAL),
    Bound("polls_copy_10s_adaptive_lag_worst", 1.0),
)
