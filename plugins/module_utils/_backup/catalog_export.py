# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Export the catalog to a file (behaviour.md §8, swstresback)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_file import (
    Content,
    Export,
    Header,
    content_of,
    open_export,
    write_export,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_place import check_place, whole_file
from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import Whole
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


@dataclass(frozen=True)
class Stored:
    """What a file holds already."""

    content: Content
    schema_version: int
    exported_at: datetime


def export_catalog(
    whole: Whole,
    path: Path,
    now: datetime,
    *,
    forbidden: Collection[Path] = (),
    force: bool = False,
    check_mode: bool = False,
) -> Result:
    """Write every row of one transaction that reads; nothing when the file holds the same rows.

    A catalog of an earlier release is exported as it is: so there is an export from before an upgrade.

    :param forbidden: the catalog's own files.
    :param force: write over a file that is no export.
    """
    check_place(path, forbidden, force=force)
    before = _stored(path)
    content = content_of(whole.rows(filled=False), whole.tables())
    header = Header(whole.version, now, whole.last_token, content.counts)
    same = before is not None and _same(before, content, header)
    if not same and not check_mode:
        with whole_file(path) as file:
            write_export(file, header, whole.rows(filled=False))
    written: Optional[datetime] = before.exported_at if before is not None and same else now
    return Result(
        changed=not same,
        values={
            "file": str(path),
            "schema_version": header.schema_version,
            "exported_at": written.isoformat() if written and (same or not check_mode) else None,
            "counts": dict(content.counts),
            "content": content.sha256,
        },
        before=shown(before.content, before.schema_version) if before else {},
        after=shown(content, header.schema_version),
    )


def shown(content: Content, schema_version: int) -> dict[str, Any]:
    """Return what diff mode shows: rows by table, and what tells apart contents of as many rows."""
    return {"schema_version": schema_version, "rows": dict(content.counts), "content": content.sha256}


def _stored(path: Path) -> Optional[Stored]:
    """Return what a good export of this release or an earlier one holds; a bad one is as good as none."""
    try:
        with open_export(str(path)) as found:
            return _of(found)
    except BackupError:
        return None


def _of(found: Export) -> Stored:
    header = found.header
    return Stored(Content(header.counts, found.content_sha256), header.schema_version, header.exported_at)


def _same(before: Stored, content: Content, header: Header) -> bool:
    return (before.schema_version, before.content) == (header.schema_version, content)
