# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which points are struck: each event just before and just after; where that is too much, evenly chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.eternus.backup.tests.fault.world import Crash


@dataclass(frozen=True)
class Point:
    """A workflow's event, by number from 1 and by name, and on which side of it the job dies."""

    workflow: str
    event: str
    crash: Crash


def all_points(events: Mapping[str, Sequence[str]]) -> list[Point]:
    """Return every event of every workflow, before and after."""
    return [
        Point(workflow, name, Crash(number, when))
        for workflow, names in events.items()
        for number, name in enumerate(names, 1)
        for when in ("before", "after")
    ]


def chosen(points: Sequence[Point], count: int, seed: int) -> list[Point]:
    """Return so many of the points (all where count is 0), in their order.

    Each kind of event of each workflow is among them, on both sides, even where that makes more than ``count``; the
    others are drawn.
    """
    if not count or count >= len(points):
        return list(points)
    draw = random.Random(seed)
    shuffled = draw.sample(points, len(points))
    kinds: dict[tuple[str, str, str], Point] = {}
    for point in shuffled:
        kinds.setdefault((point.workflow, point.event, point.crash.when), point)
    taken = set(kinds.values())
    taken |= set([point for point in shuffled if point not in taken][: max(0, count - len(taken))])
    return [point for point in points if point in taken]
