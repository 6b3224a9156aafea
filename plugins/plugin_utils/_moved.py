# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far tape copies and restores are, as text for people: bytes, percent, MB/s, time left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_WINDOW = 60.0
_SHARE = re.compile(r"(\d+) of (\d+) bytes")


@dataclass(frozen=True)
class Moved:
    """How far one volume is: bytes ``done`` of ``total``. ``key`` tells copies of one volume apart."""

    key: str
    volume: str
    done: int
    total: int

    @property
    def percent(self) -> int:
        """Return the share that is done, from 0 to 100."""
        return min(100, self.done * 100 // self.total) if self.total else 0


def moved_by_copies(shown: Mapping[str, Any]) -> tuple[Moved, ...]:
    """Return the tape copies that eternus_backup_info shows as running; none where it shows nothing."""
    return tuple(
        Moved(f"{row['backup_id']}/{row['copy']}", row["source"], row["bytes_done"], row["bytes_total"])
        for row in shown.get("running", ())
        if row["kind"] == "tape"
    )


def moved_by_restores(shown: Mapping[str, Any]) -> tuple[Moved, ...]:
    """Return the restores of whose targets eternus_backup_info says that they run: their markers tell how far."""
    found = []
    for row in shown.get("volumes", ()):
        share = _SHARE.search((row["undefined"] or {}).get("reason", ""))
        if share:
            found.append(Moved(row["volume"], row["volume"], int(share[1]), int(share[2])))
    return tuple(found)


def amount(done: int, total: int) -> str:
    """Return bytes for people, both in the unit of the total: ``1.2 of 4.0 GB``."""
    for unit, size in _UNITS:
        if total >= size:
            return f"{done / size:.1f} of {total / size:.1f} {unit}"
    return f"{done} of {total} bytes"


def clock_face(seconds: float) -> str:
    """Return seconds as ``0:01:05``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class Track:
    """What has moved since the first look. What lies there still, left by somebody who died, is not shown."""

    def __init__(self) -> None:
        self._before: Optional[dict[str, int]] = None
        self._seen: dict[str, list[tuple[float, int]]] = {}

    def moving(self, found: Iterable[Moved], now: float) -> list[Moved]:
        """Return those that move, and remember how far they are. ``now`` is a time in seconds that only grows."""
        found, moving = list(found), []
        if self._before is None:
            self._before = {one.key: one.done for one in found}
        for one in found:
            if self._before.get(one.key) == one.done:
                continue
            self._before.pop(one.key, None)
            looks = self._seen.setdefault(one.key, [])
            if looks and looks[-1][1] > one.done:
                looks.clear()  # begun anew
            if not looks or looks[-1][1] != one.done:
                looks.append((now, one.done))
            while len(looks) > 2 and now - looks[0][0] > _WINDOW:
                del looks[0]
            moving.append(one)
        return moving

    def rate(self, one: Moved) -> float:
        """Return bytes per second over the last minute, 0 while that is not known."""
        looks = self._seen.get(one.key, [])
        if len(looks) < 2:
            return 0.0
        (first, begin), (last, end) = looks[0], looks[-1]
        return (end - begin) / (last - first) if last > first else 0.0

    def figures(self, one: Moved) -> str:
        """Return one line's figures: ``1.2 of 4.0 GB, 30 %, 355 MB/s, 0:00:08 left``."""
        rate = self.rate(one)
        speed = f", {rate / 1e6:.{0 if rate >= 1e7 else 1}f} MB/s" if rate else ""
        left = f", {clock_face((one.total - one.done) / rate)} left" if rate else ""
        return f"{amount(one.done, one.total)}, {one.percent} %{speed}{left}"
