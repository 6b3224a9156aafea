# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Why a backup is not deleted (behaviour.md §4, §5). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, TapeCopy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def refuse_held(name: str, backup: Backup) -> BackupError:
    """A hold keeps a backup whatever the rules say."""
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Backup {backup.id} of {name} is held.",
        next_step="Release it first (eternus_generation, state: released).",
        volume=name,
        backup=backup.id,
    )


def refuse_journalled(name: str, backup: Backup) -> BackupError:
    """A run was interrupted while it took the disk copy away: nobody knows yet whether it is whole."""
    return BackupError(
        ErrorClass.BUSY,
        f"A run was interrupted while it overwrote the disk copy of backup {backup.id} of {name}.",
        next_step=f"Let the next eternus_sync or eternus_backup of {name}, or eternus_reconcile with "
        "repair: [journal], settle it; then hold the backup if it is still there.",
        volume=name,
        backup=backup.id,
    )


def refuse_going(name: str, backup: Backup) -> BackupError:
    """A struck copy that nothing protects may be overwritten in part."""
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"The disk copy of backup {backup.id} of {name} was struck, and nothing has kept it since: it is dropped next.",
        next_step="Delete it (eternus_generation, state: absent, media: disk), and hold what tape keeps of the backup, "
        "or another one.",
        volume=name,
        backup=backup.id,
    )


def refuse_being_written(name: str, backup: Backup, copies: Sequence[TapeCopy]) -> BackupError:
    """Somebody writes or verifies a tape copy."""
    numbers = ", ".join(str(copy.number) for copy in copies)
    owner = copies[0].owner
    return BackupError(
        ErrorClass.BUSY,
        f"Tape copy {numbers} of backup {backup.id} of {name} is being written or verified"
        f"{f' by {owner}' if owner else ''}.",
        next_step="Look at its progress with tape_info; delete it when that has ended.",
        volume=name,
        backup=backup.id,
        holder=owner,
    )


def refuse_unconfirmed(name: str, what: str, backup: Backup) -> BackupError:
    """What cannot be had again is deleted only by name."""
    return BackupError(
        ErrorClass.CONFIRMATION_REQUIRED,
        f"This would delete {what} ({backup.id} of {backup.point_in_time.isoformat()}).",
        next_step=f"Take or verify another backup first, or give confirm: {name}.",
        volume=name,
        backup=backup.id,
    )
