# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library is scanned without a catalog; one bad cartridge hinders no other (DESIGN.md: tape is truth)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import joined, parse_scan
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_tape import _unexplained
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_scan import scan_tapes
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, Policy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import DriveLost
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import Fault, FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Return a house with three backups, the second of which spans A1 and A2; A3 is empty."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    with house.catalog.begin() as records:
        records.put_policies([Policy(house.ref(1), 2, suspend=True, tape_pool="weekly", tape_days=30)])
    house.cartridges("A1", "A2", "A3", capacity=8 * MIB)
    for number, name in enumerate(("B1", "B2", "B3")):
        house.backup(name, 11 + number, age=3 - number)
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def scan(house: TapeHouse, *barcodes: str, library: Any = None, headers: bool = False) -> dict[str, Any]:
    before = house.everything()
    result = scan_tapes(library or house.bed.library, barcodes, "me", headers=headers)
    assert not result.changed
    assert house.everything() == before
    return {**result.values, "warnings": list(result.warnings)}


def refused(house: TapeHouse, *barcodes: str, library: Any = None) -> BackupError:
    with pytest.raises(BackupError) as caught:
        scan(house, *barcodes, library=library)
    return caught.value


@pytest.mark.rule("R10.17")
@pytest.mark.parametrize("headers", [False, True])
def test_what_a_scan_tells_is_what_the_catalog_knew(house: TapeHouse, headers: bool) -> None:
    parsed = parse_scan(scan(house, headers=headers)["cartridges"])
    with house.catalog.read() as records:
        known = {row.barcode: row for row in records.cartridges()}
        backups = {backup.id: backup for backup in records.backups()}
    assert [one.barcode for one in parsed] == ["A1", "A2", "A3"]
    for one in parsed:
        row = known[one.barcode]
        assert replace(one.cartridge, labelled_at=row.labelled_at, files=row.files) == row
        assert one.cartridge.files == max(1, row.files)
        assert one.complete
    assert known["A1"].full
    copies = joined(parsed)
    assert len(copies) == 3
    for copy in copies:
        backup = backups[copy.backup_id]
        assert copy.whole
        assert (copy.tv, copy.size, copy.point_in_time) == (backup.tv, backup.size, backup.point_in_time)
        assert (copy.key, copy.method) == (backup.key, Method.SYNCHRONIZED)
        assert (copy.parts, copy.sha256) == (backup.tape[0].parts, backup.tape[0].sha256)


def test_days_of_the_policy_come_back_from_the_headers(house: TapeHouse) -> None:
    row = parse_scan(scan(house, "A1")["cartridges"])[0]
    newest = max(copy.point_in_time for copy in row.copies)
    assert row.cartridge.protected_until == newest + timedelta(days=30)


def test_every_kind_of_cartridge_is_told_and_none_hinders_another(house: TapeHouse) -> None:
    house.bed.library.create(dict.fromkeys(["E1", "F1", "N1", "U1", "CLN001L8"], 8 * MIB))
    for barcode, text in (("F1", b"tar"), ("N1", house.bed.file("A1", 0).read_bytes().replace(b"LABEL 1", b"LABEL 9"))):
        house.bed.file(barcode, 0).write_bytes(text)
        state = house.bed.file(barcode, 0).with_name("cartridge.json")
        state.write_text(state.read_text().replace('"files": 0', '"files": 1'))
    house.bed.file("U1", 0).with_name("cartridge.json").write_text("{")
    house.bed.library.export_cartridge("A3", "test")
    with house.bed.library.load("A2", "somebody"):
        seen = scan(house)
    assert [one["barcode"] for one in seen["cartridges"]] == ["A1"]
    assert [one["barcode"] for one in seen["foreign"]] == ["F1"]
    assert seen["blank"] == ["E1"]
    assert [(one["barcode"], one["version"]) for one in seen["unsupported"]] == [("N1", 9)]
    assert [(one["barcode"], one["error_class"]) for one in seen["unreadable"]] == [("U1", "suspect_cartridge")]
    assert [one["barcode"] for one in seen["busy"]] == ["A2"]
    assert [one["barcode"] for one in seen["outside"]] == ["A3"]
    for barcode in ("A2", "A3", "N1", "U1"):
        assert any(barcode in text for text in seen["warnings"]), barcode


def test_a_drive_that_is_lost_costs_one_cartridge(house: TapeHouse) -> None:
    seen = scan(house, library=FaultyLibrary(house.bed.library, Fault("any", 3, DriveLost("offline"), barcode="A1")))
    assert [one["barcode"] for one in seen["cartridges"]] == ["A2", "A3"]
    assert seen["unreadable"][0]["error_class"] == "tape_unavailable"


def test_named_cartridges_that_cannot_be_loaded_are_refused_before_anything_is_read(house: TapeHouse) -> None:
    house.bed.library.create({"CLN001L8": 8 * MIB})
    house.bed.library.export_cartridge("A3", "test")
    never = FaultyLibrary(house.bed.library, Fault("read", 1, AssertionError("it was read")))
    error = refused(house, "A1", "Z9", "A3", "CLN001L8", library=never)
    assert error.error_class.value == "no_cartridge"
    assert error.details["barcodes"] == ["A3", "CLN001L8", "Z9"]


def test_it_fails_where_not_one_cartridge_could_be_read(house: TapeHouse) -> None:
    with house.bed.library.load("A1", "somebody"), house.bed.library.load("A2", "somebody"):
        error = refused(house, "A1", "A2")
    assert error.error_class.value == "busy"
    assert [one["barcode"] for one in error.details["busy"]] == ["A1", "A2"]


def test_an_empty_library_tells_of_nothing(house: TapeHouse) -> None:
    for barcode in ("A1", "A2", "A3"):
        house.bed.library.export_cartridge(barcode, "test")
    assert scan(house)["cartridges"] == []


def test_a_cartridge_that_was_not_read_to_its_end_is_unknown_even_where_nothing_was_found(house: TapeHouse) -> None:
    house.bed.file("A2", 3).write_bytes(b"x")
    house.bed.file("A2", 6).write_bytes(b"x")
    parsed = parse_scan(scan(house, "A2", "A3")["cartridges"])
    assert [(one.complete, _unexplained(one).unknown) for one in parsed] == [(False, True), (True, False)]
    assert not parsed[0].copies
