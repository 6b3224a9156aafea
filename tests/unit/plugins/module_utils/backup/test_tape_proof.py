# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape copy is proven only while it is there: behaviour.md §5, §6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup import restore_test, tape_leg, tape_restore
from ansible_collections.eternus.backup.plugins.module_utils._backup.compare_plan import CompareRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_test import Devices, compare_restored
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted as Chosen
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Return a house with two backups on disk and on tape: OLD and NEW."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1")
    house.backup("OLD", 11, age=2)
    house.backup("NEW", 12, age=1)
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    house = template.clone(tmp_path)
    house.file(14).write_bytes(house.contents["OLD"])
    return house


def delete(house: TapeHouse) -> None:
    """Delete the tape copy of OLD, as another job."""
    change(house.context(), GenerationRequest(Wanted.ABSENT, Selection(ids=("OLD",)), Media.TAPE))


def strike(house: TapeHouse, disk: bool = False) -> None:
    """Take the tape copy of OLD, and its disk copy, out of the catalog whoever works on it."""
    with house.catalog.begin() as records:
        if disk:
            records.drop_disk(["OLD"])
        records.remove_tape_copies("OLD", [1])


def compare(house: TapeHouse) -> dict[str, Any]:
    devices = Devices(str(house.bed.devices), house.bed.options)
    request = CompareRequest("oradata", "OLD", "bv14", source="tape")
    return dict(compare_restored(house.context(), devices, request).values["test"])


def before(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, act: Callable[[], None]) -> None:
    """Do something once, before a function of a module is called."""
    original = getattr(place, name)

    def acting(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(place, name, original)
        act()
        return original(*args, **more)

    monkeypatch.setattr(place, name, acting)


def leases(house: TapeHouse) -> list[str]:
    with house.catalog.read() as records:
        return [one.name for one in records.leases()]


def remembered(house: TapeHouse) -> list[bool]:
    with house.catalog.read() as records:
        return [one.ok for one in records.restore_tests()]


@pytest.mark.rule("R6.6")
def test_a_tape_copy_is_not_deleted_while_a_restore_test_proves_it(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def try_it() -> None:
        with pytest.raises(BackupError) as caught:
            delete(house)
        told.append(caught.value.error_class.value)

    before(monkeypatch, restore_test, "digest_of", try_it)
    assert compare(house)["ok"]
    assert told == ["busy"]
    assert house.tape("OLD").verified_ok is True
    assert leases(house) == []


@pytest.mark.rule("R6.6")
@pytest.mark.parametrize("disk", [False, True])
def test_a_restore_test_is_remembered_and_brings_no_struck_copy_back(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch, disk: bool
) -> None:
    before(monkeypatch, restore_test, "digest_of", lambda: strike(house, disk))
    assert compare(house)["ok"]
    with house.catalog.read() as records:
        assert not any(backup.tape for backup in records.backups(ids=["OLD"]))
    assert remembered(house) == [True]
    assert leases(house) == []


@pytest.mark.parametrize(("place", "act"), [("check_verify", delete), ("read_image", strike)])
def test_a_copy_that_went_before_or_while_it_is_verified_stays_away(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch, place: str, act: Callable[[TapeHouse], None]
) -> None:
    before(monkeypatch, tape_leg, place, lambda: act(house))
    with pytest.raises(BackupError) as caught:
        house.copy(backups=["OLD"], verify=True)
    assert caught.value.error_class.value == "busy"
    assert "deleted" in caught.value.message
    assert not house.get("OLD").tape
    assert leases(house) == []


def test_a_restore_from_a_copy_that_goes_meanwhile_does_not_bring_it_back(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, tape_restore, "read_image", lambda: strike(house))
    tape_restore.restore(house.context(), house.desk, Chosen("oradata", backup_id="OLD", confirm="oradata"))
    assert house.file(1).read_bytes() == house.contents["OLD"]
    assert not house.get("OLD").tape
