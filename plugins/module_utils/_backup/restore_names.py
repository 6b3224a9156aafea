# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The names by which a restore is known in the catalog."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef

#: The reason of a marker while its restore runs; with any other reason only a further restore clears it.
RUNNING = "a restore runs"
CANCELLED = "a restore was cancelled"
FAILED = "a restore failed"
BROKEN_OFF = "a restore was broken off"
#: How the names of restore tests that read a backup volume begin.
COMPARES = "compare:"


def restore_owner(target: VolumeRef) -> str:
    """Return the name under which a restore onto a target reads its generation."""
    return f"restore:{target}"


def restore_key(key: str) -> str:
    """Return how a restore's key is told from a backup's of the same name."""
    return f"restore:{key}" if key else ""


def compare_owner(target: VolumeRef) -> str:
    """Return the name of a restore test's lease, under which it reads its backup volume too."""
    return f"{COMPARES}{target}"
