# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tape copies are to be written or verified: a plan, pure (behaviour.md §5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import tape_lease
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Lease,
    Policy,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

#: A leg in one of these protects its disk copy (behaviour.md §5).
WAITING = (TapeState.QUEUED, TapeState.WRITING)


class TapeAction(str, Enum):
    """What is to be done with a tape copy."""

    WRITE = "write"
    VERIFY = "verify"
    KEEP = "keep"


@dataclass(frozen=True)
class TapeStep:
    """One tape copy and what is to be done; ``new``: it is not in the catalog yet."""

    backup: Backup
    copy: TapeCopy
    action: TapeAction
    verify: bool
    new: bool = False


@dataclass(frozen=True)
class TapePlan:
    """What is to be done, copy by copy, and what is refused. A refused copy hinders no other."""

    steps: tuple[TapeStep, ...]
    refusals: tuple[BackupError, ...]


def plan_tape(
    backups: Sequence[Backup],
    policies: Mapping[VolumeRef, Policy],
    leases: Collection[Lease],
    now: datetime,
    *,
    named: bool,
    verify: bool = False,
    pool: str = "",
    owner: str = "",
) -> TapePlan:
    """Plan the tape legs of these backups, oldest first.

    :param named: the backups were named one by one: one without a tape copy gets one; one that cannot be written is
        refused.
    :param verify: written copies that were not found equal since are read again.
    :param pool: the pool for copies that are new; empty: the policy's.
    """
    live = {lease.name for lease in leases if lease.expires_at > now and lease.owner != owner}
    steps: list[TapeStep] = []
    refusals: list[BackupError] = []
    for backup in backups:
        copies: tuple[TapeCopy, ...] = backup.tape
        new = not copies and named
        if new:
            policy = policies.get(backup.tv)
            name = pool or (policy.tape_pool if policy else "")
            if not name:
                refusals.append(_no_pool(backup))
                continue
            copies = (TapeCopy(1, TapeState.QUEUED, name, now, bytes_total=backup.size),)
        for copy in copies:
            step = _step(backup, copy, verify=verify, new=new)
            error = _refusal(step, live)
            if error is None:
                steps.append(step)
            elif named:
                refusals.append(error)
    return TapePlan(tuple(steps), tuple(refusals))


def _step(backup: Backup, copy: TapeCopy, *, verify: bool, new: bool) -> TapeStep:
    if copy.state is not TapeState.WRITTEN:
        return TapeStep(backup, copy, TapeAction.WRITE, verify, new)
    proven = copy.verified_ok is True
    return TapeStep(backup, copy, TapeAction.VERIFY if verify and not proven else TapeAction.KEEP, verify)


def _refusal(step: TapeStep, live: Collection[str]) -> Optional[BackupError]:
    if step.action is TapeAction.KEEP:
        return None
    if tape_lease(step.backup.id, step.copy.number) in live:
        return busy(step.backup.id, step.copy)
    if step.action is TapeAction.WRITE:
        leaves = not step.backup.whole_on_disk and (step.new or step.copy.state not in WAITING)
        if step.backup.disk is None or leaves:
            return gone(step.backup.id)
    return None


def gone(backup_id: str) -> BackupError:
    """Return the error for a backup whose disk copy is not there any more, or is about to go."""
    return BackupError(
        ErrorClass.NO_SUCH_GENERATION,
        f"Backup {backup_id} has no disk generation any more, so it cannot be written to tape.",
        next_step="Take a new backup.",
        backup=backup_id,
    )


class LegTaken(BackupError):
    """Somebody else writes or verifies this very copy; nothing was changed."""


def busy(backup_id: str, copy: TapeCopy) -> LegTaken:
    """Return the error for a copy that somebody else writes or verifies."""
    since = copy.started_at.isoformat() if copy.started_at else "?"
    return LegTaken(
        ErrorClass.BUSY,
        f"Tape copy {copy.number} of backup {backup_id} is taken by {copy.owner or 'another task'} since {since}.",
        next_step="Look at its progress with tape_info; run again when it has ended, or its lease has run out.",
        backup=backup_id,
        owner=copy.owner,
        since=since,
    )


def _no_pool(backup: Backup) -> BackupError:
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"No tape pool is known for backup {backup.id}: its policy names none.",
        next_step="Name one by the option 'pool', or in the policy (eternus_policy).",
        backup=backup.id,
    )
