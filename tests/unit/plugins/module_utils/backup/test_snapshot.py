# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots by OPC and ROPC: behaviour.md §3, their rotation, what is refused, and what a refusal leaves."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, Method
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault

MEMORY = True  # the catalog is a model too: these are many small histories


def snapshots(house, bvs, **policy):
    return house.tv("oradata", bvs, method="snapshot", **policy)


def stamps(house, name="oradata"):
    """Return what the generations hold in their first extent, newest first."""
    return [house.fabric.content[backup.disk.bv][0] for backup in house.generations(name)]


@pytest.mark.rule("R3.3")
def test_a_snapshot_is_the_newest_generation_at_once_while_its_data_follow_in_the_background(house):
    tv = snapshots(house, 2)
    at = house.content("oradata")
    made = house.backup("oradata").values["backups"][0]
    assert (made["generation"], made["taken"], made["method"]) == (1, True, "snapshot")
    assert house.session("oradata", "bv1").state is SessionState.EXECUTING
    house.fabric.write(tv, 0, 7)
    assert house.content("bv1") == at
    house.clock.sleep(60)
    assert house.session("oradata", "bv1") is None
    assert house.content("bv1") == at


def test_a_snapshot_says_how_it_was_made(house):
    snapshots(house, 2)
    house.backup("oradata")
    backup = house.generations("oradata")[0]
    assert (backup.method, backup.copy_type, backup.suspend) == (Method.SNAPSHOT, CopyType.OPC, False)
    assert (backup.group_id, backup.consistent, backup.skew_ms) == ("", None, None)


@pytest.mark.rule("R3.3")
def test_g_bvs_serve_g_generations_and_the_oldest_is_overwritten(house):
    snapshots(house, 2, generations=2)
    house.nights("oradata", 5)
    assert house.on("oradata") == ["bv1", "bv2"]
    assert stamps(house) == [105, 104]
    assert house.unused() == []


def test_a_bv_that_is_unused_is_taken_while_generations_are_missing(house):
    snapshots(house, 3, generations=2)
    house.nights("oradata", 2)
    assert house.on("oradata") == ["bv2", "bv1"]
    house.nights("oradata", 1)
    assert house.on("oradata") == ["bv1", "bv2"]
    assert house.unused() == ["bv3"]


@pytest.mark.rule("R3.3b")
def test_safe_rotation_makes_the_new_one_first_and_then_drops_the_oldest(house):
    snapshots(house, 3, generations=2, safe_rotation=True)
    house.nights("oradata", 3)
    assert house.on("oradata") == ["bv3", "bv2"]
    assert house.unused() == ["bv1"]
    house.nights("oradata", 1)
    assert stamps(house) == [104, 103]


@pytest.mark.rule("R3.3b")
def test_safe_rotation_keeps_the_oldest_when_the_copy_is_refused(house):
    snapshots(house, 2, generations=1, safe_rotation=True)
    house.nights("oradata", 1)
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        house.nights("oradata", 1)
    assert stamps(house) == [101]
    assert house.unused() == ["bv2"]


@pytest.mark.rule("R3.3b", "R4.4")
def test_safe_rotation_needs_one_more_bv(house, refused):
    snapshots(house, 1, generations=1, safe_rotation=True)
    house.nights("oradata", 1)
    house.clock.sleep(60)
    refused("no_unused_volume", house.backup, "oradata")


@pytest.mark.rule("R3.3a", "R3.3b")
@pytest.mark.parametrize(
    ("policy", "warned"), [({}, True), ({"safe_rotation": True}, False), ({"generations": 2}, False)]
)
def test_the_only_generation_is_overwritten_with_a_warning_unless_rotation_is_safe(house, policy, warned):
    snapshots(house, 3, **{"generations": 1, **policy})
    house.nights("oradata", 2)
    house.clock.sleep(3600)
    told = house.foreseen("oradata").warnings
    assert any("without a backup" in word or "safe_rotation" in word for word in told) is warned
    assert house.backup("oradata").warnings == told


@pytest.mark.rule("R3.9")
def test_a_refusal_by_the_array_leaves_the_oldest_generation_whole(house):
    snapshots(house, 2, generations=2)
    house.nights("oradata", 2)
    house.clock.sleep(60)
    before = house.everything()
    house.array.faults.append(Fault("start", "refuse", 32792))
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.error_class.value == "array_error"
    assert house.everything() == before
    assert stamps(house) == [102, 101]


