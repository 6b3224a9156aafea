# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of docs/behaviour.md that no other file looks at by themselves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import open_device
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

DEVICE = "600000E00D2A0000002A011500150000"


@pytest.mark.rule("R2.13a", "R2.13")
def test_a_start_while_every_suspended_bv_carries_a_generation_copies_everything_onto_an_unused_one(house: House):
    house.tv("oradata", 3, suspend=True, generations=2)
    house.cycle("oradata")
    shown = house.start("oradata").values["synchronizations"][0]
    assert (shown["action"], shown["backup_volume"]) == ("started", "bv2")
    assert house.on("oradata") == ["bv1"]
    states = {house.bv_of(one.target): one.state for one in house.look().mirrors_of(house.by_name["oradata"].ref)}
    assert states == {"bv1": SessionState.SUSPENDED, "bv2": SessionState.EXECUTING}


@pytest.mark.rule("R3.6a")
def test_a_differential_snapshot_owes_tape_the_whole_volume(house: House):
    house.tv("oradata", 1, method="differential", generations=1, media="both", tape_pool="pool")
    house.backup("oradata")
    (backup,) = house.generations("oradata")
    assert backup.method is Method.DIFFERENTIAL
    assert [copy.state for copy in backup.tape] == [TapeState.QUEUED]
    assert backup.size == house.by_name["oradata"].size


@pytest.mark.rule("R3.8", "R3.8b")
@pytest.mark.parametrize("limit", [4, 5])
def test_sessions_in_which_the_tv_is_the_target_count_too(house: House, limit: int):
    tv = house.tv("oradata", 3, suspend=True, generations=2)
    house.cycle("oradata")
    house.cycle("oradata")
    other = house.volume("other", None)
    house.array.start(CopyType.EC, [Pair(other, house.by_name["oradata"])])
    house.fabric.set_state(other.ref, tv, SessionState.SUSPENDED)
    house.array.limit(limit)
    if limit == 5:
        assert house.start("oradata").changed
        return
    with pytest.raises(BackupError) as refused:
        house.start("oradata")
    assert refused.value.error_class.value == "session_limit"
    assert refused.value.details["limit"] == 4
    assert "Keep fewer generations." in refused.value.next_step


@pytest.mark.rule("R3.8", "R5.6")
def test_a_tv_at_its_session_limit_whose_generations_wait_for_tape_is_sent_to_tape_copy(house: House):
    house.tv("oradata", 4, suspend=True, generations=1, media="both", tape_pool="pool")
    house.array.limit(4)
    for _cycle in range(3):
        house.cycle("oradata")
    with pytest.raises(BackupError) as refused:
        house.start("oradata")
    assert refused.value.error_class.value == "session_limit"
    assert "(3 of its generations: tape_copy)" in refused.value.next_step


@pytest.mark.rule("R6.4c")
def test_a_target_that_is_mounted_on_the_tape_server_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / f"wwn-0x{DEVICE.lower()}").write_bytes(bytes(512))
    real = os.open

    def mounted(path: object, flags: int, *rest: object) -> int:
        if str(path).endswith(DEVICE.lower()) and flags & os.O_RDWR:
            raise OSError(errno.EBUSY, "in use")
        return real(path, flags, *rest)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "open", mounted)
    with pytest.raises(BackupError) as refused, open_device(str(tmp_path), DEVICE, 512, write=True):
        raise AssertionError("it was opened")
    assert refused.value.error_class.value == "busy"
    assert "mounted" in refused.value.message
