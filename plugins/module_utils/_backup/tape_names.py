# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which volume a name means, for the tape side."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def the_volume(records: Records, name: str) -> RegisteredVolume:
    """Return the registered TV of this name."""
    found = records.find_volumes([name]).get(name)
    if found is None:
        raise BackupError(
            ErrorClass.NOT_REGISTERED,
            f"Not registered: {name}.",
            next_step="Correct the name, or register the volume with eternus_volume.",
            volumes=[name],
        )
    return found


def transaction_volume(records: Records, name: str) -> RegisteredVolume:
    """Return the TV of this name; ``role_conflict`` for a backup volume, which has no tape copies of its own."""
    volume = the_volume(records, name)
    if volume.role is Role.BACKUP:
        raise BackupError(
            ErrorClass.ROLE_CONFLICT,
            f"{name} is a backup volume.",
            next_step="Name the transaction volume whose tape copies are to be written, or a backup by its id.",
            volumes=[name],
        )
    return volume
