# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The file that holds an exported catalog: a header, one line a row, a trailer; JSON, UTF-8 (behaviour.md §8).

The trailer bears the SHA-256 over all bytes before it: whatever was cut off or changed on the way is noticed. The
checksum over the rows alone (``content``) says whether two catalogs hold the same, whenever they were exported.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, BinaryIO, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import Row
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

FORMAT = "eternus.backup catalog"
FORMAT_VERSION = 1

#: The release that writes the header; tests hold it against galaxy.yml.
COLLECTION_VERSION = "0.1.0"

#: Bytes of the longest line that is read.
_LONGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Header:
    """The first line. ``last_token``: of the leases; ``counts``: rows by table, also of tables without any."""

    schema_version: int
    exported_at: datetime
    last_token: int
    counts: Mapping[str, int] = field(default_factory=dict)
    collection_version: str = COLLECTION_VERSION

    def line(self) -> bytes:
        """Return it as it is written."""
        return _json(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "schema_version": self.schema_version,
                "collection_version": self.collection_version,
                "exported_at": self.exported_at.astimezone(timezone.utc).isoformat(),
                "last_token": self.last_token,
                "counts": dict(self.counts),
            }
        )


@dataclass(frozen=True)
class Content:
    """What rows hold: how many there are by table, and a SHA-256 that is the same for the same rows."""

    counts: Mapping[str, int]
    sha256: str

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return sum(self.counts.values())


def row_line(table: str, row: Row) -> bytes:
    """Return a row as it is written."""
    return _json({"table": table, "row": dict(row)})


def content_of(rows: Iterable[tuple[str, Row]], tables: Iterable[str]) -> Content:
    """Return what rows hold, read to the end."""
    counts, digest = dict.fromkeys(tables, 0), hashlib.sha256()
    for table, row in rows:
        counts[table] = counts.get(table, 0) + 1
        digest.update(row_line(table, row))
    return Content(counts, digest.hexdigest())


def write_export(file: BinaryIO, header: Header, rows: Iterable[tuple[str, Row]]) -> None:
    """Write a whole export."""
    digest, number = hashlib.sha256(), 0

    def put(line: bytes) -> None:
        digest.update(line)
        file.write(line)

    put(header.line())
    for table, row in rows:
        put(row_line(table, row))
        number += 1
    file.write(_trailer(number, digest.hexdigest()))


class Export:
    """An export that was found whole: its checksum is right. Errors: ``invalid_option``, ``catalog_schema``."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.content_sha256 = self._verify()
        self._file.seek(0)
        self.header = self._header(self._file.readline(_LONGEST))

    def rows(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield number of the line, table and row, as they stand there."""
        self._file.seek(0)
        self._file.readline(_LONGEST)
        counts, digest = dict.fromkeys(self.header.counts, 0), hashlib.sha256()
        waiting: Optional[bytes] = None
        for number, line in enumerate(self._lines(), 1):
            if waiting is not None:
                table, row = self._row(number, waiting)
                counts[table] = counts.get(table, 0) + 1
                digest.update(waiting)
                yield number, table, row
            waiting = line
        if digest.hexdigest() != self.content_sha256:
            raise self._bad("it was changed while it was read")
        if counts != self.header.counts:
            raise self._bad("its header counts other rows than there are")

    def _verify(self) -> str:
        """Look at every byte; return the checksum over the rows."""
        whole, rows, number = hashlib.sha256(), hashlib.sha256(), -2
        waiting = b""
        for line in self._lines():
            number += 1
            whole.update(waiting)
            if number > 0:
                rows.update(waiting)
            waiting = line
        if number < 0:
            raise self._bad("it is no export of a catalog")
        if waiting != _trailer(number, whole.hexdigest()):
            raise self._bad("it was cut off or changed: its checksum is not right")
        return rows.hexdigest()

    def _lines(self) -> Iterator[bytes]:
        while True:
            line = self._file.readline(_LONGEST)
            if not line:
                return
            if not line.endswith(b"\n"):
                raise self._bad("it was cut off, or is no export of a catalog")
            yield line

    def _header(self, line: bytes) -> Header:
        found = self._loaded(line, 1)
        if found.get("format") != FORMAT:
            raise self._bad("it is no export of a catalog")
        if found.get("format_version") != FORMAT_VERSION:
            raise too_new(self._path, "format version", found.get("format_version"), FORMAT_VERSION)
        try:
            header = Header(
                schema_version=_whole(found["schema_version"]),
                exported_at=datetime.fromisoformat(found["exported_at"]),
                last_token=_whole(found["last_token"]),
                counts={str(table): _whole(count) for table, count in found["counts"].items()},
                collection_version=str(found["collection_version"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad("its header is not understood") from None
        if header.exported_at.tzinfo is None:
            raise self._bad("its header names a time without a zone")
        return header

    def _row(self, number: int, line: bytes) -> tuple[str, dict[str, Any]]:
        found = self._loaded(line, number)
        table, row = found.get("table"), found.get("row")
        if set(found) != {"table", "row"} or not isinstance(table, str) or not isinstance(row, dict):
            raise self._bad(f"line {number} is no row")
        return table, row

    def _loaded(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._bad(f"line {number} is not understood")
        return found

    def _bad(self, why: str) -> BackupError:
        return bad_file(self._path, why)


@contextmanager
def open_export(path: str) -> Iterator[Export]:
    """Open an export to read it; ``invalid_option`` unless it is there and whole."""
    try:
        # A pipe would let us wait for ever.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise bad_file(path, "it is not a file") from None
        raise bad_file(path, f"it cannot be read ({error.strerror})") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise bad_file(path, "it is not a file")
        yield Export(file, path)


def bad_file(path: str, why: str) -> BackupError:
    """Return ``invalid_option`` for a file that is no good export."""
    return BackupError(
        ErrorClass.INVALID_OPTION,
        f"{path} is not taken: {why}.",
        next_step="For an import name a whole export, one that eternus_catalog has written; for an export an absolute "
        "path in a directory that is there.",
        option="path",
        path=path,
    )


def too_new(path: str, what: str, found: Any, known: int) -> BackupError:
    """Return ``catalog_schema`` for an export of a later release."""
    return BackupError(
        ErrorClass.CATALOG_SCHEMA,
        f"{path} has {what} {found}; this release works with version {known}.",
        next_step="Install the release of eternus.backup that wrote the export, or a later one.",
        found=found,
        known=known,
        path=path,
    )


def _trailer(rows: int, sha256: str) -> bytes:
    return _json({"rows": rows, "sha256": sha256})


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value
