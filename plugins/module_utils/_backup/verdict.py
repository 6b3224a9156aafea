# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What is to become of steps that were journalled and of which nothing more is known (DESIGN.md). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.journal import ArrayStep, step_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    RestoreCopy,
    ResumeCopy,
    SnapCopy,
    SplitCopy,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry

Sessions = Mapping[tuple[VolumeRef, VolumeRef], Session]

_RUNNING = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED, SessionState.RESTORING)


class Verdict(Enum):
    """What becomes of an open step."""

    RECORD = "record"  # a split that was made, and may be recorded
    TAKE_BACK = "take back"  # a split that was made, and may not
    NOT_MADE = "not made"  # a split of which nothing shows
    FINISH = "finish"  # a session that is to be ended still
    SETTLE = "settle"  # whatever else: the array shows how it ended


@dataclass(frozen=True)
class Found:
    """An open entry and the step that it stands for."""

    entry: JournalEntry
    step: ArrayStep

    @classmethod
    def of(cls, entry: JournalEntry) -> Found:
        """Return the entry with its step."""
        return cls(entry, step_of(entry))


def judge(
    found: Sequence[Found],
    sessions: Sessions,
    serving: Mapping[VolumeRef, VolumeRef],
    carried: Mapping[VolumeRef, str],
) -> list[Verdict]:
    """Return the verdict on each: a group is recorded as a whole or not at all (behaviour.md §3).

    :param serving: the TV that each BV serves: a split of a BV that serves its TV no more is not ours to record.
    :param carried: the id of the backup that each BV carries: it is not recorded over.
    """
    ending = {(one.step.tv, one.step.bv) for one in found if isinstance(one.step, ReleaseCopy)}
    made: list[bool] = []
    together: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in found:
        step = one.step
        mine = isinstance(step, (SplitCopy, SnapCopy)) and serving.get(step.bv) == step.tv
        if mine and isinstance(step, (SplitCopy, SnapCopy)):
            free = carried.get(step.bv, "") in ("", step.backup.id, getattr(step, "replaces", ""))
            # Where its old session was to be ended first, and that is open still, the copy was not sent.
            mine = free and (step.tv, step.bv) not in ending and acted(step, sessions)
            together[unit_of(one)].append(mine and step.certain)
        elif isinstance(step, (SplitCopy, SnapCopy)):
            together[unit_of(one)].append(False)
        made.append(mine)
    return [_judge(one, sessions, mine, together) for one, mine in zip(found, made)]


def _judge(one: Found, sessions: Sessions, made: bool, together: Mapping[tuple[str, str], Collection[bool]]) -> Verdict:
    step = one.step
    if isinstance(step, (SplitCopy, SnapCopy)):
        if not made:
            return Verdict.NOT_MADE
        return Verdict.RECORD if all(together[unit_of(one)]) else Verdict.TAKE_BACK
    if isinstance(step, ReleaseCopy) and not acted(step, sessions):
        # An end that would spoil a generation made way for a copy that was not sent: the generation stays.
        return Verdict.NOT_MADE if step.strikes else Verdict.FINISH
    return Verdict.SETTLE


def unit_of(one: Found) -> tuple[str, str]:
    """Return what tells the steps that stand or fall together."""
    group = one.step.backup.group_id if isinstance(one.step, (SplitCopy, SnapCopy)) else ""
    return (one.entry.operation_id, group) if group else (one.entry.id, "")


def mates(entries: Sequence[JournalEntry], tvs: Collection[VolumeRef]) -> set[VolumeRef]:
    """Return the TVs that stand or fall with these: other members of a group whose backup was interrupted."""
    groups = {(entry.operation_id, group_of(entry)) for entry in entries if entry.tv in tvs and group_of(entry)}
    return {entry.tv for entry in entries if (entry.operation_id, group_of(entry)) in groups}


def group_of(entry: JournalEntry) -> str:
    """Return the group id of a journalled split, empty outside a group."""
    return str(entry.payload.get("backup", {}).get("group_id", ""))


def session_of(step: ArrayStep, sessions: Sessions) -> Optional[Session]:
    """Return the session that a step concerns."""
    key = (step.bv, step.target) if isinstance(step, RestoreCopy) else (step.tv, step.bv)
    return sessions.get(key)


def acted(step: ArrayStep, sessions: Sessions) -> bool:
    """Tell whether the list shows that the array did it.

    A snapshot that has been copied whole leaves no trace, and is taken for not made: what it was to overwrite cannot
    be trusted then. A tracked session tells by the time at which it was last copied, where the array tells that.
    """
    session = session_of(step, sessions)
    if isinstance(step, ReleaseCopy):
        return session is None
    if session is None:
        return False
    if isinstance(step, SplitCopy):
        return session.state is SessionState.SUSPENDED
    if isinstance(step, SnapCopy):
        if session.copy_type is not step.copy_type:
            return False
        if session.state is SessionState.TRACKING:
            return not step.resume or _copied_since(step, session)
        return session.state is SessionState.EXECUTING
    return not isinstance(step, ResumeCopy) or session.state in _RUNNING


def _copied_since(step: SnapCopy, session: Session) -> bool:
    known = step.synced_at is not None and session.synced_at is not None
    return known and session.synced_at != step.synced_at


def surely_not(step: ArrayStep, sessions: Sessions) -> bool:
    """Tell whether the list shows that a tracked session was not copied again: what is on its BV is as it was."""
    session = session_of(step, sessions)
    if not isinstance(step, SnapCopy) or not step.resume or session is None:
        return False
    known = session.state is SessionState.TRACKING and session.synced_at is not None
    return known and session.synced_at == step.synced_at


def moment(one: Found, sessions: Sessions, now: datetime) -> datetime:
    """Return a time no earlier than the split: the array's own; where it tells none, or its clock is behind, now.

    The array may tell whole seconds only: one second behind the journal is not behind.
    """
    session = session_of(one.step, sessions)
    at = None
    if session is not None:
        at = session.suspended_at if isinstance(one.step, SplitCopy) else session.synced_at
    written = one.entry.written_at
    return max(at, written) if at is not None and at + timedelta(seconds=1) >= written else now
