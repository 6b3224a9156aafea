# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The rows of an export as a catalog of this release, checked by the database itself (exchange.py, ``Staged``)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import BadRow, Row, Whole, plain
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT, tables, upgrade
from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows, kept, later, short

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

#: Whole numbers that both databases hold.
_WHOLE = range(-(2**63), 2**63)

#: What one of them, or UTF-8, cannot hold: NUL, and halves of surrogate pairs.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class StagedRows:
    """A temporary catalog. SQLite keeps it in a file without a name, beyond what memory holds with ease."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._rows = WholeRows(connection)

    @property
    def whole(self) -> Whole:
        return self._rows

    def fill(self, rows: Iterable[tuple[int, str, Row]], version: int) -> None:
        """Take rows of a schema version; :class:`BadRow` for the first that no catalog can hold.

        :param rows: number of the line, table, row.
        """
        try:
            self._rows.insert(_checked(rows, version))
        except sa.exc.IntegrityError as error:
            raise BadRow(f"two of its rows exclude each other ({error.orig})") from None
        for table, _row, target, _number in self._connection.exec_driver_sql("PRAGMA foreign_key_check"):
            raise BadRow(f"a row of {_short(table)} points at a row of {_short(target)} that is not there")

    def distrust(self) -> None:
        volumes, allocations = tables().volumes, tables().allocations
        serves = (allocations.c.bv_array == volumes.c.ref_array) & (allocations.c.bv_device == volumes.c.ref_device)
        unexplained = ~sa.exists().where(serves) & (volumes.c.role == Role.BACKUP.value)
        self._connection.execute(sa.update(volumes).where(unexplained).values(unknown=True))

    def unknown(self) -> list[str]:
        volumes = tables().volumes
        chosen = sa.select(volumes.c.name).where(volumes.c.unknown, volumes.c.role == Role.BACKUP.value)
        return [str(name) for name in self._connection.execute(chosen.order_by(volumes.c.name)).scalars()]

    def carrying(self) -> list[tuple[str, bool]]:
        t = tables()
        on_it = (t.disks.c.bv_array == t.volumes.c.ref_array) & (t.disks.c.bv_device == t.volumes.c.ref_device)
        of_it = (t.disks.c.bv_array == t.allocations.c.bv_array) & (t.disks.c.bv_device == t.allocations.c.bv_device)
        stays = t.allocations.c.suspended_at.is_not(None) | (t.allocations.c.copy_type == CopyType.QUICK_OPC.value)
        chosen = sa.select(t.volumes.c.name, stays).select_from(t.disks).join(t.volumes, on_it)
        rows = self._connection.execute(chosen.join(t.allocations, of_it).order_by(t.volumes.c.name))
        return [(str(name), bool(seen)) for name, seen in rows]


@contextmanager
def staged() -> Iterator[StagedRows]:
    """Open an empty temporary catalog; it is gone when the block ends."""
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect("", isolation_level=None, check_same_thread=False),
        poolclass=sa.pool.StaticPool,
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            upgrade(connection, "temporary")
            yield StagedRows(connection)
    finally:
        engine.dispose()


def _short(name: Any) -> str:
    return str(name).removeprefix("eternus_")


def _checked(rows: Iterable[tuple[int, str, Row]], version: int) -> Iterator[tuple[str, Row]]:
    """Yield rows with all their columns; an earlier version's row may lack what came later: empty, or ``LATER``."""
    known = {short(table): table for table in kept()}
    for number, name, row in rows:
        if name not in known:
            raise BadRow(f"line {number} is of a table that is not known: {name!r}")
        table = known[name]
        strangers = sorted(set(row) - {column.name for column in table.c})
        if strangers:
            raise BadRow(f"line {number} has a column that {name} has not: {strangers[0]!r}")
        for column in table.c:
            _check(column, row, version, f"line {number}, {name}.{column.name}")
        whole: dict[str, Any] = {column.name: row.get(column.name, later(column)) for column in table.c}
        if not _means_something(table, whole):
            raise BadRow(f"line {number} has values that make no row of {name}: {plain(row)}")
        yield name, whole


def _check(column: sa.Column[Any], row: Row, version: int, where: str) -> None:
    if column.name not in row and (version >= CURRENT or (not column.nullable and later(column) is None)):
        raise BadRow(f"{where} is missing")
    value = row.get(column.name, later(column))
    if value is None:
        if not column.nullable:
            raise BadRow(f"{where} is empty")
    elif value.__class__ is not column.type.python_type:
        raise BadRow(f"{where} is not of the type {column.type.python_type.__name__}")
    elif value.__class__ is int and value not in _WHOLE:
        raise BadRow(f"{where} is too large a number")
    elif value.__class__ is str and _NO_TEXT.search(str(value)):
        raise BadRow(f"{where} has a character that no database keeps")


def _means_something(table: sa.Table, row: dict[str, Any]) -> bool:
    """Tell whether a row gives a value of model.py that would be stored as this very row."""
    if table is tables().journal and row["state"] != "intended":
        return False  # what became of a step is no export's business
    shape = tables().shapes[table.name]
    try:
        again = shape.row(shape.value(row))
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError):
        return False
    return all(row[column] == value for column, value in again.items())
