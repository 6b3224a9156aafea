# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declaring policies: behaviour.md §3 and §4, numbers first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup import policies
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import sessions_for, volumes_for
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord, Method, Policy, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

TV = VolumeRef("ET1", "6" * 32)


def bvs(house, count, blocks=2048):
    have = sum(1 for name in house.by_name if name.startswith("bv"))
    for number in range(have, have + count):
        house.volume(f"bv{number + 1}", Role.BACKUP, blocks=blocks)


def tvs(house, *names):
    for name in names:
        house.volume(name, Role.TRANSACTION)


def declare(house, *wanted, strict=True, check=False):
    items = [{"generations": 2, "media": "disk", **item} for item in wanted]
    return policies.declare(house.context(check=check), items, strict=strict)


@pytest.mark.rule("R4.14", "R4.36a", "R4.36b", "R4.36")
def test_two_generations_with_suspend_and_two_plain_of_one_size_need_six(house, refused):
    tvs(house, "oradata", "redolog")
    bvs(house, 5)
    wanted = [{"volume": "oradata", "suspend": True}, {"volume": "redolog"}]
    error = refused("policy_violation", declare, house, *wanted)
    assert (error.details["needed"], error.details["available"], error.details["missing"]) == (6, 5, 1)
    bvs(house, 1)
    assert declare(house, *wanted).changed


def test_volumes_of_another_size_do_not_count(house, refused):
    tvs(house, "oradata")
    bvs(house, 2)
    bvs(house, 9, blocks=4096)
    refused("policy_violation", declare, house, {"volume": "oradata"})


def _said(house, serial, types, *, maximum=0, by=""):
    known = {"serial": by or serial, "capabilities": Offer(frozenset(types), frozenset(), maximum=maximum).as_json()}
    with house.catalog.begin() as records:
        records.put_array(ArrayRecord(serial, serial, START, known))


def test_volumes_of_another_array_count_where_both_are_known_to_offer_rec(tmp_path):
    house = House(tmp_path / "two", arrays=("ET1", "ET2"))
    tvs(house, "oradata")
    bvs(house, 2)
    house.volume("far", Role.BACKUP, array="ET2")
    lacking = {"volume": "oradata"}
    for serial, types, by in (("ET1", (2, 4), ""), ("ET2", (2,), ""), ("ET2", (5,), "ET3")):
        _said(house, serial, types, by=by)
        with pytest.raises(BackupError) as caught:
            declare(house, lacking)
        assert caught.value.details["missing"] == 1
    _said(house, "ET2", (5,))
    assert declare(house, lacking).changed


@pytest.mark.rule("R3.8")
@pytest.mark.parametrize(("maximum", "most"), [(0, 6), (4, 2), (32, 30)])
def test_what_the_array_said_bounds_the_generations_or_else_eight_sessions(house, refused, maximum, most):
    tvs(house, "oradata")
    _said(house, "ET1", (2,), maximum=maximum)
    error = refused(
        "session_limit", declare, house, {"volume": "oradata", "generations": most + 1, "suspend": True}, strict=False
    )
    assert error.details["limit"] == (maximum or 8)
    assert declare(house, {"volume": "oradata", "generations": most, "suspend": True}, strict=False).changed


@pytest.mark.rule("R4.36a")
def test_without_strict_too_few_volumes_are_a_warning(house):
    tvs(house, "oradata")
    result = declare(house, {"volume": "oradata"}, strict=False)
    assert result.changed
    assert "3 more must be registered" in result.warnings[0]


@pytest.mark.rule("R4.36d")
def test_policies_that_share_a_sync_slot_need_the_sum_of_their_generations_plus_one(house, refused):
    tvs(house, "a", "b", "c")
    bvs(house, 6)
    wanted = [{"volume": name, "sync_slot": "night"} for name in ("a", "b", "c")]
    assert refused("policy_violation", declare, house, *wanted).details["needed"] == 7
    bvs(house, 1)
    assert declare(house, *wanted).changed


