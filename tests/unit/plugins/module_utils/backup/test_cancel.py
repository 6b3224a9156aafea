# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cancel synchronization: behaviour.md §2, its arrows and last bullet."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import synchronize
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault


def suspended(house, tv):
    return sorted(house.bv_of(s.target) for s in house.look().mirrors_of(tv) if s.state is SessionState.SUSPENDED)


@pytest.mark.rule("R2.11", "R4.37")
def test_cancel_of_an_executing_session_makes_its_bv_unused(house):
    house.tv("oradata", 1)
    house.start("oradata")
    assert house.cancel("oradata").changed
    assert (house.unused(), house.fabric.copies) == (["bv1"], {})


@pytest.mark.rule("R2.11")
def test_cancel_of_an_equivalent_session_makes_its_bv_unused(house):
    house.tv("oradata", 1)
    house.equivalent("oradata")
    assert house.cancel("oradata").changed
    assert house.unused() == ["bv1"]


def test_a_cancel_that_is_refused_says_that_no_session_was_ended(house):
    house.tv("oradata", 1)
    house.equivalent("oradata")
    house.array.faults.append(Fault("release", "refuse", 32786))
    with pytest.raises(BackupError) as caught:
        house.cancel("oradata")
    assert (caught.value.unchanged, caught.value.changed) == ("The sessions of oradata onto bv1 still stand.", False)
    house.cancel("oradata")
    assert house.unused() == ["bv1"]


def test_cancel_without_a_session_changes_nothing(house):
    house.tv("oradata", 1)
    assert not house.cancel("oradata").changed
    assert house.array.calls == []


@pytest.mark.rule("R2.19b")
def test_plain_cancel_leaves_suspended_sessions(house):
    tv = house.tv("oradata", 3, suspend=True)
    house.cycle("oradata")
    house.start("oradata")
    house.cancel("oradata")
    assert suspended(house, tv) == ["bv1"]


@pytest.mark.rule("R2.15", "R2.19b", "R4.37")
def test_cancel_of_a_suspended_session_by_its_bv_keeps_the_generation(house):
    tv = house.tv("oradata", 3, suspend=True)
    house.cycle("oradata")
    house.cycle("oradata")
    house.cancel("oradata", bvs=["bv1"])
    assert suspended(house, tv) == ["bv2"]
    assert house.on("oradata") == ["bv2", "bv1"]
    assert house.unused() == ["bv3"]


@pytest.mark.rule("R2.15a")
def test_cancel_of_a_suspended_session_without_a_generation_frees_its_bv(house):
    house.tv("oradata", 2, suspend=True, generations=1)
    house.cycle("oradata")
    house.cycle("oradata")
    house.cancel("oradata", bvs=["bv1"])
    assert house.unused() == ["bv1"]


@pytest.mark.rule("R2.19a", "R2.19b")
def test_cancel_of_all_ends_every_session_and_never_history(house):
    tv = house.tv("oradata", 3, suspend=True)
    for _cycle in range(3):
        house.cycle("oradata")
    house.cancel("oradata", every=True)
    assert house.look().mirrors_of(tv) == ()
    assert house.on("oradata") == ["bv3", "bv2"]
    assert house.unused() == ["bv1"]


def test_a_released_bv_is_freed_when_its_generation_goes_later(house):
    house.tv("oradata", 3, suspend=True, generations=1)
    house.cycle("oradata")
    house.cancel("oradata", every=True)
    house.cycle("oradata")
    assert "bv1" in house.unused()


def test_check_mode_of_cancel_changes_nothing(house):
    house.tv("oradata", 1)
    house.start("oradata")
    house.array.reads_only = True
    before = house.everything()
    result = synchronize.cancel(house.context(check=True), ["oradata"])
    assert result.changed
    assert result.after["oradata"]["synchronization"]["state"] == "none"
    assert house.everything() == before


@pytest.mark.rule("R9.9")
def test_a_session_by_other_hands_is_never_cancelled(house, refused):
    tv = house.tv("oradata")
    foreign = house.volume("foreign", Role.BACKUP)
    house.array._start(CopyType.EC, Pair(house.by_name["oradata"], foreign))
    refused("volume_reserved", house.cancel, "oradata")
    assert house.look().active_mirror(tv) is not None


def test_a_bv_that_is_not_registered_cannot_be_named(house, refused):
    house.tv("oradata", 1)
    refused("not_registered", house.cancel, "oradata", bvs=["bv9"])


@pytest.mark.rule("R9.9")
def test_a_session_by_other_hands_is_ended_when_its_bv_is_named(house):
    tv = house.tv("oradata")
    foreign = house.volume("foreign", Role.BACKUP)
    house.array._start(CopyType.EC, Pair(house.by_name["oradata"], foreign))
    assert house.cancel("oradata", bvs=["foreign"]).changed
    assert house.look().active_mirror(tv) is None
    assert house.unused() == ["foreign"]
