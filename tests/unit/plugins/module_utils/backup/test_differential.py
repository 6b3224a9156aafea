# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differential snapshots by QuickOPC: behaviour.md §3: first everything, then the changes; a tracked BV stays bound."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import EXTENTS, Fault
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import NO_PATIENCE, House

MEMORY = True  # the catalog is a model too: these are many small histories


def differential(house, bvs, **policy):
    return house.tv("oradata", bvs, method="differential", **policy)


def moved(house, bv):
    """Return how many extents each copy onto a BV has moved."""
    return house.fabric.copies[(house.by_name["oradata"].ref, house.by_name[bv].ref)].moved


def stamps(house):
    return [house.fabric.content[backup.disk.bv][0] for backup in house.generations("oradata")]


@pytest.mark.rule("R3.4")
def test_the_first_copy_onto_each_bv_is_whole_and_later_ones_move_the_changes(house):
    differential(house, 2, generations=2)
    house.nights("oradata", 2)
    assert (moved(house, "bv1"), moved(house, "bv2")) == ([EXTENTS], [EXTENTS])
    house.nights("oradata", 3)
    assert (moved(house, "bv1"), moved(house, "bv2")) == ([EXTENTS, 1, 1], [EXTENTS, 1])
    assert stamps(house) == [105, 104]


@pytest.mark.rule("R3.4")
def test_a_differential_snapshot_goes_onto_the_bv_of_the_oldest_generation(house):
    differential(house, 3, generations=2)
    house.nights("oradata", 2)
    assert house.on("oradata") == ["bv2", "bv1"]
    house.nights("oradata", 1)
    assert house.on("oradata") == ["bv1", "bv2"]
    assert house.unused() == ["bv3"]


def test_it_is_a_generation_at_once_and_keeps_its_bytes(house):
    tv = differential(house, 1, generations=1)
    at = house.content("oradata")
    assert house.backup("oradata").values["backups"][0]["generation"] == 1
    house.fabric.write(tv, 1, 7)
    house.clock.sleep(60)
    assert house.content("bv1") == at
    backup = house.generations("oradata")[0]
    assert (backup.method, backup.copy_type) == (Method.DIFFERENTIAL, CopyType.QUICK_OPC)
    assert house.session("oradata", "bv1").state is SessionState.TRACKING


@pytest.mark.rule("R3.4", "R2.16", "R4.37", "R4.6", "R2.19")
def test_a_tracked_bv_whose_generation_was_deleted_stays_bound_to_its_tv(house, refused):
    differential(house, 1, generations=1)
    made = house.nights("oradata", 1)
    house.forget("oradata", *made)
    house.tv("redolog", method="snapshot")
    house.clock.sleep(60)
    assert house.unused() == []
    refused("no_unused_volume", house.backup, "redolog")


@pytest.mark.rule("R3.4")
def test_the_tracked_bv_of_a_deleted_generation_is_used_first(house):
    differential(house, 3, generations=3)
    ids = house.nights("oradata", 2)
    house.forget("oradata", ids[0])
    house.nights("oradata", 1)
    assert house.on("oradata") == ["bv2", "bv1"]
    assert moved(house, "bv2") == [EXTENTS, 1]
    assert house.unused() == ["bv3"]


@pytest.mark.rule("R3.4")
def test_a_copy_that_still_runs_cannot_be_resumed_and_says_so(house, refused):
    differential(house, 1, generations=1)
    house.nights("oradata", 1)
    assert refused("busy", house.backup, "oradata").next_step
    house.clock.sleep(60)
    assert house.backup("oradata").changed


@pytest.mark.rule("R3.4a", "R4.9")
def test_quickopc_stays_in_one_cabinet(tmp_path):
    house = House(tmp_path, memory=True, arrays=("ET1", "ET2"))
    house.tv("oradata", method="differential", generations=1)
    house.volume("far", Role.BACKUP, array="ET2")
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.error_class.value in ("unsupported_copy", "no_unused_volume")
    assert house.everything() == before


@pytest.mark.rule("R4.9")
def test_quickopc_is_refused_where_the_array_does_not_offer_it(tmp_path):
    house = House(tmp_path, memory=True, copies="EC OPC")
    house.tv("oradata", 1, method="differential", generations=1)
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.error_class.value == "unsupported_copy"
    assert house.everything() == before


@pytest.mark.rule("R3.4b")
def test_quickopc_does_not_go_with_media_tape(house, refused):
    house.tv("oradata", 1)
    refused(
        "policy_violation", house.declare, "oradata", method="differential", media="tape", tape_pool="pool", strict=True
    )


@pytest.mark.rule("R3.8a")
def test_as_many_generations_as_sessions_but_one_are_allowed_when_declared(house, refused):
    house.tv("oradata", 8)
    refused("session_limit", house.declare, "oradata", method="differential", generations=8, strict=True)
    assert house.declare("oradata", method="differential", generations=7, strict=True).changed


