# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits: exact in all, few looks at a long copy, quick at its end, never many more than at a fixed interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._pace import EXTRA, LONGEST, SHORTEST
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import Waited, wait_until
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock

NEAR = 1e-6
HOUR = 3600.0

intervals = st.floats(0.01, 60)
Told = Callable[[float], Optional[float]]


class Copies:
    """Copies of some seconds each; ``told`` says what share the array tells of one after a part of its time."""

    def __init__(self, *seconds: float, told: Told = lambda part: int(part * 100) / 100, cost: float = 0.0) -> None:
        self.seconds = seconds
        self.told = told
        self.cost = cost
        self.clock = FakeClock()

    def wait(self, interval: float, timeout: float = math.inf) -> Waited[float]:
        """Wait for the last one."""
        return wait_until(self._look, self._done, Wait(interval, timeout), self.clock, self._shares)

    @property
    def lag(self) -> float:
        """Return the seconds from the end of the last one to now."""
        return self.clock.monotonic() - max(self.seconds)

    def _look(self) -> float:
        at = self.clock.monotonic()
        if self.cost:
            self.clock.sleep(self.cost)
        return at

    def _done(self, at: float) -> bool:
        return at >= max(self.seconds)

    def _shares(self, at: float) -> dict[int, Optional[float]]:
        return {number: self.told(at / own) for number, own in enumerate(self.seconds) if at < own}


def at_fixed(interval: float, elapsed: float) -> int:
    """Return how many looks a fixed interval spends until then, the last one included."""
    return math.ceil((elapsed - NEAR) / interval) + 1


@settings(deadline=None)
@given(seconds=st.floats(0, 2 * HOUR), interval=st.floats(5, 60))
def test_the_end_of_a_steady_copy_is_seen_as_soon_as_at_a_fixed_interval(seconds: float, interval: float) -> None:
    copies = Copies(seconds)
    assert copies.wait(interval).satisfied
    assert copies.lag <= interval + NEAR


@settings(deadline=None)
@given(seconds=st.lists(st.floats(0, HOUR), min_size=1, max_size=8), interval=st.floats(5, 60))
def test_the_slowest_of_several_steady_copies_is_what_the_wait_goes_by(seconds: list[float], interval: float) -> None:
    copies = Copies(*seconds)
    looks = copies.wait(interval).looks
    assert copies.lag <= interval + NEAR
    assert looks <= at_fixed(interval, copies.clock.monotonic()) + EXTRA + 1


def test_a_look_at_many_copies_is_one_look() -> None:
    assert Copies(*[600.0] * 1000).wait(5).looks == Copies(600.0).wait(5).looks


@pytest.mark.parametrize(("seconds", "most"), [(60, 10), (600, 22), (HOUR, 90)])
def test_a_long_copy_gets_few_looks(seconds: float, most: int) -> None:
    assert Copies(seconds).wait(5).looks <= most


@pytest.mark.parametrize("seconds", [0.1, 1, 3, 10, 30, 60, 120])
def test_the_end_of_a_copy_of_up_to_two_minutes_is_seen_within_a_fifth_of_the_interval(seconds: float) -> None:
    copies = Copies(seconds)
    copies.wait(5)
    assert copies.lag <= 1


@st.composite
def wild(draw: st.DrawFn) -> Told:
    """Shares that stand still, jump back, are not told, or pass the whole, in any order."""
    marks = draw(st.lists(st.one_of(st.none(), st.floats(-0.5, 1.5)), min_size=1, max_size=30))
    return lambda part: marks[min(int(part * len(marks)), len(marks) - 1)]


@settings(deadline=None)
@given(told=wild(), seconds=st.floats(0, 600), interval=st.floats(1, 60), cost=st.floats(0, 5))
def test_whatever_is_told_there_are_few_looks_more_than_at_a_fixed_interval(
    told: Told, seconds: float, interval: float, cost: float
) -> None:
    copies = Copies(seconds, told=told, cost=cost)
    looks = copies.wait(interval).looks
    assert looks <= at_fixed(interval + cost, copies.clock.monotonic()) + EXTRA + 1


