# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Delete disk generations by hand: a suspended session is never released by it (behaviour.md §2, last bullet)."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import apply_catalog_steps
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import recover
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import drop
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import DropGeneration


def forget_disk(ctx: Context, tv: VolumeRef, ids: Collection[str]) -> tuple[DropGeneration, ...]:
    """Strike the disk copies of these backups of a TV; one that is read is struck when the read ends."""
    with operation(ctx, [tv]) as work:
        recover(work, [tv])
        world = observe(ctx, [tv])
        steps = tuple(drop(world, backup) for backup in world.generations(tv) if backup.id in ids)
        if steps and not ctx.check_mode:
            with work.transaction() as records:
                apply_catalog_steps(records, steps)
    return steps
