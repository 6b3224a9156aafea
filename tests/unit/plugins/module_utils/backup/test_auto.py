# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Method auto: what acmbackup does, by the session that it finds (behaviour.md §3)."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault

MEMORY = True  # the catalog is a model too: these are many small histories


def auto(house, bvs, **policy):
    return house.tv("oradata", bvs, method="auto", **policy)


@pytest.mark.rule("R3.7")
def test_without_a_session_auto_makes_a_snapshot(house):
    auto(house, 2)
    house.backup("oradata")
    backup = house.generations("oradata")[0]
    assert (backup.method, backup.copy_type) == (Method.SNAPSHOT, CopyType.OPC)


@pytest.mark.rule("R3.7")
def test_with_an_equivalent_session_auto_makes_a_synchronized_backup(house):
    auto(house, 2)
    house.cycle("oradata")
    backup = house.generations("oradata")[0]
    assert (backup.method, backup.copy_type) == (Method.SYNCHRONIZED, CopyType.EC)
    assert house.fabric.copies == {}


@pytest.mark.rule("R3.7")
def test_with_an_executing_session_auto_is_refused(house, refused):
    auto(house, 2)
    house.start("oradata")
    refused("not_equivalent", house.backup, "oradata")


@pytest.mark.rule("R3.7", "R9.18")
def test_with_suspended_sessions_only_auto_makes_a_snapshot(house):
    tv = auto(house, 3, suspend=True, generations=2)
    house.cycle("oradata")
    house.nights("oradata", 1)
    assert [backup.method for backup in house.generations("oradata")] == [Method.SNAPSHOT, Method.SYNCHRONIZED]
    assert [session.state for session in house.look().mirrors_of(tv)] == [SessionState.SUSPENDED]


def test_a_snapshot_by_auto_over_the_oldest_suspended_generation_ends_its_session(house):
    auto(house, 2, suspend=True, generations=2)
    house.cycle("oradata")
    house.cycle("oradata")
    house.nights("oradata", 1)
    assert house.on("oradata") == ["bv1", "bv2"]
    assert house.session("oradata", "bv1").copy_type is CopyType.OPC
    assert house.content("bv1") == house.content("oradata")


def test_when_the_copy_is_refused_after_the_suspended_session_was_ended_the_generation_stays(house):
    auto(house, 2, suspend=True, generations=2)
    house.cycle("oradata")
    house.cycle("oradata")
    kept, content = house.on("oradata"), house.content("bv1")
    house.array.faults.append(Fault("start", "refuse", 32786))
    with pytest.raises(BackupError):
        house.nights("oradata", 1)
    assert (house.on("oradata"), house.content("bv1")) == (kept, content)


def test_generations_of_both_kinds_rotate_together(house):
    auto(house, 3, generations=2)
    house.nights("oradata", 1)
    house.cycle("oradata")
    assert [backup.method.value for backup in house.generations("oradata")] == ["synchronized", "snapshot"]
    house.cycle("oradata")
    assert [backup.method.value for backup in house.generations("oradata")] == ["synchronized", "synchronized"]
    assert len(house.unused()) == 1


@pytest.mark.rule("R3.7a")
def test_a_synchronized_policy_never_falls_back_to_a_snapshot(house, refused):
    house.tv("oradata", 2, suspend=True)
    house.cycle("oradata")
    refused("not_equivalent", house.backup, "oradata")


@pytest.mark.parametrize("synchronized", [False, True])
def test_check_mode_foresees_what_is_done(house, synchronized):
    auto(house, 3)
    house.nights("oradata", 2)
    house.clock.sleep(60)
    if synchronized:
        house.equivalent("oradata")
    house.array.reads_only = True
    foreseen = house.foreseen("oradata")
    house.array.reads_only = False
    assert house.alike(foreseen) == house.alike(house.backup("oradata"))
