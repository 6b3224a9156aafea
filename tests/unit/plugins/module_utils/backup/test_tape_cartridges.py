# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools and cartridges (behaviour.md §1): what lives or is foreign is never overwritten without force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_present,
    put_blank,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_marks import ensure_absent
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_pools import ensure_pools
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_show import show_tape
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture
def house(tmp_path: Path) -> TapeHouse:
    house = TapeHouse(tmp_path)
    house.bed.library.create({"A1": 16 * MIB, "A2": 16 * MIB})
    return house


def present(
    house: TapeHouse,
    *barcodes: str,
    pool: str = "weekly",
    force: bool = False,
    check: bool = False,
    labels: tuple[str, ...] = (),
) -> Result:
    library = house.bed.library
    return ensure_present(house.context(check=check), library, barcodes, pool, force=force, force_labels=labels)


def refused(error_class: str, house: TapeHouse, act, *args, **kwargs) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        act(*args, **kwargs)
    assert caught.value.error_class.value == error_class
    assert house.everything() == before
    return caught.value


def foreign(house: TapeHouse, barcode: str) -> None:
    with house.bed.load(barcode) as drive:
        drive.write_block(b"VOL1 of somebody else")
        drive.write_filemark(synchronous=True)


def test_a_blank_cartridge_is_labelled_once(house: TapeHouse) -> None:
    before = house.everything()
    assert present(house, "A1", "A2", check=True).changed
    assert house.everything() == before
    result = present(house, "A1", "A2")
    assert result.values["actions"] == {"A1": "label", "A2": "label"}
    assert house.bed.contents("A1").label.pool == "weekly"
    before = house.everything()
    assert not present(house, "A1", "A2").changed
    assert not present(house, "A1", force=True).changed
    assert house.everything() == before


@pytest.mark.rule("R4.22", "R9.17")
def test_a_foreign_cartridge_needs_force(house: TapeHouse) -> None:
    foreign(house, "A1")
    refused("foreign_cartridge", house, present, house, "A1", "A2")
    assert present(house, "A1", force=True).changed


@pytest.mark.rule("R4.21", "R9.17")
def test_a_cartridge_of_another_pool_needs_force(house: TapeHouse) -> None:
    present(house, "A1")
    refused("wrong_pool", house, present, house, "A1", pool="spare")
    present(house, "A1", pool="spare", force=True)
    assert house.bed.contents("A1").label.pool == "spare"


@pytest.mark.rule("R9.17")
def test_a_living_cartridge_is_given_up_by_its_label_alone_and_its_copies_are_forgotten(house: TapeHouse) -> None:
    present(house, "A1")
    house.backup("B1", 11)
    house.copy()
    label = (house.bed.contents("A1").label.uuid,)
    other = ("another",)
    refused("confirmation_required", house, ensure_absent, house.context(), ["A1"])
    refused("confirmation_required", house, ensure_absent, house.context(), ["A1"], force_labels=other)
    refused("wrong_pool", house, present, house, "A1", pool="spare", labels=label)
    refused("confirmation_required", house, present, house, "A1", pool="spare", force=True)
    refused("confirmation_required", house, present, house, "A1", pool="spare", force=True, labels=other)
    present(house, "A1", pool="spare", force=True, labels=label)
    assert house.get("B1").tape == ()
    assert house.get("B1").good_on_disk


def test_absent_leaves_the_label_and_present_takes_the_cartridge_back_unwritten(house: TapeHouse) -> None:
    present(house, "A1")
    house.backup("B1", 11)
    house.copy()
    image = house.bed.file("A1", 2).read_bytes()
    label = [house.bed.contents("A1").label.uuid]
    assert ensure_absent(house.context(), ["A1"], force_labels=label).changed
    assert not ensure_absent(house.context(), ["A1"], force_labels=label).changed
    refused("wrong_pool", house, present, house, "A1", pool="spare")
    result = present(house, "A1")
    assert result.values["actions"] == {"A1": "adopt"}
    assert house.bed.file("A1", 2).read_bytes() == image
    with house.catalog.read() as records:
        (row,) = records.cartridges()
    assert (row.files, row.bytes_written, row.unknown) == (4, len(image), True)


def test_a_cartridge_in_a_drive_that_somebody_uses_is_not_forgotten(house: TapeHouse) -> None:
    present(house, "A1")
    with house.bed.library.load("A1", "other"):
        used = house.bed.library.inventory().in_use
        with pytest.raises(BackupError) as caught:
            ensure_absent(house.context(), ["A1"], used=used)
    assert caught.value.error_class.value == "busy"


