# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cartridges enter a pool by a label, and leave it; what lives or is foreign is never overwritten without force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import (
    new_cartridge,
    the_pool,
    wrong_pool,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import (
    Blank,
    Contents,
    read_contents,
    write_label,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Library
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary, check_barcode

#: Room for a label, an early warning zone and a little data.
MINIMUM_CAPACITY = 8 << 20


@dataclass(frozen=True)
class CartridgeStep:
    """What is done with a cartridge: ``keep``, ``label`` (destroys what is on it), ``adopt`` its label, ``remove``."""

    barcode: str
    action: str
    row: Optional[Cartridge] = None


def ensure_present(
    ctx: Context, library: Library, barcodes: Sequence[str], pool: str, *, force: bool, blank: Sequence[str] = ()
) -> Result:
    """Bring cartridges into a pool.

    :param blank: barcodes that are only about to be put into the library, and hence blank (check mode).
    """
    barcodes = list(dict.fromkeys(barcodes))
    with ctx.catalog.read() as records:
        the_pool(records, pool)
        rows = {row.barcode: row for row in records.cartridges(barcodes=barcodes)}
        living = {barcode: len(records.copies_on(barcode)) for barcode in barcodes}
    steps: list[CartridgeStep] = []
    refusals: list[BackupError] = []
    for barcode in barcodes:
        row = rows.get(barcode)
        if row is not None and row.pool == pool and row.labelled_at is not None and not (row.suspect and force):
            steps.append(CartridgeStep(barcode, "keep", row))
            continue
        try:
            steps.append(
                _plan_one(ctx, library, barcode, pool, row, living[barcode], force=force, blank=barcode in blank)
            )
        except BackupError as error:
            refusals.append(error)
    if refusals:
        raise combined(refusals)
    before = {row.barcode: _short(row) for row in rows.values() if row.pool}
    after = {
        step.barcode: {"pool": pool} if step.row is None else _short(replace(step.row, pool=pool)) for step in steps
    }
    changed = any(step.action != "keep" for step in steps)
    if changed and not ctx.check_mode:
        for step in steps:
            if step.action != "keep":
                _apply(ctx, library, step, pool)
        with ctx.catalog.read() as records:
            after = {row.barcode: _short(row) for row in records.cartridges(barcodes=barcodes)}
    return _result(changed, before, after, steps)


def put_blank(
    ctx: Context, library: VirtualLibrary, barcodes: Sequence[str], pool: str, capacity: Optional[int]
) -> tuple[str, ...]:
    """Put blank cartridges (bytes) into a library that is a directory; return those that were missing."""
    if capacity is None:
        return ()
    if capacity < MINIMUM_CAPACITY:
        raise invalid("capacity", capacity, f"Give at least {MINIMUM_CAPACITY} bytes.")
    for barcode in barcodes:
        check_barcode(barcode)
    with ctx.catalog.read() as records:
        the_pool(records, pool)
    missing = tuple(barcode for barcode in barcodes if barcode not in library.barcodes())
    if missing and not ctx.check_mode:
        library.create(dict.fromkeys(missing, capacity))
    return missing


def _plan_one(
    ctx: Context,
    library: Library,
    barcode: str,
    pool: str,
    row: Optional[Cartridge],
    living: int,
    *,
    force: bool,
    blank: bool,
) -> CartridgeStep:
    """Look at a cartridge and say what becomes of it."""
    if not force and row is not None and row.pool and row.pool != pool:
        raise wrong_pool(barcode, row.pool, pool)
    if not force and living:
        raise _living(barcode, living)
    if blank:
        return CartridgeStep(barcode, "label", row)
    with library.load(barcode, ctx.owner) as drive:
        try:
            contents = read_contents(drive)
        except BackupError:
            if force:
                return CartridgeStep(barcode, "label", row)
            raise
    if isinstance(contents, Blank) or force:
        return CartridgeStep(barcode, "label", row)
    if contents.label.pool == pool:
        return CartridgeStep(barcode, "adopt", _found(barcode, contents))
    if contents.entries:
        raise wrong_pool(barcode, contents.label.pool, pool)
    return CartridgeStep(barcode, "label", row)


def _found(barcode: str, contents: Contents) -> Cartridge:
    """Return what a label of ours, which the catalog does not know, says of its cartridge."""
    label = contents.label
    written = contents.bytes_written
    return Cartridge(barcode, label.uuid, label.pool, label.created, 0, written, contents.append_file)


def _apply(ctx: Context, library: Library, step: CartridgeStep, pool: str) -> None:
    """Label or adopt: the catalog says what is about to happen, then it happens, then it is noted."""
    with library.load(step.barcode, ctx.owner) as drive:
        if step.action == "adopt" and step.row is not None:
            with ctx.catalog.begin() as records:
                records.put_cartridge(replace(step.row, capacity=drive.capacity))
            return
        row = replace(new_cartridge(step.barcode, pool), capacity=drive.capacity)
        with ctx.catalog.begin() as records:
            _strike(records, step.barcode)
            records.put_cartridge(row)
        label = Label(row.barcode, row.uuid, pool, ctx.clock.now())
        write_label(drive, label)
        with ctx.catalog.begin() as records:
            records.put_cartridge(replace(row, labelled_at=label.created, files=1))


def _strike(records: Records, barcode: str) -> None:
    """Forget the tape copies that have a part on a cartridge which is given up by force."""
    for backup in records.copies_on(barcode):
        numbers = [copy.number for copy in backup.tape if any(part.barcode == barcode for part in copy.parts)]
        records.remove_tape_copies(backup.id, numbers)


def ensure_absent(ctx: Context, barcodes: Sequence[str], *, force: bool) -> Result:
    """Take cartridges out of their pools; the label stays. Living ones only by force, which forgets their copies."""
    barcodes = list(dict.fromkeys(barcodes))
    with ctx.catalog.read() as records:
        rows = records.cartridges(barcodes=barcodes)
        living = {row.barcode: len(records.copies_on(row.barcode)) for row in rows}
    refusals = [_living(barcode, count) for barcode, count in living.items() if count and not force]
    if refusals:
        raise combined(refusals)
    if rows and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            for row in rows:
                if force:
                    _strike(records, row.barcode)
                elif records.copies_on(row.barcode):
                    raise _living(row.barcode, 1)
                records.remove_cartridge(row.barcode)
    steps = [CartridgeStep(row.barcode, "remove", row) for row in rows]
    return _result(bool(rows), {row.barcode: _short(row) for row in rows}, {}, steps)


def _living(barcode: str, count: int) -> BackupError:
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Cartridge {barcode} holds parts of {count} living backups.",
        next_step="Use another cartridge, or give force: true, which destroys those tape copies.",
        barcode=barcode,
        backups=count,
    )


def _short(row: Cartridge) -> dict[str, Any]:
    return {"pool": row.pool, "uuid": row.uuid, "suspect": row.suspect, "full": row.full}


def _result(changed: bool, before: dict[str, Any], after: dict[str, Any], steps: Sequence[CartridgeStep]) -> Result:
    values = {
        "cartridges": [{"barcode": barcode, **after[barcode]} for barcode in sorted(after)],
        "actions": {step.barcode: step.action for step in steps},
    }
    return Result(changed, values, {"cartridges": before}, {"cartridges": after})
