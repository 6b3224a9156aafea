# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hold keeps what was about to leave the disk: behaviour.md §5."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

MEMORY = True


def hold(house: House, *ids: str, check: bool = False) -> Result:
    return change(house.context(check=check), GenerationRequest(Wanted.HELD, Selection(ids=ids)))


def leaving(house: House, **policy: Any) -> str:
    """Return a backup that was rotated away while it is read for tape."""
    house.tv("oradata", 4, **{"generations": 1, "media": "both", "tape_pool": "pool", **policy})
    again = house.backup if "method" in policy else house.cycle
    first = again("oradata").values["backups"][0]["id"]
    house.begin_leg(first)
    house.clock.sleep(60)
    again("oradata")
    assert house.backup_of(first).disk.state is DiskState.LEAVING
    return first


@pytest.mark.rule("R5.1")
@pytest.mark.parametrize("policy", [{}, {"suspend": True}, {"method": "snapshot", "safe_rotation": True}])
def test_a_held_backup_whose_drop_waits_is_a_generation_again_and_stays(house, policy):
    first = leaving(house, **policy)
    foreseen, result = hold(house, first, check=True), hold(house, first)
    assert foreseen.after == result.after and result.changed
    assert [(row["action"], row["disk"]) for row in result.values["backups"]] == [("held", "kept")]
    assert house.generations("oradata")[1].id == first
    house.end_leg(first, ok=False)
    house.clock.sleep(600)
    (house.backup if "method" in policy else house.cycle)("oradata")
    assert house.backup_of(first).good_on_disk
    assert not hold(house, first).changed


def test_a_held_copy_that_is_leaving_is_dropped_neither_after_a_read_nor_by_the_next_run(house):
    first = leaving(house)
    house.hold(first)  # by an earlier release, which left it leaving
    house.end_leg(first, ok=False)
    house.cycle("oradata")
    assert house.backup_of(first).disk.state is DiskState.LEAVING
    assert hold(house, first).changed and house.backup_of(first).good_on_disk


def interrupted(house: House) -> str:
    house.tv("oradata", 1, method="snapshot", generations=1)
    house.backup("oradata")
    house.clock.sleep(60)
    first = house.generations("oradata")[0].id
    house.array.faults = [Fault("start", "killed_before")]
    with pytest.raises(Killed):
        house.backup("oradata")
    house.array.faults = []
    house.clock.sleep(400)
    return first


def test_what_an_interrupted_run_overwrites_is_not_held_before_it_is_recovered(house):
    first = interrupted(house)
    with pytest.raises(BackupError) as refused:
        hold(house, first)
    assert refused.value.error_class.value == "busy" and "repair: [journal]" in refused.value.next_step
    assert not house.backup_of(first).hold


def test_a_clone_that_was_struck_and_that_nothing_keeps_is_no_generation_again(house):
    house.tv("oradata", 2, method="snapshot", generations=2)
    house.backup("oradata")
    first = house.generations("oradata")[0].id
    with house.catalog.begin() as records:
        records.set_disk_leaving([first])
    with pytest.raises(BackupError) as refused:
        hold(house, first)
    assert refused.value.error_class.value == "policy_violation"
    assert house.backup_of(first).disk.state is DiskState.LEAVING
