# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What every part of the store does with rows: read in bounded lists, insert, replace, change, delete."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import tables

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError:  # connect.py says so before anything here runs
    ...

#: Parameters of one statement; both databases take many more, a plan is made faster for few.
CHUNK = 400


def among(column: sa.ColumnElement[Any], values: Optional[Collection[str]]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions that together say "one of these"; None means any."""
    if values is None:
        yield sa.true()
        return
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK):
        yield column.in_(ordered[start : start + CHUNK])


def of(table: sa.Table, prefix: str, refs: Optional[Collection[VolumeRef]]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions that say "one of these volumes", array first, so that an index serves; None means any."""
    if refs is None:
        yield sa.true()
        return
    for serial, group in groupby(sorted(set(refs)), key=lambda ref: ref.array):
        for devices in among(table.c[f"{prefix}_device"], [ref.device_id for ref in group]):
            yield sa.and_(table.c[f"{prefix}_array"] == serial, devices)


@contextlib.contextmanager
def in_bulk() -> Iterator[None]:
    """Pause the garbage collector: it would look through thousands of new values again and again, and find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Rows:
    """The tables of one transaction. The parts' methods are described in interface.py."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._t = tables()

    def _all(self, what: Any, where: Iterable[sa.ColumnElement[bool]]) -> list[Mapping[str, Any]]:
        """Return the rows of a table or a select, for each of the conditions."""
        statement: Any = what
        if isinstance(what, sa.Table):
            statement = sa.select(*what.c)
        found: list[Mapping[str, Any]] = []
        for one in where:
            result = self._connection.execute(statement.where(one))
            names = tuple(result.keys())
            found.extend(dict(zip(names, row)) for row in result.all())
        return found

    def _insert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(sa.insert(table), rows)

    def _put(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, or replace those of the same primary key."""
        if not rows:
            return
        insert: Any = (sqlite if self._connection.dialect.name == "sqlite" else postgresql).insert(table)
        keys = {column.name for column in table.primary_key}
        changes = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
        self._connection.execute(insert.on_conflict_do_update(index_elements=sorted(keys), set_=changes), rows)

    def _delete(self, table: sa.Table, where: Iterable[sa.ColumnElement[bool]]) -> None:
        for one in where:
            self._connection.execute(sa.delete(table).where(one))

    def _change(self, table: sa.Table, where: Iterable[sa.ColumnElement[bool]], wanted: int, **values: Any) -> None:
        """Change rows; :class:`Conflict` unless as many were there as wanted."""
        found = sum(self._connection.execute(sa.update(table).where(one).values(**values)).rowcount for one in where)
        if found != wanted:
            raise Conflict(f"{table.name}: {wanted} rows were to be changed and {found} are there")
