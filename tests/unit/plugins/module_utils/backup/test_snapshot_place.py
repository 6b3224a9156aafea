# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where snapshots go: BVs that fit, the session budget, the other cabinet, keys, check mode (behaviour.md §3, §4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import NO_PATIENCE, House

MEMORY = True  # the catalog is a model too: these are many small histories


def snapshots(house, bvs, **policy):
    return house.tv("oradata", bvs, method="snapshot", **policy)


def stamps(house, name="oradata"):
    """Return what the generations hold in their first extent, newest first."""
    return [house.fabric.content[backup.disk.bv][0] for backup in house.generations(name)]


@pytest.mark.rule("R4.41")
def test_of_pinned_volumes_only_an_unused_one_or_the_one_set_free_is_taken(house):
    house.tv("other", 4, method="snapshot")
    house.volume("oradata", Role.TRANSACTION)
    house.declare("oradata", method="snapshot", generations=2, pinned=["bv3", "bv2"])
    house.nights("oradata", 3)
    assert house.on("oradata") == ["bv3", "bv2"]
    house.nights("other", 2)
    assert house.on("other") == ["bv4", "bv1"]


@pytest.mark.rule("R4.41", "R4.4")
def test_a_pinned_volume_that_is_not_unused_is_refused(house, refused):
    house.tv("other", 1, method="snapshot")
    house.volume("oradata", Role.TRANSACTION)
    house.nights("other", 1)
    house.declare("oradata", method="snapshot", generations=1, pinned=["bv1"])
    house.clock.sleep(60)
    refused("volume_reserved", house.backup, "oradata")


@pytest.mark.rule("R4.4", "R4.2")
def test_without_an_unused_bv_a_snapshot_is_refused_by_size_and_use(house, refused):
    snapshots(house, 1, generations=2)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    error = refused("no_unused_volume", house.backup, "oradata")
    assert "bv1" in str(error.details) + error.message


@pytest.mark.rule("R4.35")
def test_a_bv_of_another_size_is_never_taken(house, refused):
    house.volume("bv1", Role.BACKUP, blocks=4096)
    house.tv("oradata", method="snapshot")
    refused("no_unused_volume", house.backup, "oradata")


@pytest.mark.rule("R3.8", "R3.8b", "R4.8")
def test_one_session_of_the_limit_is_kept_free_for_a_restore(house, refused):
    snapshots(house, 4, generations=4)
    house.array.limit(3)
    house.fabric.copy_seconds = 1e6
    house.nights("oradata", 2)
    refused("session_limit", house.backup, "oradata")
    house.clock.sleep(1e6)
    assert house.backup("oradata").changed


@pytest.mark.rule("R3.8b")
def test_a_session_that_touches_the_tv_by_other_hands_counts(house, refused):
    snapshots(house, 4, generations=4)
    house.array.limit(3)
    house.fabric.copy_seconds = 1e6
    other = house.volume("other", None)
    house.nights("oradata", 1)
    house.array.start(CopyType.OPC, [Pair(house.by_name["oradata"], other)])
    refused("session_limit", house.backup, "oradata")


@pytest.mark.rule("R2.7", "R3.3")
def test_a_snapshot_onto_another_cabinet_is_a_ropc(tmp_path):
    house = House(tmp_path, memory=True, arrays=("ET1", "ET2"))
    tv = house.tv("oradata", method="snapshot", generations=1)
    house.volume("far", Role.BACKUP, array="ET2")
    house.backup("oradata")
    assert house.session("oradata", "far").copy_type is CopyType.ROPC
    house.clock.sleep(60)
    assert house.content("far") == house.fabric.content[tv]
    house.nights("oradata", 1)
    assert stamps(house) == [101]


@pytest.mark.rule("R2.7", "R4.9")
def test_ropc_is_refused_where_an_array_does_not_offer_it(tmp_path):
    house = House(tmp_path, memory=True, arrays=("ET1", "ET2"), copies="EC OPC")
    house.tv("oradata", method="snapshot", generations=1)
    house.volume("far", Role.BACKUP, array="ET2")
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.error_class.value == "unsupported_copy"
    assert house.everything() == before


def test_bvs_of_the_tvs_own_array_are_taken_first(tmp_path):
    house = House(tmp_path, memory=True, arrays=("ET1", "ET2"))
    house.volume("far", Role.BACKUP, array="ET2")
    house.tv("oradata", 1, method="snapshot", generations=2)
    house.nights("oradata", 2)
    assert house.on("oradata") == ["far", "bv1"]


@pytest.mark.rule("R3.7a")
def test_a_snapshot_by_name_refuses_a_synchronization_that_runs(house, refused):
    house.tv("oradata", 2)
    house.equivalent("oradata")
    house.declare("oradata", method="snapshot")
    refused("policy_violation", house.backup, "oradata")


@pytest.mark.rule("R6.4")
def test_a_tv_that_a_restore_is_writing_is_not_copied(house, refused):
    snapshots(house, 2, generations=2)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    house.fabric.copy_seconds = 1e6
    house.restore("oradata", wait=NO_PATIENCE)
    with pytest.raises(BackupError):
        house.backup("oradata")
    assert len(house.generations("oradata")) == 1


def test_a_key_never_makes_a_second_snapshot(house):
    snapshots(house, 3, generations=3)
    first = house.nights("oradata", 1, key="monday")[0]
    assert house.nights("oradata", 1, key="monday") == [first]
    assert len(house.generations("oradata")) == 1


def test_a_young_snapshot_is_enough(house):
    snapshots(house, 3, generations=3)
    house.nights("oradata", 1)
    assert not house.backup("oradata", max_age=timedelta(hours=1)).changed
    house.clock.sleep(3601)
    assert house.backup("oradata", max_age=timedelta(hours=1)).changed


def test_several_tvs_are_copied_by_one_request(house):
    snapshots(house, 4)
    house.tv("redolog", method="snapshot")
    house.backup("oradata", "redolog")
    assert house.array.calls == [("start", 2)]


def test_two_tvs_never_take_the_same_bv(house, refused):
    snapshots(house, 1)
    house.tv("redolog", method="snapshot")
    refused("no_unused_volume", house.backup, "oradata", "redolog")


@pytest.mark.parametrize("nights", range(5))
@pytest.mark.parametrize("policy", [{}, {"safe_rotation": True}, {"media": "both", "tape_pool": "pool"}])
def test_check_mode_foresees_what_is_done(house, nights, policy):
    snapshots(house, 3, generations=2, **policy)
    for _night in range(nights):
        house.tape_all("oradata")
        house.nights("oradata", 1)
    house.tape_all("oradata")
    house.clock.sleep(3600)
    house.array.reads_only = True
    foreseen = house.foreseen("oradata")
    house.array.reads_only = False
    done = house.backup("oradata")
    assert house.alike(foreseen) == house.alike(done)