@pytest.mark.rule("R4.36c")
def test_pinned_volumes_count_only_for_their_own_tv(house, refused):
    tvs(house, "oradata", "redolog")
    bvs(house, 5)
    pinned = {"volume": "oradata", "generations": 1, "pinned": ["bv1", "bv2"]}
    assert declare(house, pinned).changed
    error = refused("policy_violation", declare, house, {"volume": "redolog", "generations": 3})
    assert (error.details["needed"], error.details["missing"]) == (6, 1)


def test_too_few_pinned_volumes_are_not_made_good_by_others(house, refused):
    tvs(house, "oradata")
    bvs(house, 5)
    refused("policy_violation", declare, house, {"volume": "oradata", "pinned": ["bv1", "bv2"]})


@pytest.mark.rule("R4.36c")
def test_a_volume_suspended_for_one_tv_counts_for_no_other(house, refused):
    tvs(house, "oradata", "redolog")
    bvs(house, 4)
    declare(house, {"volume": "oradata", "generations": 1, "suspend": True})
    house.cycle("oradata")
    house.cycle("oradata")
    assert refused("policy_violation", declare, house, {"volume": "redolog"}).details["missing"] == 1
    bvs(house, 1)
    assert declare(house, {"volume": "redolog"}).changed


@pytest.mark.rule("R4.36b")
def test_a_held_generation_needs_one_volume_more(house, refused):
    tvs(house, "oradata")
    bvs(house, 2)
    declare(house, {"volume": "oradata", "generations": 1})
    house.cycle("oradata")
    with house.catalog.begin() as records:
        records.set_hold([house.generations("oradata")[0].id], True)
    error = refused("policy_violation", declare, house, {"volume": "oradata", "generations": 1, "interval_days": 1})
    assert error.details["needed"] == 3


@pytest.mark.rule("R8.2")
def test_declaring_the_same_again_changes_nothing(house):
    tvs(house, "oradata")
    bvs(house, 3)
    declare(house, {"volume": "oradata"})
    assert not declare(house, {"volume": "oradata"}).changed


def test_check_mode_and_diff_show_the_policy_and_write_nothing(house):
    tvs(house, "oradata")
    bvs(house, 3)
    result = declare(house, {"volume": "oradata"}, check=True)
    assert result.changed
    assert result.before == {}
    assert result.after["oradata"]["generations"] == 2
    assert house.look().policies == {}


def test_two_policies_for_one_tv_are_refused(house, refused):
    tvs(house, "oradata")
    error = refused("policy_violation", declare, house, {"volume": "oradata"}, {"volume": "oradata"})
    assert "Two policies" in error.message


def test_two_names_of_one_tv_are_refused_too(house, refused):
    tvs(house, "oradata")
    other = house.by_name["oradata"].ref.device_id
    refused("policy_violation", declare, house, {"volume": "oradata"}, {"volume": other})


@pytest.mark.rule("R4.27")
def test_a_policy_for_a_bv_is_a_role_conflict(house, refused):
    bvs(house, 1)
    refused("role_conflict", declare, house, {"volume": "bv1"})


def test_a_policy_for_an_unregistered_volume_is_refused(house, refused):
    refused("not_registered", declare, house, {"volume": "nobody"})


def test_tape_media_need_a_pool_that_exists(house, refused):
    tvs(house, "oradata")
    bvs(house, 3)
    refused("policy_violation", declare, house, {"volume": "oradata", "media": "both"})
    refused("policy_violation", declare, house, {"volume": "oradata", "media": "both", "tape_pool": "none"})
    assert declare(house, {"volume": "oradata", "media": "both", "tape_pool": "pool"}).changed


@pytest.mark.parametrize(
    "field",
    [{"generations": 0}, {"tape_days": -1}, {"interval_days": -1}, {"tape_copies": 0}, {"tape_generations": -1}],
)
def test_numbers_that_make_no_sense_are_refused(house, refused, field):
    tvs(house, "oradata")
    bvs(house, 3)
    refused("policy_violation", declare, house, {"volume": "oradata", **field})


