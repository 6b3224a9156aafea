# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known to be worthless is not restored: a snapshot that broke, a tape copy that was refuted (§6)."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice, Source
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import doubts
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted, choose_backup
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapePart, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


@pytest.fixture
def snapshots(house):
    """Return the ids of two snapshots: the newest is still copied."""
    tv = house.tv("oradata", 3, method="snapshot", generations=2)
    house.volume("scratch", None)
    house.backup("oradata")
    house.clock.sleep(60)
    house.fabric.copy_seconds = 1000.0
    house.backup("oradata")
    newest, older = house.generations("oradata")
    house.broken = (tv, newest.disk.bv)
    return newest.id, older.id


def refused(house, **choice):
    with pytest.raises(BackupError) as caught:
        house.restore("oradata", "scratch", choice=Choice(**choice))
    return caught.value


@pytest.mark.rule("R6.1")
@pytest.mark.parametrize("state", [SessionState.FAILED, SessionState.UNKNOWN])
def test_a_snapshot_whose_copy_broke_is_not_restored(house, snapshots, state):
    newest, older = snapshots
    house.fabric.set_state(*house.broken, state)
    error = refused(house, backup_id=newest)
    assert (error.error_class.value, error.details["backup_id"]) == ("copy_failed", newest)
    assert "another backup" in error.next_step
    assert house.look().undefined == {}
    house.fabric.copy_seconds = 4.0
    assert house.restore("oradata", "scratch", choice=Choice(backup_id=older)).values["finished"]


@pytest.mark.rule("R6.3")
def test_from_anywhere_a_broken_snapshot_comes_from_its_tape_copy(house, snapshots):
    newest, _older = snapshots
    house.fabric.set_state(*house.broken, SessionState.FAILED)
    with house.catalog.begin() as records:
        records.put_tape_copy(newest, TapeCopy(1, TapeState.WRITTEN, "pool", house.clock.now()))
    assert "tape_restore" in refused(house, backup_id=newest).next_step
    shown = house.restore("oradata", "scratch", choice=Choice(backup_id=newest, source=Source.ANY))
    assert shown.values["restore"]["source"] == "tape"


@pytest.mark.rule("R6.1")
def test_a_snapshot_that_is_still_copied_is_restored(house, snapshots):
    house.fabric.copy_seconds = 4.0
    assert house.restore("oradata", "scratch").values["restore"]["backup_id"] == snapshots[0]


def on_tape_only(house, *verified):
    """Put the newest backup on tape alone, with copies that were verified so."""
    house.tv("oradata", 3)
    house.volume("scratch", None)
    house.cycle("oradata")
    (backup,) = house.generations("oradata")
    with house.catalog.begin() as records:
        for number, ok in enumerate(verified, 1):
            part = TapePart(1, f"A{number}", 1, 0, backup.size, "aa")
            now = house.clock.now()
            copy = TapeCopy(number, TapeState.WRITTEN, "pool", now, verified_at=now, verified_ok=ok, parts=(part,))
            records.put_tape_copy(backup.id, copy)
        records.drop_disk([backup.id])
    return backup


@pytest.mark.rule("R6.3")
def test_a_backup_whose_tape_copies_were_all_refuted_is_restored_only_by_its_id(house):
    backup = on_tape_only(house, False, False)
    for choice in ({"generation": 1}, {"at": backup.point_in_time}):
        error = refused(house, source=Source.TAPE, **choice)
        assert error.error_class.value == "checksum_mismatch"
        assert backup.id in error.next_step
        with pytest.raises(BackupError) as caught:
            choose_backup("oradata", house.history("oradata"), Wanted("oradata", **choice))
        assert caught.value.error_class.value == "checksum_mismatch"
    result = house.restore("oradata", "scratch", choice=Choice(backup_id=backup.id, source=Source.TAPE))
    assert [one for one in result.warnings if "was not whole" in one]
    named = Wanted("oradata", backup_id=backup.id)
    assert doubts(*choose_backup("oradata", house.history("oradata"), named))


@pytest.mark.rule("R6.3")
def test_a_copy_that_was_not_refuted_comes_before_one_that_was(house):
    backup = on_tape_only(house, False, None)
    result = house.restore("oradata", "scratch", choice=Choice(at=backup.point_in_time, source=Source.ANY))
    assert result.values["restore"]["cartridges"] == ["A2"]
    assert result.warnings == []
    found = choose_backup("oradata", house.history("oradata"), Wanted("oradata", generation=1))
    assert (found[1].number, doubts(*found)) == (2, [])
