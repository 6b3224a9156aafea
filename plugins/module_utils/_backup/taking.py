# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Apply the splits and snapshots of a plan: each alone, or a group as a whole (behaviour.md §2.3–2.6, §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import (
    apply_catalog_steps,
    apply_release,
    still_standing,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest, one_instant
from ansible_collections.eternus.backup.plugins.module_utils._backup.record import Taken, record_taken
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_late,
    refuse_skewed,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.request import (
    Key,
    Sessions,
    confirm,
    journalled,
    not_confirmed,
    send,
    suspended,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import (
    ReleaseCopy,
    SnapCopy,
    SplitCopy,
    Step,
    Taking,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.undo import (
    set_aside,
    settle_not_made,
    take_back,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.verdict import acted
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, JournalEntry
from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, BackupError, combined


@dataclass
class _Run:
    """What has become of the steps so far."""

    work: Operation
    world: World
    request: BackupRequest
    sessions: Sessions
    entries: dict[Taking, JournalEntry] = field(default_factory=dict)
    recorded: list[VolumeRef] = field(default_factory=list)
    errors: list[BackupError] = field(default_factory=list)
    standing: dict[ReleaseCopy, BackupError] = field(default_factory=dict)


def apply_taking(work: Operation, world: World, steps: Sequence[Step], request: BackupRequest) -> Sessions:
    """Split or copy every pair, record what the array has done, then release plain sessions.

    One TV's failure leaves the others as they are, a member's failure takes its whole group back. Returns the sessions
    as they are then. Raises ``Conflict`` when another process took a BV first: nothing was changed then.
    """
    taking = [step for step in steps if isinstance(step, (SplitCopy, SnapCopy))]
    ends = _ends_before(steps)
    run = _Run(work, world, request, world.sessions)
    now = work.ctx.clock.now()
    if taking and request.deadline is not None and now > request.deadline:
        raise refuse_late([world.name(step.tv) for step in taking], request.deadline, now, sent=False)
    with work.transaction() as records:
        apply_catalog_steps(records, _before(steps))
        fresh = [step for step in taking if isinstance(step, SnapCopy) and step.fresh]
        records.allocate([Allocation(step.bv, step.tv, step.copy_type, now) for step in fresh])
        for step in taking:
            if isinstance(step, SnapCopy) and not set_aside(records, step):
                raise Conflict(f"the tape leg of backup {step.replaces} went on")
        run.entries.update(zip(taking, work.intend(records, taking)))
        ending = list(zip(work.intend(records, ends), ends))
    units = _units(taking, request)
    if ending:
        units = _end_old(run, units, ending)
    for parts, whole in units:
        _take(run, parts, whole=whole)
    _raise(run)
    return run.sessions


def _before(steps: Sequence[Step]) -> list[Step]:
    """Return the catalog's steps that come before a TV's own copy: a BV may have to be freed for it."""
    return [step for step in _leading(steps) if not isinstance(step, (ReleaseCopy, SplitCopy, SnapCopy))]


def _ends_before(steps: Sequence[Step]) -> list[ReleaseCopy]:
    return [step for step in _leading(steps) if isinstance(step, ReleaseCopy)]


def _leading(steps: Sequence[Step]) -> list[Step]:
    taken: set[VolumeRef] = set()
    found: list[Step] = []
    for step in steps:
        if isinstance(step, (SplitCopy, SnapCopy)):
            taken.add(step.tv)
        elif step.tv not in taken:
            found.append(step)
    return found


#: Steps that are sent by one request where the array takes lists: a group's, or all single ones; and whether all the
#: parts of a unit stand or fall together.
Unit = tuple[list[list[Taking]], bool]


def _end_old(run: _Run, units: Sequence[Unit], ending: Sequence[tuple[JournalEntry, ReleaseCopy]]) -> list[Unit]:
    """End the old sessions of BVs that are overwritten; return what may go on: a whole unit, or nothing of it."""
    run.sessions, standing = apply_release(run.work, run.world, ending)
    run.errors.extend(standing.values())
    failed = {(step.tv, step.bv) for step in standing}
    going_on: list[Unit] = []
    dropped: list[Taking] = []
    for parts, whole in units:
        hindered = [step for part in parts for step in part if (step.tv, step.bv) in failed]
        if whole and hindered:
            dropped.extend(step for part in parts for step in part)
            continue
        dropped.extend(hindered)
        left = [[step for step in part if step not in hindered] for part in parts]
        going_on.append(([part for part in left if part], whole))
    with run.work.transaction() as records:
        for step in dropped:
            now, stands = run.work.ctx.clock.now(), (step.tv, step.bv) in failed
            kept = replace(step, spoiled=False) if stands and isinstance(step, SnapCopy) else step
            settle_not_made(records, kept, run.entries[step], run.sessions, now, refused=True)
    return [unit for unit in going_on if unit[0]]


def _units(taking: Sequence[Taking], request: BackupRequest) -> list[Unit]:
    """Return what stands or falls together: a group, or all under a deadline; every other TV stands by itself."""
    groups: dict[str, list[Taking]] = {}
    for step in taking:
        groups.setdefault(step.backup.group_id, []).append(step)
    if request.deadline is not None:
        return [(list(groups.values()), True)] if taking else []
    return [([steps], bool(group)) for group, steps in groups.items()]


@dataclass(frozen=True)
class _Sent:
    """What the array answered to a part, when the last answer came (UTC), how long it took, and whether at once."""

    steps: Sequence[Taking]
    answers: Mapping[Key, Optional[BackupError]]
    at: datetime
    took: timedelta
    together: bool

    @property
    def group(self) -> str:
        """Return the group's id, empty outside a group."""
        return self.steps[0].backup.group_id

    def taken(self, step: Taking, entry: JournalEntry) -> Taken:
        """Return what is to be recorded of a step."""
        if not self.group:
            return Taken(step, entry, self.at)
        skew = 0 if self.together else ceil(self.took / timedelta(milliseconds=1))
        return Taken(step, entry, self.at, self.together, skew)


def _take(run: _Run, parts: Sequence[Sequence[Taking]], *, whole: bool) -> None:
    """Send a unit's splits and copies, look what became of them, and record it or take it back."""
    work, clock = run.work, run.work.ctx.clock
    with journalled():
        sent = [_sent(run, part) for part in parts]
        answers = {key: answer for one in sent for key, answer in one.answers.items()}
        steps = [step for part in parts for step in part]
        wanted = [s for s in steps if isinstance(s, SplitCopy) and answers[(s.tv, s.bv)] is None]
        run.sessions = confirm(work, {(step.tv, step.bv): suspended for step in wanted})
    errors = {step: error for step in steps for error in [_error(run, step, answers[(step.tv, step.bv)])] if error}
    objection = _objection(run, sent)
    if whole and (errors or objection):
        _take_all_back(run, steps, answers, [*errors.values(), *objection])
        return
    made = [one.taken(step, run.entries[step]) for one in sent for step in one.steps if step not in errors]
    refused = [step for step in errors if answers[(step.tv, step.bv)] is not None]
    with work.transaction() as records:
        for step in refused:
            settle_not_made(records, step, run.entries[step], run.sessions, clock.now(), refused=True)
        releases = record_taken(work, records, made, run.sessions)
    run.recorded.extend(one.step.tv for one in made)
    run.errors.extend(errors.values())
    if releases:
        run.sessions, standing = apply_release(work, run.world, releases)
        run.standing.update(standing)


def _sent(run: _Run, steps: Sequence[Taking]) -> _Sent:
    clock = run.work.ctx.clock
    began = clock.monotonic()
    answers = _send(run, steps)
    took = timedelta(seconds=clock.monotonic() - began)
    return _Sent(steps, answers, clock.now(), took, one_instant(_now_known(run), steps))


def _send(run: _Run, steps: Sequence[Taking]) -> dict[Key, Optional[BackupError]]:
    def pairs(chosen: Sequence[Taking]) -> list[tuple[CopyType, Pair]]:
        return [(step.copy_type, run.world.pair(step.tv, step.bv)) for step in chosen]

    splits = [step for step in steps if isinstance(step, SplitCopy)]
    snaps = [step for step in steps if isinstance(step, SnapCopy)]
    tracked = [step for step in snaps if step.copy_type is CopyType.QUICK_OPC and not step.resume]
    plain = [step for step in snaps if step.copy_type is not CopyType.QUICK_OPC]
    again = [step for step in snaps if step.resume]
    answers = dict(send(run.work, pairs(splits), lambda array, kind, wanted: array.suspend(kind, wanted)))
    answers.update(send(run.work, pairs(plain), lambda array, kind, wanted: array.start(kind, wanted)))
    answers.update(send(run.work, pairs(tracked), lambda array, kind, wanted: array.start(kind, wanted, track=True)))
    answers.update(send(run.work, pairs(again), lambda array, kind, wanted: array.resume(kind, wanted)))
    return answers


def _error(run: _Run, step: Taking, answer: Optional[BackupError]) -> Optional[BackupError]:
    """Return what kept a split or copy from being made, None when the array has made it."""
    session = run.sessions.get((step.tv, step.bv))
    if isinstance(step, SnapCopy):
        # An array that answers an error and does it all the same: the copy is there.
        return None if answer is None or acted(step, run.sessions) else answer
    if answer is not None or (session is not None and session.state is SessionState.SUSPENDED):
        return answer
    return not_confirmed(run.world.pair(step.tv, step.bv), "suspended", session)


def _now_known(run: _Run) -> World:
    """Return the world with what the arrays offer now: one may have refused a list that it had offered before."""
    arrays = run.work.ctx.arrays
    known = {serial: array.capabilities() for serial, array in arrays.items()}
    return replace(run.world, capabilities={**run.world.capabilities, **known})


def _objection(run: _Run, sent: Sequence[_Sent]) -> list[BackupError]:
    """Return why a unit that was split may not be recorded: too far apart, or after the thaw (behaviour.md §3, §7)."""
    steps = [step for one in sent for step in one.steps]
    last, deadline = max(one.at for one in sent), run.request.deadline
    if deadline is not None and last > deadline:
        return [refuse_late([run.world.name(step.tv) for step in steps], deadline, last, lost=_overwritten(steps))]
    return [
        refuse_skewed([run.world.name(step.tv) for step in one.steps], one.took, run.request.max_skew)
        for one in sent
        if one.group and not one.together and one.took > run.request.max_skew
    ]


def _overwritten(steps: Sequence[Taking]) -> list[str]:
    return [step.replaces for step in steps if isinstance(step, SnapCopy) and step.replaces]


def _take_all_back(
    run: _Run, steps: Sequence[Taking], answers: Mapping[Key, Optional[BackupError]], errors: Sequence[BackupError]
) -> None:
    accepted = [step for step in steps if answers[(step.tv, step.bv)] is None or acted(step, run.sessions)]
    with run.work.transaction() as records:
        for step in steps:
            if step not in accepted:
                now = run.work.ctx.clock.now()
                settle_not_made(records, step, run.entries[step], run.sessions, now, refused=True)
    run.errors.extend(errors)
    if accepted:
        run.sessions, standing = take_back(
            run.work, run.world, [(step, run.entries[step]) for step in accepted], run.sessions
        )
        run.errors.extend(standing.values())


def _raise(run: _Run) -> None:
    taken = ", ".join(run.world.name(tv) for tv in run.recorded)
    told = f"Taken all the same: {taken}. " if taken else ""
    if run.errors:
        plain = all(error.unchanged == NOTHING_CHANGED for error in run.errors)
        if taken or plain:
            told = f"{told}Nothing was recorded for the others." if taken else "Nothing was recorded."
        raise combined([*run.errors, *run.standing.values()], unchanged=told, changed=bool(run.recorded))
    if run.standing:
        raise still_standing(run.world, run.standing, told)
