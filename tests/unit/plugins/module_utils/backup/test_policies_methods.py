# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy may say of methods, media, sessions, groups and copies: behaviour.md §3 and §4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._backup import policies
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord, Media, Method, Role
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

EC, REC, OPC, ROPC = 2, 4, 11, 12
RESYNC = 14


@pytest.fixture
def site(house: House) -> House:
    """Two TVs and ten BVs of one size."""
    for name in ("oradata", "redolog"):
        house.volume(name, Role.TRANSACTION)
    for number in range(10):
        house.volume(f"bv{number + 1}", Role.BACKUP)
    return house


def declare(house: House, *wanted: dict[str, Any], strict: bool = True) -> Result:
    items = [{"volume": "oradata", "generations": 2, "media": "disk", "tape_pool": "pool", **item} for item in wanted]
    return policies.declare(house.context(), items, strict=strict)


def offers(house: House, types: Sequence[int], *operations: int, serial: str = "ET1") -> None:
    offer = Offer(frozenset(types), frozenset(), clone_operations=frozenset(operations))
    with house.catalog.begin() as records:
        records.put_array(ArrayRecord(serial, serial, START, {"serial": serial, "capabilities": offer.as_json()}))


@pytest.mark.parametrize("method", [method.value for method in Method])
def test_every_method_is_declared_and_shown(site, method):
    media = "tape" if method == "tape_only" else "both"
    result = declare(site, {"method": method, "media": media})
    assert result.changed
    assert (result.values["policies"][0]["method"], result.values["policies"][0]["media"]) == (method, media)
    assert not declare(site, {"method": method, "media": media}).changed


def test_the_media_of_tape_only_is_taken_as_tape_and_disk_contradicts_it(site, refused):
    assert declare(site, {"method": "tape_only", "media": "both"}).changed
    assert site.look().policies[site.by_name["oradata"].ref].media is Media.TAPE
    assert not declare(site, {"method": "tape_only", "media": "tape"}).changed
    error = refused("policy_violation", declare, site, {"method": "tape_only", "media": "disk"})
    assert "0 generations on disk" in error.message


@pytest.mark.rule("R3.4b", "R9.20")
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"method": "differential", "media": "tape"}, "differential tracks 2 backup volumes"),
        ({"method": "snapshot", "suspend": True}, "suspend keeps a synchronization"),
        ({"method": "differential", "suspend": True}, "suspend keeps a synchronization"),
        ({"method": "tape_only", "media": "tape", "suspend": True}, "suspend keeps a synchronization"),
        ({"method": "differential", "safe_rotation": True}, "cannot rotate safely"),
        ({"method": "auto", "sync_slot": "night"}, "sync_slot night is for plain synchronized policies"),
        ({"method": "snapshot", "sync_slot": "night"}, "not for one of method snapshot"),
        ({"suspend": True, "sync_slot": "night"}, "not for one with suspend"),
        ({"sync_slot": "night", "group": "db"}, "members of group db are split at one instant"),
        ({"method": "auto", "group": "db"}, "method auto is not for a consistency group (db)"),
        ({"method": "differential", "group": "db"}, "could not be undone"),
        ({"method": "tape_only", "media": "tape", "group": "db"}, "could not be undone"),
        ({"media": "tape", "tape_pool": ""}, "media tape needs a tape pool"),
        ({"mount_point": "data"}, "no absolute path"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_next_step(site, refused, wrong, told):
    error = refused("policy_violation", declare, site, wrong, strict=False)
    assert told in error.message
    assert error.message.startswith("oradata: ")


def test_suspend_goes_with_synchronized_and_automatic(site):
    assert declare(site, {"suspend": True}).changed
    assert declare(site, {"suspend": True, "method": "auto"}).changed


@pytest.mark.rule("R3.8a")
def test_quickopc_needs_g_sessions_and_leaves_one_for_a_restore(site, refused):
    error = refused("session_limit", declare, site, {"method": "differential", "generations": 8})
    assert "8 generations with QuickOPC need 8 copy sessions; one source carries 8" in error.message
    assert error.next_step == "Declare at most 7 generations, or method: snapshot."
    assert declare(site, {"method": "differential", "generations": 7}).changed


def test_a_policy_that_only_tape_keeps_holds_one_suspended_session_whatever_its_generations(site):
    assert declare(site, {"media": "tape", "suspend": True, "generations": 9}).changed


@pytest.mark.rule("R3.3a", "R3.3b")
@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        ({"method": "snapshot"}, True),
        ({"method": "auto"}, True),
        ({"method": "differential"}, True),
        ({"method": "synchronized"}, False),
        ({"method": "snapshot", "safe_rotation": True}, False),
        ({"method": "snapshot", "group": "db"}, False),
        ({"method": "snapshot", "media": "tape"}, False),
        ({"method": "snapshot", "generations": 2}, False),
    ],
)
def test_one_generation_that_is_overwritten_is_warned_of(site, policy, warned):
    told = declare(site, {"generations": 1, **policy}).warnings
    assert [("a moment without a backup" in text) for text in told] == ([True] if warned else [])