def test_an_empty_cartridge_of_another_pool_is_labelled_anew_once_it_left(house: TapeHouse) -> None:
    present(house, "A1")
    ensure_absent(house.context(), ["A1"])
    present(house, "A1", pool="spare")
    assert house.bed.contents("A1").label.pool == "spare"


def test_missing_things_are_named(house: TapeHouse) -> None:
    refused("no_cartridge", house, present, house, "Z9")
    refused("no_cartridge", house, present, house, "A1", pool="nowhere")
    refused("invalid_option", house, present, house, "../A1")


def test_a_label_that_was_intended_by_a_dead_process_is_written(house: TapeHouse) -> None:
    present(house, "A1")
    from dataclasses import replace

    with house.catalog.begin() as records:
        (row,) = records.cartridges()
        records.put_cartridge(replace(row, labelled_at=None))
    house.bed.file("A1", 0).unlink()
    house.backup("B1", 11)
    house.copy()
    assert house.bed.contents("A1").label.uuid == row.uuid


def test_blank_cartridges_are_put_into_the_library_where_they_are_missing(house: TapeHouse) -> None:
    library = house.bed.library
    assert put_blank(house.context(), library, ["A1"], "weekly", None) == ()
    assert put_blank(house.context(check=True), library, ["A1", "N1"], "weekly", 16 * MIB) == ("N1",)
    assert library.barcodes() == ("A1", "A2")
    refused("invalid_option", house, put_blank, house.context(), library, ["N1"], "weekly", 100)
    refused("no_cartridge", house, put_blank, house.context(), library, ["N1"], "nowhere", 16 * MIB)
    assert put_blank(house.context(), library, ["A1", "N1"], "weekly", 16 * MIB) == ("N1",)
    assert library.barcodes() == ("A1", "A2", "N1")


def test_pools_are_declared_once_and_removed_when_empty(house: TapeHouse) -> None:
    def pools(
        *names: str, kind: PoolKind = PoolKind.PRIVATE, there: bool = True, check: bool = False, append: Any = None
    ) -> Result:
        return ensure_pools(house.context(check=check), names, kind, present=there, append=append)

    before = house.everything()
    assert pools("monthly", check=True).changed
    assert house.everything() == before
    assert pools("monthly", "yearly").changed
    assert not pools("monthly", "yearly").changed
    assert pools("monthly", append=False, check=True).changed
    changed = pools("monthly", append=False)
    assert changed.values["pools"] == [{"name": "monthly", "kind": "private", "append": False}]
    assert not pools("monthly").changed and not pools("monthly", append=False).changed
    assert pools("monthly", append=True).after == {"pools": {"monthly": {"kind": "private", "append": True}}}
    refused("policy_violation", house, pools, "monthly", kind=PoolKind.SCRATCH)
    refused("policy_violation", house, pools, "weekly", there=False)  # a policy names it
    refused("invalid_option", house, pools, " ")
    present(house, "A1", pool="monthly")
    assert "A1" in refused("policy_violation", house, pools, "monthly", there=False).message
    assert pools("yearly", there=False).changed
    assert not pools("yearly", there=False).changed


def test_everything_is_shown(house: TapeHouse) -> None:
    present(house, "A1")
    house.backup("B1", 11, age=1)
    house.copy()
    house.backup("B2", 12)
    shown = show_tape(house.context(), house.bed.library)
    assert [slot["barcode"] for slot in shown["library"]] == ["A1", "A2"]
    pools = {pool["name"]: pool for pool in shown["pools"]}
    assert {name: pool["kind"] for name, pool in pools.items()} == {"spare": "scratch", "weekly": "private"}
    assert (pools["weekly"]["cartridges"], pools["weekly"]["append"]) == (["A1"], True)
    capacity, written = pools["weekly"]["capacity"], pools["weekly"]["bytes_written"]
    assert (capacity, written) == (16 * MIB, len(house.contents["B1"]))
    assert pools["weekly"]["bytes_free"] == capacity - written
    assert (shown["unreadable"], [slot["outside"] for slot in shown["library"]]) == (0, [False, False])
    (cartridge,) = shown["cartridges"]
    assert [part["backup_id"] for part in cartridge["contents"]] == ["B1"]
    assert cartridge["in_library"] and not cartridge["recyclable"]
    assert [copy["backup_id"] for copy in shown["queue"]] == ["B2"]
    assert [copy["percent"] for copy in shown["copies"]] == [100, 0]
    assert show_tape(house.context(), None)["library"] == []
