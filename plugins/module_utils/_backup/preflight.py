# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""How many BVs the declared policies need, size by size: told when they are declared, not at night (§4). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, Policy, RegisteredVolume

Size = tuple[str, int, int]


@dataclass(frozen=True)
class Need:
    """What policies of one size on one array need and have, in backup volumes; ``blocks`` of ``block_size`` bytes."""

    array: str
    blocks: int
    block_size: int
    needed: int
    available: int
    missing: int
    tvs: tuple[VolumeRef, ...]


def volumes_for(policy: Policy, held: int = 0) -> int:
    """Return how many BVs one policy needs by itself, held generations counted on top (behaviour.md §3, §4)."""
    if policy.method in (Method.SYNCHRONIZED, Method.AUTO):
        return policy.generations + 1 + held
    if policy.method is Method.SNAPSHOT:
        return policy.generations + (1 if policy.safe_rotation else 0) + held
    if policy.method is Method.DIFFERENTIAL:
        return policy.generations + held
    return 1 + held


def sessions_for(policy: Policy) -> int:
    """Return how many sessions a TV carries at most under its policy (behaviour.md §3)."""
    if policy.method is Method.DIFFERENTIAL:
        return policy.generations
    return policy.generations + 1 if policy.suspend else 1


def needs(world: World, policies: Mapping[VolumeRef, Policy]) -> tuple[Need, ...]:
    """Return what all these policies need, per array and size, beside what is registered for them.

    Pinned, bound and unknown BVs count only for their own TV; its own are counted first, then the common ones.
    """
    by_size: dict[Size, list[Policy]] = defaultdict(list)
    for policy in policies.values():
        volume = world.volume(policy.tv)
        by_size[(policy.tv.array, volume.blocks, volume.block_size)].append(policy)
    return tuple(_need(world, size, group, policies) for size, group in sorted(by_size.items()))


def _need(world: World, size: Size, group: Sequence[Policy], policies: Mapping[VolumeRef, Policy]) -> Need:
    array, blocks, block_size = size
    pool = [bv for bv in world.backup_volumes() if _usable(world, bv, size)]
    owner = {bv.ref: _owner(world, bv, policies) for bv in pool}
    common = sum(1 for who in owner.values() if who is None)
    needed = own_in_all = from_common = missing = 0
    slots: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for policy in group:
        want = volumes_for(policy, _held(world, policy.tv))
        own = sum(1 for who in owner.values() if who == policy.tv)
        if policy.sync_slot and not policy.suspend and not policy.pinned:
            slots[policy.sync_slot].append((want - 1, own))
            continue
        needed += want
        own_in_all += min(own, want)
        lacking = max(0, want - own)
        missing += lacking if policy.pinned else 0
        from_common += 0 if policy.pinned else lacking
    for members in slots.values():
        want = sum(count for count, _own in members) + 1
        own = min(sum(own for _count, own in members), want)
        needed += want
        own_in_all += own
        from_common += want - own
    missing += max(0, from_common - common)
    return Need(array, blocks, block_size, needed, own_in_all + common, missing, tuple(policy.tv for policy in group))


def _usable(world: World, bv: RegisteredVolume, size: Size) -> bool:
    array, blocks, block_size = size
    if (bv.volume.blocks, bv.volume.block_size) != (blocks, block_size) or bv.unknown:
        return False
    if bv.ref.array == array:
        return True
    capabilities = [world.capabilities.get(end) for end in (array, bv.ref.array)]
    return all(known is not None and CopyType.REC in known.copies for known in capabilities)


def _owner(world: World, bv: RegisteredVolume, policies: Mapping[VolumeRef, Policy]) -> object:
    """Return the TV that alone may use this BV; None for one that serves any TV, False for one that serves none."""
    pinned = next((policy.tv for policy in policies.values() if bv.ref in policy.pinned), None)
    if pinned is not None:
        return pinned
    allocation = world.allocations.get(bv.ref)
    if allocation is None:
        return False if world.touching(bv.ref) else None
    if allocation.copy_type is None:
        return False  # reserved as the target of a restore
    tracked = (SessionState.SUSPENDED, SessionState.TRACKING)
    kept = allocation.suspended_at is not None or any(s.state in tracked for s in world.touching(bv.ref))
    bound = kept or allocation.tv not in policies or policies[allocation.tv].suspend
    backup = world.backup_on(bv.ref, allocation.tv)
    held = backup is not None and backup.hold
    if not (bound or held):
        return None
    return allocation.tv if allocation.tv in policies else False


def _held(world: World, tv: VolumeRef) -> int:
    return sum(1 for backup in world.generations(tv) if backup.hold)
