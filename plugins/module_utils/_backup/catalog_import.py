# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Put an exported catalog in the place of a lost one (behaviour.md §4, §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_file import Content, content_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._catalog.exchange import Staged, Whole
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, Lease
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

#: Names that a warning bears.
_NAMED = 10


@dataclass(frozen=True)
class Incoming:
    """What an export brings. ``content``: as it is put into the catalog; ``as_written``: as it stands in the file.

    ``distrusted``: the backup volumes that the import marks as unknown, ``unknown``: all that are, by name.
    ``carrying``: those that carry a generation, and whether a session stays on each; empty with trust.
    """

    content: Content
    as_written: Content
    distrusted: Sequence[str]
    unknown: Sequence[str]
    exported_at: datetime
    carrying: Sequence[tuple[str, bool]] = ()

    def unknown_after(self, changed: bool, before: Content) -> list[str]:
        """Return the names of the backup volumes that are unknown when all is done."""
        if changed or before == self.content:
            return list(self.unknown)
        return sorted(set(self.unknown) - set(self.distrusted))


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do."""

    changed: bool
    before: Content
    warnings: Sequence[str]


def look(staged: Staged, as_written: Content, exported_at: datetime, *, trust: bool) -> Incoming:
    """Return what comes in. Without trust, each BV that the export does not explain becomes unknown.

    The export may be older than the loss: what it calls unused may carry a generation that was made since then.
    """
    known = staged.unknown()
    if trust:
        return Incoming(as_written, as_written, (), known, exported_at)
    staged.distrust()
    unknown = staged.unknown()
    content = content_of(staged.whole.rows(), staged.whole.tables())
    return Incoming(content, as_written, sorted(set(unknown) - set(known)), unknown, exported_at, staged.carrying())


def plan_import(
    whole: Whole,
    incoming: Incoming,
    leases: Sequence[Lease],
    entries: Sequence[JournalEntry],
    now: datetime,
    *,
    force: bool,
) -> ImportPlan:
    """Compare with the catalog that is there.

    ``confirmation_required`` unless it is empty, holds the same already, or is to be replaced; ``busy`` while somebody
    works on it: whatever he does next would be in no journal.
    """
    before = content_of(whole.rows(), whole.tables())
    if before in (incoming.content, incoming.as_written):
        return ImportPlan(False, before, ())
    if before.rows and not force:
        raise BackupError(
            ErrorClass.CONFIRMATION_REQUIRED,
            f"The catalog is not empty: it holds {before.rows} rows, and other ones than the export.",
            next_step="Export it first; then give force: true to put the export in its place, whole.",
            rows={table: count for table, count in before.counts.items() if count},
        )
    alive = [one for one in leases if one.expires_at > now and not is_dead(one.owner)]
    if alive:
        raise BackupError(
            ErrorClass.BUSY,
            f"{len(alive)} leases are held: {alive[0].name} by {alive[0].owner} since "
            f"{alive[0].acquired_at.isoformat()}.",
            next_step="Run again when nobody works on the catalog; the lease of one who has died runs out by itself.",
            held=[{"name": one.name, "owner": one.owner, "expires": one.expires_at.isoformat()} for one in alive],
        )
    return ImportPlan(True, before, _warnings(incoming, entries))


def _warnings(incoming: Incoming, entries: Sequence[JournalEntry]) -> list[str]:
    since = incoming.exported_at.isoformat()
    found = [
        f"The catalog is as it was at {since}; compare it with the array by eternus_reconcile before anything else."
    ]
    if incoming.distrusted:
        found.append(
            f"The export does not explain what is on {_few(incoming.distrusted)}: unknown now, and not used for "
            "backups. Look at what eternus_reconcile reports, and release each by name with its option accept; trust: "
            "true here takes an export at its word."
        )
    told = [name for name, seen in incoming.carrying if seen]
    silent = [name for name, seen in incoming.carrying if not seen]
    if told:
        found.append(
            f"The disk generations on {_few(told)} are those of {since}. A backup that was made on one of them since "
            "then is reported by eternus_reconcile as younger_generation, and struck where that is named in repair."
        )
    if silent:
        found.append(
            f"The disk generations on {_few(silent)} are those of {since}, and no session on the array tells whether "
            "one of them was overwritten since then. Compare each by a restore test, or delete it "
            "(eternus_generation), unless no backup was taken after the export."
        )
    if entries:
        found.append(
            f"{len(entries)} steps of interrupted runs stood in the catalog that was replaced, and are forgotten: "
            "eternus_reconcile finds what they left on the array."
        )
    return found


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f", and {more} more" if more > 0 else "")
