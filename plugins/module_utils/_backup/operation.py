# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One changing operation: leases on its TVs, a fence in every transaction, an id for its journal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.fuse import fuse
from ansible_collections.eternus.backup.plugins.module_utils._backup.ids import new_id
from ansible_collections.eternus.backup.plugins.module_utils._backup.journal import ArrayStep, entry_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._backup.verdict import group_of, mates
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, Lease
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, with_unchanged

#: What an error says of requests that were sent, and of which the catalog knows the intent alone.
MAY_BE_DONE = "What was sent may have been done; the journal keeps the steps, and the next run settles them."
#: How often a plan is made anew when another process took a backup volume first.
ATTEMPTS = 16


@dataclass
class Operation:
    """The right to change the named TVs, for as long as the leases hold.

    ``mates``: TVs whose interrupted steps stand or fall with those of the named ones. ``sent``: whether the array was
    asked to change something.
    """

    ctx: Context
    id: str
    leases: Sequence[Lease] = ()
    mates: frozenset[VolumeRef] = frozenset()
    _renewed: float = field(default=0.0)
    sent: bool = False
    _soonest: Optional[tuple[Sequence[Lease], Optional[datetime]]] = field(default=None, repr=False)

    @contextmanager
    def transaction(self) -> Iterator[Records]:
        """Open a catalog transaction that a lost lease forbids: an owner that slept too long changes nothing.

        Where the catalog fails when something was sent already, the error says so.
        """
        try:
            with self.ctx.catalog.begin() as records:
                with _by_name(records):
                    records.fence(self.leases)
                yield records
        except BackupError as error:
            if not self.sent or error.error_class is not ErrorClass.CATALOG_UNAVAILABLE:
                raise
            raise with_unchanged(error, MAY_BE_DONE, changed=True) from error

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Surround one request that changes the array: not sent without the leases, nor after they may be another's."""
        with fuse(self.before_act()):
            # Stopped before the fuse was lit: look again, and renew or fail.
            if self._left(self.ctx.clock.now()) <= 0:
                self.before_act()
            self.sent = True
            yield

    def before_act(self) -> float:
        """Look whether the leases are still ours, and renew them in time; return the seconds that they last at least.

        The catalog is asked each time: no clock tells how long this process, or its whole machine, was stopped.
        """
        clock = self.ctx.clock
        now = clock.now()
        left = self._left(now)
        if clock.monotonic() - self._renewed < self.ctx.lease_seconds / 8 and left > self.ctx.lease_seconds * 7 / 8:
            with self.ctx.catalog.read() as records, _by_name(records):
                records.fence(self.leases)
            return left
        renewed = clock.monotonic()
        with self.ctx.catalog.begin() as records, _by_name(records):
            self.leases = records.renew_leases(self.leases, now, self.ctx.lease_seconds)
        self._renewed = renewed
        return self._left(clock.now())

    def _left(self, now: datetime) -> float:
        # Asked twice a request: the soonest end is looked for once, until the leases are renewed.
        if self._soonest is None or self._soonest[0] is not self.leases:
            self._soonest = (self.leases, min((one.expires_at for one in self.leases), default=None))
        until = self._soonest[1]
        return self.ctx.lease_seconds if until is None else (until - now).total_seconds()

    def intend(self, records: Records, steps: Sequence[ArrayStep]) -> list[JournalEntry]:
        """Journal what is about to happen, in the caller's transaction."""
        entries = [entry_of(step, self.id, self.ctx.clock.now()) for step in steps]
        records.intend(entries)
        return entries


def lease_name(volume: VolumeRef) -> str:
    """Return the name of the lease on a volume."""
    return f"volume:{volume}"


_LEASE_NAME = re.compile(r"volume:([^/\s]+)/([0-9A-Za-z]+)")


@contextmanager
def operation(ctx: Context, volumes: Collection[VolumeRef]) -> Iterator[Operation]:
    """Hold the leases of these volumes; ``busy`` names who holds one and since when (behaviour.md §4)."""
    now = ctx.clock.now()
    with ctx.catalog.begin() as records, _by_name(records):
        together = open_mates(records, volumes)
        names = sorted(lease_name(volume) for volume in {*volumes, *together})
        dead = [lease for lease in records.leases(names) if is_dead(lease.owner)]
        records.drop_leases(dead)
        leases = records.take_leases(names, ctx.owner, now, ctx.lease_seconds)
    work = Operation(ctx, new_id(now), leases, frozenset(together), ctx.clock.monotonic())
    try:
        yield work
    except Conflict as error:
        raise lost_race() from error
    finally:
        _give_back(work)


def open_mates(records: Records, volumes: Collection[VolumeRef]) -> set[VolumeRef]:
    """Return the TVs whose interrupted steps stand or fall with those of these; other runs' steps are not read."""
    ours = [entry for entry in records.open_entries(volumes) if group_of(entry)]
    return mates(records.open_entries(operations={entry.operation_id for entry in ours}), volumes)


@contextmanager
def _by_name(records: Records) -> Iterator[None]:
    """Let a ``busy`` error call volumes by their names."""
    try:
        yield
    except BackupError as error:
        named = {VolumeRef(*found) for found in _LEASE_NAME.findall(error.message)}
        text = error.message
        for volume in records.volumes(named):
            text = text.replace(lease_name(volume.ref), f"Volume {volume.name}")
        raise BackupError(
            error.error_class, text, next_step=error.next_step, unchanged=error.unchanged, **error.details
        ) from error


def _give_back(work: Operation) -> None:
    """Drop the leases; where that fails they run out by themselves, and the error that matters is the one under way."""
    try:
        with work.ctx.catalog.begin() as records:
            records.drop_leases(work.leases)
    except (BackupError, Conflict):
        return


def lost_race() -> BackupError:
    """Other processes took what was planned, again and again."""
    return BackupError(
        ErrorClass.BUSY,
        "Other operations changed the same volumes while this one was planned.",
        next_step="Run it again.",
    )
