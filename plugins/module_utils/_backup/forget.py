# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Delete disk generations of one TV by their ids, the last one too; no session is released by it (behaviour.md §2)."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def forget_disk(ctx: Context, tv: VolumeRef, ids: Collection[str]) -> Result:
    """Strike the disk copies of these backups of a TV; one that is read is struck when the read ends."""
    with ctx.catalog.read() as records:
        name = next(iter(records.volumes([tv]))).name
    selection = Selection(ids=tuple(ids))
    return change(ctx, GenerationRequest(Wanted.ABSENT, selection, Media.DISK, confirm=frozenset([name])))
