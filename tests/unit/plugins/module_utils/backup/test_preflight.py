# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of backup volumes that policies need: behaviour.md §3 and §4. A world that has them never runs short."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Capabilities,
    CopyType,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import needs, numbers, volumes_for
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskCopy,
    DiskState,
    Media,
    Method,
    Policy,
    RegisteredVolume,
    Role,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START

ALL = frozenset(CopyType)


def ref(number: int, array: str = "ET1") -> VolumeRef:
    return VolumeRef(array, f"{number:032X}")


def world(tvs: list[VolumeRef], bvs: list[VolumeRef], blocks: int = 8, **more: object) -> World:
    rows = [(tv, Role.TRANSACTION, "tv") for tv in tvs] + [(bv, Role.BACKUP, "bv") for bv in bvs]
    volumes = {
        one: RegisteredVolume(Volume(one, f"{kind}{int(one.device_id, 16)}", blocks), role, START)
        for one, role, kind in rows
    }
    return World(START, volumes, **more)


@pytest.mark.rule("R4.36b", "R3.1", "R3.2", "R3.3", "R3.4", "R3.5")
@pytest.mark.parametrize(
    ("policy", "volumes"),
    [
        ({"method": Method.SYNCHRONIZED}, 4),
        ({"method": Method.SYNCHRONIZED, "suspend": True}, 4),
        ({"method": Method.AUTO}, 4),
        ({"method": Method.AUTO, "safe_rotation": True}, 4),
        ({"method": Method.SNAPSHOT}, 3),
        ({"method": Method.SNAPSHOT, "safe_rotation": True}, 4),
        ({"method": Method.SNAPSHOT, "group": "db"}, 4),
        ({"method": Method.SYNCHRONIZED, "group": "db"}, 4),
        ({"method": Method.DIFFERENTIAL}, 3),
        ({"method": Method.TAPE_ONLY, "media": Media.TAPE}, 1),
        ({"method": Method.SYNCHRONIZED, "media": Media.TAPE}, 1),
        ({"method": Method.SYNCHRONIZED, "media": Media.TAPE, "suspend": True}, 1),
        ({"method": Method.SNAPSHOT, "media": Media.TAPE}, 1),
        ({"method": Method.AUTO, "media": Media.TAPE}, 1),
    ],
)
def test_the_number_for_three_generations_by_method_and_media(policy, volumes):
    assert volumes_for(Policy(ref(1), 3, **policy)) == volumes
    assert volumes_for(Policy(ref(1), 3, **policy), held=2) == volumes + 2


def test_the_sum_is_told_method_by_method():
    tvs = [ref(number) for number in range(1, 6)]
    policies = [
        Policy(tvs[0], 2, suspend=True),
        Policy(tvs[1], 3, method=Method.SNAPSHOT),
        Policy(tvs[2], 2, sync_slot="night"),
        Policy(tvs[3], 4, sync_slot="night"),
        Policy(tvs[4], 2, method=Method.TAPE_ONLY, media=Media.TAPE),
    ]
    (need,) = needs(world(tvs, []), {policy.tv: policy for policy in policies})
    assert (need.needed, need.available, need.missing) == (3 + 3 + 7 + 1, 0, 14)
    told = numbers(need, {tv: f"tv{number}" for number, tv in enumerate(tvs)})
    assert told == "synchronized: tv0 2 + 1; snapshot: tv1 3; sync_slot night: tv2 2, tv3 4 + 1; tape_only: tv4 0 + 1"


def test_many_policies_are_told_in_a_bounded_sentence():
    tvs = [ref(number) for number in range(1, 200)]
    (need,) = needs(world(tvs, []), {tv: Policy(tv, 1) for tv in tvs})
    told = numbers(need, dict.fromkeys(tvs, "volume"))
    assert told.endswith("; and 187 more") and len(told) < 300


def test_one_that_is_only_borrowed_for_tape_shares_no_spare_volume_with_its_slot():
    tvs = [ref(1), ref(2)]
    policies = [Policy(tvs[0], 2, sync_slot="night"), Policy(tvs[1], 2, sync_slot="night", media=Media.TAPE)]
    (need,) = needs(world(tvs, []), {policy.tv: policy for policy in policies})
    assert need.needed == 3 + 1


def _held(tv: VolumeRef, bv: VolumeRef) -> Backup:
    disk = DiskCopy(bv, DiskState.VALID, START)
    return Backup("1", tv, START, Method.SNAPSHOT, CopyType.OPC, False, 4096, hold=True, disk=disk)