@settings(deadline=None)
@given(told=wild(), seconds=st.floats(0, HOUR), interval=st.floats(5, 60))
def test_whatever_is_told_the_end_is_seen_after_twelve_intervals(told: Told, seconds: float, interval: float) -> None:
    copies = Copies(seconds, told=told)
    copies.wait(interval)
    assert copies.lag <= LONGEST * interval + NEAR


@settings(deadline=None)
@given(told=wild(), interval=intervals, timeout=st.floats(0, 300))
def test_the_total_is_exact_and_the_last_look_is_at_its_end(told: Told, interval: float, timeout: float) -> None:
    copies = Copies(HOUR, told=told)
    waited = copies.wait(max(interval, timeout / 500), timeout)
    assert not waited.satisfied
    assert waited.elapsed == pytest.approx(timeout)
    assert waited.last == pytest.approx(timeout)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda _part: None, id="none_is_told"),
        pytest.param(lambda _part: 0.0, id="it_rounds_to_0"),
        pytest.param(lambda _part: 0.5, id="it_stands_still"),
        pytest.param(lambda _part: 1.0, id="it_is_100_but_not_equivalent"),
    ],
)
def test_where_no_progress_is_seen_the_interval_is_fixed_after_a_short_ramp(told: Told) -> None:
    copies = Copies(100, told=told)
    copies.wait(5)
    assert copies.clock.slept[:6] == [0.5, 1, 2, 4, 5, 5]
    assert set(copies.clock.slept[4:]) == {5}


def test_one_copy_that_tells_nothing_keeps_all_at_the_fixed_interval() -> None:
    shares = iter(range(100))

    def told() -> dict[str, Optional[float]]:
        return {"told": next(shares) / 100, "silent": None}

    clock = FakeClock()
    wait_until(told, lambda _seen: False, Wait(5, 200), clock, lambda seen: seen)
    assert max(clock.slept) == 5


def test_a_copy_that_reaches_100_and_lingers_is_looked_at_often_only_for_a_short_while() -> None:
    copies = Copies(HOUR, told=lambda part: min(1.0, int(part * 200) / 100))
    copies.wait(5)
    assert len([pause for pause in copies.clock.slept if pause < 5]) <= 2 * EXTRA
    assert copies.lag <= 5


def test_a_copy_that_begins_anew_is_learnt_anew() -> None:
    copies = Copies(HOUR, told=lambda part: int((part * 2 % 1) * 100) / 100)
    copies.wait(5)
    assert copies.lag <= 5


def test_a_copy_that_slows_down_costs_no_more_looks_than_a_fixed_interval() -> None:
    copies = Copies(HOUR, told=lambda part: int(math.sqrt(part) * 100) / 100)
    assert copies.wait(5).looks <= HOUR / 5 / 4


def test_no_look_follows_another_sooner_than_it_took() -> None:
    copies = Copies(60, cost=3)
    copies.wait(5)
    assert min(copies.clock.slept) >= 3


def test_no_timeout_is_one_look() -> None:
    assert Copies(5).wait(1, 0).looks == 1


class JumpingClock(FakeClock):
    """The time of day jumps by an hour back or forth at each sleep."""

    def now(self) -> datetime:
        jump = timedelta(hours=-1 if len(self.slept) % 2 else 1)
        return datetime(2026, 2, 1, tzinfo=timezone.utc) + jump


def test_a_time_of_day_that_jumps_changes_nothing() -> None:
    steady, jumping = Copies(600), Copies(600)
    jumping.clock = JumpingClock()
    assert steady.wait(5) == jumping.wait(5)
    assert steady.clock.slept == jumping.clock.slept


@settings(deadline=None)
@given(share=st.floats(0, 1), interval=intervals)
def test_no_pause_is_shorter_than_a_tenth_of_the_interval_but_the_last(share: float, interval: float) -> None:
    copies = Copies(100 * interval, told=lambda part: share * part)
    copies.wait(interval)
    assert min(copies.clock.slept) >= SHORTEST * interval - NEAR
