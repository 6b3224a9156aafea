# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What becomes of a cartridge that is to be labelled: kept, taken over, written over, or left alone. Pure.

Never written over: what lives, what is protected by its policy's days, and what no history explains, unless its
label's uuid is named; foreign content and another pool's cartridges, unless force says so; retired ones at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import recyclable, was_written
from ansible_collections.eternus.backup.plugins.module_utils._backup.relabelling import label_was_intended
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import wrong_pool
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Blank, Contents


@dataclass(frozen=True)
class Wish:
    """What is asked. ``anew``: a new label with nothing behind it, whatever is there."""

    pool: str
    now: datetime
    force: bool = False
    force_labels: frozenset[str] = frozenset()
    anew: bool = False


@dataclass(frozen=True)
class Seen:
    """A cartridge as catalog and tape have it. ``living``: backups with a part on it. ``found``: None: not read yet."""

    barcode: str
    row: Optional[Cartridge]
    living: int
    found: Union[Blank, Contents, BackupError, None] = None


def decide_unseen(seen: Seen, wish: Wish) -> str:
    """Return ``keep`` where the catalog alone says that all is well; empty when the tape must be read.

    :raises BackupError: what the catalog alone refuses.
    """
    row = seen.row
    if row is None:
        return ""
    well = row.pool == wish.pool and row.labelled_at is not None and not (row.suspect and wish.force)
    if well and not wish.anew:
        return "keep"
    if row.retired:
        raise _retired(seen.barcode)
    if well and not row.suspect and not was_written(row) and not row.unknown:
        return "keep"
    if row.pool and row.pool != wish.pool and not wish.force:
        raise wrong_pool(seen.barcode, row.pool, wish.pool)
    if row.suspect and not wish.force:
        raise _suspect(row)
    if wish.anew:
        refuse_living(row, seen.living, wish.force_labels)
        _refuse_protected(row, wish)
    return ""


def decide(seen: Seen, wish: Wish) -> str:
    """Return ``label`` or ``adopt`` for a cartridge that was read; BackupError when it is left alone."""
    row, found = seen.row, seen.found
    if isinstance(found, Contents):
        return _decide_ours(seen, found, wish)
    if isinstance(found, BackupError) and not wish.force:
        raise found
    if row is not None:
        refuse_living(row, seen.living, wish.force_labels)
        _refuse_protected(row, wish)
    return "label"


def _decide_ours(seen: Seen, contents: Contents, wish: Wish) -> str:
    row, label = seen.row, contents.label
    same = row is not None and row.uuid == label.uuid
    if row is not None and row.labelled_at is None and label_was_intended(row, contents):
        return "label"
    if not wish.anew and label.pool == wish.pool and (row is None or (same and not row.suspect)):
        return "adopt"
    dead = row is not None and same and recyclable(row, bool(seen.living), wish.now)
    if not contents.entries or dead:
        return _label(seen, contents, wish)
    if label.pool != wish.pool and not wish.force:
        raise wrong_pool(seen.barcode, label.pool, wish.pool)
    return _label(seen, contents, wish)


def _label(seen: Seen, contents: Contents, wish: Wish) -> str:
    """Refuse to write over what lives or is protected, by the catalog or by the tape's own words."""
    row = seen.row
    if row is not None:
        refuse_living(row, seen.living, wish.force_labels)
        _refuse_protected(row, wish)
    uuid = contents.label.uuid
    explained = row is not None and row.uuid == uuid and contents.append_file <= row.files
    if (contents.entries or contents.leftover) and not explained and uuid not in wish.force_labels:
        raise _unexplained(seen.barcode, uuid, len(contents.entries))
    return "label"


def refuse_living(row: Cartridge, living: int, force_labels: frozenset[str]) -> None:
    """Refuse to give up a cartridge with living copies, or with what nothing explains, unless its label is named."""
    if row.uuid in force_labels:
        return
    if living:
        raise BackupError(
            ErrorClass.CONFIRMATION_REQUIRED,
            f"Cartridge {row.barcode} holds parts of {living} living backups.",
            next_step="Use another cartridge, or name its label's uuid, which tape_info shows, in force_labels: those "
            "tape copies are lost then.",
            barcode=row.barcode,
            backups=living,
            uuid=row.uuid,
        )
    if row.unknown:
        raise _unexplained(row.barcode, row.uuid)


def _refuse_protected(row: Cartridge, wish: Wish) -> None:
    if row.protected_until is None or row.protected_until <= wish.now or row.uuid in wish.force_labels:
        return
    raise BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Cartridge {row.barcode} is not written over before {row.protected_until.isoformat()}: so long its policies "
        "keep what was written on it.",
        next_step="Use another cartridge, wait, or name its label's uuid, which tape_info shows, in force_labels.",
        barcode=row.barcode,
        protected_until=row.protected_until.isoformat(),
        uuid=row.uuid,
    )


def _unexplained(barcode: str, uuid: str, parts: int = 0) -> BackupError:
    what = f"{parts} parts of backups" if parts else "parts of backups"
    return BackupError(
        ErrorClass.CONFIRMATION_REQUIRED,
        f"Cartridge {barcode} bears the label {uuid} and {what} that the catalog does not explain.",
        next_step="Bring the history back with tape_scan and eternus_reconcile, or name that label in force_labels: "
        "what is on it is lost then.",
        barcode=barcode,
        uuid=uuid,
    )


def _retired(barcode: str) -> BackupError:
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Cartridge {barcode} is retired: it is not written any more.",
        next_step="Use another cartridge, or put it back first (state: in_service).",
        barcode=barcode,
    )


def _suspect(row: Cartridge) -> BackupError:
    return BackupError(
        ErrorClass.SUSPECT_CARTRIDGE,
        f"Cartridge {row.barcode} is suspect: {row.suspect}",
        next_step="Retire it (state: retired). If the drive was at fault, put it back (state: in_service), or give "
        "force: true.",
        barcode=row.barcode,
    )