@pytest.mark.rule("R4.5", "R4.35")
def test_a_pinned_volume_must_be_a_bv_of_exactly_the_tvs_size(house, refused):
    tvs(house, "oradata", "redolog")
    bvs(house, 1, blocks=4096)
    refused("size_mismatch", declare, house, {"volume": "oradata", "pinned": ["bv1"]})
    refused("role_conflict", declare, house, {"volume": "oradata", "pinned": ["redolog"]})


def test_a_volume_cannot_be_pinned_for_two_tvs(house, refused):
    tvs(house, "oradata", "redolog")
    bvs(house, 1)
    wanted = [{"volume": name, "generations": 1, "pinned": ["bv1"]} for name in ("oradata", "redolog")]
    refused("policy_violation", declare, house, *wanted, strict=False)


@pytest.mark.rule("R3.8a", "R3.8b")
def test_suspend_needs_g_plus_1_sessions_and_leaves_one_for_a_restore(house, refused):
    tvs(house, "oradata")
    bvs(house, 9)
    assert refused("session_limit", declare, house, {"volume": "oradata", "generations": 7, "suspend": True})
    assert declare(house, {"volume": "oradata", "generations": 6, "suspend": True}).changed


@pytest.mark.rule("R4.40")
def test_removal_is_refused_while_history_exists_unless_forced(house, refused):
    tvs(house, "oradata")
    bvs(house, 3)
    declare(house, {"volume": "oradata"})
    house.cycle("oradata")
    refused("policy_violation", policies.remove, house.context(), ["oradata"])
    assert policies.remove(house.context(), ["oradata"], force=True).changed
    assert len(house.generations("oradata")) == 1


def test_removal_is_refused_while_a_synchronization_runs(house):
    tvs(house, "oradata")
    bvs(house, 3)
    declare(house, {"volume": "oradata"})
    house.start("oradata")
    with pytest.raises(BackupError) as caught:
        policies.remove(house.context(), ["oradata"])
    assert "bv1" in caught.value.message


def test_removing_what_is_not_declared_changes_nothing(house):
    tvs(house, "oradata")
    assert not policies.remove(house.context(), ["oradata"]).changed


@pytest.mark.rule("R2.16a", "R3.1", "R3.2", "R3.3", "R3.4", "R3.5", "R4.36b", "R3.3b")
@given(generations=st.integers(1, 50), held=st.integers(0, 5), suspend=st.booleans(), safe=st.booleans())
def test_the_number_of_volumes_a_policy_needs_by_its_method(generations, held, suspend, safe):
    def needed(method):
        policy = Policy(TV, generations, method=method, suspend=suspend, safe_rotation=safe)
        return volumes_for(policy, held)

    assert needed(Method.SYNCHRONIZED) == generations + 1 + held
    assert needed(Method.SNAPSHOT) == generations + int(safe) + held
    assert needed(Method.DIFFERENTIAL) == generations + held
    assert needed(Method.TAPE_ONLY) == 1 + held


@pytest.mark.rule("R3.8a")
def test_the_number_of_sessions_a_policy_holds(house):
    assert sessions_for(Policy(TV, 3, suspend=True)) == 4
    assert sessions_for(Policy(TV, 3)) == 1
    assert sessions_for(Policy(TV, 3, method=Method.DIFFERENTIAL)) == 3


def test_too_few_pinned_volumes_are_told_as_such(house, refused):
    tvs(house, "oradata")
    bvs(house, 5)
    error = refused("policy_violation", declare, house, {"volume": "oradata", "pinned": ["bv1", "bv1", "bv2"]})
    assert error.message == "oradata: pinned are 2 backup volumes, and 2 generations by method synchronized need 3."


@pytest.mark.parametrize(("option", "least"), [("tape_copies", 1), ("tape_days", 0)])
def test_a_number_that_makes_no_sense_is_named_with_its_bound(house, refused, option, least):
    tvs(house, "oradata")
    bvs(house, 3)
    error = refused("policy_violation", declare, house, {"volume": "oradata", option: least - 1})
    assert option in error.message
    assert error.next_step == f"Declare {least} or more."
