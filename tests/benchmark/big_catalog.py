# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalogs as years leave them: one backup a day of each volume, three on disk, all on tape, a tenth verified.

Rows are made inside the database: one value of each kind goes through the product's shapes, and a statement of the
database's own repeats it, with what differs from row to row as an expression of the row's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog import model, schema
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import moment

ARRAY = "ET603SA4621302115"
NOW = datetime(2026, 3, 29, 2, tzinfo=timezone.utc)
DAY = 86_400_000_000
#: Disk generations, and BVs of a volume (one more, which the next synchronization resumes).
GENERATIONS, BVS = 3, 4
UNUSED = 100
PER_CARTRIDGE = 200
#: Days of which the journal keeps what has been settled.
JOURNAL = 90

Columns = Mapping[str, str]


@dataclass(frozen=True)
class Size:
    """How many backups there are, of how many volumes: one a day of each."""

    backups: int
    tvs: int

    @property
    def days(self) -> int:
        """Return how many days of backups there are of each volume."""
        return self.backups // self.tvs


def tv(number: int) -> VolumeRef:
    """Return a transaction volume."""
    return VolumeRef(ARRAY, f"600000E00D2A0000002A0115{10_000_000 + number}")


def unused(number: int) -> VolumeRef:
    """Return a BV that nothing uses."""
    return VolumeRef(ARRAY, f"600000E00D2A0000002A0117{10_000_000 + number}")


def name_of(number: int, day: int, size: Size) -> str:
    """Return the id of a volume's backup of a day; they sort by time, as real ones do."""
    return f"B{10_000_000 + day * size.tvs + number}"


def filled(url: str, size: Size) -> SqlCatalog:
    """Make a catalog of this size, and open it."""
    with closing(open_catalog(url)) as catalog, catalog.begin() as records:
        records.put_pool(model.TapePool("weekly", model.PoolKind.SCRATCH, NOW))
        _fill(records._connection, size)
    catalog = open_catalog(url)
    if url.startswith("postgresql"):
        with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as server:
            server.exec_driver_sql("ANALYZE")  # as the server does by itself, some time after
    return catalog


