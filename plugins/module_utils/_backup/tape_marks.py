# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Cartridges are retired, put back into service, or forgotten; the tape itself is not touched."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import strike_copies
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import (
    CartridgeStep,
    in_use,
    not_known,
    planned,
    told,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_overwrite import refuse_living
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def ensure_retired(ctx: Context, barcodes: Sequence[str]) -> Result:
    """Let cartridges take nothing any more; what is on them is kept and read as ever."""
    return _mark(ctx, barcodes, retired=True)


def ensure_in_service(ctx: Context, barcodes: Sequence[str]) -> Result:
    """Let cartridges that were retired, or were suspect, take parts again."""
    return _mark(ctx, barcodes, retired=False)


def _mark(ctx: Context, barcodes: Sequence[str], *, retired: bool) -> Result:
    with ctx.catalog.read() as records:
        steps = _plan(records, barcodes, retired=retired)
    if any(step.action != "keep" for step in steps) and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            steps = _plan(records, barcodes, retired=retired)
            for row in planned([step for step in steps if step.action != "keep"]):
                records.put_cartridge(row)
    return told(steps, planned(steps))


def _plan(records: Records, barcodes: Sequence[str], *, retired: bool) -> list[CartridgeStep]:
    rows = {row.barcode: row for row in records.cartridges(barcodes=barcodes)}
    missing = [not_known(barcode) for barcode in dict.fromkeys(barcodes) if barcode not in rows]
    if missing:
        raise combined(missing)
    steps = []
    for barcode in dict.fromkeys(barcodes):
        row = rows[barcode]
        after = replace(row, retired=True) if retired else replace(row, retired=False, suspect="")
        action = "keep" if after == row else "retire" if retired else "put_back"
        steps.append(CartridgeStep(barcode, action, row, after))
    return steps


def ensure_absent(
    ctx: Context, barcodes: Sequence[str], *, force_labels: Sequence[str] = (), used: Collection[str] = ()
) -> Result:
    """Take cartridges out of their pools; the label stays. Living ones only by name, which forgets their copies.

    :param used: the barcodes in drives that somebody uses, as far as that is known.
    """
    named = frozenset(force_labels)
    barcodes = list(dict.fromkeys(barcodes))
    with ctx.catalog.read() as records:
        rows = _leaving(records, barcodes, named, used)
    if rows and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            rows = _leaving(records, barcodes, named, used)
            for row in rows:
                strike_copies(records, row.barcode)
                records.remove_cartridge(row.barcode)
    gone = {row.barcode: row for row in rows}
    known = [barcode for barcode in barcodes if barcode in gone]
    return told([CartridgeStep(barcode, "remove", gone[barcode]) for barcode in known], [])


def _leaving(
    records: Records, barcodes: Sequence[str], force_labels: frozenset[str], used: Collection[str]
) -> Sequence[Cartridge]:
    rows = records.cartridges(barcodes=barcodes)
    refusals: list[BackupError] = []
    for row in rows:
        living = len(records.copies_on(row.barcode))
        try:
            if living:
                refuse_living(row, living, force_labels)
        except BackupError as error:
            refusals.append(error)
        if row.barcode in used:
            refusals.append(in_use(row.barcode))
    if refusals:
        raise combined(refusals)
    return rows
