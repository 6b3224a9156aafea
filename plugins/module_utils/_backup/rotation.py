# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which generations go: after the new one succeeded, never while somebody reads them (behaviour.md §2.4, §5). Pure."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import DropGeneration
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup


def surplus(world: World, tv: VolumeRef, generations: int) -> tuple[DropGeneration, ...]:
    """Return the drops that leave ``generations`` disk generations, oldest first; held ones do not count (§5).

    :param world: the world *with* the new backup in it.
    """
    counted = [backup for backup in world.generations(tv) if not backup.hold]
    return tuple(drop(world, backup) for backup in reversed(counted[generations:]))


def overdue_drops(world: World, tv: VolumeRef) -> tuple[DropGeneration, ...]:
    """Return the drops that had to wait and that nobody hinders any more (behaviour.md §5)."""
    leaving = [b for b in world.backups.get(tv, ()) if b.disk is not None and not b.good_on_disk]
    return tuple(step for step in (drop(world, backup) for backup in leaving) if not step.wait)


def drop(world: World, backup: Backup) -> DropGeneration:
    """Return the step that strikes a backup's disk copy; a suspended session keeps its BV bound (behaviour.md §2)."""
    if backup.disk is None:
        raise ValueError(f"backup {backup.id} has no disk copy")
    bv = backup.disk.bv
    wait = world.needed_by_tape(bv, backup.tv)
    return DropGeneration(backup.tv, bv, backup.id, wait=wait, free=not wait and not world.touching(bv))