@pytest.mark.parametrize(
    "policy", [{}, {"method": "tape_only", "media": "tape"}, {"method": "snapshot", "media": "tape"}]
)
def test_safe_rotation_where_it_says_nothing_is_warned_of(site, policy):
    result = declare(site, {"safe_rotation": True, **policy})
    assert result.changed
    assert "safe_rotation says nothing here" in result.warnings[0]


@pytest.mark.rule("R9.20")
def test_all_members_of_a_group_have_the_same_method_declared_ones_included(site, refused):
    assert declare(site, {"group": "db", "method": "snapshot"}).changed
    error = refused("policy_violation", declare, site, {"volume": "redolog", "group": "db"})
    assert error.message == (
        "The 2 members of group db must have the same method: oradata snapshot, redolog synchronized."
    )
    both = [{"volume": name, "group": "db"} for name in ("oradata", "redolog")]
    assert declare(site, *both).changed


def test_another_policy_is_not_hindered_by_a_group_that_it_is_not_in(site):
    assert declare(site, {"group": "db"}).changed
    assert declare(site, {"volume": "redolog", "method": "snapshot"}).changed


@pytest.mark.rule("R4.9")
@pytest.mark.parametrize(
    ("method", "lacking", "wanted"),
    [
        ("synchronized", [OPC], "EC or REC"),
        ("snapshot", [EC], "OPC or ROPC"),
        ("tape_only", [EC], "OPC or ROPC"),
        ("differential", [EC, OPC], "QuickOPC"),
        ("auto", [], "EC or REC or OPC or ROPC"),
    ],
)
def test_a_method_whose_copy_the_array_is_known_not_to_offer_is_refused(site, refused, method, lacking, wanted):
    offers(site, lacking)
    error = refused("unsupported_copy", declare, site, {"method": method, "media": "both"}, strict=False)
    assert f"method {method} needs {wanted}; array ET1 offers " in error.message
    assert error.details["offered"] == sorted({EC: "EC", OPC: "OPC"}[one] for one in lacking)


def test_what_the_array_offers_may_be_declared(site):
    offers(site, [EC, OPC], RESYNC)
    for method in ("synchronized", "snapshot", "differential", "auto"):
        assert declare(site, {"method": method}).changed
    offers(site, [OPC])
    assert declare(site, {"method": "auto", "generations": 1}).changed


@pytest.mark.rule("R3.4a")
def test_quickopc_stays_inside_one_array(tmp_path):
    house = House(tmp_path / "two", arrays=("ET1", "ET2"))
    house.volume("oradata", Role.TRANSACTION)
    for number in range(2):
        house.volume(f"far{number}", Role.BACKUP, array="ET2")
    for serial in ("ET1", "ET2"):
        offers(house, [EC, REC + 1, OPC, OPC + 2], RESYNC, serial=serial)
    with pytest.raises(Exception) as caught:
        declare(house, {"method": "differential"})
    assert caught.value.details["available"] == 0
    with pytest.raises(Exception) as caught:
        declare(house, {"method": "differential", "pinned": ["far0", "far1"]})
    assert caught.value.error_class.value == "unsupported_copy"
    assert "onto backup volumes of array ET2, which are pinned" in caught.value.message


def test_a_pinned_volume_of_another_block_size_is_of_another_size(site, refused):
    wrong = site.volume("bv11", Role.BACKUP, blocks=1024)
    error = refused("size_mismatch", declare, site, {"pinned": ["bv1", "bv2", "bv11"]})
    assert "1024 blocks (524288 bytes)" in error.message and wrong.name in error.message
