# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which unused BV a copy may take, and by which kind of copy (behaviour.md §2.1, §2.7, §3, §4). Pure."""

from __future__ import annotations

import zlib
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.near import BeyondSight
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import (
    refuse_being_restored,
    refuse_borrowed,
    refuse_in_use_by_tape,
    refuse_no_copy_type,
    refuse_no_unused,
    refuse_reserved,
    refuse_session_limit,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import Untaped
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    DiskState,
    Policy,
    RegisteredVolume,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError

#: Chooses the kind of copy between two volumes; None where it is not offered.
Kind = Callable[[World, VolumeRef, VolumeRef], Optional[CopyType]]


def mirror_type(world: World, tv: VolumeRef, bv: VolumeRef) -> Optional[CopyType]:
    """Return EC inside one array, REC to another, or None where the arrays do not offer it (behaviour.md §2.7)."""
    return _offered(world, CopyType.EC if tv.array == bv.array else CopyType.REC, tv, bv)


def clone_type(world: World, tv: VolumeRef, bv: VolumeRef) -> Optional[CopyType]:
    """Return OPC inside one array, ROPC to another, or None where the arrays do not offer it (behaviour.md §3)."""
    return _offered(world, CopyType.OPC if tv.array == bv.array else CopyType.ROPC, tv, bv)


def tracked_type(world: World, tv: VolumeRef, bv: VolumeRef) -> Optional[CopyType]:
    """Return QuickOPC, or None where the array does not offer it, or the BV lies in another cabinet (§3)."""
    return _offered(world, CopyType.QUICK_OPC, tv, bv) if tv.array == bv.array else None


def _offered(world: World, copy_type: CopyType, tv: VolumeRef, bv: VolumeRef) -> Optional[CopyType]:
    return copy_type if world.offers(copy_type, (tv, bv)) else None


def candidates(world: World, tv: VolumeRef, policy: Policy, kind: Kind = mirror_type) -> list[RegisteredVolume]:
    """Return unused BVs of exactly the TV's size: pinned ones in their order, else those of its own array first.

    :raises BeyondSight: where none that was read will do, and other arrays may have one.
    """
    found = [bv for bv in world.backup_volumes_like(tv) if _fits(world, policy, bv)]
    if policy.pinned:
        return sorted(found, key=lambda bv: policy.pinned.index(bv.ref))

    def preference(bv: RegisteredVolume) -> tuple[bool, bool, int, VolumeRef]:
        return (kind(world, tv, bv.ref) is None, bv.ref.array != tv.array, _turn(world, tv, bv.ref), bv.ref)

    ordered = sorted(found, key=preference)
    if world.near is not None and (not ordered or kind(world, tv, ordered[0].ref) is None):
        raise BeyondSight
    return ordered


def candidate(world: World, tv: VolumeRef, policy: Policy, kind: Kind = mirror_type) -> Optional[RegisteredVolume]:
    """Return the first of the candidates, None where there is none; it looks no further than it must."""
    if not (policy.pinned or world.lost_races):
        here = (bv for bv in world.backup_volumes_like(tv) if bv.ref.array == tv.array and _fits(world, policy, bv))
        first = next(here, None)
        if first is not None and kind(world, tv, first.ref) is not None:
            return first
    return next(iter(candidates(world, tv, policy, kind)), None)


def _fits(world: World, policy: Policy, bv: RegisteredVolume) -> bool:
    """Tell whether a BV is unused, and pinned by this policy, or by no other one."""
    if bv.ref in world.allocations or not world.unused(bv):
        return False
    return bv.ref in policy.pinned if policy.pinned else world.pinned_by(bv.ref) <= {policy.tv}


def _turn(world: World, tv: VolumeRef, bv: VolumeRef) -> int:
    """Return when it is the turn of a BV among its equals.

    Whoever has lost a race goes through them in an order of its own: of many processes that all begin with the first
    one, only one would get on at a time.
    """
    return zlib.crc32(f"{tv} {bv} {world.lost_races}".encode()) if world.lost_races else 0


def take_unused(
    world: World, tv: VolumeRef, policy: Policy, kind: Kind, seen: World
) -> tuple[RegisteredVolume, CopyType]:
    """Return the unused BV to take and the kind of copy; a refusal where there is none, or none that the arrays offer.

    :param seen: the world without what this request would take for other volumes.
    """
    found = candidate(world, tv, policy, kind)
    if found is None:
        raise refuse_without_volume(world, tv, policy, seen)
    copy_type = kind(world, tv, found.ref)
    if copy_type is None:
        raise refuse_no_copy_type(world, tv, found.ref, wanted(kind, tv, found.ref))
    refuse_beyond_limit(world, tv)
    return found, copy_type


def wanted(kind: Kind, tv: VolumeRef, bv: VolumeRef) -> CopyType:
    """Return the copy that was looked for, offered or not."""
    if kind is tracked_type:
        return CopyType.QUICK_OPC
    local = tv.array == bv.array
    if kind is mirror_type:
        return CopyType.EC if local else CopyType.REC
    return CopyType.OPC if local else CopyType.ROPC


def refuse_still_borrowed(world: World, policy: Policy) -> None:
    """Refuse a second BV for tape while one is borrowed: the pool was counted for one at a time (behaviour.md §3)."""
    if not policy.staged:
        return
    for backup in world.backups.get(policy.tv, ()):
        if backup.disk is not None and backup.disk.state is DiskState.BORROWED:
            raise refuse_borrowed(world, policy.tv, backup.disk.bv)


def same_size(world: World, tv: VolumeRef, bv: RegisteredVolume) -> bool:
    """Tell whether a BV has exactly the TV's size, in blocks (behaviour.md §4)."""
    source = world.volume(tv)
    return (bv.volume.blocks, bv.volume.block_size) == (source.blocks, source.block_size)


def refuse_beyond_limit(world: World, tv: VolumeRef) -> None:
    """Refuse one more session of a TV, since one of the limit is kept free for a restore (behaviour.md §3)."""
    limit = world.session_limit(tv.array)
    if len(world.touching(tv)) + 1 > limit - 1:
        raise refuse_session_limit(world, tv, len(world.touching(tv)), limit)


def refuse_while_restored(world: World, tv: VolumeRef) -> None:
    """Refuse to copy from a TV that a restore is writing."""
    incoming = next((session for session in world.touching(tv) if session.target == tv), None)
    if incoming is not None and incoming.state in (SessionState.EXECUTING, SessionState.RESTORING):
        raise refuse_being_restored(world, incoming)


def refuse_without_volume(world: World, tv: VolumeRef, policy: Policy, seen: World) -> BackupError:
    """Return ``volume_in_use_by_tape`` where only a reader stands in the way, else ``no_unused_volume``."""
    for backup in world.backups.get(tv, ()):
        waits = backup.disk is not None and not backup.good_on_disk
        if waits and backup.disk is not None and world.needed_by_tape(backup.disk.bv, tv):
            return refuse_in_use_by_tape(world, tv, backup.disk.bv)
    for bv in policy.pinned:
        if bv in world.allocations and world.allocations[bv].tv != tv:
            return refuse_reserved(world, tv, bv)
    return refuse_no_unused(world, tv, policy, seen)


def untaped_on(world: World, tv: VolumeRef, bv: VolumeRef) -> Optional[Untaped]:
    """Return what would be given up for a BV; None while somebody reads it, whatever was asked for."""
    backup = world.backup_on(bv, tv)
    if backup is None or backup.disk is None or world.readers.get(bv):
        return None
    if backup.disk.state is not DiskState.LEAVING:
        return None  # a generation; or borrowed, the only copy there is, which only its deletion gives up (§3)
    if any(copy.state is TapeState.WRITING for copy in backup.tape):
        return None
    return Untaped(backup.id, tuple(copy for copy in backup.tape if copy.state is TapeState.QUEUED))
