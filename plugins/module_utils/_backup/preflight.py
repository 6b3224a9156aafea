# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""How many BVs the declared policies need, size by size: told when they are declared, not at night (§4). Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Method,
    Policy,
    RegisteredVolume,
)

Policies = Mapping[VolumeRef, Policy]

_MIRROR = (CopyType.EC, CopyType.REC)
_CLONE = (CopyType.OPC, CopyType.ROPC)
#: The copies that a method is made by, inside one cabinet and to another (§3); QuickOPC has none to another.
COPIES: Mapping[Method, tuple[tuple[CopyType, ...], ...]] = {
    Method.SYNCHRONIZED: (_MIRROR,),
    Method.SNAPSHOT: (_CLONE,),
    Method.DIFFERENTIAL: ((CopyType.QUICK_OPC,),),
    Method.TAPE_ONLY: (_CLONE,),
    Method.AUTO: (_MIRROR, _CLONE),
}


@dataclass(frozen=True)
class Part:
    """What one policy needs: its disk generations, BVs beside them, one more for each held generation."""

    tv: VolumeRef
    method: Method
    generations: int
    spare: int
    held: int
    slot: str = ""

    @property
    def count(self) -> int:
        """Return the number of BVs."""
        return self.generations + self.spare + self.held


@dataclass(frozen=True)
class Need:
    """What policies of one size need and have, in BVs of ``blocks`` of ``block_size`` bytes, on arrays that share them.

    ``needed`` is the sum of the parts, and one more for each sync_slot.
    """

    arrays: tuple[str, ...]
    blocks: int
    block_size: int
    needed: int
    available: int
    missing: int
    parts: tuple[Part, ...]

    @property
    def tvs(self) -> tuple[VolumeRef, ...]:
        """Return the TVs whose policies are counted."""
        return tuple(part.tv for part in self.parts)


def generations_for(policy: Policy) -> int:
    """Return how many disk generations a policy keeps, held ones beside them; none where the BV is only borrowed."""
    return 0 if policy.staged else policy.generations


def spare_for(policy: Policy) -> int:
    """Return how many BVs a policy needs beside its disk generations (behaviour.md §3, §4).

    Synchronized, plain or suspend: 1, the pair that is held while G generations are kept; automatic: the same, since a
    snapshot never needs more. Snapshot: 1 with ``safe_rotation`` or in a group, which always rotates safely, else 0.
    QuickOPC: 0. Media *tape* with any method: 1. The BV is borrowed, there is no disk generation, so G is 0 in each of
    these sums; what is left is the BV that is synchronized, or copied to, and then borrowed. With suspend it is the
    same BV again that is resumed, once tape has it; a start before that is refused for the tape leg's sake
    (``volume_in_use_by_tape``), not for want of a number.
    """
    if policy.staged or policy.method in (Method.SYNCHRONIZED, Method.AUTO):
        return 1
    return 1 if policy.method is Method.SNAPSHOT and (policy.safe_rotation or policy.group) else 0


def volumes_for(policy: Policy, held: int = 0) -> int:
    """Return how many BVs one policy needs by itself, held generations counted on top (behaviour.md §3, §4)."""
    return generations_for(policy) + spare_for(policy) + held


def sessions_for(policy: Policy) -> int:
    """Return how many sessions a TV keeps at most under its policy (behaviour.md §3)."""
    if policy.method is Method.DIFFERENTIAL:
        return policy.generations
    return generations_for(policy) + 1 if policy.suspend else 1


def held_sessions(world: World, tv: VolumeRef) -> int:
    """Return how many sessions held generations keep beside those: they count towards no policy's generations (§3)."""
    rows = [world.allocations.get(one.disk.bv) for one in world.generations(tv) if one.hold and one.disk is not None]
    return sum(1 for row in rows if row and (row.suspended_at is not None or row.copy_type is CopyType.QUICK_OPC))


def shares_slot(policy: Policy) -> bool:
    """Tell whether a policy shares its spare BV with those of its sync_slot (behaviour.md §4).

    One whose BV is only borrowed takes turns too, and shares nothing: it may still be borrowed in the next one's turn.
    """
    return bool(policy.sync_slot) and not policy.suspend and not policy.pinned and not policy.staged


def needs(world: World, policies: Policies, *, now: bool = False) -> tuple[Need, ...]:
    """Return what all these policies need, size by size, beside what is registered for them (behaviour.md §4).

    Pinned, bound and unknown BVs count only for their own TV; its own are counted first, then the common ones.

    Sufficient: while nothing is missing, no start and no backup of these policies is refused for want of a BV, as long
    as no TV carries more generations that are not held than its policy says (``now`` counts those that it has), no
    drop waits for a reader or a tape leg, at most one BV of a TV is borrowed for tape, nothing else takes a BV (a
    restore onto one, other hands), and methods, sizes and pins stay as they are declared.
    """
    demands = [_demand(world, policy, now) for policy in policies.values() if reach(world, policy)]
    found = []
    for (blocks, block_size), same_size in sorted(_grouped(demands).items()):
        for arrays, linked in _linked(same_size):
            found.append(_need(world, arrays, blocks, block_size, linked, policies))
    return tuple(found)


