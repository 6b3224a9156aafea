# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore test compares what came back, and is remembered: behaviour.md §6."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup import restore_test
from ansible_collections.eternus.backup.plugins.module_utils._backup.compare_plan import CompareRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_test import Devices, compare_restored
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RestoreTest, UndefinedTarget
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Return a house with a backup on disk and tape (BOTH) and one on disk alone (DISK)."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1")
    house.backup("BOTH", 11, age=1)
    house.backup("DISK", 12, tape=False)
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def test(house: TapeHouse, name: str = "BOTH", target: str = "bv14", check: bool = False, **more: Any) -> Result:
    devices = Devices(str(house.bed.devices), house.bed.options)
    request = CompareRequest("oradata", name, target, **more)
    return compare_restored(house.context(check=check), devices, request)


test.__test__ = False  # type: ignore[attr-defined]


def brought_back(house: TapeHouse, name: str, number: int = 14) -> None:
    """Put a backup's content onto a volume, as a restore does."""
    house.file(number).write_bytes(house.contents[name])


def remembered(house: TapeHouse) -> list[RestoreTest]:
    with house.catalog.read() as records:
        return list(records.restore_tests())


def refused(error_class: str, house: TapeHouse, *args: Any, **more: Any) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        test(house, *args, **more)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    assert house.everything() == before
    assert remembered(house) == []
    return caught.value


@pytest.mark.rule("R6.6")
def test_from_disk_the_target_is_compared_with_the_backup_volume(house: TapeHouse) -> None:
    brought_back(house, "DISK")
    result = test(house, "DISK")
    assert result.changed
    shown = result.values["test"]
    assert (shown["state"], shown["ok"], shown["tape_copy"]) == ("equal", True, 0)
    assert [one["what"] for one in shown["compared_with"]] == ["backup volume bv12"]
    (row,) = remembered(house)
    assert (row.backup_id, row.tv, row.target) == ("DISK", house.ref(1), house.ref(14))
    assert (row.ok, row.source, row.size) == (True, "disk", SIZE)
    assert row.sha256 == hashlib.sha256(house.contents["DISK"]).hexdigest()
    assert house.readers() == []
    with house.catalog.read() as records:
        assert not records.leases()


def test_from_disk_the_checksum_that_tape_remembers_must_be_equal_too(house: TapeHouse) -> None:
    brought_back(house, "BOTH")
    shown = test(house).values["test"]
    assert [one["what"] for one in shown["compared_with"]] == ["backup volume bv11", "tape copy 1"]
    assert house.tape("BOTH").verified_ok is None
    flip(house.file(11), 5)
    flip(house.file(14), 5)
    with pytest.raises(BackupError, match="differs from tape copy 1"):
        test(house)


@pytest.mark.rule("R6.6", "R5.4c")
def test_from_tape_equal_checksums_prove_the_tape_copy(house: TapeHouse) -> None:
    restore(house.context(), house.desk, Wanted("oradata", target="bv14", backup_id="BOTH"))
    house.change("BOTH", verified_at=None, verified_ok=None)
    shown = test(house, source="tape").values["test"]
    assert (shown["source"], shown["tape_copy"]) == ("tape", 1)
    assert [one["what"] for one in shown["compared_with"]] == ["tape copy 1"]
    assert house.tape("BOTH").verified_ok is True
    assert house.tape("BOTH").verified_at == remembered(house)[0].tested_at


@pytest.mark.rule("R6.6", "R4.24")
def test_what_differs_is_remembered_and_fails(house: TapeHouse) -> None:
    brought_back(house, "BOTH")
    flip(house.file(14), SIZE - 1)
    for source in ("disk", "tape"):
        with pytest.raises(BackupError) as caught:
            test(house, source=source)
        assert caught.value.error_class.value == "checksum_mismatch"
        assert caught.value.changed
        assert caught.value.details["test"]["state"] == "different"
        house.clock.sleep(1)
    assert [(row.ok, row.source) for row in remembered(house)] == [(False, "disk"), (False, "tape")]
    assert "tape copy 1" in remembered(house)[1].message
    assert house.tape("BOTH").verified_ok is None
    assert house.readers() == []


