# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What eternus_catalog does, over the catalog's own file or database: export, import, upgrade (behaviour.md §8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Callable

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_export import export_catalog, shown
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_file import (
    bad_file,
    content_of,
    open_export,
    too_new,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_import import (
    ImportPlan,
    Incoming,
    look,
    plan_import,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import BadRow, Whole
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT
from ansible_collections.eternus.backup.plugins.module_utils._catalog.staged import StagedRows, staged
from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows
from ansible_collections.eternus.backup.plugins.module_utils._options import catalog_url, not_empty
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock


def exported(params: Mapping[str, Any], *, check_mode: bool) -> Result:
    """Write the catalog to ``path``: one state of it, whoever works meanwhile. It is not changed, nor upgraded."""
    not_empty(params, "path")
    url = catalog_url(params)
    with closing(open_catalog(url, create=check_mode, older=True)) as catalog, catalog.read() as records:
        return export_catalog(
            WholeRows.of(records),
            Path(params["path"]),
            SystemClock().now(),
            forbidden=catalog.files,
            force=params["force"],
            check_mode=check_mode,
        )


def imported(params: Mapping[str, Any], *, check_mode: bool) -> Result:
    """Check the whole of ``path``, then put it into the catalog in one transaction, or change nothing."""
    not_empty(params, "path")
    url, force = catalog_url(params), params["force"]
    with _loaded(params["path"], trust=params["trust"]) as (rows, last_token, incoming):
        with closing(open_catalog(url, older=True)) as catalog, catalog.read() as records:
            whole = WholeRows.of(records)
            plan, version = _plan(records, whole, incoming, force=force), whole.version
        if plan.changed and not check_mode:
            with closing(open_catalog(url)) as catalog, catalog.begin() as records:
                whole = WholeRows.of(records)
                plan = _plan(records, whole, incoming, force=force)
                if plan.changed:
                    whole.replace(rows.whole.rows(), last_token)
    before = shown(plan.before, version)
    after = shown(incoming.content, CURRENT) if plan.changed else before
    return Result(
        changed=plan.changed,
        values={
            "file": params["path"],
            "schema_version": after["schema_version"],
            "exported_at": incoming.exported_at.isoformat(),
            "counts": after["rows"],
            "content": after["content"],
            "unknown": incoming.unknown_after(plan.changed, plan.before),
        },
        before=before,
        after=after,
        warnings=plan.warnings,
    )


def upgraded(params: Mapping[str, Any], *, check_mode: bool) -> Result:
    """Bring the tables to this release's version. Opening a catalog to write does that: here it is all that is done."""
    url = catalog_url(params)
    with closing(open_catalog(url, create=check_mode, older=True)) as catalog, catalog.read() as records:
        found = WholeRows.of(records).version
        refused = check_mode and not catalog.writable
    if found < CURRENT and (refused or not check_mode):
        open_catalog(url, create=False, read_only=refused).close()
    return Result(
        changed=found < CURRENT,
        values={"schema_version": CURRENT, "previous_version": found},
        before={"schema_version": found},
        after={"schema_version": CURRENT},
    )


@contextmanager
def _loaded(path: str, *, trust: bool) -> Iterator[tuple[StagedRows, int, Incoming]]:
    """Read an export to its end and check it; ``invalid_option`` or ``catalog_schema`` when it is not good."""
    with open_export(path) as found, staged() as rows:
        header = found.header
        if header.schema_version > CURRENT:
            raise too_new(path, "schema version", header.schema_version, CURRENT)
        try:
            rows.fill(found.rows(), header.schema_version)
        except BadRow as bad:
            raise bad_file(path, str(bad)) from None
        as_written = content_of(rows.whole.rows(), rows.whole.tables())
        yield rows, header.last_token, look(rows, as_written, header.exported_at, trust=trust)


def _plan(records: Records, whole: Whole, incoming: Incoming, *, force: bool) -> ImportPlan:
    now = SystemClock().now()
    return plan_import(whole, incoming, records.leases(), records.open_entries(), now, force=force)


#: What each state of the module is.
WORK: Mapping[str, Callable[..., Result]] = {"exported": exported, "imported": imported, "upgraded": upgraded}
