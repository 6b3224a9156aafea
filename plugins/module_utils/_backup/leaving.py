# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A drop that had to wait is carried out by whoever ends the read (behaviour.md §5)."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState


def finish_leaving(records: Records, bv: VolumeRef) -> bool:
    """Drop the generation that waits on a BV, if nothing needs it any more; in the caller's transaction.

    The tape server may have no array at hand: a BV that the catalog knows as suspended, or on which a step is
    journalled, stays bound; and every start looks at the array's sessions before it picks a BV.
    """
    rows = records.allocations(bvs=[bv])
    if not rows or records.readers([bv]):
        return False
    row = rows[0]
    on_it = [backup for backup in records.backups(tvs=[row.tv]) if backup.disk is not None and backup.disk.bv == bv]
    waiting = (TapeState.QUEUED, TapeState.WRITING)
    leaving = [b for b in on_it if not b.good_on_disk and not any(copy.state in waiting for copy in b.tape)]
    if not leaving:
        return False
    records.drop_disk([backup.id for backup in leaving])
    journalled = any(entry.payload.get("bv") == [bv.array, bv.device_id] for entry in records.open_entries([row.tv]))
    if len(leaving) == len(on_it) and row.suspended_at is None and not journalled:
        records.free([bv])
    return True
