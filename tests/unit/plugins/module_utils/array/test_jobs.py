# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs: the session list tells the outcome, a job only where it does not (array.md, Methods)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Optional

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.jobs import Ending, Pending, Settling, look_at
from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Pair,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock

WAIT = Wait(interval=1, timeout=10)


def volume(number: int) -> Volume:
    return Volume(VolumeRef("A", f"{number:032X}"), f"v{number}", 8)


def pair(number: int) -> Pair:
    return Pair(volume(number), volume(100 + number))


def session(of: Pair) -> Session:
    return Session(of.source.ref, of.target.ref, CopyType.EC, SessionState.EXECUTING)


class Jobs:
    """Stands for the connection: jobs by path; each look takes the next of its states, the last one stays."""

    def __init__(self, **states: Sequence[Optional[dict[str, Any]]]) -> None:
        self._states = {name: iter(several) for name, several in states.items()}
        self._last: dict[str, Optional[dict[str, Any]]] = {}
        self.looks: list[str] = []
        self.understood = nullcontext

    def get(self, path: str, properties: Sequence[str]) -> Optional[dict[str, Any]]:
        self.looks.append(path)
        self._last[path] = next(self._states[path], self._last.get(path))
        return self._last[path]


def settle(jobs: Jobs, pending: Sequence[Pending], looks: Iterator[Sequence[Session]]) -> Any:
    settling = Settling(jobs, pending, lambda: next(looks), lambda found: found is not None)  # type: ignore[arg-type]
    return settling.wait(WAIT, FakeClock())


RUNNING, DONE = {"JobState": 4}, {"JobState": 7, "ErrorCode": 0}
REFUSED = {"JobState": 10, "ErrorCode": 35333, "ErrorDescription": "too many"}


@pytest.mark.parametrize(
    ("job", "ending"),
    [
        ({"JobState": 2}, None),
        ({"JobState": 3}, None),
        (RUNNING, None),
        (DONE, Ending(0)),
        ({"JobState": 7, "ErrorCode": None}, Ending(0)),
        ({"JobState": 7, "ErrorCode": 32787}, Ending(32787)),
        (REFUSED, Ending(35333, "too many")),
        ({"JobState": 8, "ErrorCode": 0}, Ending(4)),
        ({"JobState": 9, "ErrorCode": None}, Ending(4)),
        (None, Ending(0)),
    ],
)
def test_a_jobs_own_errorcode_replaces_the_return_code(job: Optional[dict[str, Any]], ending: Optional[Ending]) -> None:
    assert look_at(Jobs(j=[job]), "j") == ending  # type: ignore[arg-type]


def test_no_job_is_looked_at_when_the_session_list_tells() -> None:
    jobs = Jobs()
    pending = [Pending(pair(number), f"j{number}") for number in range(100)]
    endings = settle(jobs, pending, iter([[session(item.pair) for item in pending]]))
    assert set(endings.values()) == {Ending(0)}
    assert jobs.looks == []


def test_a_stale_list_is_read_again_before_any_job() -> None:
    jobs = Jobs()
    settle(jobs, [Pending(pair(1), "j")], iter([[], [session(pair(1))]]))
    assert jobs.looks == []


def test_only_jobs_of_pairs_that_do_not_show_up_are_looked_at() -> None:
    jobs = Jobs(bad=[REFUSED])
    pending = [Pending(pair(1), "good"), Pending(pair(2), "bad")]
    endings = settle(jobs, pending, iter([[session(pair(1))]] * 2))
    assert endings == {pair(1).key: Ending(0), pair(2).key: Ending(35333, "too many")}
    assert jobs.looks == ["bad"]


def test_one_running_job_is_looked_at_a_time() -> None:
    jobs = Jobs(one=[RUNNING, DONE], two=[DONE], three=[DONE])
    pending = [Pending(pair(number), job) for number, job in enumerate(["one", "two", "three"])]
    settle(jobs, pending, iter([[]] * 9))
    assert jobs.looks == ["one", "one", "two", "three"]


def test_a_list_shares_one_job_and_its_ending() -> None:
    jobs = Jobs(all=[REFUSED])
    endings = settle(jobs, [Pending(pair(number), "all") for number in range(5)], iter([[]] * 9))
    assert set(endings.values()) == {Ending(35333, "too many")}
    assert jobs.looks == ["all"]


@pytest.mark.parametrize("job", ["slow", None])
def test_a_job_that_still_runs_when_the_time_is_over_was_accepted(job: Optional[str]) -> None:
    endings = settle(Jobs(slow=[RUNNING]), [Pending(pair(1), job)], iter([[]] * 99))
    assert endings == {pair(1).key: Ending(0)}
