# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Mend drift in the catalog, in the caller's transaction and under his leases."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    AddCartridge,
    AddHistory,
    Bind,
    Drift,
    DropLease,
    EndReading,
    FreeBv,
    Mend,
    NoteSuspended,
    PutTape,
    StrikeDisk,
    StrikeTape,
    TakeVolume,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import explain
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, PoolKind, TapePool


def mend(records: Records, drift: Drift, ctx: Context) -> None:
    """Carry out what mends one drift.

    ``busy`` when somebody holds a further lease that it needs, such as that of a tape copy.
    """
    leases = records.take_leases(drift.more_leases, ctx.owner, ctx.clock.now(), ctx.lease_seconds)
    for one in drift.mends:
        if not (_volume(records, one) or _use(records, one)):
            _tape(records, one, ctx)
    records.drop_leases(leases)


def _volume(records: Records, one: Mend) -> bool:
    """Mend registrations and allocations; False for anything else."""
    if isinstance(one, TakeVolume):
        records.put_volumes([one.volume])
    elif isinstance(one, Bind):
        records.allocate([one.allocation])
    elif isinstance(one, NoteSuspended):
        records.set_suspended([one.bv], one.at)
    elif isinstance(one, FreeBv):
        records.free([one.bv])
    else:
        return False
    return True


def _use(records: Records, one: Mend) -> bool:
    """Mend generations, readers and leases; False for anything else."""
    if isinstance(one, StrikeDisk):
        records.drop_disk([one.backup_id])
    elif isinstance(one, EndReading):
        if one.ended is not None:
            records.clear_undefined(one.ended)
        records.remove_reader(one.reader.bv, one.reader.owner)
        finish_leaving(records, one.reader.bv)
    elif isinstance(one, DropLease):
        records.drop_leases([one.lease])
    else:
        return False
    return True


def _tape(records: Records, one: Mend, ctx: Context) -> None:
    if isinstance(one, PutTape):
        records.put_tape_copy(one.backup_id, one.copy)
        explain(records, [part.barcode for part in one.copy.parts])
    elif isinstance(one, StrikeTape):
        records.remove_tape_copies(one.backup_id, [one.number])
    elif isinstance(one, AddHistory):
        records.add_backups([_with_free_key(records, one.backup)])
        explain(records, [part.barcode for copy in one.backup.tape for part in copy.parts])
    elif isinstance(one, AddCartridge) and not records.cartridges(barcodes=[one.cartridge.barcode]):
        if one.cartridge.pool and not records.pools([one.cartridge.pool]):
            # Private: nothing leaves a pool by itself that nobody has declared.
            records.put_pool(TapePool(one.cartridge.pool, PoolKind.PRIVATE, ctx.clock.now()))
        records.put_cartridge(one.cartridge)


def _with_free_key(records: Records, backup: Backup) -> Backup:
    """Give up a key that has been used since: a key makes one backup of a volume."""
    return replace(backup, key="") if records.used_keys(backup.key, [backup.tv]) else backup
