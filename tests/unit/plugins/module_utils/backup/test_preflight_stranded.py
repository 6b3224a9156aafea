# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another method, other volumes: what the one before left bound is not counted as its own (behaviour.md §3, §4)."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import needs
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

MEMORY = True


def bound_without_a_generation(house: House, **policy: object) -> str:
    """Fill three BVs, and delete the oldest generation of those that are left; return the BV's name."""
    house.tv("oradata", 3, generations=2, **policy)
    for _night in range(3):
        (house.backup if "method" in policy else house.cycle)("oradata")
        house.clock.sleep(3600)
    oldest = house.generations("oradata")[-1]
    house.delete(oldest.id)
    return house.bv_of(oldest.disk.bv)


@pytest.mark.rule("R4.36c")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"suspend": True}, {"method": "snapshot", "safe_rotation": True}),
        ({"suspend": True}, {"method": "differential", "generations": 3}),
        ({"method": "differential"}, {"method": "synchronized"}),
    ],
)
def test_what_the_declared_method_never_uses_counts_for_nobody_and_is_named(house, before, after):
    bv = bound_without_a_generation(house, **before)
    with pytest.raises(BackupError) as refused:
        house.declare("oradata", strict=True, **after)
    assert bv in refused.value.details["cancel"]
    assert f"backup_volumes: [{', '.join(refused.value.details['cancel'])}]" in refused.value.next_step
    house.cancel("oradata", bvs=refused.value.details["cancel"])
    assert house.declare("oradata", strict=True, **after).changed


def test_what_the_declared_method_resumes_is_its_own(house):
    bound_without_a_generation(house, suspend=True)
    assert house.declare("oradata", strict=True, generations=2, suspend=False).changed


def test_generations_from_before_a_change_to_media_tape_count_until_they_have_gone(house):
    house.tv("oradata", 3, generations=2)
    for _night in range(2):
        house.cycle("oradata")
        house.clock.sleep(3600)
    house.declare("oradata", media="tape", tape_pool="pool", strict=True)
    world = house.look()
    assert [need.parts[0].generations for need in needs(world, world.policies)] == [2]
    for backup in house.generations("oradata"):
        house.delete(backup.id, confirm=["oradata"])
    world = house.look()
    assert [need.parts[0].generations for need in needs(world, world.policies)] == [0]


def test_sessions_that_outlive_their_generations_under_the_new_method_are_told(house):
    house.tv("oradata", 3, generations=2, method="differential", strict=True)
    for _night in range(2):
        house.backup("oradata")
        house.clock.sleep(3600)
    (told,) = house.declare("oradata", strict=True, generations=2, method="synchronized").warnings
    assert "bv1, bv2" in told
    house.cancel("oradata", bvs=["bv1", "bv2"])
    for _night in range(4):
        house.cycle("oradata")
        house.clock.sleep(3600)
    assert not house.declare("oradata", strict=True, generations=2, method="synchronized").warnings