@pytest.mark.rule("R4.36c")
def test_tracked_reserved_unknown_and_undefined_volumes_serve_no_other_tv():
    tv, other, bv = ref(1), ref(2), ref(11)
    mine = Policy(tv, 1, method=Method.SNAPSHOT)
    policies = {tv: mine, other: Policy(other, 1, method=Method.SNAPSHOT)}
    plain = world([tv, other], [bv])

    def available(seen: World) -> int:
        (need,) = needs(seen, {other: policies[other]})
        return need.available

    def allocated(**row: object) -> World:
        return replace(plain, allocations={bv: Allocation(**{"bv": bv, "tv": tv, "allocated_at": START, **row})})

    assert available(plain) == 1
    (need,) = needs(allocated(copy_type=CopyType.QUICK_OPC), policies)
    assert (need.needed, need.available, need.missing) == (2, 0, 2), "a snapshot never uses it"
    resumed = {**policies, tv: replace(mine, method=Method.DIFFERENTIAL)}
    (need,) = needs(allocated(copy_type=CopyType.QUICK_OPC), resumed)
    assert (need.needed, need.available, need.missing) == (2, 1, 1)
    assert available(allocated(copy_type=None)) == 0
    assert available(replace(plain, undefined={bv: UndefinedTarget(bv, "1", START, "broken")})) == 0
    assert available(replace(plain, volumes={**plain.volumes, bv: replace(plain.volumes[bv], unknown=True)})) == 0
    held = replace(allocated(copy_type=CopyType.OPC), backups={tv: (_held(tv, bv),)})
    (need,) = needs(held, policies)
    assert (need.needed, need.available, need.missing) == (3, 1, 2)


def test_generations_beyond_the_policy_count_until_they_have_gone():
    tv, bvs = ref(1), [ref(11), ref(12), ref(13)]
    backups = tuple(replace(_held(tv, bv), id=str(number), hold=False) for number, bv in enumerate(bvs))
    rows = {bv: Allocation(bv, tv, CopyType.EC, START) for bv in bvs}
    seen = replace(world([tv], bvs), backups={tv: backups}, allocations=rows)
    policies = {tv: Policy(tv, 1)}
    assert needs(seen, policies)[0].missing == 0
    assert needs(seen, policies, now=True)[0].missing == 1


def test_a_volume_that_two_arrays_can_reach_is_counted_once():
    tvs, bvs = [ref(1, "ET1"), ref(2, "ET2")], [ref(11, "ET1"), ref(12, "ET2"), ref(13, "ET2")]
    both = {array: Capabilities(ALL) for array in ("ET1", "ET2")}
    policies = {tv: Policy(tv, 1) for tv in tvs}
    (need,) = needs(world(tvs, bvs, capabilities=both), policies)
    assert (need.arrays, need.needed, need.available, need.missing) == (("ET1", "ET2"), 4, 3, 1)
    apart = needs(world(tvs, bvs), policies)
    assert [(need.arrays, need.missing) for need in apart] == [(("ET1",), 1), (("ET2",), 0)]


ARRAYS = ("ET1", "ET2", "ET3")
METHODS = st.sampled_from([Method.SYNCHRONIZED, Method.SNAPSHOT, Method.DIFFERENTIAL, Method.TAPE_ONLY])


@st.composite
def sites(draw: st.DrawFn) -> tuple[World, dict[VolumeRef, Policy]]:
    copies = st.frozensets(st.sampled_from([CopyType.REC, CopyType.ROPC]))
    local = frozenset([CopyType.EC, CopyType.OPC, CopyType.QUICK_OPC])
    capabilities = {array: Capabilities(draw(copies) | local) for array in ARRAYS}
    tvs = [ref(number, draw(st.sampled_from(ARRAYS))) for number in range(1, draw(st.integers(1, 4)) + 1)]
    bvs = [ref(number, draw(st.sampled_from(ARRAYS))) for number in range(100, 100 + draw(st.integers(0, 8)))]
    policies = {tv: Policy(tv, draw(st.integers(1, 2)), method=draw(METHODS), media=Media.DISK) for tv in tvs}
    return world(tvs, bvs, capabilities=capabilities), policies


