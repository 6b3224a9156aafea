# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What reading a tape copy has shown is written down, if it is still the copy that was read (behaviour.md §5, §6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapeState


def still_there(records: Records, backup_id: str, copy: TapeCopy) -> Optional[TapeCopy]:
    """Return a copy as it is now; None when it was deleted, or written anew, since it was looked at."""
    same = (copy.number, TapeState.WRITTEN, copy.parts)
    found = (one for backup in records.backups(ids=[backup_id]) for one in backup.tape)
    return next((one for one in found if (one.number, one.state, one.parts) == same), None)


def prove(records: Records, backup_id: str, copy: TapeCopy, at: datetime, ok: bool) -> Optional[TapeCopy]:
    """Write down in the caller's transaction that a copy was read, and was whole or not; None when it is not there."""
    found = still_there(records, backup_id, copy)
    if found is None:
        return None
    proven = replace(found, verified_at=at, verified_ok=ok)
    records.put_tape_copy(backup_id, proven)
    return proven
