# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a restore overwrites, as a person wants to see it before he says yes; and the best copy on tape (§6)."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, TapeCopy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def overwritten(records: Records, target: VolumeRef) -> dict[str, Any]:
    """Return what the catalog knows of a target: its role, its policy, its newest backup, where it is mounted.

    ``undefined``: why its content is worth nothing already; None where it is whole, as far as is known.
    """
    registered = next(iter(records.volumes([target])), None)
    policy = next(iter(records.policies([target])), None)
    marker = next(iter(records.undefined_targets([target])), None)
    whole = [
        one for one in (*records.standing([target]), *records.taped(target)) if one.good_on_disk or one.good_on_tape
    ]
    newest = max(whole, key=lambda one: (one.point_in_time, one.id), default=None)
    return {
        "role": registered.role.value if registered else None,
        "policy": policy is not None,
        "newest_backup": newest.id if newest else None,
        "newest_point_in_time": newest.point_in_time.isoformat() if newest else None,
        "mounted_on": policy.mounted_on if policy else "",
        "mount_point": policy.mount_point if policy else "",
        "undefined": marker.reason if marker else None,
    }


def on_tape(backup: Backup) -> Optional[TapeCopy]:
    """Return the copy to restore from: one that was found equal first, one that was found different last."""
    return next(iter(copies_on_tape(backup)), None)


def copies_on_tape(backup: Backup) -> list[TapeCopy]:
    """Return the written copies, best first."""
    written = [copy for copy in backup.tape if copy.state is TapeState.WRITTEN]
    return sorted(written, key=lambda copy: ({True: 0, None: 1, False: 2}[copy.verified_ok], copy.number))


def to_read(name: str, backup: Backup, copy: TapeCopy, *, named: bool) -> TapeCopy:
    """Return the copy unless it was found different from what was written: then only a backup named by id is read."""
    if copy.verified_ok is False and not named:
        raise BackupError(
            ErrorClass.CHECKSUM_MISMATCH,
            f"No tape copy of backup {backup.id} of {name} was whole when it was last read.",
            next_step=f"Choose another backup; backup_id: {backup.id} reads it all the same.",
            volume=name,
            backup_id=backup.id,
        )
    return copy


def doubts(backup: Backup, copy: Optional[TapeCopy]) -> list[str]:
    """Return the warning for a copy that was found different when it was last read."""
    if copy is None or copy.verified_ok is not False:
        return []
    return [f"Tape copy {copy.number} of backup {backup.id} was not whole when it was last read."]
