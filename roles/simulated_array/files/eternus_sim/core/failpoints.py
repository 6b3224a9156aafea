# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that a test orders: which call, which one of them, what happens."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

# The core carries out refuse and break_session, the CIM server the others (and those that it defines itself).
CORE_ACTIONS = ("refuse", "break_session")


@dataclass
class FailPoint:
    """A fault. It strikes the ``after``-th fitting call (1 is the next) and, from there, ``times`` calls in all.

    ``on`` is a method's or operation's name (``CreateElementReplica``, ``start_sessions``, ``operate``, ``operate:21``,
    ``copy`` for break_session, ``*`` for any). ``match`` holds what the call's facts must be equal to: source, target,
    operation, name. ``at`` is the percentage at which a session breaks. ``delay`` is seconds.
    """

    on: str
    action: str
    code: int = 4
    times: int = 1
    after: int = 1
    match: dict[str, Any] = field(default_factory=dict)
    at: int = 0
    delay: float = 0.0
    text: str = ""
    seen: int = 0
    struck: int = 0

    def fits(self, on: str, facts: Mapping[str, Any]) -> bool:
        """Tell whether a call is one that this fault waits for."""
        if self.on not in {on, "*"} or facts.get("percent", 100) < self.at:
            return False
        return all(facts.get(name) == value for name, value in self.match.items())


class FailPoints:
    """The faults that are set. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: list[FailPoint] = []

    def add(self, point: FailPoint) -> None:
        """Set a fault."""
        with self._lock:
            self._points.append(point)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._points.clear()

    def take(self, on: str, *, actions: tuple[str, ...] = (), **facts: Any) -> Optional[FailPoint]:
        """Return the fault that strikes this call, if any, and count it. ``actions`` limits the kinds looked for."""
        if not self._points:
            return None
        with self._lock:
            for point in self._points:
                if (actions and point.action not in actions) or not point.fits(on, facts):
                    continue
                point.seen += 1
                if point.seen < point.after or point.struck >= point.times:
                    continue
                point.struck += 1
                return point
        return None

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults with what they have seen and struck."""
        with self._lock:
            return [asdict(point) for point in self._points]
