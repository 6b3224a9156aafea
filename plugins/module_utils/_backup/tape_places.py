# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cartridges leave the library and come back; the catalog remembers where they are kept meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import (
    CartridgeStep,
    in_use,
    planned,
    told,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    BackupError,
    ErrorClass,
    combined,
    with_unchanged,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Inventory, Library

_Changed = Callable[[Cartridge], Cartridge]


def ensure_exported(ctx: Context, library: Library, barcodes: Sequence[str], location: Optional[str] = None) -> Result:
    """Bring cartridges to the library's import/export slots, from where a hand takes them away.

    One that is outside already, or not in the library any more, is only written down.

    :param location: where they are kept then, in the operator's words; None leaves what was said before.
    """
    now = ctx.clock.now()

    def changed(row: Cartridge) -> Cartridge:
        return replace(
            row, exported_at=row.exported_at or now, location=row.location if location is None else location.strip()
        )

    return _move(ctx, library, barcodes, changed, exporting=True)


def ensure_imported(ctx: Context, library: Library, barcodes: Sequence[str]) -> Result:
    """Bring cartridges from the import/export slots into the library; they may be written again."""
    return _move(ctx, library, barcodes, lambda row: replace(row, exported_at=None, location=""), exporting=False)


def _move(ctx: Context, library: Library, barcodes: Sequence[str], changed: _Changed, *, exporting: bool) -> Result:
    barcodes = list(dict.fromkeys(barcodes))
    inventory = library.inventory()
    with ctx.catalog.read() as records:
        rows = {row.barcode: row for row in records.cartridges(barcodes=barcodes)}
    steps: list[CartridgeStep] = []
    refusals: list[BackupError] = []
    for barcode in barcodes:
        try:
            steps.append(_plan(inventory, barcode, rows.get(barcode), changed, exporting=exporting))
        except BackupError as error:
            refusals.append(error)
    if refusals:
        raise combined(refusals)
    slots = {barcode: inventory.slot(barcode) for barcode in barcodes}
    elements = {barcode: slot.element if slot is not None else "" for barcode, slot in slots.items()}
    if ctx.check_mode:
        return told(steps, planned(steps), elements=elements)
    begun = False
    for step in steps:
        try:
            if step.action == "export":
                elements[step.barcode] = library.export_cartridge(step.barcode, ctx.owner)
            elif step.action == "import":
                elements[step.barcode] = library.import_cartridge(step.barcode, ctx.owner)
        except BackupError as error:
            raise with_unchanged(error, error.unchanged, changed=begun or error.changed) from error
        begun = begun or step.action != "keep"
        if step.action != "keep" and step.row is not None:
            with ctx.catalog.begin() as records:
                for row in records.cartridges(barcodes=[step.barcode]):
                    records.put_cartridge(changed(row))
    with ctx.catalog.read() as records:
        return told(steps, records.cartridges(barcodes=barcodes), elements=elements)


def _plan(
    inventory: Inventory, barcode: str, row: Optional[Cartridge], changed: _Changed, *, exporting: bool
) -> CartridgeStep:
    slot = inventory.slot(barcode)
    if slot is None and (row is None or not exporting):
        raise _not_here(barcode, row)
    after = changed(row) if row is not None else None
    if slot is not None and slot.outside is not exporting:
        if barcode in inventory.in_use:
            raise in_use(barcode)
        return CartridgeStep(barcode, "export" if exporting else "import", row, after)
    return CartridgeStep(barcode, "keep" if after == row else "note", row, after)


def _not_here(barcode: str, row: Optional[Cartridge]) -> BackupError:
    kept = f" (kept in {row.location})" if row is not None and row.location else ""
    return BackupError(
        ErrorClass.NO_CARTRIDGE,
        f"Cartridge {barcode} is not in the library{kept}.",
        next_step="Put it into an import/export slot of the library, then run it again.",
        barcode=barcode,
    )
