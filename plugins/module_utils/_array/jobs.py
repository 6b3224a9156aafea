# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What became of requests that the array answered with *job started*: the session list tells, else the jobs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array import codes, values
from ansible_collections.eternus.backup.plugins.module_utils._array.cim import JobState
from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Pair, Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until

Key = tuple[VolumeRef, VolumeRef]
Sessions = Mapping[Key, Session]

_JOB = ("JobState", "ErrorCode", "ErrorDescription")
_FAILED = frozenset({JobState.TERMINATED, JobState.KILLED, JobState.EXCEPTION})

#: The look at the session list from which on jobs are looked at too: lists may be stale for a moment (array.md).
_JOBS_FROM_LOOK = 2


@dataclass(frozen=True)
class Ending:
    """How a job ended: the code that replaces the method's, and the array's words."""

    code: int
    description: str = ""


@dataclass(frozen=True)
class Pending:
    """A pair whose request started a job; a list's pairs share one. ``job`` is its path, None where none was told."""

    pair: Pair
    job: Optional[Any]


def look_at(connection: Connection, job: Any) -> Optional[Ending]:
    """Return how a job ended; None while it runs. One that is gone has completed."""
    instance = connection.get(job, _JOB)
    if instance is None:
        return Ending(codes.OK)
    with connection.understood():
        state, code = values.number(instance, "JobState"), values.number(instance, "ErrorCode")
        words = values.text(instance, "ErrorDescription")
    if state in _FAILED or (state == JobState.COMPLETED and code):
        return Ending(code or codes.FAILED, words)
    return Ending(codes.OK) if state == JobState.COMPLETED else None


class Settling:
    """Waits until every pending pair shows in the session list as asked, or its job has ended.

    A look costs one round trip for the sessions, however many pairs there are. Jobs are looked at only for pairs
    that do not show up, one running job at most a look.
    """

    def __init__(
        self,
        connection: Connection,
        pending: Sequence[Pending],
        sessions: Callable[[], Sequence[Session]],
        shows: Callable[[Optional[Session]], bool],
    ) -> None:
        """Take what is pending; ``shows`` tells whether a pair's session (None: there is none) is as asked."""
        self._connection = connection
        self._open = list(pending)
        self._sessions = sessions
        self._shows = shows
        self._looks = 0
        self.endings: dict[Key, Ending] = {}

    def wait(self, wait: Wait, clock: Clock) -> Mapping[Key, Ending]:
        """Return how each pair ended; one whose job still runs when the time is over was accepted."""
        wait_until(self._look, lambda left: left == 0, wait, clock)
        return {**{item.pair.key: Ending(codes.OK) for item in self._open}, **self.endings}

    def _look(self) -> int:
        self._looks += 1
        found: Sessions = {session.key: session for session in self._sessions()}
        for item in self._open:
            if self._shows(found.get(item.pair.key)):
                self.endings[item.pair.key] = Ending(codes.OK)
        self._close()
        if self._looks >= _JOBS_FROM_LOOK:
            self._ask_jobs()
        return len(self._open)

    def _ask_jobs(self) -> None:
        while self._open:
            job = self._open[0].job
            ending = None if job is None else look_at(self._connection, job)
            if ending is None:
                return
            self.endings.update({item.pair.key: ending for item in self._open if item.job == job})
            self._close()

    def _close(self) -> None:
        self._open = [item for item in self._open if item.pair.key not in self.endings]