def reach(world: World, policy: Policy) -> frozenset[str]:
    """Return the arrays whose BVs may serve a policy: by a copy inside its own, by REC or ROPC where both offer it.

    An array of which nothing is known is taken to copy inside itself, and not to others.
    """
    ways = [_reach(world, policy.tv.array, copies) for copies in COPIES[policy.method]]
    both = frozenset.intersection(*ways)
    return both or next((way for way in ways if way), both)


def _reach(world: World, home: str, copies: Sequence[CopyType]) -> frozenset[str]:
    known = world.capabilities.get(home)
    if known is None:
        return frozenset([home])
    found = {home} if copies[0] in known.copies else set()
    for remote in copies[1:]:
        others = {array for array, there in world.capabilities.items() if array != home and remote in there.copies}
        found |= others if remote in known.copies else set()
    return frozenset(found)


@dataclass(frozen=True)
class _Demand:
    """A policy's part, and where its BVs may lie."""

    part: Part
    size: tuple[int, int]
    arrays: frozenset[str]
    pinned: bool


def _demand(world: World, policy: Policy, now: bool) -> _Demand:
    volume = world.volume(policy.tv)
    generations = world.generations(policy.tv)
    held = sum(1 for backup in generations if backup.hold)
    # What was kept before a change to media tape goes only when a newer backup is on tape (§3): it counts till then.
    until = now or policy.staged
    kept = max(generations_for(policy), len(generations) - held) if until else generations_for(policy)
    slot = policy.sync_slot if shares_slot(policy) else ""
    part = Part(policy.tv, policy.method, kept, 0 if slot else spare_for(policy), held, slot)
    return _Demand(part, (volume.blocks, volume.block_size), reach(world, policy), bool(policy.pinned))


def _grouped(demands: Iterable[_Demand]) -> dict[tuple[int, int], list[_Demand]]:
    groups: dict[tuple[int, int], list[_Demand]] = defaultdict(list)
    for demand in demands:
        groups[demand.size].append(demand)
    return groups


def _linked(demands: Sequence[_Demand]) -> list[tuple[tuple[str, ...], list[_Demand]]]:
    """Return demands that may want the same BVs together, with the arrays on which these lie."""
    groups: list[tuple[set[str], list[_Demand]]] = []
    for demand in demands:
        arrays = {demand.part.tv.array, *demand.arrays}
        apart, joined = [], []
        for group in groups:
            if group[0] & arrays:
                arrays |= group[0]
                joined.append(group[1])
            else:
                apart.append(group)
        # Mostly one, which is added to where it is: there may be tens of thousands in it.
        members = joined[0] if len(joined) == 1 else [one for some in reversed(joined) for one in some]
        members.append(demand)
        groups = [*apart, (arrays, members)]
    return [(tuple(sorted(arrays)), members) for arrays, members in groups]


def _need(
    world: World,
    arrays: tuple[str, ...],
    blocks: int,
    block_size: int,
    demands: Sequence[_Demand],
    policies: Policies,
) -> Need:
    pins: dict[VolumeRef, VolumeRef] = {}
    for policy in policies.values():
        for bv in policy.pinned:
            pins.setdefault(bv, policy.tv)
    owner = {
        bv.ref: _owner(world, bv, policies, pins.get(bv.ref))
        for bv in world.backup_volumes()
        if bv.ref.array in arrays and (bv.volume.blocks, bv.volume.block_size) == (blocks, block_size)
    }
    common = Counter(bv.array for bv, who in owner.items() if who is None)
    owned: dict[object, Counter[str]] = defaultdict(Counter)
    for ref, who in owner.items():
        owned[who][ref.array] += 1
    needed = own_in_all = missing = 0
    lacking: list[tuple[frozenset[str], int]] = []
    for members in _sharing(demands):
        want = sum(demand.part.count for demand in members) + (1 if members[0].part.slot else 0)
        tvs = {demand.part.tv for demand in members}
        own = min(want, sum(owned[tv][array] for tv in tvs if tv in owned for array in members[0].arrays))
        needed += want
        own_in_all += own
        if members[0].pinned:
            missing += want - own
        else:
            lacking.append((members[0].arrays, want - own))
    everywhere = frozenset().union(*(where for where, _count in lacking))
    available = own_in_all + sum(common[array] for array in everywhere)
    missing += _short(lacking, common)
    return Need(arrays, blocks, block_size, needed, available, missing, tuple(demand.part for demand in demands))