def _fill(connection: sa.Connection, size: Size) -> None:
    ours, at = schema.tables(), f"{moment(NOW)} - (:days - i / :tvs) * {DAY}"
    device, array = "'600000E00D2A0000002A0115' || CAST(10000000 + i % :tvs AS TEXT)", f"'{ARRAY}'"
    one = {"tv_array": array, "tv_device": device}
    ident, backup = "'B' || CAST(10000000 + i AS TEXT)", "'B' || CAST(10000000 + :first + i AS TEXT)"
    numbers = {"days": size.days, "tvs": size.tvs, "first": (size.days - GENERATIONS) * size.tvs}
    put = _Putting(connection, numbers)

    volume = Volume(tv(0), "tv0", 131072, 512, True, "root/eternus:FUJITSU_StorageVolume.DeviceID=0")
    registered = model.RegisteredVolume(volume, model.Role.TRANSACTION, NOW)
    row = schema.VOLUME.row(registered)
    put(ours.volumes, row, size.tvs, {"ref_device": device, "name": "'tv' || CAST(i AS TEXT)"})
    of_bv = "'600000E00D2A0000002A011{}' || CAST(10000000 + i AS TEXT)"
    row = schema.VOLUME.row(model.RegisteredVolume(volume, model.Role.BACKUP, NOW))
    put(ours.volumes, row, size.tvs * BVS, {"ref_device": of_bv.format(6), "name": "'bv' || CAST(i AS TEXT)"})
    put(ours.volumes, row, UNUSED, {"ref_device": of_bv.format(7), "name": "'free' || CAST(i AS TEXT)"})

    policy = model.Policy(
        tv(0), GENERATIONS, suspend=True, tape_pool="weekly", tape_generations=5, tape_days=size.days, interval_days=1
    )
    put(ours.policies, schema.POLICY.row(policy), size.tvs, one)
    row = schema.ALLOCATION.row(model.Allocation(unused(0), tv(0), CopyType.EC, NOW, NOW))
    put(ours.allocations, row, size.tvs * BVS, {**one, "bv_device": of_bv.format(6)})

    made = model.Backup("B", tv(0), NOW, model.Method.SYNCHRONIZED, CopyType.EC, True, 67108864, "k")
    key = "'night-' || CAST(i / :tvs AS TEXT)"
    every = size.days * size.tvs
    put(ours.backups, schema.BACKUP.row(made), every, {**one, "id": ident, "key": key, "point_in_time": at})
    put(ours.keys, schema.KEY.row(model.UsedKey(tv(0), "k", "B")), every, {**one, "key": key, "backup_id": ident})
    disk = schema.DISK.row(model.DiskCopy(unused(0), model.DiskState.VALID, NOW), backup_id="B")
    put(ours.disks, disk, GENERATIONS * size.tvs, {"bv_device": of_bv.format(6), "backup_id": backup})

    pieces = every // PER_CARTRIDGE + 1
    barcode = f"'WK' || CAST(100000 + i / {PER_CARTRIDGE} AS TEXT) || 'L8'"
    cartridge = model.Cartridge("WK", "uuid", "weekly", NOW, 10**12, 10**11, 601)
    put(
        ours.cartridges,
        schema.CARTRIDGE.row(cartridge),
        pieces,
        {"barcode": "'WK' || CAST(100000 + i AS TEXT) || 'L8'"},
    )
    copy = model.TapeCopy(1, model.TapeState.WRITTEN, "weekly", NOW, NOW, NOW, 67108864, 67108864, "ab" * 32)
    verified = {"verified_ok": "CASE WHEN (i / :tvs) % 10 = 5 THEN {} END", "verified_at": f"{moment(NOW)}"}
    true = "TRUE" if connection.dialect.name == "postgresql" else "1"
    verified["verified_ok"] = verified["verified_ok"].format(true)
    legs = {"backup_id": ident, "queued_at": at, "started_at": at, "written_at": at, **verified}
    put(ours.tapes, schema.TAPE.row(copy, backup_id="B"), every, legs)
    part = schema.PART.row(model.TapePart(1, "WK", 2, 0, 67108864, "ab" * 32), backup_id="B", number=1)
    place = f"2 + 3 * (i % {PER_CARTRIDGE})"
    put(ours.parts, part, every, {"backup_id": ident, "barcode": barcode, "data_file": place})

    test = model.RestoreTest("R", "B", tv(0), unused(0), "tape", 1, NOW, True, 67108864, "ab" * 32)
    fifty = {**one, "id": "'R' || CAST(i AS TEXT)", "tested_at": at}
    put(ours.tests, schema.TEST.row(test), every, {**fifty, "backup_id": ident}, where="(i / :tvs) % 50 = 7")
    entry = model.JournalEntry("J", "O", "SplitCopy", tv(0), {"bv": ["A", "B"]}, model.StepState.DONE, NOW)
    steps = min(size.days, JOURNAL) * size.tvs * 2
    ident, settled = "'J' || CAST(i AS TEXT)", f"{moment(NOW)} - (:span - i / (2 * :tvs)) * {DAY}"
    numbers["span"] = min(size.days, JOURNAL)
    journal = {**one, "id": ident, "sequence": "i + 1", "settled_at": settled, "written_at": settled}
    put(ours.journal, schema.ENTRY.row(entry), steps, journal)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{ours.journal.name}', 'sequence'), {steps + 1})"
        )
    lease = schema.LEASE.row(model.Lease("volume:x", "node1:17", 1, NOW, NOW + timedelta(minutes=2)))
    put(ours.leases, lease, 20, {"name": "'volume:other' || CAST(i AS TEXT)"})


class _Putting:
    """Repeats a row in a table."""

    def __init__(self, connection: sa.Connection, numbers: dict[str, int]) -> None:
        self._connection = connection
        self._numbers = numbers

    def __call__(self, table: sa.Table, row: Mapping[str, Any], count: int, what: Columns, where: str = "") -> None:
        """Insert ``count`` rows like this one.

        :param what: columns that differ, as expressions of ``i``, the number of the row from 0.
        """
        quoted = self._connection.dialect.identifier_preparer.quote
        columns = [column for column in table.c if column.name in row or column.name in what]
        values = [what.get(column.name) or f":c_{column.name}" for column in columns]
        typed = [sa.bindparam(f"c_{one.name}", row[one.name], one.type) for one in columns if one.name not in what]
        values = [
            value if column.name in what else f"CAST({value} AS {column.type.compile(self._connection.dialect)})"
            for value, column in zip(values, columns, strict=True)
        ]
        numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)"
        series = f"(SELECT generate_series(0, {count - 1}) AS i) AS n"
        server = self._connection.dialect.name == "postgresql"
        text = f"INSERT INTO {table.name} ({', '.join(quoted(one.name) for one in columns)}) "
        text += "" if server else f"{numbers} "
        text += f"SELECT {', '.join(values)} FROM {series if server else 'n'}{f' WHERE {where}' if where else ''}"
        for name, number in self._numbers.items():
            text = text.replace(f":{name}", str(number))
        text = text.replace(":count", str(count))
        self._connection.execute(sa.text(text).bindparams(*typed))
