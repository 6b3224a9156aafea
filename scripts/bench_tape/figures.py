# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Medians of paired runs, and the figures as build/bench-tape.json holds them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from ways import Timed

GB = 1_000_000_000


@dataclass(frozen=True)
class Case:
    """A tape: its name in the figures, and its rate in bytes per second (0: no limit)."""

    name: str
    rate: int


CASES = (Case("400MBps", 400_000_000), Case("1000MBps", 1_000_000_000), Case("unlimited", 0))


def paired(mine: list[Timed], theirs: list[Timed]) -> list[float]:
    """Return our speed divided by theirs in the same round, round by round."""
    return [other.seconds / own.seconds for own, other in zip(mine, theirs, strict=True)]


def figure(value: float, unit: str, runs: int, versus: str = "") -> dict[str, object]:
    """Return one figure; ``versus`` says what a ratio compares with."""
    return {"value": round(value, 3), "unit": unit, **({"versus": versus} if versus else {}), "runs": runs}


def ratio(pairs: list[float], versus: str) -> dict[str, object]:
    """Return the median of a paired comparison, and how far the rounds differ."""
    spread = {"lowest": round(min(pairs), 3), "highest": round(max(pairs), 3)}
    return {**figure(median(pairs), "ratio", len(pairs), versus), **spread}


def figures(case: str, rounds: dict[str, list[Timed]], size: int) -> dict[str, dict[str, object]]:
    """Return the figures of one case out of its rounds, way by way."""
    mine = rounds["ours"]
    found: dict[str, dict[str, object]] = {}
    for way, runs in rounds.items():
        speed = median(size / run.seconds for run in runs)
        found[f"write_{case}_{way}"] = figure(speed / 1_000_000, "MB/s", len(runs))
        found[f"write_{case}_{way}_cpu"] = figure(median(run.cpu for run in runs) * GB / size, "s/GB", len(runs))
        if way != "ours":
            found[f"write_{case}_vs_{way}"] = ratio(paired(mine, runs), way)
    return found
