# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The few backups that a plan needs, out of a history of years: each statement costs what it finds, by an index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.backups import BackupRows, unfinished
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, RestoreTest, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import of
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import TEST
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import moment, ref_of

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...


class StandingRows(BackupRows):
    """Parts of the history. "The newest" is by point in time, then id, as everywhere."""

    def standing(self, tvs: Optional[Collection[VolumeRef]] = None, *, ids: Collection[str] = ()) -> Sequence[Backup]:
        backups, disks, tapes = self._t.backups, self._t.disks, self._t.tapes
        found = set(ids)
        for ours in of(backups, "tv", tvs):
            for copies in (disks, sa.select(tapes).where(unfinished()).subquery()):
                its = sa.exists().where(backups.c.id == copies.c.backup_id, ours)
                mine = sa.select(copies.c.backup_id).where(its) if tvs is not None else sa.select(copies.c.backup_id)
                found.update(self._connection.execute(mine).scalars())
        for taped in (False, True):
            found.update(self._newest(tvs, taped=taped))
        return self.backups(ids=found)

    def carrying(self, bvs: Collection[VolumeRef]) -> Sequence[Backup]:
        rows = self._all(sa.select(self._t.disks.c.backup_id), of(self._t.disks, "bv", bvs))
        return self.backups(ids=[row["backup_id"] for row in rows])

    def taped(self, tv: VolumeRef, *, at: Optional[datetime] = None, limit: int = 1) -> Sequence[Backup]:
        backups = self._t.backups
        until = sa.true() if at is None else backups.c.point_in_time <= moment(at)
        for ours in of(backups, "tv", [tv]):
            chosen = sa.select(backups.c.id).where(ours, until, self._written()).order_by(*self._newest_first())
            return self.backups(ids=list(self._connection.execute(chosen.limit(limit)).scalars()))
        return []

    def proven(self, tv: VolumeRef, *, without: Collection[tuple[str, int]] = ()) -> Optional[str]:
        backups, tapes = self._t.backups, self._t.tapes
        for ours in of(backups, "tv", [tv]):
            chosen = sa.select(backups.c.id, tapes.c.number).join(tapes, tapes.c.backup_id == backups.c.id)
            chosen = chosen.where(ours, self._verified()).order_by(*self._newest_first()).limit(len(without) + 1)
            rows = self._connection.execute(chosen)
            return next((str(name) for name, number in rows if (name, number) not in without), None)
        return None

    def past(self, tvs: Collection[VolumeRef], until: datetime, generations: int) -> Sequence[Backup]:
        backups, volumes = self._t.backups, self._t.volumes
        other = backups.alias()
        counted = sa.select(other).where(self._of(other, volumes), ~other.c.hold, self._written(other))
        last = counted.order_by(*self._newest_first(other)).offset(max(generations, 1) - 1).limit(1)
        at, name = (
            last.with_only_columns(column).correlate(volumes).scalar_subquery()
            for column in (other.c.point_in_time, other.c.id)
        )
        beyond = (backups.c.point_in_time <= at) & ((backups.c.point_in_time < at) | (backups.c.id < name))
        old = [backups.c.point_in_time <= moment(until), ~backups.c.hold, self._written()]
        found: list[str] = []
        for ours in of(volumes, "ref", tvs):
            chosen = sa.select(backups.c.id).select_from(volumes).join(backups, self._of(backups, volumes))
            chosen = chosen.where(ours, *old, beyond if generations else sa.true())
            found.extend(self._connection.execute(chosen).scalars())
        return self.backups(ids=found)

    def unverified_tape(self, tvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Backup]:
        backups, tapes = self._t.backups, self._t.tapes
        waiting = sa.exists().where(tapes.c.backup_id == backups.c.id, tapes.c.verified_ok.is_not(True))
        waiting = waiting.correlate(backups)
        return self._whole(waiting & ours for ours in of(backups, "tv", tvs))

    def verified(self, tvs: Optional[Collection[VolumeRef]] = None) -> frozenset[VolumeRef]:
        backups, tapes, volumes = self._t.backups, self._t.tapes, self._t.volumes
        good = sa.exists().where(tapes.c.backup_id == backups.c.id, self._verified())
        newest = sa.select(backups.c.id).where(self._of(backups, volumes), good).order_by(*self._newest_first())
        first = newest.limit(1).correlate(volumes).scalar_subquery()
        chosen = sa.select(volumes.c.ref_array, volumes.c.ref_device).where(first.is_not(None))
        return frozenset(ref_of(row, "ref") for row in self._all(chosen, of(volumes, "ref", tvs)))

    def last_tests(self, tvs: Optional[Collection[VolumeRef]] = None) -> Mapping[VolumeRef, RestoreTest]:
        tests, volumes = self._t.tests, self._t.volumes
        its = (tests.c.tv_array == volumes.c.ref_array) & (tests.c.tv_device == volumes.c.ref_device)
        order = [tests.c[name].desc() for name in ("tv_array", "tv_device", "tested_at", "id")]
        last = sa.select(tests.c.id).where(its).order_by(*order).limit(1).correlate(volumes).scalar_subquery()
        chosen = sa.select(tests).select_from(volumes).join(tests, tests.c.id == last)
        return {ref_of(row, "tv"): TEST.value(row) for row in self._all(chosen, of(volumes, "ref", tvs))}

    def count(self, tvs: Optional[Collection[VolumeRef]] = None) -> int:
        backups = self._t.backups
        chosen = sa.select(sa.func.count().label("found")).select_from(backups)
        return sum(row["found"] for row in self._all(chosen, of(backups, "tv", tvs)))

    def _newest(self, tvs: Optional[Collection[VolumeRef]], *, taped: bool) -> Iterator[str]:
        """Yield the newest backup of each registered volume; with ``taped`` the newest that a tape bears."""
        backups, volumes = self._t.backups, self._t.volumes
        newest = sa.select(backups.c.id).where(self._of(backups, volumes), self._written() if taped else sa.true())
        first = newest.order_by(*self._newest_first()).limit(1).correlate(volumes).scalar_subquery()
        for ours in of(volumes, "ref", tvs):
            chosen = sa.select(first).select_from(volumes).where(ours)
            yield from (str(name) for name in self._connection.execute(chosen).scalars() if name is not None)

    def _of(self, backups: Any, volumes: sa.Table) -> sa.ColumnElement[bool]:
        return sa.and_(backups.c.tv_array == volumes.c.ref_array, backups.c.tv_device == volumes.c.ref_device)

    def _newest_first(self, backups: Any = None) -> tuple[sa.ColumnElement[Any], ...]:
        """Return an order that the index of a TV's backups gives backwards."""
        table = self._t.backups if backups is None else backups
        return tuple(table.c[name].desc() for name in ("tv_array", "tv_device", "point_in_time", "id"))

    def _written(self, backups: Any = None) -> sa.ColumnElement[bool]:
        tapes = self._t.tapes
        table = self._t.backups if backups is None else backups
        return sa.exists().where(tapes.c.backup_id == table.c.id, tapes.c.state == TapeState.WRITTEN.value)

    def _verified(self) -> sa.ColumnElement[bool]:
        tapes = self._t.tapes
        return (tapes.c.state == TapeState.WRITTEN.value) & tapes.c.verified_ok.is_(True)
