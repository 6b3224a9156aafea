# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cartridges get labels: what lives, is protected or is foreign is never written over unless that is said (§5, §9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.relabelling import successor
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import (
    CartridgeStep,
    new_cartridge,
    planned,
    relabelled,
    the_pool,
    told,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_overwrite import (
    Seen,
    Wish,
    decide,
    decide_unseen,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    BackupError,
    ErrorClass,
    combined,
    with_unchanged,
)
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import (
    Blank,
    Contents,
    read_contents,
    write_label,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label, kept_until
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Drive,
    Library,
    cleaning,
    is_cleaning,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary, check_barcode

#: Room for a label, an early warning zone and a little data.
MINIMUM_CAPACITY = 8 << 20

#: What is wrong with a cartridge itself, and not with the drive or the library.
_UNREADABLE = (ErrorClass.FOREIGN_CARTRIDGE, ErrorClass.SUSPECT_CARTRIDGE)


@dataclass(frozen=True)
class _Planned:
    """A step, and the pool that the cartridge is to be in."""

    step: CartridgeStep
    wish: Wish


def ensure_present(
    ctx: Context,
    library: Library,
    barcodes: Sequence[str],
    pool: str,
    *,
    force: bool,
    blank: Sequence[str] = (),
    force_labels: Sequence[str] = (),
) -> Result:
    """Bring cartridges into a pool.

    :param blank: barcodes that are only about to be put into the library, and hence blank (check mode).
    :param force_labels: the uuids of labels that may be written over although what they stand for lives.
    """
    wish = Wish(pool, ctx.clock.now(), force=force, force_labels=frozenset(force_labels))
    return _ensure(ctx, library, barcodes, wish, blank)


def ensure_relabelled(
    ctx: Context,
    library: Library,
    barcodes: Sequence[str],
    pool: str,
    *,
    force: bool = False,
    force_labels: Sequence[str] = (),
) -> Result:
    """Give cartridges new labels, with nothing behind them. One that is empty already is left as it is.

    :param pool: the pool that they are in afterwards; empty: each the one that it is in.
    """
    wish = Wish(pool, ctx.clock.now(), force=force, force_labels=frozenset(force_labels), anew=True)
    return _ensure(ctx, library, barcodes, wish, ())


def _ensure(ctx: Context, library: Library, barcodes: Sequence[str], wish: Wish, blank: Sequence[str]) -> Result:
    barcodes = list(dict.fromkeys(barcodes))
    with ctx.catalog.read() as records:
        if wish.pool:
            the_pool(records, wish.pool)
        seen = [_seen(records, barcode, Blank() if barcode in blank else None) for barcode in barcodes]
    plan: list[_Planned] = []
    refusals: list[BackupError] = []
    for one in seen:
        try:
            plan.append(_plan(ctx, library, one, _for(one, wish)))
        except BackupError as error:
            refusals.append(error)
    if refusals:
        raise combined(refusals)
    steps = [one.step for one in plan]
    warnings = [text for step in steps if step.row is not None and step.action == "keep" for text in _notes(step.row)]
    if ctx.check_mode or all(step.action == "keep" for step in steps):
        return told(steps, planned(steps), warnings)
    done: list[str] = []
    for todo in plan:
        if todo.step.action != "keep":
            try:
                _apply(ctx, library, todo)
            except BackupError as error:
                left = f"Done already: {', '.join(done)}. {error.unchanged}" if done else error.unchanged
                raise with_unchanged(error, left, changed=bool(done) or error.changed) from error
            done.append(todo.step.barcode)
    with ctx.catalog.read() as records:
        return told(steps, records.cartridges(barcodes=barcodes), warnings)


def _for(seen: Seen, wish: Wish) -> Wish:
    """Return the wish with the pool that this cartridge is to be in; ``invalid_option`` when nothing names one."""
    pool = wish.pool or (seen.row.pool if seen.row is not None else "")
    if not pool:
        raise invalid("pool", wish.pool, f"Name the pool that cartridge {seen.barcode} is to be in.")
    return replace(wish, pool=pool)


def _seen(records: Records, barcode: str, found: Union[Blank, Contents, BackupError, None]) -> Seen:
    rows = records.cartridges(barcodes=[barcode])
    return Seen(barcode, rows[0] if rows else None, len(records.copies_on(barcode)), found)


def _plan(ctx: Context, library: Library, seen: Seen, wish: Wish) -> _Planned:
    """Look at a cartridge, where the catalog does not tell enough, and say what becomes of it."""
    if is_cleaning(seen.barcode):
        raise cleaning(seen.barcode)
    action = decide_unseen(seen, wish)
    if not action:
        if seen.found is None:
            with library.load(seen.barcode, ctx.owner) as drive:
                seen = replace(seen, found=_read(drive))
        action = decide(seen, wish)
    after = seen.row
    if action == "label":
        after = relabelled(seen.row, seen.barcode, wish.pool)
    elif action == "adopt" and isinstance(seen.found, Contents):
        after = _adopted(seen, seen.found, wish.pool)
    return _Planned(CartridgeStep(seen.barcode, action, seen.row, after), wish)


def _read(drive: Drive) -> Union[Blank, Contents, BackupError]:
    """Return what is on a cartridge, or why that cannot be told."""
    try:
        return read_contents(drive)
    except BackupError as error:
        if error.error_class in _UNREADABLE:
            return error
        raise


def _adopted(seen: Seen, contents: Contents, pool: str) -> Cartridge:
    """Return a cartridge whose label stays. What a stranger bears, nothing in the catalog explains."""
    row, more = seen.row, bool(contents.entries) or contents.leftover
    if row is not None:
        unknown = row.unknown or (more and contents.append_file > row.files)
        return replace(row, pool=pool, labelled_at=contents.label.created, files=contents.append_file, unknown=unknown)
    label = contents.label
    return Cartridge(
        seen.barcode,
        label.uuid,
        pool,
        label.created,
        bytes_written=contents.bytes_written,
        files=contents.append_file,
        # A part that is not its copy's last was ended by the end of the medium; what is left behind the last whole one
        # may be a part with a damaged trailer, and is not written over.
        full=contents.leftover or (bool(contents.entries) and not contents.entries[-1].last),
        protected_until=kept_until(contents.entries),
        unknown=more,
    )


def _apply(ctx: Context, library: Library, one: _Planned) -> None:
    """Decide again with the drive held, then label or adopt: intent, act, note.

    Whoever writes a cartridge holds its drive: nobody else can come between the decision and the label.
    """
    step, wish = one.step, replace(one.wish, now=ctx.clock.now())
    with library.load(step.barcode, ctx.owner) as drive:
        found = _read(drive)
        with ctx.catalog.begin() as records:
            the_pool(records, wish.pool)
            seen = _seen(records, step.barcode, found)
            action = decide_unseen(seen, wish) or decide(seen, wish)
            if action != step.action:
                raise _changed(step.barcode)
            if action == "adopt" and isinstance(found, Contents):
                records.put_cartridge(replace(_adopted(seen, found, wish.pool), capacity=drive.capacity))
                return
            row = replace(new_cartridge(step.barcode, wish.pool), capacity=drive.capacity)
            if isinstance(found, Contents):  # so that whoever finds it half done knows what was intended
                row = replace(row, uuid=successor(found.label.uuid))
            strike_copies(records, step.barcode)
            records.put_cartridge(row)
        label = Label(row.barcode, row.uuid, wish.pool, ctx.clock.now())
        try:
            write_label(drive, label)
        except BackupError as error:
            left = (
                f"The catalog knows what was on {step.barcode} no more; where the tape still bears it, tape_scan and "
                "eternus_reconcile bring it back."
            )
            raise with_unchanged(error, left, changed=True) from error
        with ctx.catalog.begin() as records:
            records.put_cartridge(replace(row, labelled_at=label.created, files=1))


def strike_copies(records: Records, barcode: str) -> None:
    """Forget the tape copies that have a part on a cartridge which is given up by name."""
    for backup in records.copies_on(barcode):
        numbers = [copy.number for copy in backup.tape if any(part.barcode == barcode for part in copy.parts)]
        records.remove_tape_copies(backup.id, numbers)


def _changed(barcode: str) -> BackupError:
    return BackupError(
        ErrorClass.BUSY,
        f"Cartridge {barcode} was changed by somebody else meanwhile.",
        next_step="See tape_info for what it is now, and run it again.",
        barcode=barcode,
    )


def _notes(row: Cartridge) -> list[str]:
    """Return what an operator should know of a cartridge that is in the pool as asked, and takes nothing."""
    notes = []
    if row.retired:
        notes.append(f"Cartridge {row.barcode} is retired: nothing is written on it before state: in_service.")
    if row.suspect:
        notes.append(f"Cartridge {row.barcode} is suspect ({row.suspect}): nothing is written on it.")
    if row.exported_at is not None:
        where = f", kept in {row.location}" if row.location else ""
        notes.append(f"Cartridge {row.barcode} is exported{where}: nothing is written on it before state: imported.")
    return notes


def put_blank(
    ctx: Context, library: Library, barcodes: Sequence[str], pool: str, capacity: Optional[int]
) -> tuple[str, ...]:
    """Put blank cartridges (bytes) into a library that is a directory; return those that were missing."""
    if capacity is None:
        return ()
    if not isinstance(library, VirtualLibrary):
        raise invalid("capacity", capacity, "Leave it away: only a library in a directory makes cartridges.")
    if capacity < MINIMUM_CAPACITY:
        raise invalid("capacity", capacity, f"Give at least {MINIMUM_CAPACITY} bytes.")
    for barcode in barcodes:
        check_barcode(barcode)
        if is_cleaning(barcode):
            raise cleaning(barcode)
    with ctx.catalog.read() as records:
        the_pool(records, pool)
        away = {row.barcode for row in records.cartridges(barcodes=barcodes) if row.exported_at is not None}
    missing = tuple(barcode for barcode in barcodes if barcode not in library.barcodes() and barcode not in away)
    if missing and not ctx.check_mode:
        library.create(dict.fromkeys(missing, capacity))
    return missing
