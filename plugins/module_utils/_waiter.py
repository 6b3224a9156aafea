# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The clock, and how to wait as data: how often to look, and how long in all. The only place that sleeps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol


class Clock(Protocol):
    """Time as the product sees it; tests bring their own."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, aware."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, aware."""
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Wait:
    """How to wait: seconds between two looks and seconds in all (0: one look and no wait).

    ``interval`` is what pauses grow to where no progress is known; see :class:`Pace` for what they are otherwise.
    """

    interval: float
    timeout: float
