# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which generations go: after the new one succeeded, never while somebody reads them (behaviour.md §2.4, §5). Pure."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import DropGeneration, FreeVolume
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, DiskState


def surplus(world: World, tv: VolumeRef, generations: int) -> tuple[DropGeneration, ...]:
    """Return the drops that leave ``generations`` disk generations, oldest first; held ones do not count (§5).

    :param world: the world *with* the new backup in it.
    """
    return tuple(drop(world, backup) for backup in reversed(counted(world, tv)[generations:]))


def counted(world: World, tv: VolumeRef) -> list[Backup]:
    """Return the generations that count, in the order of their worth: newest first, those that broke at the end."""
    found = [backup for backup in world.generations(tv) if not backup.hold]
    return sorted(found, key=world.spoiled)


def before_tape(world: World, tv: VolumeRef) -> tuple[DropGeneration, ...]:
    """Return the drops of generations from before a change to media *tape*, once a newer backup is on tape (§3)."""
    on_tape = [backup for backup in world.backups.get(tv, ()) if backup.good_on_tape]
    newest = on_tape[-1].point_in_time if on_tape else None
    old = [backup for backup in counted(world, tv) if newest is not None and backup.point_in_time < newest]
    return tuple(drop(world, backup) for backup in reversed(old))


def overdue_drops(world: World, tv: VolumeRef) -> tuple[DropGeneration, ...]:
    """Return the drops that had to wait and that nobody hinders any more (behaviour.md §5)."""
    leaving = [b for b in world.backups.get(tv, ()) if b.disk is not None and not b.good_on_disk and not _held(b)]
    return tuple(step for step in (drop(world, backup) for backup in leaving) if not step.wait)


def _held(backup: Backup) -> bool:
    """Tell whether a hold keeps a disk copy whose drop waited; one that is only borrowed goes all the same (§3, §5)."""
    return backup.hold and backup.disk is not None and backup.disk.state is DiskState.LEAVING


def idle_volumes(world: World, tv: VolumeRef) -> tuple[FreeVolume, ...]:
    """Return the BVs of a TV that nothing uses any more, since their session was ended by other hands.

    One that was picked only just now may be missing from a stale session list (array.md).
    """
    mine = [row for row in world.allocations.values() if row.tv == tv and row.copy_type is not None]
    return tuple(
        FreeVolume(tv, row.bv)
        for row in sorted(mine, key=lambda row: row.bv)
        if row.allocated_at + SETTLED <= world.now
        and world.backup_on(row.bv, tv) is None
        and not world.touching(row.bv)
        and not world.readers.get(row.bv)
        and row.bv not in world.undefined
    )


def drop(world: World, backup: Backup) -> DropGeneration:
    """Return the step that strikes a backup's disk copy; a suspended session keeps its BV bound (behaviour.md §2)."""
    bv = backup.bv
    wait = world.needed_by_tape(bv, backup.tv)
    return DropGeneration(backup.tv, bv, backup.id, wait=wait, free=not wait and not world.touching(bv))
