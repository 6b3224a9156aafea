# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bounds, each named by the section that measures it, shown beside what was measured. Nothing is asserted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bound:
    """A figure and the value that it should not pass: at most, or (``least``) at least."""

    name: str
    limit: float
    least: bool = False

    def met(self, value: float) -> bool:
        """Tell whether a value keeps it."""
        return value >= self.limit if self.least else value <= self.limit


def told(bounds: Iterable[Bound], rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each bound: met, not met, or not measured."""
    for bound in bounds:
        row = rows.get(bound.name)
        sign = "at least" if bound.least else "at most"
        if row is None:
            yield f"not measured  {bound.name} ({sign} {bound.limit})"
            continue
        word = "met         " if bound.met(float(row["value"])) else "NOT MET     "
        yield f"{word}  {bound.name} = {row['value']} {row['unit']} ({sign} {bound.limit})"
