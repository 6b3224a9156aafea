# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An old catalog put onto a living world: generations that were overwritten since are found (behaviour.md §8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import exported, imported
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import DriftKind
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile import reconcile
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import Orders
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


def mend(house: House, *, repair: bool = True) -> Result:
    return reconcile(house.context(), Orders(repair=frozenset({DriftKind.YOUNGER_GENERATION} if repair else ())))


def drift(result: Result) -> list[tuple[str, str]]:
    return [(row["kind"], row["what"]) for row in result.values["drift"]]


def night(house: House) -> None:
    (house.backup if "differential" in str(house.look().policies) else house.cycle)("oradata")
    house.clock.sleep(3600)


def put_back(house: House, directory: Path, **policy: Any) -> Result:
    """Export, go on for two nights, and import: at least one generation's BV has been overwritten."""
    where = {"catalog_url": f"sqlite:///{directory}/catalog.db", "path": str(directory / "x.jsonl"), "force": True}
    house.tv("oradata", 2 if "method" in policy else 3, generations=2, **policy)
    for _night in range(3):
        night(house)
    exported({**where, "trust": False}, check_mode=False)
    for _night in range(2):
        night(house)
    return imported({**where, "trust": False}, check_mode=False)


@pytest.mark.rule("R8.8", "R9.23")
@pytest.mark.parametrize("policy", [{"suspend": True}, {"method": "differential"}])
def test_a_generation_whose_volume_was_written_again_after_it_is_struck(house, tmp_path, policy):
    told = put_back(house, tmp_path, **policy).warnings
    assert any("younger_generation" in warning for warning in told)
    found = drift(mend(house, repair=False))
    assert {kind for kind, _what in found} == {"younger_generation"}
    before = len(house.generations("oradata"))
    assert drift(mend(house)) == found
    assert len(house.generations("oradata")) == before - len(found)
    again = mend(house)
    assert again.values["clean"] and not again.changed
    night(house)
    assert mend(house).values["clean"]


def test_an_import_names_the_generations_of_which_no_session_tells(house, tmp_path):
    told = put_back(house, tmp_path).warnings
    (silent,) = [warning for warning in told if "no session on the array tells" in warning]
    assert "bv2, bv3" in silent
    assert not any("younger_generation" in warning for warning in told)


@pytest.mark.parametrize(("seconds", "found"), [(240, []), (600, [("younger_generation", "oradata -> bv1")])])
def test_clocks_that_are_a_little_apart_are_no_drift(house, seconds, found):
    tv = house.tv("oradata", 1, generations=1, suspend=True)
    house.cycle("oradata")
    pair = house.look().pair(tv, house.by_name["bv1"].ref)
    house.array.resume(CopyType.EC, [pair])
    house.clock.sleep(seconds)
    house.array.suspend(CopyType.EC, [pair])
    house.clock.sleep(60)
    assert drift(mend(house, repair=False)) == found


def test_a_held_generation_is_reported_and_not_struck(house, tmp_path):
    put_back(house, tmp_path, suspend=True)
    for backup in house.history("oradata"):
        house.hold(backup.id)
    result = mend(house)
    assert drift(result) and not result.changed
    assert len(house.generations("oradata")) == 2
