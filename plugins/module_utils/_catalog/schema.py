# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The catalog's tables, and the steps that make and upgrade them (DESIGN.md, Catalog)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable

from ansible_collections.eternus.backup.plugins.module_utils._catalog import model
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import Shape
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

ARRAY = Shape(model.ArrayRecord)
VOLUME = Shape(model.RegisteredVolume)
POLICY = Shape(model.Policy)
ALLOCATION = Shape(model.Allocation)
BACKUP = Shape(model.Backup, "disk", "tape")
KEY = Shape(model.UsedKey)
DISK = Shape(model.DiskCopy)
TAPE = Shape(model.TapeCopy, "parts")
PART = Shape(model.TapePart)
READER = Shape(model.Reader)
LEASE = Shape(model.Lease)
ENTRY = Shape(model.JournalEntry)
UNDEFINED = Shape(model.UndefinedTarget)
POOL = Shape(model.TapePool)
CARTRIDGE = Shape(model.Cartridge)
TEST = Shape(model.RestoreTest)

#: Columns that came with a later version and are never empty: what the rows of an earlier one hold there.
LATER: dict[tuple[str, str], Any] = {
    ("eternus_pools", "append"): True,
    ("eternus_cartridges", "location"): "",
    ("eternus_cartridges", "unknown"): False,
}


class Tables:
    """Every table, as the values of model.py are shaped.

    What no process may break, whatever it believes, is a constraint: a backup volume has one allocation and lies in one
    generation at most; it is freed only without generation and reader; a key makes one backup of a TV (behaviour.md
    §2-§5). A backup's TV is no foreign key: a catalog rebuilt from cartridges knows backups of volumes that nobody
    has registered yet.
    """

    def __init__(self) -> None:
        self.metadata = sa.MetaData()
        self.shapes: dict[str, Shape[Any]] = {}
        table = self._table
        # One row: the version, the last lease token, and the lock that orders writers on PostgreSQL.
        self.schema = table("schema", None, "id version last_token", ("id",))
        self.arrays = table("arrays", ARRAY, "", ("serial",))
        self.volumes = table("volumes", VOLUME, "", _ref("ref"))
        self.policies = table("policies", POLICY, "", _ref("tv"), _points("tv", "volumes", "ref"))
        self.allocations = table("allocations", ALLOCATION, "", _ref("bv"), _points("bv", "volumes", "ref"))
        self.backups = table("backups", BACKUP, "", ("id",))
        self.keys = table("used_keys", KEY, "", (*_ref("tv"), "key"))
        of_backup = sa.ForeignKeyConstraint(["backup_id"], ["eternus_backups.id"], ondelete="CASCADE")
        self.disks = table(
            "disk_copies",
            DISK,
            "+backup_id",
            ("backup_id",),
            of_backup,
            _points("bv", "allocations", "bv"),
            sa.UniqueConstraint(*_ref("bv")),
        )
        of_backup = sa.ForeignKeyConstraint(["backup_id"], ["eternus_backups.id"], ondelete="CASCADE")
        self.tapes = table("tape_copies", TAPE, "+backup_id", ("backup_id", "number"), of_backup)
        key = ["backup_id", "number"]
        of_copy = sa.ForeignKeyConstraint(key, [f"eternus_tape_copies.{one}" for one in key], ondelete="CASCADE")
        self.parts = table("tape_parts", PART, "+backup_id number", (*key, "sequence"), of_copy)
        self.readers = table("readers", READER, "", (*_ref("bv"), "owner"), _points("bv", "allocations", "bv"))
        self.leases = table("leases", LEASE, "", ("name",))
        # The sequence is the order of writing: ids of one millisecond do not sort.
        self.journal = table("journal", ENTRY, "sequence settled_at", ("sequence",), sa.UniqueConstraint("id"))
        self.undefined = table("undefined_targets", UNDEFINED, "", _ref("volume"))
        self.pools = table("pools", POOL, "", ("name",))
        of_pool = sa.ForeignKeyConstraint(["pool"], ["eternus_pools.name"])
        self.cartridges = table("cartridges", CARTRIDGE, "", ("barcode",), of_pool)
        self.cartridges.c.pool.nullable = True  # in no pool
        self.tests = table("restore_tests", TEST, "", ("id",))

        _index(self.volumes, "name")
        _index(self.volumes, "ref_device")
        _index(self.allocations, *_ref("tv"))
        _index(self.backups, *_ref("tv"), "point_in_time", "id")
        _index(self.parts, "barcode")
        _index(self.journal, "sequence", where=self.journal.c.state == "intended")
        _index(self.leases, "token")
        _index(self.cartridges, "pool")
        _index(self.tests, *_ref("tv"), "tested_at")
        _index(self.tapes, "backup_id", "state", where=self.tapes.c.state != "written")
        # The primary keys begin with a number: these find what belongs to a backup, also when one is deleted.
        _index(self.tapes, "backup_id", "number")
        _index(self.parts, "backup_id", "number", "sequence")
        _index(self.journal, "settled_at")
        _index(self.policies, "group", where=self.policies.c.group != "")
        _index(self.policies, "sync_slot", where=self.policies.c.sync_slot != "")
        _index(self.policies, *_ref("tv"), where=self.policies.c.pinned != "[]")
        _index(self.tests, "backup_id")

    def _table(self, name: str, shape: Any, more: str, key: Sequence[str], *constraints: Any) -> sa.Table:
        """Make a table with the product's prefix: a PostgreSQL database may hold other things too.

        :param more: columns beyond the value's: numbers, or after a plus sign a text first.
        """
        whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
        types: dict[Any, Any] = {str: sa.Text(), int: whole, bool: sa.Boolean()}
        if shape is not None:
            self.shapes[f"eternus_{name}"] = shape
        columns = {} if shape is None else dict(shape.columns())
        for one in more.split():
            columns[one.lstrip("+")] = (str if one.startswith("+") else int, one == "settled_at")
        return sa.Table(
            f"eternus_{name}",
            self.metadata,
            *(
                sa.Column(
                    column,
                    types[kind],
                    nullable=null,
                    primary_key=column in key,
                    autoincrement=column == "sequence" == key[0],
                    server_default=_default(f"eternus_{name}", column),
                )
                for column, (kind, null) in columns.items()
            ),
            *constraints,
        )


