# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tape copies go by themselves, and which rule keeps the others (behaviour.md §5). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import proven
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Policy,
    RestoreTest,
    TapeCopy,
    TapeState,
)


class Rule(str, Enum):
    """Why a tape copy stays; ``EXPIRED`` is the one that does not."""

    EXPIRED = "expired"
    NOT_SET = "nothing is set"
    HOLD = "hold"
    NEWEST = "newest"
    GENERATIONS = "tape_generations"
    DAYS = "tape_days"
    IN_USE = "in use"
    PROVEN = "only proven"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a written tape copy."""

    backup: Backup
    copy: TapeCopy
    rule: Rule

    @property
    def goes(self) -> bool:
        """Tell whether it goes."""
        return self.rule is Rule.EXPIRED


def expire_tape(
    policy: Policy,
    backups: Sequence[Backup],
    tests: Sequence[RestoreTest],
    now: datetime,
    in_use: Collection[tuple[str, int]] = (),
    *,
    past: Optional[Collection[str]] = None,
    elsewhere: Callable[[Collection[tuple[str, int]]], bool] = lambda _going: False,
) -> tuple[Verdict, ...]:
    """Return a verdict on every written tape copy of one TV, oldest first; unfinished legs are nobody's business here.

    A copy goes when its days have passed *and* more than the policy's tape generations exist. Decided, where the
    specification leaves it open:

    - Days are counted from the backup's point in time, so that all copies of a backup have the same age; with 30, a
      state is on tape for 30 days, whenever its leg was written.
    - A tape generation is a backup with at least one written copy, however many copies; held ones do not count.
    - 0 sets nothing: with days alone, a copy goes by its age; with generations alone, by the number. With neither set
      nothing goes by itself.
    - The newest tape copy is every copy of the newest backup that is on tape.
    - When every proven copy would go, the newest of them stays. Proven is a copy that was found equal, see
      :func:`proven`.

    :param tests: the restore tests of this TV.
    :param in_use: copies (backup id, number) that somebody reads now, to verify them.
    :param past: where ``backups`` are not the whole history: the ids of those beyond the policy's tape generations
        (``Records.past``); the newest that is on tape is among ``backups``, too.
    :param elsewhere: there, tells whether the rest of the history has a proven copy, these copies not counted.
    """
    on_tape = [backup for backup in backups if backup.good_on_tape]
    beyond = _beyond(policy, on_tape) if past is None else past
    first = [
        Verdict(backup, copy, _rule(policy, backup, copy, on_tape[-1], beyond, now, in_use))
        for backup in on_tape
        for copy in backup.tape
        if copy.state is TapeState.WRITTEN
    ]
    good = [verdict for verdict in first if proven(verdict.backup, verdict.copy, tests)]
    going = [(verdict.backup.id, verdict.copy.number) for verdict in first if verdict.goes]
    if any(not verdict.goes for verdict in good) or (good and elsewhere(going)):
        return tuple(first)
    kept = max(good, key=_age_and_number, default=None)
    return tuple(Verdict(one.backup, one.copy, Rule.PROVEN) if one is kept else one for one in first)


def _beyond(policy: Policy, on_tape: Sequence[Backup]) -> frozenset[str]:
    """Return the ids of the backups that are more than the policy's tape generations, held ones not counted."""
    counted = [backup.id for backup in on_tape if not backup.hold]
    return frozenset(counted[: max(0, len(counted) - policy.tape_generations)])


def _rule(
    policy: Policy,
    backup: Backup,
    copy: TapeCopy,
    newest: Backup,
    beyond: Collection[str],
    now: datetime,
    in_use: Collection[tuple[str, int]],
) -> Rule:
    if backup.hold:
        return Rule.HOLD
    if backup.id == newest.id:
        return Rule.NEWEST
    if not (policy.tape_days or policy.tape_generations):
        return Rule.NOT_SET
    if backup.id not in beyond:
        return Rule.GENERATIONS
    if now - backup.point_in_time < timedelta(days=policy.tape_days):
        return Rule.DAYS
    return Rule.IN_USE if (backup.id, copy.number) in in_use else Rule.EXPIRED


def _age_and_number(verdict: Verdict) -> tuple[datetime, str, int]:
    return (verdict.backup.point_in_time, verdict.backup.id, -verdict.copy.number)