@given(sites())
@settings(max_examples=100)
def test_what_is_short_is_exactly_what_no_assignment_of_volumes_can_serve(site):
    seen, policies = site
    wanting = [tv for tv, policy in policies.items() for _number in range(volumes_for(policy))]
    taken: dict[VolumeRef, int] = {}

    def serves(tv: VolumeRef, bv: VolumeRef) -> bool:
        if tv.array == bv.array:
            return True
        method = policies[tv].method
        copy = {Method.SYNCHRONIZED: CopyType.REC, Method.DIFFERENTIAL: None}.get(method, CopyType.ROPC)
        return all(copy in seen.capabilities[end].copies for end in (tv.array, bv.array))

    def assign(one: int, tried: set[VolumeRef]) -> bool:
        for bv in (bv.ref for bv in seen.backup_volumes()):
            if bv not in tried and serves(wanting[one], bv):
                tried.add(bv)
                if bv not in taken or assign(taken[bv], tried):
                    taken[bv] = one
                    return True
        return False

    unserved = sum(1 for one in range(len(wanting)) if not assign(one, set()))
    assert sum(need.missing for need in needs(seen, policies)) == unserved


class Night:
    """A pool of volumes, and policies that start, split, copy and rotate by the rules of behaviour.md §2 and §3."""

    def __init__(self, policies: list[Policy], pool: int) -> None:
        self.policies, self.pool = policies, pool
        self.generations: Counter[int] = Counter()
        self.idle: Counter[int] = Counter()  # bound, without a generation
        self.held: Counter[int] = Counter()  # pairs that are synchronized

    def take(self, one: int) -> None:
        if self.idle[one]:
            self.idle[one] -= 1
        else:
            self.pool -= 1
        assert self.pool >= 0, self.policies[one]

    def give(self, one: int) -> None:
        policy = self.policies[one]
        if policy.suspend or policy.method is Method.DIFFERENTIAL:
            self.idle[one] += 1
        else:
            self.pool += 1

    def add(self, one: int) -> None:
        policy = self.policies[one]
        kept = 0 if policy.media is Media.TAPE else policy.generations
        self.generations[one] += 1
        if self.generations[one] > kept:
            self.generations[one] -= 1
            self.give(one)

    def step(self, one: int) -> None:
        policy = self.policies[one]
        if policy.method is Method.SYNCHRONIZED:
            turns = [
                other for other, it in enumerate(self.policies) if it.sync_slot and it.sync_slot == policy.sync_slot
            ]
            if self.held[one]:
                self.held[one] = 0
                self.add(one)
            elif not any(self.held[other] for other in turns):
                self.take(one)
                self.held[one] = 1
        elif self.generations[one] == policy.generations and not (policy.safe_rotation or policy.media is Media.TAPE):
            return  # overwrites the oldest
        else:
            self.take(one)
            self.add(one)


@st.composite
def declared(draw: st.DrawFn) -> list[Policy]:
    found = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        method = draw(METHODS)
        media = Media.TAPE if method is Method.TAPE_ONLY else draw(st.sampled_from([Media.DISK, Media.TAPE]))
        media = Media.DISK if method is Method.DIFFERENTIAL else media
        plain = method is Method.SYNCHRONIZED
        suspend = plain and draw(st.booleans())
        slot = draw(st.sampled_from(["", "night"])) if plain and not suspend else ""
        safe = method is Method.SNAPSHOT and draw(st.booleans())
        generations = draw(st.integers(1, 3))
        found.append(Policy(ref(number), generations, method, suspend, media, sync_slot=slot, safe_rotation=safe))
    return found


@given(declared(), st.lists(st.integers(0, 4), max_size=60))
@settings(max_examples=100)
def test_as_many_volumes_as_are_needed_suffice_in_whatever_order_the_policies_work(policies, order):
    tvs = [policy.tv for policy in policies]
    (need,) = needs(world(tvs, []), {policy.tv: policy for policy in policies})
    night = Night(policies, need.missing)
    for one in order:
        night.step(one % len(policies))


def test_the_policies_are_gone_through_no_more_often_for_more_volumes_and_policies():
    class Counted(dict[VolumeRef, Policy]):
        rounds = 0

        def values(self):
            self.rounds += 1
            return super().values()

    def rounds(tvs: int, bvs: int) -> int:
        names = [ref(number) for number in range(1, tvs + 1)]
        policies = Counted({tv: Policy(tv, 1, media=Media.DISK) for tv in names})
        pool = [ref(number) for number in range(1000, 1000 + bvs)]
        (need,) = needs(world(names, pool), policies)
        assert (need.needed, need.available) == (2 * tvs, bvs)
        return policies.rounds

    assert rounds(2, 3) == rounds(20, 30)
