# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Waiting as data: what to look at, when it is done, how often to look, how long in all. The only place that sleeps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Callable, Generic, Optional, Protocol, TypeVar

T = TypeVar("T")


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
    """How to wait: seconds between two looks and seconds in all (0: one look and no wait)."""

    interval: float
    timeout: float


@dataclass(frozen=True)
class Waited(Generic[T]):
    """How a wait ended: the last look, whether it satisfied, how many looks, seconds spent."""

    last: T
    satisfied: bool
    looks: int
    elapsed: float


def wait_until(
    look: Callable[[], T],
    done: Callable[[T], bool],
    wait: Wait,
    clock: Clock,
    progress: Optional[Callable[[T], None]] = None,
) -> Waited[T]:
    """Look until it is done or the time has run out; running out is no error, the caller gets the last look.

    :param look: reads the state; whatever it raises ends the wait.
    :param done: tells whether that state ends the wait.
    :param progress: is shown each state, the last one too.
    """
    start = clock.monotonic()
    looks = 0
    while True:
        last = look()
        looks += 1
        if progress is not None:
            progress(last)
        elapsed = clock.monotonic() - start
        if done(last):
            return Waited(last, True, looks, elapsed)
        left = wait.timeout - elapsed
        if left <= 0:
            return Waited(last, False, looks, elapsed)
        clock.sleep(min(wait.interval, left))
