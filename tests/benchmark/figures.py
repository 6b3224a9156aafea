# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of make bench, as build/bench.json holds them, and paired comparisons."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Figures:
    """Figures by name: ``{"value": v, "unit": u, "versus": what it is compared with or null, "runs": n}``."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, name: str, value: float, unit: str, *, versus: str = "", runs: int = 1) -> None:
        """Keep one figure and print it.

        :param versus: what a ratio compares with; empty for a figure that stands by itself.
        :param runs: how many runs it is the median of.
        """
        shown = round(value, 4) if isinstance(value, float) else value
        self.rows[name] = {"value": shown, "unit": unit, "versus": versus or None, "runs": runs}
        against = f"  versus {versus}" if versus else ""
        print(f"  {name:60} {shown:>12} {unit}{against}", flush=True)


@dataclass(frozen=True)
class Paired:
    """Seconds of the same work by several ways, round by round."""

    seconds: Mapping[str, list[float]]

    def median(self, way: str) -> float:
        """Return the median seconds of a way."""
        return median(self.seconds[way])

    def ratio(self, slow: str, quick: str) -> float:
        """Return the median, over the rounds, of how many times longer ``slow`` took than ``quick``."""
        return median(a / b for a, b in zip(self.seconds[slow], self.seconds[quick], strict=True))


def paired(ways: Mapping[str, Callable[[], Any]], rounds: int) -> Paired:
    """Time each way once a round; each round begins with another way, so that none profits from its place."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(timed(ways[name]))
    return Paired(seconds)


def timed(work: Callable[[], Any]) -> float:
    """Return how long a work takes, in seconds; a work that returns a float has timed itself."""
    begun = time.perf_counter()
    own = work()
    return own if isinstance(own, float) else time.perf_counter() - begun