def _default(table: str, column: str) -> Any:
    """Return what a database puts into the rows of an earlier version; None for nothing."""
    value = LATER.get((table, column))
    return value if value is None or isinstance(value, str) else sa.true() if value else sa.false()


def _ref(prefix: str) -> tuple[str, str]:
    return f"{prefix}_array", f"{prefix}_device"


def _points(prefix: str, table: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(_ref(prefix), [f"eternus_{table}.{one}" for one in _ref(target)])


def _index(table: sa.Table, *names: str, where: Any = None) -> None:
    columns = [table.c[name] for name in names]
    name = f"{table.name}_by_{names[-1]}"
    sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Return the tables, made once a process."""
    return Tables()


@dataclass(frozen=True)
class Step:
    """What makes a catalog of version ``to`` out of one of version ``to`` - 1. May be run again without harm."""

    to: int
    apply: Callable[[sa.Connection], None]


def _make(connection: sa.Connection) -> None:
    tables().metadata.create_all(connection, checkfirst=True)


def _add_missing(connection: sa.Connection) -> None:
    """Make tables, columns and indexes that are not there yet; rows that are there get ``LATER``, or are empty."""
    tables().metadata.create_all(connection, checkfirst=True)
    there = sa.inspect(connection)
    for table in tables().metadata.sorted_tables:
        have = {column["name"] for column in there.get_columns(table.name)}
        for column in (column for column in table.c if column.name not in have):
            made = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {made}"))
        known = {index["name"] for index in there.get_indexes(table.name)}
        for index in (index for index in table.indexes if index.name not in known):
            index.create(connection)


#: In order, without gaps. A release that changes the tables adds a step; no step is ever taken away.
#: 2: group backups say whether they are consistent; restore tests.
#: 3: until when a cartridge is protected, where it is kept, whether anything explains it; pools that do not append.
#: 4: indexes that find the tape copies, parts and tests of a backup, and journal entries settled long ago.
STEPS: Sequence[Step] = (Step(1, _make), Step(2, _add_missing), Step(3, _add_missing), Step(4, _add_missing))

#: The schema version that this release reads and writes.
CURRENT = STEPS[-1].to


def version_of(connection: sa.Connection) -> int:
    """Return the schema version that a database holds, 0 when it holds no catalog."""
    table = tables().schema
    if not sa.inspect(connection).has_table(table.name):
        return 0
    version = connection.execute(sa.select(table.c.version)).scalar() or 0
    return version if isinstance(version, int) else 0


def version_now(connection: sa.Connection) -> int:
    """Return the schema version of a database that is known to hold a catalog: one row, however many tables it has."""
    return int(connection.execute(sa.select(tables().schema.c.version)).scalar() or 0)


def check_version(version: int, where: str, *, upgradable: bool = True, ours: int = CURRENT) -> None:
    """Raise ``catalog_schema`` for a later release's catalog, and for an older one that this task may not upgrade."""
    if version > ours:
        step = "Install the release of eternus.backup that upgraded the catalog, or a later one."
    elif version < ours and not upgradable:
        step = "Run a task that may change the catalog once, outside check mode: it upgrades the catalog."
    else:
        return
    message = f"The catalog {where} has schema version {version}; this release works with version {ours}."
    raise BackupError(ErrorClass.CATALOG_SCHEMA, message, next_step=step, found=version, known=ours)


def upgrade(connection: sa.Connection, where: str, steps: Sequence[Step] = STEPS) -> None:
    """Apply the steps that a catalog has not seen, inside the transaction of a caller who keeps other writers out."""
    version = version_of(connection)
    check_version(version, where, ours=steps[-1].to)
    table = tables().schema
    for step in (step for step in steps if step.to > version):
        step.apply(connection)
        if connection.execute(sa.update(table).values(version=step.to)).rowcount == 0:
            connection.execute(sa.insert(table).values(id=1, version=step.to, last_token=0))
