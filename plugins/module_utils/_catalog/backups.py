# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Backups with their disk and tape copies: three statements, however many are asked for. Pools and cartridges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.leases import LeaseRows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    DiskState,
    RestoreTest,
    TapeCopy,
    TapePart,
    TapePool,
    TapeState,
    UsedKey,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows, among, in_bulk, of
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import (
    BACKUP,
    CARTRIDGE,
    DISK,
    KEY,
    PART,
    POOL,
    TAPE,
    TEST,
    tables,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import ref_of
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

_CLAIMABLE = (TapeState.QUEUED, TapeState.FAILED, TapeState.WRITING)


class BackupRows(LeaseRows):
    """Backups, their disk and tape copies."""

    def backups(
        self, *, tvs: Optional[Collection[VolumeRef]] = None, ids: Optional[Collection[str]] = None
    ) -> Sequence[Backup]:
        table = self._t.backups
        return self._whole(tv & one for tv in of(table, "tv", tvs) for one in among(table.c.id, ids))

    def unfinished_tape(self) -> Sequence[Backup]:
        tapes = self._t.tapes
        waiting = sa.select(tapes.c.backup_id).where(unfinished())
        return self._whole([self._t.backups.c.id.in_(waiting)])

    def used_keys(self, key: str, tvs: Collection[VolumeRef]) -> Mapping[VolumeRef, str]:
        """Return the id of the backup that a key made of each TV, also when it has gone; none for an empty key."""
        table = self._t.keys
        rows = self._all(table, [(table.c.key == key) & tv for tv in of(table, "tv", tvs if key else [])])
        return {ref_of(row, "tv"): row["backup_id"] for row in rows}

    def use_key(self, used: UsedKey) -> None:
        """Write down that a key was used; a key that was used before stays as it is."""
        if not self.used_keys(used.key, [used.tv]):
            self._insert(self._t.keys, [KEY.row(used)])

    def copies_on(self, barcode: str) -> Sequence[Backup]:
        on_it = sa.select(self._t.parts.c.backup_id).where(self._t.parts.c.barcode == barcode)
        return self._whole([self._t.backups.c.id.in_(on_it)])

    def bearing(self, barcodes: Optional[Collection[str]] = None) -> frozenset[str]:
        """Return the cartridges that a part of a tape copy lies on, whatever became of the rest of that copy."""
        column, known = self._t.parts.c.barcode, self._t.cartridges.c.barcode
        if barcodes is None:  # each known one is looked up: the parts are many
            rows = self._all(sa.select(known), [sa.exists().where(column == known)])
        else:
            rows = self._all(sa.select(column).distinct(), among(column, barcodes))
        return frozenset(row["barcode"] for row in rows)

    def parts_on(self, barcodes: Collection[str]) -> Sequence[tuple[str, str, int]]:
        parts = self._t.parts
        chosen = sa.select(parts.c.barcode, parts.c.backup_id, parts.c.number)
        return [
            (row["barcode"], row["backup_id"], row["number"])
            for row in self._all(chosen, among(parts.c.barcode, barcodes))
        ]

    def add_backups(self, backups: Collection[Backup]) -> None:
        """Add whole backups with their copies.

        :class:`Conflict` when (tv, key) or an id exists already, when a BV carries a generation, or is not allocated.
        """
        copies = [(one.id, copy) for one in backups for copy in one.tape]
        self._insert(self._t.backups, [BACKUP.row(one) for one in backups])
        self._insert(self._t.keys, [KEY.row(UsedKey(one.tv, one.key, one.id)) for one in backups if one.key])
        self._insert(self._t.disks, [DISK.row(one.disk, backup_id=one.id) for one in backups if one.disk])
        self._insert(self._t.tapes, [TAPE.row(copy, backup_id=backup_id) for backup_id, copy in copies])
        self._insert(self._t.parts, [row for backup_id, copy in copies for row in _part_rows(backup_id, copy)])

    def set_disk_leaving(self, ids: Collection[str]) -> None:
        """Strike disk copies from the generations; :class:`Conflict` when a backup has none."""
        where = among(self._t.disks.c.backup_id, ids)
        self._change(self._t.disks, where, len(set(ids)), state=DiskState.LEAVING.value)

    def set_disk_state(self, ids: Collection[str], state: DiskState) -> None:
        """Let disk copies count as they did before; :class:`Conflict` when a backup has none."""
        where = among(self._t.disks.c.backup_id, ids)
        self._change(self._t.disks, where, len(set(ids)), state=state.value)

    def drop_disk(self, ids: Collection[str]) -> None:
        """Strike disk copies; :class:`Conflict` while one is read. What has none already stays as it is.

        A tape leg that was not written loses its source and goes with it; a backup without any copy left vanishes.
        """
        disks, tapes = self._t.disks, self._t.tapes
        gone = {row["backup_id"]: ref_of(row, "bv") for row in self._all(disks, among(disks.c.backup_id, ids))}
        for row in self._all(self._t.readers, of(self._t.readers, "bv", list(gone.values()))):
            raise Conflict(f"{ref_of(row, 'bv')} is read by {row['owner']}")
        self._delete(disks, among(disks.c.backup_id, gone))
        self._delete(
            tapes, [one & (tapes.c.state != TapeState.WRITTEN.value) for one in among(tapes.c.backup_id, gone)]
        )
        self._forget_empty(gone)

    def _forget_empty(self, ids: Collection[str]) -> None:
        table = self._t.backups
        without = [~sa.exists().where(copies.c.backup_id == table.c.id) for copies in (self._t.disks, self._t.tapes)]
        self._delete(table, [sa.and_(one, *without) for one in among(table.c.id, ids)])

    def restore_tests(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, backups: Optional[Collection[str]] = None
    ) -> Sequence[RestoreTest]:
        table = self._t.tests
        rows = self._all(table, [tv & one for tv in of(table, "tv", tvs) for one in among(table.c.backup_id, backups)])
        found = map(TEST.value, rows)
        return sorted(found, key=lambda one: (one.tested_at, one.id))

    def add_restore_test(self, test: RestoreTest) -> None:
        self._insert(self._t.tests, [TEST.row(test)])

    def set_hold(self, ids: Collection[str], hold: bool) -> None:
        """Keep backups whatever the rules say, or no longer; :class:`Conflict` when one is not there."""
        self._change(self._t.backups, among(self._t.backups.c.id, ids), len(set(ids)), hold=hold)

    def put_tape_copy(self, backup_id: str, copy: TapeCopy) -> None:
        """Add a tape copy with its parts, or replace it; :class:`Conflict` when there is no such backup."""
        parts = self._t.parts
        self._put(self._t.tapes, [TAPE.row(copy, backup_id=backup_id)])
        self._delete(parts, [(parts.c.backup_id == backup_id) & (parts.c.number == copy.number)])
        self._insert(parts, _part_rows(backup_id, copy))

    def remove_tape_copies(self, backup_id: str, numbers: Collection[int]) -> None:
        self.strike_tape([(backup_id, number) for number in numbers])

    def strike_tape(self, copies: Collection[tuple[str, int]]) -> None:
        """Strike tape copies (backup id, number); a backup without any copy left vanishes (behaviour.md §5)."""
        table = self._t.tapes
        by_number: dict[int, set[str]] = defaultdict(set)
        for backup_id, number in copies:
            by_number[number].add(backup_id)
        for number, ids in by_number.items():
            self._delete(table, [one & (table.c.number == number) for one in among(table.c.backup_id, ids)])
        self._forget_empty([backup_id for backup_id, _number in copies])

    def claim_tape_copy(self, backup_id: str, number: int, owner: str, now: datetime, seconds: float) -> TapeCopy:
        """Compare-and-set to writing; ``take_leases`` by the same owner returns the lease ``tape:ID:N`` that it took.

        Parts and bytes of an attempt before stay on record; whoever begins anew replaces them by ``put_tape_copy``.
        """
        found = [copy for one in self.backups(ids=[backup_id]) for copy in one.tape if copy.number == number]
        if not found or found[0].state not in _CLAIMABLE:
            state = found[0].state.value if found else "not there"
            raise Conflict(f"tape copy {number} of {backup_id} is {state}")
        try:
            self.take_leases([f"tape:{backup_id}:{number}"], owner, now, seconds)
        except BackupError as error:
            raise Conflict(error.message) from error
        claimed = replace(found[0], state=TapeState.WRITING, owner=owner, started_at=now, error="")
        self._put(self._t.tapes, [TAPE.row(claimed, backup_id=backup_id)])
        return claimed

    @in_bulk()
    def _whole(self, where: Iterable[sa.ColumnElement[bool]]) -> list[Backup]:
        backups, disks, tapes, parts = self._t.backups, self._t.disks, self._t.tapes, self._t.parts
        found: list[Backup] = []
        for one in where:
            rows = self._all(backups, [one])
            if not rows:
                continue
            part_of: dict[tuple[str, int], list[TapePart]] = defaultdict(list)
            for row in self._all(_joined(parts, backups).order_by(parts.c.sequence), [one]):
                part_of[row["backup_id"], row["number"]].append(PART.value(row))
            tape_of: dict[str, list[TapeCopy]] = defaultdict(list)
            for row in self._all(_joined(tapes, backups).order_by(tapes.c.number), [one]):
                key = row["backup_id"]
                tape_of[key].append(TAPE.value(row, parts=tuple(part_of[key, row["number"]])))
            disk_of = {row["backup_id"]: DISK.value(row) for row in self._all(_joined(disks, backups), [one])}
            for row in rows:
                key = row["id"]
                found.append(BACKUP.value(row, disk=disk_of.get(key), tape=tuple(tape_of[key])))
        return sorted(found, key=lambda backup: (backup.point_in_time, backup.id))


def unfinished() -> sa.ColumnElement[bool]:
    """Return what says of a tape copy that it is not written.

    The value stands in the statement, so that SQLite sees that the index of unfinished legs serves.
    """
    return tables().tapes.c.state != sa.literal_column("'written'")


def _joined(copies: sa.Table, backups: sa.Table) -> sa.Select[Any]:
    return sa.select(copies).join(backups, backups.c.id == copies.c.backup_id)


def _part_rows(backup_id: str, copy: TapeCopy) -> list[dict[str, Any]]:
    return [PART.row(part, backup_id=backup_id, number=copy.number) for part in copy.parts]


class CartridgeRows(Rows):
    """Pools and cartridges. A cartridge of the pool '' is in none."""

    def pools(self, names: Optional[Collection[str]] = None) -> Sequence[TapePool]:
        rows = self._all(self._t.pools, among(self._t.pools.c.name, names))
        return sorted(map(POOL.value, rows), key=lambda one: (one.created_at, one.name))

    def put_pool(self, pool: TapePool) -> None:
        self._put(self._t.pools, [POOL.row(pool)])

    def remove_pool(self, name: str) -> None:
        """Forget a pool; :class:`Conflict` while cartridges are in it."""
        if self.cartridges(pool=name):
            raise Conflict(f"pool {name} still has cartridges")
        self._delete(self._t.pools, [self._t.pools.c.name == name])

    def cartridges(
        self, *, pool: Optional[str] = None, barcodes: Optional[Collection[str]] = None
    ) -> Sequence[Cartridge]:
        table = self._t.cartridges
        inside = sa.true() if pool is None else table.c.pool == pool if pool else table.c.pool.is_(None)
        rows = self._all(sa.select(table).where(inside), among(table.c.barcode, barcodes))
        found = (CARTRIDGE.value({**row, "pool": row["pool"] or ""}) for row in rows)
        return sorted(found, key=lambda one: one.barcode)

    def put_cartridge(self, cartridge: Cartridge) -> None:
        """Keep what is known of a cartridge; :class:`Conflict` when its pool is not declared."""
        self._put(self._t.cartridges, [{**CARTRIDGE.row(cartridge), "pool": cartridge.pool or None}])

    def remove_cartridge(self, barcode: str) -> None:
        """Forget a cartridge; :class:`Conflict` while a tape copy has a part on it."""
        for row in self._all(self._t.parts, [self._t.parts.c.barcode == barcode]):
            raise Conflict(f"cartridge {barcode} bears a part of backup {row['backup_id']}")
        self._delete(self._t.cartridges, [self._t.cartridges.c.barcode == barcode])
