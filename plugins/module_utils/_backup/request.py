# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Ask the array for many steps at once, and believe only what its session list shows afterwards (array.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.interface import Array
from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Outcome,
    Pair,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import session_list
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import MAY_BE_DONE, Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    BackupError,
    ErrorClass,
    with_unchanged,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until

Key = tuple[VolumeRef, VolumeRef]
Sessions = Mapping[Key, Session]
Send = Callable[[Array, CopyType, Sequence[Pair]], Sequence[Outcome]]

#: A session list may lag behind a change (array.md): look this often, and believe it after this long. Seconds.
CONFIRM = Wait(interval=0.5, timeout=SETTLED.total_seconds())
#: Pairs sent one by one between two looks at the leases, where the array takes no lists: each may take long.
CHUNK = 5


def send(work: Operation, pairs: Sequence[tuple[CopyType, Pair]], action: Send) -> dict[Key, Optional[BackupError]]:
    """Send an action for pairs, grouped by the source's array and the copy type; answer an error or None for each.

    An array gets all of its pairs at once, lists or not: where it answers with jobs, one look at its sessions then
    tells of them all. Requests are sent one after another, each fenced by itself (``acting``).

    Whatever concerns the whole (the array cannot be reached) is raised: the journal's entries stay open then.
    """
    groups: dict[tuple[str, CopyType], list[Pair]] = defaultdict(list)
    for copy_type, pair in pairs:
        groups[(pair.source.ref.array, copy_type)].append(pair)
    answers: dict[Key, Optional[BackupError]] = {}
    for (_serial, copy_type), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1].value)):
        array = work.ctx.array_of(group[0].source.ref)
        with array.guarded(work.acting):
            outcomes = action(array, copy_type, group)
        answers.update((outcome.pair.key, outcome.error) for outcome in outcomes)
    return answers


def look(ctx: Context) -> Sessions:
    """Read the sessions of every array of this run, by source and target."""
    return {session.key: session for session in session_list(ctx)}


@contextmanager
def journalled() -> Iterator[None]:
    """Let an error from here on say the truth: what was journalled may have been done."""
    try:
        yield
    except BackupError as error:
        raise with_unchanged(error, MAY_BE_DONE, changed=True) from error


def confirm(work: Operation, expected: Mapping[Key, Callable[[Optional[Session]], bool]]) -> Sessions:
    """Read session lists until each expectation is met or the bound has run out; return the last list."""

    def done(sessions: Sessions) -> bool:
        return all(met(sessions.get(key)) for key, met in expected.items())

    return wait_until(lambda: look(work.ctx), done, CONFIRM, work.ctx.clock).last


def shown(session: Optional[Session]) -> bool:
    """Expect the session to be there, in whatever state."""
    return session is not None


def running(session: Optional[Session]) -> bool:
    """Expect the session to copy, or to be equivalent already, or to have failed."""
    return session is not None and session.state is not SessionState.SUSPENDED


def suspended(session: Optional[Session]) -> bool:
    """Expect the session to be suspended, or to have failed."""
    return session is not None and session.state in (SessionState.SUSPENDED, SessionState.FAILED)


def gone(session: Optional[Session]) -> bool:
    """Expect the session not to be there."""
    return session is None


def not_confirmed(pair: Pair, wanted: str, session: Optional[Session]) -> BackupError:
    """The array accepted a request, and its session list does not show it."""
    state = session.state.value if session else "not there"
    failed = session is not None and session.state is SessionState.FAILED
    return BackupError(
        ErrorClass.COPY_FAILED if failed else ErrorClass.ARRAY_ERROR,
        f"The session of {pair.source.name} onto {pair.target.name} should be {wanted} and is {state}.",
        unchanged="Nothing was recorded; the journal keeps the step.",
        changed=True,
        next_step="Look at the array's messages and run again: the journal finishes or undoes the step.",
        volume=pair.source.name,
        backup_volume=pair.target.name,
        state=state,
    )