def test_check_mode_reads_nothing_and_says_what_would_be_compared(house: TapeHouse) -> None:
    before = house.everything()
    shown = test(house, check=True).values["test"]
    assert shown["state"] == "planned"
    assert [one["what"] for one in shown["compared_with"]] == ["backup volume bv11", "tape copy 1"]
    assert house.everything() == before
    assert remembered(house) == []


def test_a_backup_whose_disk_copy_has_gone_is_compared_with_what_tape_remembers(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.drop_disk(["BOTH"])
    brought_back(house, "BOTH")
    assert [one["what"] for one in test(house).values["test"]["compared_with"]] == ["tape copy 1"]


def test_what_cannot_be_compared_is_refused(house: TapeHouse) -> None:
    refused("no_such_backup", house, "NOPE")
    refused("no_such_backup", house, "DISK", source="tape")
    refused("no_such_backup", house, "BOTH", copy=2)
    refused("no_such_volume", house, "BOTH", "nowhere")
    refused("invalid_option", house, "BOTH", "bv11")
    refused("size_mismatch", house, "BOTH", house.volume(40, None, "spare", size=SIZE // 2).device_id)


def test_another_name_of_the_backup_volume_is_no_target(house: TapeHouse) -> None:
    house.file(14).unlink()
    house.file(14).symlink_to(house.file(11).resolve())
    assert "same device" in refused("invalid_option", house).next_step


def test_an_undefined_target_proves_nothing(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(house.ref(14), "BOTH", START, "a restore was cancelled"))
    assert "cancelled" in refused("target_undefined", house).message


def test_a_target_on_which_another_operation_works_is_busy(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.take_leases([f"volume:{house.ref(14)}"], "other", house.clock.now(), 120.0)
    refused("busy", house)


@pytest.mark.rule("R5.2a")
def test_the_backup_volume_is_protected_while_it_is_read(house: TapeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    brought_back(house, "BOTH")
    seen = []
    real = restore_test.digest_of

    def spy(*args: Any) -> str:
        seen.append([reader.bv for reader in house.readers()])
        return real(*args)

    monkeypatch.setattr(restore_test, "digest_of", spy)
    test(house)
    assert seen == [[house.ref(11)]] * 2


def test_a_drop_that_had_to_wait_is_carried_out_when_the_reading_ends(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought_back(house, "DISK")
    real = restore_test.digest_of

    def leave(*args: Any) -> str:
        with house.catalog.begin() as records:
            records.set_disk_leaving(["DISK"])
        return real(*args)

    monkeypatch.setattr(restore_test, "digest_of", leave)
    assert test(house, "DISK").values["test"]["ok"]
    with house.catalog.read() as records:
        assert not records.backups(ids=["DISK"])


def test_a_volume_that_cannot_be_read_leaves_nothing_behind(house: TapeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    error = BackupError(restore_test.ErrorClass.COPY_FAILED, "The path broke.", next_step="Mend it.")

    def broken(*_args: Any) -> str:
        raise error

    monkeypatch.setattr(restore_test, "digest_of", broken)
    with pytest.raises(BackupError, match="path broke"):
        test(house)
    assert house.readers() == []
    assert remembered(house) == []


def test_a_test_that_died_blocks_its_backup_volume_no_longer_than_its_lease(house: TapeHouse) -> None:
    brought_back(house, "BOTH")
    child = os.fork()
    if child == 0:
        house.runs = 1000
        restore_test.digest_of = lambda *_args: os._exit(9)
        test(house)
        os._exit(0)
    os.waitpid(child, 0)
    assert [reader.bv for reader in house.readers()] == [house.ref(11)]
    with pytest.raises(BackupError, match=r"compare:|volume:"):
        test(house)
    house.clock.sleep(121)
    brought_back(house, "DISK", 13)
    assert test(house, "DISK", "bv13").values["test"]["ok"]
    assert house.readers() == []


def test_a_second_test_is_remembered_beside_the_first(house: TapeHouse) -> None:
    brought_back(house, "DISK")
    test(house, "DISK")
    house.clock.sleep(60)
    test(house, "DISK")
    first, second = remembered(house)
    assert second.tested_at > first.tested_at
    assert replace(second, id=first.id, tested_at=first.tested_at) == first
