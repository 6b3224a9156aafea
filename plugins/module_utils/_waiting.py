# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Waiting: what to look at, when it is done, how far it is. Apart from the clock, which every module needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Generic, Optional, TypeVar

from ansible_collections.eternus.backup.plugins.module_utils._pace import Pace, Shares
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, Wait

T = TypeVar("T")


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
    shares: Optional[Callable[[T], Shares]] = None,
    *,
    fresh: bool = True,
) -> Waited[T]:
    """Look until it is done or the time has run out; running out is no error, the caller gets the last look.

    The time in all is exact, and only the monotonic clock counts: the time of day may jump.

    :param look: reads the state; whatever it raises ends the wait.
    :param done: tells whether that state ends the wait.
    :param shares: how far that state says each part is that still moves; the pauses follow it.
    :param fresh: whether what is waited for begins now, and may soon be over; not so where an earlier task began it.
    """
    start = clock.monotonic()
    pace = Pace(wait.interval, fresh=fresh)
    looks = 0
    while True:
        begun = clock.monotonic()
        last = look()
        seen = clock.monotonic()
        looks += 1
        if done(last):
            return Waited(last, True, looks, seen - start)
        left = wait.timeout - (seen - start)
        if left <= 0:
            return Waited(last, False, looks, seen - start)
        clock.sleep(min(pace.pause(seen, shares(last) if shares else {}, seen - begun), left))
