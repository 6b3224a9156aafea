# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an export and an import ask of a catalog: every row, as plain values. No SQLAlchemy (whole.py, staged.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, Union

#: A row by the names of its columns. Times are microseconds since 1970 UTC, lists and mappings JSON text (shape.py).
Row = Mapping[str, Union[str, int, bool, None]]


class Whole(Protocol):
    """Every row that outlives a process, inside one transaction: all tables but the leases.

    Of the journal only the open entries. The same content gives the same rows in the same order on both databases.
    """

    @property
    def version(self) -> int:
        """Return the schema version, which may be an earlier release's."""

    @property
    def last_token(self) -> int:
        """Return the last lease token that was given to anybody."""

    def rows(self, *, filled: bool = True) -> Iterator[tuple[str, Row]]:
        """Yield (table, row) table by table, what is pointed at first; read as they are asked for.

        :param filled: give a row of an earlier release the columns that it lacks, as an upgrade fills them; else it
            is as it is there.
        """

    def tables(self) -> list[str]:
        """Return the names of the tables, also of those that this catalog has no row of."""

    def replace(self, rows: Iterator[tuple[str, Row]], last_token: int) -> None:
        """Put these rows in the place of all that there are. The caller's transaction is one that may write."""


class Staged(Protocol):
    """The rows of an export, checked, as a catalog of this release that nobody else sees."""

    @property
    def whole(self) -> Whole:
        """Return its rows."""

    def distrust(self) -> None:
        """Mark each registered backup volume that nothing here explains as unknown (behaviour.md §4)."""

    def unknown(self) -> list[str]:
        """Return the names of the unknown backup volumes, in order."""

    def carrying(self) -> list[tuple[str, bool]]:
        """Return the backup volumes that carry a disk copy, by name, and whether a session stays on each (§2, §3)."""


class BadRow(Exception):
    """A row that no catalog can hold; the text says which, and why."""


def plain(row: Mapping[str, Any]) -> str:
    """Return how a message calls a row: its first few values."""
    shown = ", ".join(f"{name}={value!r}" for name, value in list(row.items())[:3])
    return shown if len(shown) <= 120 else f"{shown[:117]}..."
