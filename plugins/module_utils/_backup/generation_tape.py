# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tape copies leave the history, and cartridges their scratch pool with the last of them (behaviour.md §1, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_plan import TapeDrop
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import emptied
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, TapeState


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
    records.strike_tape([(drop.backup.id, copy.number) for drop in drops for copy in drop.copies])


def leaving_pools(records: Records, drops: Sequence[TapeDrop], now: datetime) -> tuple[Cartridge, ...]:
    """Return the cartridges that leave their scratch pool once these copies have gone (§1)."""
    barcodes = {part.barcode for drop in drops for copy in drop.copies for part in copy.parts}
    gone = {(drop.backup.id, copy.number) for drop in drops for copy in drop.copies}
    return emptied(records, now, gone, barcodes) if barcodes else ()
