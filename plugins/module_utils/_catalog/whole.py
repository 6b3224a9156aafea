# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Every row of a catalog, read as a stream and replaced at once (exchange.py, ``Whole``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import Row
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT, LATER, tables, version_of

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

#: Rows that are held in memory at once.
_BATCH = 500

#: How far the lease tokens jump at an import. What the lost catalog gave away after the export was written is not
#: known, and a process that slept since then must not wake up holding a token that is given again.
_GAP = 1_000_000


def kept() -> list[sa.Table]:
    """Return the tables that an export holds, what is pointed at first."""
    ours = tables()
    return [one for one in ours.metadata.sorted_tables if one not in (ours.schema, ours.leases)]


def short(table: sa.Table) -> str:
    """Return a table's name without the product's prefix."""
    return str(table.name).removeprefix("eternus_")


def later(column: sa.Column[Any]) -> Any:
    """Return what a column holds that came after a row was written, None for empty."""
    return LATER.get((column.table.name, column.name))


class WholeRows:
    """All rows within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, records: Rows) -> WholeRows:
        """Return all rows within the transaction of these records."""
        return cls(records._connection)

    @property
    def version(self) -> int:
        return version_of(self._connection)

    @property
    def last_token(self) -> int:
        return int(self._connection.execute(sa.select(tables().schema.c.last_token)).scalar() or 0)

    def tables(self) -> list[str]:
        return [short(table) for table in kept()]

    def rows(self, *, filled: bool = True) -> Iterator[tuple[str, Row]]:
        for table, there in self._there():
            lacking = {one.name: later(one) for one in table.c if one not in there} if filled else {}
            for row in self._read(table, there):
                yield short(table), {**lacking, **row}

    def _there(self) -> Iterator[tuple[sa.Table, list[sa.Column[Any]]]]:
        """Yield the tables with the columns that they have in this catalog."""
        if self.version == CURRENT:
            yield from ((table, list(table.c)) for table in kept())
            return
        there = sa.inspect(self._connection)
        names = set(there.get_table_names())
        for table in (one for one in kept() if one.name in names):
            have = {column["name"] for column in there.get_columns(table.name)}
            yield table, [column for column in table.c if column.name in have]

    def _read(self, table: sa.Table, columns: list[sa.Column[Any]]) -> Iterator[dict[str, Any]]:
        chosen = sa.select(*columns).order_by(*map(self._ordered, table.primary_key))
        if table is tables().journal:
            chosen = chosen.where(table.c.state == "intended")
        for row in self._connection.execute(chosen.execution_options(yield_per=_BATCH)).mappings():
            yield dict(row)

    def _ordered(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        """Return what sorts a column by its bytes on both databases."""
        if self._connection.dialect.name == "postgresql" and isinstance(column.type, sa.Text):
            return column.collate("C")
        return column

    def replace(self, rows: Iterator[tuple[str, Row]], last_token: int) -> None:
        """Put rows in the place of all that there are; the leases go too, their tokens never come back."""
        ours = tables()
        for table in reversed(ours.metadata.sorted_tables):
            if table is not ours.schema:
                self._connection.execute(sa.delete(table))
        self.insert(rows)
        known = max(self.last_token, last_token)
        self._connection.execute(sa.update(ours.schema).values(last_token=known + _GAP))
        if self._connection.dialect.name == "postgresql":
            # Rows came with their numbers: the next one that the database numbers comes after them.
            last = sa.select(sa.func.max(ours.journal.c.sequence)).scalar_subquery()
            counter = sa.func.pg_get_serial_sequence(ours.journal.name, "sequence")
            upon = sa.func.greatest(last, sa.func.nextval(counter))
            self._connection.execute(sa.select(sa.func.setval(counter, upon)))

    def insert(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Insert rows that bear all their columns, a batch of one table at a time."""
        by_name = {short(table): table for table in kept()}
        for name, group in groupby(rows, key=lambda one: one[0]):
            for batch in _batches(row for _name, row in group):
                self._connection.execute(sa.insert(by_name[name]), batch)


def _batches(rows: Iterator[Row]) -> Iterator[list[dict[str, Any]]]:
    for first in rows:
        yield [dict(row) for row in chain([first], islice(rows, _BATCH - 1))]
