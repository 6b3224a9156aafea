# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tape copies leave the history, and cartridges their scratch pool with the last of them (behaviour.md §1, §5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_plan import TapeDrop
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    PoolKind,
    TapeState,
)


def at_work(records: Records, backups: Collection[Backup], now: datetime) -> frozenset[tuple[str, int]]:
    """Return the tape copies (backup id, number) that somebody who lives writes or verifies now."""
    live = {lease.name for lease in records.leases() if lease.expires_at > now and not is_dead(lease.owner)}
    return frozenset(
        (backup.id, copy.number)
        for backup in backups
        for copy in backup.tape
        if f"tape:{backup.id}:{copy.number}" in live
    )


def strike(records: Records, drops: Sequence[TapeDrop]) -> None:
    """Take tape copies out of the history, with the mark of whoever died while it wrote one, in one transaction."""
    for drop in drops:
        for copy in drop.copies:
            bv = drop.backup.disk.bv if drop.backup.disk is not None else None
            if copy.state is not TapeState.WRITING or bv is None:
                continue
            for reader in records.readers([bv]):
                if (reader.backup_id, reader.owner) == (drop.backup.id, copy.owner):
                    records.remove_reader(bv, reader.owner)
        records.remove_tape_copies(drop.backup.id, [copy.number for copy in drop.copies])


def leaving_pools(records: Records, drops: Sequence[TapeDrop], now: datetime) -> tuple[Cartridge, ...]:
    """Return the cartridges of scratch pools that bear no living copy once these have gone; they leave their pool (§1).

    They stay labelled, and known in no pool: what is on them is dead, and nobody writes them before they are recycled.
    While a copy is written into their pool it may be onto one of them; they stay, and leave with a later copy.
    """
    gone = {(drop.backup.id, copy.number) for drop in drops for copy in drop.copies}
    barcodes = sorted({part.barcode for drop in drops for copy in drop.copies for part in copy.parts})
    scratch = {pool.name for pool in records.pools() if pool.kind is PoolKind.SCRATCH}
    scratch -= _written_now(records, now)
    return tuple(
        cartridge
        for cartridge in (records.cartridges(barcodes=barcodes) if barcodes else ())
        if cartridge.pool in scratch and not _living(records, cartridge.barcode, gone)
    )


def leave_pools(records: Records, cartridges: Sequence[Cartridge]) -> None:
    """Write down that cartridges are in no pool any more."""
    for cartridge in cartridges:
        records.put_cartridge(replace(cartridge, pool=""))


def _living(records: Records, barcode: str, gone: Collection[tuple[str, int]]) -> bool:
    return any(
        part.barcode == barcode and (backup.id, copy.number) not in gone
        for backup in records.copies_on(barcode)
        for copy in backup.tape
        for part in copy.parts
    )


def _written_now(records: Records, now: datetime) -> set[str]:
    unfinished = records.unfinished_tape()
    busy = at_work(records, unfinished, now)
    return {copy.pool for backup in unfinished for copy in backup.tape if (backup.id, copy.number) in busy}
