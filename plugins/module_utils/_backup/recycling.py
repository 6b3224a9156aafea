# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""When a cartridge may be written over, and when it leaves its scratch pool (behaviour.md §1, tape.md)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, Cartridge, PoolKind


def was_written(cartridge: Cartridge) -> bool:
    """Tell whether anything but a label was ever written on it."""
    return bool(cartridge.bytes_written or cartridge.full or cartridge.files > 1)


def in_service(cartridge: Cartridge) -> bool:
    """Tell whether it may be written at all: neither suspect nor retired, and not taken out of the library."""
    return not (cartridge.suspect or cartridge.retired or cartridge.exported_at)


def recyclable(cartridge: Cartridge, living: bool, now: datetime) -> bool:
    """Tell whether what is on a cartridge may be written over.

    Nothing on it lives, its policies' days have passed, and the catalog knows what was on it. A part of a copy that is
    queued or being written lives, too: whoever writes it may have died, and may be followed by another.

    :param living: whether any part of a tape copy lies on it.
    """
    passed = cartridge.protected_until is None or cartridge.protected_until <= now
    known = cartridge.labelled_at is not None and not cartridge.unknown
    return known and in_service(cartridge) and not living and passed and was_written(cartridge)


def recyclables(records: Records, cartridges: Collection[Cartridge], now: datetime) -> frozenset[str]:
    """Return the barcodes of those that may be written over now."""
    living = records.bearing()
    return frozenset(one.barcode for one in cartridges if recyclable(one, one.barcode in living, now))


def explain(records: Records, barcodes: Collection[str]) -> None:
    """Call a cartridge unknown no longer, once the history has as many parts on it as the tape (three files each)."""
    for one in records.cartridges(barcodes=barcodes) if barcodes else ():
        parts = [part for backup in records.copies_on(one.barcode) for copy in backup.tape for part in copy.parts]
        if one.unknown and sum(part.barcode == one.barcode for part in parts) >= (one.files - 1) // 3:
            records.put_cartridge(replace(one, unknown=False))


def at_work(records: Records, backups: Collection[Backup], now: datetime) -> frozenset[tuple[str, int]]:
    """Return the tape copies (backup id, number) that somebody who lives writes or verifies now."""
    live = {lease.name for lease in records.leases() if lease.expires_at > now and not is_dead(lease.owner)}
    return frozenset(
        (backup.id, copy.number)
        for backup in backups
        for copy in backup.tape
        if f"tape:{backup.id}:{copy.number}" in live
    )


def emptied(
    records: Records,
    now: datetime,
    gone: Collection[tuple[str, int]] = (),
    barcodes: Optional[Collection[str]] = None,
) -> tuple[Cartridge, ...]:
    """Return the cartridges of scratch pools that nothing keeps there any more.

    While a copy is written into their pool it may be onto one of them; they stay, and leave later.

    :param gone: tape copies (backup id, number) that are about to be struck, in the same transaction.
    :param barcodes: look at these alone.
    """
    pools = {pool.name for pool in records.pools() if pool.kind is PoolKind.SCRATCH} - _written_now(records, now)
    inside = [one for name in sorted(pools) for one in records.cartridges(pool=name, barcodes=barcodes)]
    free = [one for one in inside if recyclable(one, False, now)]
    living = records.bearing([one.barcode for one in free]) if free else frozenset()
    if living and gone:
        living = frozenset(barcode for barcode, *copy in records.parts_on(living) if tuple(copy) not in gone)
    return tuple(one for one in free if one.barcode not in living)


def release_emptied(records: Records, now: datetime) -> tuple[Cartridge, ...]:
    """Let cartridges leave their scratch pool with their last backup (§1); return them as they were.

    They stay labelled, and known in no pool, until a scratch pool needs one and writes it over.
    """
    free = emptied(records, now)
    leave_pools(records, free)
    return free


def leave_pools(records: Records, cartridges: Sequence[Cartridge]) -> None:
    """Write down that cartridges are in no pool any more."""
    for cartridge in cartridges:
        records.put_cartridge(replace(cartridge, pool=""))


def tidy_pools(ctx: Context) -> None:
    """Release what can be released; the catalog is written only where there is something."""
    with ctx.catalog.read() as records:
        found = emptied(records, ctx.clock.now())
    if found and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            release_emptied(records, ctx.clock.now())


def _written_now(records: Records, now: datetime) -> set[str]:
    unfinished = records.unfinished_tape()
    busy = at_work(records, unfinished, now)
    return {copy.pool for backup in unfinished for copy in backup.tape if (backup.id, copy.number) in busy}
