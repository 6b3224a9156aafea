# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tape only, and media tape with each method: the BV is borrowed until tape has the backup (behaviour.md §3, §5)."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, Method, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault

MEMORY = True  # the catalog is a model too: these are many small histories

#: Policies whose disk copy is only borrowed: the method and what else is declared.
STAGED = {
    "tape_only": {"method": "tape_only", "media": "both"},
    "tape_only, media tape": {"method": "tape_only", "media": "tape"},
    "snapshot": {"method": "snapshot", "media": "tape"},
    "synchronized": {"method": "synchronized", "media": "tape"},
    "synchronized, suspend": {"method": "synchronized", "media": "tape", "suspend": True},
}
staged = pytest.mark.parametrize("policy", STAGED.values(), ids=STAGED.keys())


def declared(house, bvs, policy, **more):
    return house.tv("oradata", bvs, **{"tape_pool": "pool", "generations": 2, **policy, **more})


def taken(house, policy):
    """Back up, synchronizing before where the method wants it; return the id."""
    if policy["method"] == "synchronized":
        house.equivalent("oradata")
    house.clock.sleep(3600)
    house.stamp += 1
    house.fabric.write(house.by_name["oradata"].ref, 0, house.stamp)
    return house.backup("oradata").values["backups"][0]["id"]


@staged
@pytest.mark.rule("R3.5", "R3.10")
def test_the_bv_is_borrowed_and_there_is_no_disk_generation(house, policy):
    declared(house, 2, policy)
    made = taken(house, policy)
    backup = house.backup_of(made)
    assert backup.disk.state is DiskState.BORROWED
    assert [copy.state for copy in backup.tape] == [TapeState.QUEUED]
    assert house.generations("oradata") == []
    assert house.unused() == ["bv2"]
    assert house.fabric.content[backup.disk.bv] == house.content("oradata")


@staged
@pytest.mark.rule("R3.10", "R4.37", "R3.5")
def test_the_bv_is_set_free_when_the_tape_is_written(house, policy):
    declared(house, 1, policy)
    made = taken(house, policy)
    house.clock.sleep(60)
    house.tape(made)
    kept = house.backup_of(made)
    assert kept.disk is None
    assert kept.good_on_tape
    assert house.unused() == ([] if policy.get("suspend") else ["bv1"])
    if policy.get("suspend"):
        assert house.session("oradata", "bv1").state is SessionState.SUSPENDED
        assert house.start("oradata").values["synchronizations"][0]["action"] == "resumed"


@staged
@pytest.mark.rule("R3.10a")
def test_a_failed_leg_keeps_the_bv_until_it_is_written_by_another_run(house, policy):
    declared(house, 1, policy)
    made = taken(house, policy)
    house.clock.sleep(60)
    house.tape(made, ok=False)
    assert house.unused() == []
    assert house.backup_of(made).disk.state is DiskState.BORROWED
    house.tape(made)
    assert house.backup_of(made).disk is None


@staged
@pytest.mark.rule("R3.10a", "R4.7")
def test_no_later_backup_takes_a_borrowed_bv(house, policy):
    declared(house, 1, policy, generations=1)
    made = taken(house, policy)
    house.clock.sleep(60)
    for ok in (None, False):
        if ok is not None:
            house.tape(made, ok=ok)
        for drop_untaped in (False, True):
            before, content = house.everything(), house.content("bv1")
            with pytest.raises(BackupError) as caught:
                if policy["method"] == "synchronized":
                    house.start("oradata", drop_untaped=drop_untaped)
                else:
                    house.backup("oradata", drop_untaped=drop_untaped)
            assert caught.value.error_class.value in ("no_unused_volume", "volume_in_use_by_tape")
            assert (house.everything(), house.content("bv1")) == (before, content)


@staged
@pytest.mark.rule("R3.10")
def test_every_tape_copy_must_be_written_first(house, policy):
    declared(house, 1, policy, tape_copies=2)
    made = taken(house, policy)
    house.clock.sleep(60)
    house.tape(made, number=1)
    assert house.backup_of(made).disk.state is DiskState.BORROWED
    house.tape(made, number=2)
    assert house.backup_of(made).disk is None


@staged
def test_a_borrowed_bv_is_no_generation_and_no_second_one_is_borrowed_meanwhile(house, policy):
    declared(house, 4, policy, generations=1)
    made = taken(house, policy)
    assert house.backup_of(made).disk.state is DiskState.BORROWED
    assert not house.generations("oradata")
    house.clock.sleep(60)
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        taken(house, policy)
    assert caught.value.error_class.value == "volume_in_use_by_tape"
    assert house.everything() == before
    house.tape(made)
    assert taken(house, policy) != made


@staged
def test_a_copy_that_still_runs_when_the_tape_is_written_does_not_lose_its_bv(house, policy):
    """The tape server frees the BV in the catalog; nothing is copied onto it before its session has ended."""
    declared(house, 1, policy)
    house.fabric.copy_seconds = 100
    made = taken(house, policy) if policy["method"] != "synchronized" else None
    if made is None:
        return
    house.tape(made)
    assert house.unused() == []
    house.clock.sleep(200)
    taken(house, policy)
    house.clock.sleep(200)
    house.tape_all("oradata")
    assert house.unused() == ["bv1"]


@pytest.mark.rule("R3.5")
def test_tape_only_is_an_opc(house):
    declared(house, 1, STAGED["tape_only"])
    backup = house.backup_of(taken(house, STAGED["tape_only"]))
    assert (backup.method, backup.copy_type) == (Method.TAPE_ONLY, CopyType.OPC)


@staged
@pytest.mark.rule("R3.10a")
def test_deleting_the_backup_frees_its_borrowed_bv(house, policy):
    declared(house, 1, policy)
    made = taken(house, policy)
    house.clock.sleep(60)
    house.tape(made, ok=False)
    house.delete(made, confirm=["oradata"])
    assert house.backup_of(made) is None
    assert house.unused() == ([] if policy.get("suspend") else ["bv1"])


@staged
@pytest.mark.rule("R3.9")
def test_a_refusal_leaves_the_bv_unused_or_equivalent(house, policy):
    declared(house, 1, policy)
    if policy["method"] == "synchronized":
        house.equivalent("oradata")
    house.clock.sleep(60)
    before = house.everything()
    method = "suspend" if policy["method"] == "synchronized" else "start"
    house.array.faults.append(Fault(method, "refuse", 32786))
    with pytest.raises(BackupError):
        house.backup("oradata")
    assert house.everything() == before


@staged
def test_check_mode_foresees_what_is_done(house, policy):
    declared(house, 3, policy)
    house.tape(taken(house, policy))
    if policy["method"] == "synchronized":
        house.equivalent("oradata")
    house.clock.sleep(60)
    house.array.reads_only = True
    foreseen = house.foreseen("oradata")
    house.array.reads_only = False
    assert house.alike(foreseen) == house.alike(house.backup("oradata"))


@pytest.mark.rule("R3.10")
def test_after_a_change_to_media_tape_the_old_generations_go_by_the_count(house):
    house.tv("oradata", 4, method="snapshot", generations=2)
    house.nights("oradata", 2)
    house.declare("oradata", method="snapshot", generations=2, media="tape", tape_pool="pool")
    house.nights("oradata", 1)
    assert len(house.generations("oradata")) == 2