@pytest.mark.rule("R3.9")
def test_the_generation_that_is_overwritten_is_leaving_until_the_array_has_accepted(house):
    snapshots(house, 1, generations=1)
    old = house.nights("oradata", 1)[0]
    house.clock.sleep(60)
    seen = []
    start = house.array.start

    def look_then_start(*args, **kwargs):
        backup = house.backup_of(old)
        with house.catalog.read() as records:
            seen.append((backup.disk.state, len(records.open_entries())))
        return start(*args, **kwargs)

    house.array.start = look_then_start
    house.backup("oradata")
    assert seen == [(DiskState.LEAVING, 1)]
    assert house.backup_of(old) is None


@pytest.mark.rule("R3.9a")
def test_an_old_session_that_still_runs_is_ended_for_the_new_copy(house):
    tv = snapshots(house, 1, generations=1)
    house.fabric.copy_seconds = 1e6
    house.nights("oradata", 1)
    house.fabric.write(tv, 0, 7)
    house.backup("oradata")
    assert stamps(house) == [7]
    assert [method for method, _pairs in house.array.calls] == ["start", "release", "start"]


@pytest.mark.rule("R3.9a")
def test_everything_that_could_refuse_is_looked_at_before_an_old_session_is_ended(house, refused):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    house.fabric.copy_seconds = 1e6
    house.nights("oradata", 1)
    refused("volume_in_use_by_tape", house.backup, "oradata")
    assert house.session("oradata", "bv1") is not None
    assert stamps(house) == [101]


@pytest.mark.rule("R3.9a")
def test_a_copy_refused_after_the_old_session_was_ended_leaves_no_generation_that_lies(house):
    """The copy of the old generation had not ended: without its session the array makes its target unusable."""
    snapshots(house, 1, generations=1)
    house.fabric.copy_seconds = 1e6
    house.nights("oradata", 1)
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError) as caught:
        house.backup("oradata")
    assert caught.value.unchanged
    assert house.generations("oradata") == []
    house.backup("oradata")
    assert stamps(house) == [101]
    assert house.unused() == []


@pytest.mark.rule("R5.2a", "R5.2b", "R4.7")
def test_a_generation_that_waits_for_tape_is_not_overwritten_unless_untaped_ones_may_go(house, refused):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    old = house.nights("oradata", 1)[0]
    house.clock.sleep(60)
    refused("volume_in_use_by_tape", house.backup, "oradata")
    house.backup("oradata", drop_untaped=True)
    assert house.backup_of(old) is None
    assert house.on("oradata") == ["bv1"]


@pytest.mark.rule("R5.2a", "R5.2b")
def test_a_generation_that_is_being_written_to_tape_is_never_overwritten(house, refused):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    old = house.nights("oradata", 1)[0]
    house.clock.sleep(60)
    house.begin_leg(old)
    with house.catalog.begin() as records:
        records.drop_leases(records.leases())
    refused("volume_in_use_by_tape", house.backup, "oradata", drop_untaped=True)


@pytest.mark.rule("R5.2b")
def test_a_tape_leg_that_was_to_be_given_up_is_queued_again_when_the_array_refuses(house):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    house.nights("oradata", 1)
    house.clock.sleep(60)
    before = house.everything()
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        house.backup("oradata", drop_untaped=True)
    assert house.everything() == before


@pytest.mark.rule("R5.2c")
def test_a_failed_leg_protects_nothing_and_is_warned_of(house):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    old = house.nights("oradata", 1)[0]
    house.tape(old, ok=False)
    house.clock.sleep(60)
    assert any(old in warning and "tape leg had failed" in warning for warning in house.backup("oradata").warnings)


@pytest.mark.rule("R5.5")
def test_an_overwritten_generation_that_is_on_tape_stays_in_the_history(house):
    snapshots(house, 1, generations=1, media="both", tape_pool="pool")
    old = house.nights("oradata", 1)[0]
    house.tape(old)
    house.clock.sleep(60)
    house.backup("oradata")
    kept = house.backup_of(old)
    assert kept.good_on_tape
    assert kept.disk is None


@pytest.mark.rule("R5.3a", "R5.4d")
def test_a_held_generation_does_not_count_and_is_not_overwritten(house):
    snapshots(house, 3, generations=2)
    held = house.nights("oradata", 1)[0]
    house.hold(held)
    house.nights("oradata", 4)
    assert stamps(house) == [105, 104, 101]
    house.hold(held, False)
    house.nights("oradata", 1)
    assert stamps(house) == [106, 105]


def test_too_many_generations_after_a_hold_ended_all_go(house):
    snapshots(house, 4, generations=1)
    for backup_id in house.nights("oradata", 1):
        house.hold(backup_id)
    second = house.nights("oradata", 1)[0]
    house.hold(second)
    house.nights("oradata", 1)
    for backup in house.generations("oradata"):
        house.hold(backup.id, False)
    house.clock.sleep(3600)
    house.backup("oradata")
    assert len(house.generations("oradata")) == 1
    assert len(house.unused()) == 3
