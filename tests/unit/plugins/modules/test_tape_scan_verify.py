# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tape_scan and tape_verify through their real argument spec, each in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import parse_scan
from ansible_collections.eternus.backup.tests.unit.plugins.modules.test_tape_modules import refused, run, same_keys
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse


@pytest.fixture
def house(tmp_path: Path) -> TapeHouse:
    house = TapeHouse(tmp_path)
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    return house


def test_a_scan_works_when_the_catalog_is_gone_and_makes_none(house: TapeHouse) -> None:
    house.bed.library.create({"E1": 16 * MIB})
    house.catalog.close()
    for file in house.path.glob("catalog.db*"):
        file.unlink()
    args: dict[str, Any] = {"library": house.bed.library.path, "headers": True}
    for check in (False, True):
        result = run_module("tape_scan", args, check=check)
        assert not result["changed"]
        assert result["blank"] == ["E1"]
        same_keys("tape_scan", result, "cartridges")
        assert [copy.backup_id for one in parse_scan(result["cartridges"]) for copy in one.copies] == ["B1"]
    assert not list(house.path.glob("catalog.db*"))


def test_a_scan_names_what_is_not_there(house: TapeHouse) -> None:
    refused(house, "no_cartridge", "tape_scan", barcodes=["A1", "Z1"])
    refused(house, "tape_unavailable", "tape_scan", library=str(house.path / "nowhere"))


def test_a_verification_check_do_and_again(house: TapeHouse) -> None:
    before = house.everything()
    dry = run(house, "tape_verify", check=True, diff=True, max_age="1000w")
    assert dry["changed"]
    assert house.everything() == before
    done = run(house, "tape_verify", diff=True, max_age="1000w")
    assert done["changed"]
    assert (
        done["diff"]
        == dry["diff"]
        == {
            "before": {"copies": {"B1:1": "never read"}},
            "after": {"copies": {"B1:1": "equal"}},
        }
    )
    same_keys("tape_verify", done, "copies")
    assert not run(house, "tape_verify", max_age="1000w")["changed"]
    refused(house, "invalid_option", "tape_verify", max_age="yesterday")
    refused(house, "invalid_option", "tape_verify", limit=-1)
    refused(house, "no_such_backup", "tape_verify", backup="nope")
    flip(house.bed.file("A1", 2), 5)
    broken = run(house, "tape_verify", barcode="A1")
    assert broken["failed"]
    assert broken["changed"]
    assert broken["error_class"] == "checksum_mismatch"
    assert broken["details"]["copies"][0]["verified_ok"] is False
    same_keys("tape_verify", {"copies": broken["details"]["copies"]}, "copies")