def _sharing(demands: Sequence[_Demand]) -> list[list[_Demand]]:
    """Return the demands one by one; those of one sync_slot, with the same BVs in reach, together."""
    groups: dict[object, list[_Demand]] = defaultdict(list)
    for demand in demands:
        groups[(demand.part.slot, demand.arrays) if demand.part.slot else demand.part.tv].append(demand)
    return list(groups.values())


def _short(lacking: Sequence[tuple[frozenset[str], int]], common: Mapping[str, int]) -> int:
    """Return how many BVs are short at least: whatever arrays one looks at, they must hold what only they may hold."""
    unions: set[frozenset[str]] = set()
    for where in {where for where, _count in lacking}:
        unions |= {where, *(where | other for other in unions)}
    short = [
        sum(count for where, count in lacking if where <= union) - sum(common.get(array, 0) for array in union)
        for union in unions
    ]
    return max([0, *short])


def _owner(world: World, bv: RegisteredVolume, policies: Policies, pinned: Optional[VolumeRef]) -> object:
    """Return the TV that alone may use this BV; None for one that serves any TV, False for one that serves none.

    :param pinned: the TV whose policy pins it.
    """
    if bv.unknown or stranded(world, bv.ref, policies):
        return False
    allocation = world.allocations.get(bv.ref)
    if allocation is None:
        taken = world.touching(bv.ref) or bv.ref in world.undefined
        return False if taken else pinned
    if allocation.copy_type is None:
        return False  # reserved as the target of a restore
    policy = policies.get(allocation.tv)
    if policy is None:
        return False
    if pinned is not None:
        return pinned if pinned == allocation.tv or not _bound(world, bv.ref, policy) else False
    if not _bound(world, bv.ref, policy):
        return None
    return False if policy.pinned else allocation.tv


def stranded(world: World, bv: VolumeRef, policies: Policies) -> bool:
    """Tell whether a session binds a BV without a generation to a TV whose method neither resumes nor overwrites it.

    Only the synchronizing methods resume a suspended mirror, and only the differential one a tracked copy (§2, §3);
    every other copy takes an unused BV, which this one becomes when its session is cancelled.
    """
    row = world.allocations.get(bv)
    policy = policies.get(row.tv) if row is not None else None
    if row is None or policy is None or row.copy_type is None or world.backup_on(bv, row.tv) is not None:
        return False
    if row.copy_type is CopyType.QUICK_OPC:
        return policy.method is not Method.DIFFERENTIAL
    return row.suspended_at is not None and policy.method not in (Method.SYNCHRONIZED, Method.AUTO)


def _bound(world: World, bv: VolumeRef, policy: Policy) -> bool:
    """Tell whether an allocated BV stays with its TV: suspended, tracked, about to be, or with a held generation."""
    allocation = world.allocations[bv]
    staying = (SessionState.SUSPENDED, SessionState.TRACKING)
    if policy.suspend or policy.method is Method.DIFFERENTIAL or allocation.suspended_at is not None:
        return True
    if allocation.copy_type is CopyType.QUICK_OPC or any(s.state in staying for s in world.touching(bv)):
        return True
    backup = world.backup_on(bv, policy.tv)
    return backup is not None and backup.hold


def numbers(need: Need, names: Mapping[VolumeRef, str], most: int = 12) -> str:
    """Return the sum in words, method by method: ``synchronized: oradata 2 + 1, redolog 2 + 1; snapshot: web 3``.

    :param most: more volumes than this are only counted.
    """
    words: dict[str, list[str]] = defaultdict(list)
    for part in need.parts[:most]:
        held = f" + {part.held} held" if part.held else ""
        spare = f" + {part.spare}" if part.spare else ""
        kind = f"sync_slot {part.slot}" if part.slot else part.method.value
        words[kind].append(f"{names[part.tv]} {part.generations}{spare}{held}")
    told = [
        f"{kind}: {', '.join(some)}{' + 1' if kind.startswith('sync_slot ') else ''}" for kind, some in words.items()
    ]
    rest = len(need.parts) - most
    return "; ".join(told) + (f"; and {rest} more" if rest > 0 else "")


def told_apart(need: Need, names: Mapping[VolumeRef, str]) -> list[dict[str, object]]:
    """Return the same sum for programs: one row a policy."""
    return [
        {
            "volume": names[part.tv],
            "method": part.method.value,
            "generations": part.generations,
            "spare": part.spare,
            "held": part.held,
            "sync_slot": part.slot,
        }
        for part in need.parts
    ]
