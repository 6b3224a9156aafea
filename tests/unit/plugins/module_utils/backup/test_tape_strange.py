# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cartridge bears and the catalog does not explain is not lost by what comes after (behaviour.md §10)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_present,
    ensure_relabelled,
    put_blank,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteProtected
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual_drive import VirtualDrive
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture
def house(tmp_path: Path) -> TapeHouse:
    house = TapeHouse(tmp_path)
    house.cartridges("A1")
    house.backup("B1", 11, age=30)
    house.copy()
    return house


def row(house: TapeHouse) -> Cartridge:
    with house.catalog.read() as records:
        return records.cartridges()[0]


def on_tape(house: TapeHouse) -> list[str]:
    return [entry.header.backup_id for entry in house.bed.contents("A1").entries]


@pytest.mark.rule("R10.6")
def test_what_an_older_catalog_does_not_know_is_not_written_over_after_an_append_either(house: TapeHouse) -> None:
    def keep(source: str, target: str) -> None:
        house.catalog.close()
        shutil.copy(house.path / source, house.path / target)
        house.catalog = open_catalog(house.url)

    keep("catalog.db", "old.db")
    house.backup("B2", 12, age=20)
    house.copy()
    keep("old.db", "catalog.db")
    house.backup("B3", 13, age=10)
    house.copy()
    assert on_tape(house) == ["B1", "B2", "B3"]
    assert row(house).unknown
    with house.catalog.begin() as records:
        for name in ("B1", "B3"):
            records.remove_tape_copies(name, [1])
        records.put_cartridge(replace(records.cartridges()[0], full=True))
    house.backup("B4", 14)
    with pytest.raises(BackupError):
        house.copy()
    assert on_tape(house) == ["B1", "B2", "B3"]


def test_what_our_own_writer_left_between_a_trailer_and_its_record_is_no_stranger(house: TapeHouse) -> None:
    written = house.tape("B1")
    with house.catalog.begin() as records:  # as if it had died before it told
        records.put_tape_copy("B1", replace(written, state=type(written.state)("writing"), parts=(), owner="dead"))
        records.put_cartridge(replace(records.cartridges()[0], files=1, bytes_written=0))
    house.clock.sleep(1000)
    house.copy()
    assert on_tape(house) == ["B1", "B1"]
    assert not row(house).unknown


@pytest.mark.parametrize("act", [ensure_present, ensure_relabelled])
def test_a_last_part_with_a_damaged_trailer_is_not_written_over_where_no_catalog_explains_it(
    house: TapeHouse, act
) -> None:
    flip(house.bed.file("A1", 3), 200)
    image = house.bed.file("A1", 2).read_bytes()
    with house.catalog.begin() as records:
        records.remove_tape_copies("B1", [1])
        records.remove_cartridge("A1")
    if act is ensure_relabelled:
        with pytest.raises(BackupError) as caught:
            act(house.context(), house.bed.library, ["A1"], "weekly", force=False)
        assert caught.value.error_class.value == "confirmation_required"
    else:
        act(house.context(), house.bed.library, ["A1"], "weekly", force=False)
        assert (row(house).unknown, row(house).full) == (True, True)
        house.backup("B2", 12)
        with pytest.raises(BackupError):
            house.copy()
    assert house.bed.file("A1", 2).read_bytes() == image


def test_a_forced_label_that_cannot_be_written_says_what_the_catalog_has_lost(
    house: TapeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_drive: VirtualDrive, _data: object) -> None:
        raise WriteProtected

    monkeypatch.setattr(VirtualDrive, "write_block", refuse)
    labels = [row(house).uuid]
    with pytest.raises(BackupError) as caught:
        ensure_relabelled(house.context(), house.bed.library, ["A1"], "weekly", force_labels=labels)
    assert caught.value.changed
    assert "tape_scan" in caught.value.unchanged
    assert on_tape(house) == ["B1"]


@pytest.mark.rule("R10.9")
def test_a_cleaning_cartridge_among_others_is_refused_before_anything_is_made_or_labelled(house: TapeHouse) -> None:
    names = ["N1", "CLN001L1"]
    for act in (
        lambda: put_blank(house.context(), house.bed.library, names, "weekly", 16 << 20),
        lambda: ensure_present(house.context(), house.bed.library, names, "weekly", force=False, blank=names),
    ):
        with pytest.raises(BackupError, match="cleaning"):
            act()
    assert house.bed.library.barcodes() == ("A1",)
    assert row(house).barcode == "A1"
