# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot that has failed on the array is no backup to count on: behaviour.md §3, §7, §8."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.history import SUBSETS, show
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

MEMORY = True


@pytest.mark.parametrize("state", [SessionState.FAILED, SessionState.UNKNOWN])
def test_a_generation_whose_own_snapshot_failed_is_not_the_last_good_backup_and_is_told(house, state):
    tv = house.tv("oradata", 3, method="snapshot", safe_rotation=True, interval_days=1)
    house.backup("oradata")
    house.clock.sleep(3600)
    house.fabric.copy_seconds = 1000.0
    house.backup("oradata")
    newest, good = house.generations("oradata")
    house.fabric.set_state(tv, newest.disk.bv, state)
    result = show(house.context(), ["oradata"], SUBSETS)
    assert result.values["policies"][0]["last_backup_id"] == good.id
    summary = result.values["summary"]
    assert (summary["on_disk"], summary["broken"]) == (1, [newest.id])
    assert [newest.id in told for told in result.warnings] == [True]
    assert not _overdue_after(house, 0) and _overdue_after(house, 24 * 3600 - 1800)


def _overdue_after(house: House, seconds: float) -> bool:
    house.clock.sleep(seconds)
    return bool(show(house.context(), ["oradata"], SUBSETS).values["policies"][0]["overdue"])


def test_a_mirror_that_failed_with_its_generation_apart_is_told_as_no_loss(house):
    tv = house.tv("oradata", 2, generations=1, suspend=True)
    house.cycle("oradata")
    (one,) = house.generations("oradata")
    house.fabric.set_state(tv, one.disk.bv, SessionState.FAILED)
    result = show(house.context(), ["oradata"], SUBSETS)
    assert result.values["policies"][0]["last_backup_id"] == one.id
    assert (result.values["summary"]["broken"], result.warnings) == ([], [])
