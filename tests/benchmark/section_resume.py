# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differential copies: bytes that the array moves against bytes that hosts have changed, by its own counters.

Mirrors that are suspended and resumed (EC), and QuickOPC. Changes lie in one run, or scattered in pieces of 4 KiB. The
simulated array tracks and moves extents of 64 KiB; real ones have a grain of their own, which the product cannot
choose. So besides bytes moved for a byte changed there is what is ours to answer for: bytes moved against the extents
that were touched (1: nothing else), and against a full copy.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import QUICK, Estate, estate

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

EXTENT = 64 << 10  # bytes that the simulated array moves and tracks at once
PIECE = 4 << 10  # bytes that a scattered write changes
SIZE, SMALL = 64 << 20, 8 << 20
PARTS = {"0_1": 0.001, "1": 0.01, "10": 0.1, "50": 0.5}
_WRITES = 512  # writes in one request to the array's door


@dataclass(frozen=True)
class Change:
    """Where hosts write: offsets and lengths, in bytes."""

    writes: tuple[tuple[int, int], ...]

    @property
    def changed(self) -> int:
        """Return the bytes that are written."""
        return sum(length for _offset, length in self.writes)

    @property
    def extents(self) -> int:
        """Return how many extents are touched."""
        return len({at // EXTENT for offset, length in self.writes for at in range(offset, offset + length, PIECE)})


def in_one_run(size: int, part: float) -> Change:
    """Change a part of a volume from its middle on; whole pieces."""
    length = max(1, round(size * part / PIECE)) * PIECE
    return Change(((min(size // 2, size - length), length),))


def scattered(size: int, part: float) -> Change:
    """Change a part of a volume in pieces, each anywhere; the same ones in every run."""
    pieces = random.Random(6).sample(range(size // PIECE), max(1, round(size * part / PIECE)))
    return Change(tuple((piece * PIECE, PIECE) for piece in sorted(pieces)))


KINDS: dict[str, Callable[[int, float], Change]] = {"run": in_one_run, "scattered": scattered}


def measure(bench: Bench) -> None:
    """Measure both kinds of copies, each kind of change, each part."""
    size = SMALL if bench.small else SIZE
    bench.figures.put("resume_volume_bytes", size, "bytes")
    bench.figures.put("resume_array_extent_bytes", EXTENT, "bytes")
    with estate(bench.directory) as place:
        place.provide(["mirrored"], ["bv1", "bv2"], size, suspend=True)
        _measure(bench, place, "ec", "mirrored", size, _mirror_cycle)
    with estate(bench.directory / "quick") as place:
        place.provide(["tracked"], ["bv1"], size, method="differential")
        _measure(bench, place, "quickopc", "tracked", size, _clone_cycle)


def _measure(
    bench: Bench, place: Estate, word: str, volume: str, size: int, cycle: Callable[[Estate, str], int]
) -> None:
    _write(place, volume, Change(tuple((offset, EXTENT) for offset in range(0, size, EXTENT))))
    full = cycle(place, volume)
    bench.figures.put(f"resume_{word}_full_moved", full, "bytes")
    for part, kind, change in _changes(size):
        cycle(place, volume)  # every backup volume is as the volume is
        cycle(place, volume)
        _write(place, volume, change)
        moved = cycle(place, volume)
        name = f"resume_{word}_changed_{part}pct_{kind}"
        bench.figures.put(f"{name}_moved_per_changed", moved / change.changed, "ratio", versus="bytes changed")
        bench.figures.put(
            f"{name}_moved_per_touched", moved / (change.extents * EXTENT), "ratio", versus="extents touched"
        )
        bench.figures.put(f"{name}_moved_of_full", moved / full, "ratio", versus="a full copy")


def _changes(size: int) -> Iterator[tuple[str, str, Change]]:
    for part, share in PARTS.items():
        for kind, made in KINDS.items():
            yield part, kind, made(size, share)


def _write(place: Estate, volume: str, change: Change) -> None:
    """Write as a host does: other bytes each time, so that nothing is equal by chance."""
    for first in range(0, len(change.writes), _WRITES):
        items = [
            {"volume": volume, "offset": offset, "data": base64.b64encode(random.randbytes(length)).decode()}
            for offset, length in change.writes[first : first + _WRITES]
        ]
        place.array.door("POST", "write", items)


def _moved(place: Estate) -> int:
    return sum(int(run["bytes_moved"]) for run in place.array.counters()["runs"])


def _mirror_cycle(place: Estate, volume: str) -> int:
    """Resume (or start) the pair, and suspend it by a backup; return the bytes that were moved."""
    place.array.reset_counters()
    place.start(volume)
    moved = _moved(place)
    place.back_up(volume)
    return moved


def _clone_cycle(place: Estate, volume: str) -> int:
    """Back up onto the tracked copy; return the bytes that were moved once all of it has been."""
    place.array.reset_counters()
    place.back_up(volume)
    wait_until(
        lambda: place.array.counters()["runs"],
        lambda runs: all(run["finished"] for run in runs),
        QUICK,
        SystemClock(),
    )
    return _moved(place)


BOUNDS = tuple(
    Bound(f"resume_{word}_changed_{part}pct_{kind}_moved_per_touched", 1.0)
    for word in ("ec", "quickopc")
    for part in PARTS
    for kind in KINDS
)