@pytest.mark.rule("R3.8b", "R4.8")
def test_the_session_limit_is_looked_at_again_before_a_start(house, refused):
    differential(house, 3, generations=3)
    house.array.limit(3)
    house.nights("oradata", 2)
    house.clock.sleep(60)
    refused("session_limit", house.backup, "oradata")


@pytest.mark.rule("R3.8b")
def test_a_resume_needs_no_further_session(house):
    differential(house, 2, generations=2)
    house.nights("oradata", 2)
    house.array.limit(3)
    house.nights("oradata", 1)
    assert stamps(house) == [103, 102]


@pytest.mark.rule("R3.9")
def test_a_resume_that_the_array_refuses_leaves_the_oldest_generation_whole(house):
    differential(house, 2, generations=2)
    house.nights("oradata", 2)
    house.clock.sleep(60)
    before = house.everything()
    house.array.faults.append(Fault("resume", "refuse", 32786))
    with pytest.raises(BackupError):
        house.backup("oradata")
    assert house.everything() == before


@pytest.mark.rule("R5.2b", "R3.6a")
def test_a_tracked_bv_that_waits_for_tape_is_not_resumed_unless_untaped_ones_may_go(house, refused):
    differential(house, 1, generations=1, media="both", tape_pool="pool")
    old = house.nights("oradata", 1)[0]
    house.clock.sleep(60)
    refused("volume_in_use_by_tape", house.backup, "oradata")
    house.backup("oradata", drop_untaped=True)
    assert house.backup_of(old) is None
    assert moved(house, "bv1") == [EXTENTS, 0]


@pytest.mark.rule("R5.2a")
def test_a_tracked_bv_that_a_restore_reads_is_not_resumed(house, refused):
    differential(house, 1, generations=1)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    house.volume("scratch", None)
    house.fabric.copy_seconds = 1e6
    house.restore("oradata", "scratch", wait=NO_PATIENCE)
    refused("volume_in_use_by_tape", house.backup, "oradata", drop_untaped=True)


@pytest.mark.rule("R5.3a")
def test_a_held_generation_is_not_overwritten(house):
    differential(house, 3, generations=2)
    house.hold(house.nights("oradata", 1)[0])
    house.nights("oradata", 4)
    assert stamps(house) == [105, 104, 101]


def test_a_tracked_bv_whose_session_was_ended_by_other_hands_is_copied_whole_again(house):
    tv = differential(house, 1, generations=1)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    house.fabric.end((tv, house.by_name["bv1"].ref))
    house.nights("oradata", 1)
    assert stamps(house) == [102]
    assert moved(house, "bv1") == [EXTENTS]


def test_a_tracked_session_that_broke_is_ended_and_the_bv_copied_whole_again(house):
    tv = differential(house, 1, generations=1)
    made = house.nights("oradata", 1)
    house.clock.sleep(60)
    house.forget("oradata", *made)
    house.fabric.set_state(tv, house.by_name["bv1"].ref, SessionState.FAILED)
    try:
        house.backup("oradata")
    except BackupError as refusal:
        assert refusal.next_step
        house.cancel("oradata", bvs=["bv1"])
        house.clock.sleep(60)
        house.backup("oradata")
    assert stamps(house) == [101]


@pytest.mark.rule("R2.15", "R2.19a")
def test_cancel_by_name_releases_a_tracked_session_and_keeps_the_generation(house):
    differential(house, 2, generations=2)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    house.cancel("oradata", bvs=["bv1"])
    assert house.session("oradata", "bv1") is None
    assert house.on("oradata") == ["bv1"]
    assert stamps(house) == [101]


@pytest.mark.rule("R2.15a")
def test_cancel_by_name_frees_a_tracked_bv_without_a_generation(house):
    differential(house, 1, generations=1)
    house.forget("oradata", *house.nights("oradata", 1))
    house.clock.sleep(60)
    house.cancel("oradata", bvs=["bv1"])
    assert house.unused() == ["bv1"]


def test_plain_cancel_does_not_touch_tracked_sessions(house):
    differential(house, 1, generations=1)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    assert not house.cancel("oradata").changed
    assert house.session("oradata", "bv1").state is SessionState.TRACKING


def test_a_key_never_makes_a_second_differential_snapshot(house):
    differential(house, 3, generations=3)
    first = house.nights("oradata", 1, key="monday")[0]
    assert house.nights("oradata", 1, key="monday") == [first]
    assert len(house.generations("oradata")) == 1


@pytest.mark.parametrize("nights", range(5))
@pytest.mark.parametrize("policy", [{}, {"media": "both", "tape_pool": "pool"}])
def test_check_mode_foresees_what_is_done(house, nights, policy):
    differential(house, 2, generations=2, **policy)
    for _night in range(nights):
        house.tape_all("oradata")
        house.nights("oradata", 1)
    house.tape_all("oradata")
    house.clock.sleep(3600)
    house.array.reads_only = True
    foreseen = house.foreseen("oradata")
    house.array.reads_only = False
    assert house.alike(foreseen) == house.alike(house.backup("oradata"))
