# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A drop that had to wait is carried out by whoever ends the read (behaviour.md §5), a borrowed BV given back (§3)."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskState,
    TapeState,
)

_WAITING = (TapeState.QUEUED, TapeState.WRITING)


def _done(backup: Backup) -> bool:
    """Tell whether nothing needs a disk copy any more.

    ``LEAVING``: no hold keeps it, no tape leg waits for it; a failed one protects nothing (§5). ``BORROWED``: every
    tape copy is written; a failed leg keeps it until it is run again (§3).
    """
    if backup.disk is None or backup.disk.state is DiskState.VALID:
        return False
    if backup.disk.state is DiskState.BORROWED:
        return bool(backup.tape) and all(copy.state is TapeState.WRITTEN for copy in backup.tape)
    return not backup.hold and not any(copy.state in _WAITING for copy in backup.tape)


def overwritten(records: Records, tv: VolumeRef, bv: VolumeRef) -> bool:
    """Tell whether a step on this BV is journalled, and what became of it is not known yet."""
    return any(entry.payload.get("bv") == [bv.array, bv.device_id] for entry in records.open_entries([tv]))


def _bound(row: Allocation) -> bool:
    """Tell whether a session keeps the BV bound to its TV: suspended, or tracked (§2, §3)."""
    return row.suspended_at is not None or row.copy_type is CopyType.QUICK_OPC


def finish_leaving(records: Records, bv: VolumeRef) -> bool:
    """Drop what waits on a BV, or was only borrowed, if nothing needs it any more; in the caller's transaction.

    The tape server may have no array at hand: a BV that the catalog knows as suspended or tracked, or on which a step
    is journalled, stays bound; and every start looks at the array's sessions before it picks a BV.
    """
    rows = records.allocations(bvs=[bv])
    if not rows or records.readers([bv]):
        return False
    row = rows[0]
    on_it = [backup for backup in records.carrying([bv]) if backup.tv == row.tv]
    done = [backup for backup in on_it if _done(backup)]
    if not done:
        return False
    records.drop_disk([backup.id for backup in done])
    if len(done) == len(on_it) and not _bound(row) and not overwritten(records, row.tv, bv):
        records.free([bv])
    return True
