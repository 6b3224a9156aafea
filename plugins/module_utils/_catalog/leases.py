# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Leases, lost by a dead owner when they run out; the journal, intent before act (DESIGN.md)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, Lease, StepState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import CHUNK, Rows, among, of
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import ENTRY, LEASE
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import moment
from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, BackupError, ErrorClass

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

#: How long the journal keeps what has been settled, for whoever asks what happened.
KEPT = timedelta(days=90)

#: How many of those one transaction forgets at most: other writers wait for it.
_FORGOTTEN = 1000


class LeaseRows(Rows):
    """Leases. Tokens come from one counter and never repeat, also when a lease was given back in between."""

    def take_leases(self, names: Collection[str], owner: str, now: datetime, seconds: float) -> Sequence[Lease]:
        """Take all or none. What the same owner holds already is prolonged and keeps its token."""
        held = self._held(names)
        others = [one for one in held.values() if one.owner != owner and one.expires_at > now]
        if others:
            raise _busy(others)
        mine = [one for one in held.values() if one.owner == owner]
        fresh = sorted(set(names) - {one.name for one in mine})
        until = now + timedelta(seconds=seconds)
        taken = [replace(one, expires_at=until) for one in mine]
        taken += [Lease(name, owner, token, now, until) for token, name in enumerate(fresh, self._tokens(len(fresh)))]
        self._put(self._t.leases, [LEASE.row(one) for one in taken])
        return sorted(taken, key=lambda one: one.name)

    def renew_leases(self, leases: Collection[Lease], now: datetime, seconds: float) -> Sequence[Lease]:
        """Prolong leases; ``busy`` when one was taken over. One that ran out and that nobody wanted is still ours."""
        self.fence(leases)
        renewed = [replace(one, expires_at=now + timedelta(seconds=seconds)) for one in leases]
        self._put(self._t.leases, [LEASE.row(one) for one in renewed])
        return renewed

    def fence(self, leases: Collection[Lease]) -> None:
        if self._untouched(leases):
            return
        held = self._held([one.name for one in leases])
        lost = [one.name for one in leases if one.name not in held or held[one.name].token != one.token]
        others = [held[name] for name in lost if name in held]
        if others:
            raise _busy(others, _TAKEN_OVER)
        if lost:
            raise BackupError(
                ErrorClass.BUSY,
                f"The lease of {', '.join(lost)} was given back meanwhile.",
                next_step="Run again: the next run looks where this one was stopped.",
                unchanged=_TAKEN_OVER,
                leases=lost,
            )

    def _untouched(self, leases: Collection[Lease]) -> bool:
        """Tell whether all are there, by one count: this is asked at each request, however many leases a run holds.

        Whoever takes a lease over writes a token of his own, and no token comes twice: as many rows as leases within
        one run of tokens are these. False where that does not tell.
        """
        tokens = [one.token for one in leases]
        if not tokens or max(tokens) - min(tokens) + 1 != len(set(tokens)):
            return not tokens
        token = self._t.leases.c.token
        ours = sa.select(sa.func.count()).where(token.between(min(tokens), max(tokens)))
        return bool(self._connection.execute(ours).scalar_one() == len(tokens))

    def drop_leases(self, leases: Collection[Lease]) -> None:
        """Give leases back; those of another owner meanwhile stay his."""
        table = self._t.leases
        ordered = sorted(leases, key=lambda one: one.name)
        for start in range(0, len(ordered), CHUNK):
            some = ordered[start : start + CHUNK]
            # A token is given once: none of these is another lease's.
            mine = table.c.name.in_([one.name for one in some]) & table.c.token.in_([one.token for one in some])
            self._delete(table, [mine])

    def leases(self, names: Optional[Collection[str]] = None) -> Sequence[Lease]:
        """Return the leases of these names, or all; also those that have run out. Oldest first."""
        return sorted(self._held(names).values(), key=lambda one: (one.acquired_at, one.token))

    def _held(self, names: Optional[Collection[str]]) -> dict[str, Lease]:
        rows = self._all(self._t.leases, among(self._t.leases.c.name, names))
        return {lease.name: lease for lease in map(LEASE.value, rows)}

    def _tokens(self, count: int) -> int:
        """Return the first of ``count`` tokens that were never given to anybody."""
        table = self._t.schema
        last = int(self._connection.execute(sa.select(table.c.last_token)).scalar_one())
        self._connection.execute(sa.update(table).values(last_token=last + count))
        return last + 1


#: What becomes of the work of an owner that lost its leases.
_TAKEN_OVER = "Nothing more was changed; what this run had begun is settled by the one that took over."


def _busy(held: Sequence[Lease], unchanged: str = NOTHING_CHANGED) -> BackupError:
    """Return ``busy``: who holds it, since when, and until when at most."""
    ordered = sorted(held, key=lambda one: one.name)
    shown = [
        {
            "name": one.name,
            "owner": one.owner,
            "since": one.acquired_at.isoformat(),
            "expires": one.expires_at.isoformat(),
        }
        for one in ordered
    ]
    first = shown[0]
    others = f", and {len(held) - 1} more" if len(held) > 1 else ""
    return BackupError(
        ErrorClass.BUSY,
        f"{first['name']} is held by {first['owner']} since {first['since']}{others}.",
        next_step=f"Run again when that has ended; should it have died, its lease runs out at {first['expires']}.",
        unchanged=unchanged,
        held=shown,
    )


class JournalRows(Rows):
    """Journal entries."""

    def open_entries(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, operations: Optional[Collection[str]] = None
    ) -> Sequence[JournalEntry]:
        table = self._t.journal
        # The value stands in the statement, so that SQLite sees that the index of open entries serves.
        still_open = sa.select(table).where(table.c.state == sa.literal_column("'intended'"))
        theirs = list(among(table.c.operation_id, operations))
        rows = self._all(still_open, [ours & one for ours in of(table, "tv", tvs) for one in theirs])
        return [ENTRY.value(row) for row in sorted(rows, key=lambda row: int(row["sequence"]))]

    def intend(self, entries: Collection[JournalEntry]) -> None:
        self._insert(self._t.journal, [ENTRY.row(one) for one in entries])

    def settle(self, ids: Collection[str], state: StepState, now: datetime) -> None:
        """Write what became of steps; ``Conflict`` when one was never intended.

        Some of what was settled :data:`KEPT` ago is forgotten each time: nothing asks for it, and a journal that never
        forgets grows for ever.
        """
        table = self._t.journal
        old = sa.select(table.c.sequence).where(table.c.settled_at < moment(now - KEPT)).order_by(table.c.settled_at)
        self._delete(table, [table.c.sequence.in_(old.limit(_FORGOTTEN))])
        self._change(table, among(table.c.id, ids), len(set(ids)), state=state.value, settled_at=moment(now))
