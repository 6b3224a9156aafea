# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tape copies expire, and cartridges leave their scratch pool with the last of them: behaviour.md §1, §5."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    Media,
    Method,
    PoolKind,
    RestoreTest,
    TapeCopy,
    TapePart,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

DAY = timedelta(days=1)


@pytest.fixture
def site(house: House) -> House:
    """A TV with backups of four nights on tape, on a cartridge of a scratch pool each; two are to be kept, 10 days."""
    with house.catalog.begin() as records:
        records.put_pool(TapePool("daily", PoolKind.SCRATCH, START))
    house.tv("oradata", 3, media="both", tape_pool="daily", tape_generations=2, tape_days=10)
    for night in range(4):
        written(house, f"B{night}", "oradata", night, f"S{night}")
    house.clock.sleep(20 * 86400)
    return house


def written(house: House, ident: str, volume: str, night: int, *barcodes: str, pool: str = "daily") -> None:
    tv, at = house.by_name[volume].ref, START + night * DAY
    parts = tuple(TapePart(number, barcode, 2, 0, 4096, "") for number, barcode in enumerate(barcodes))
    copy = TapeCopy(1, TapeState.WRITTEN, pool, at, written_at=at, parts=parts)
    with house.catalog.begin() as records:
        for barcode in barcodes:
            records.put_cartridge(Cartridge(barcode, f"uuid-{barcode}", pool, at, files=4, bytes_written=4096))
        records.add_backups([Backup(ident, tv, at, Method.SYNCHRONIZED, CopyType.EC, False, 4096, tape=(copy,))])


def expire(house: House, *names: str, check: bool = False) -> Result:
    ctx = replace(house.context(check=check), arrays={})
    return change(ctx, GenerationRequest(Wanted.EXPIRED, Selection(volumes=names)))


def left(house: House) -> list[str]:
    with house.catalog.read() as records:
        return [backup.id for backup in records.backups()]


def pools(house: House) -> dict[str, str]:
    with house.catalog.read() as records:
        return {one.barcode: one.pool for one in records.cartridges()}


def proven(house: House, ident: str, volume: str = "oradata", **more: Any) -> None:
    tv: VolumeRef = house.by_name[volume].ref
    test = RestoreTest(f"T{ident}", ident, tv, tv, "tape", 1, START + 9 * DAY, True, 4096, "")
    with house.catalog.begin() as records:
        records.add_restore_test(replace(test, **more))


def test_what_expired_goes_without_an_array_and_the_report_says_what_stays_and_why(site):
    result = expire(site)
    assert result.changed
    assert [(row["id"], row["action"], row["tape_copies"]) for row in result.values["backups"]] == [
        ("B0", "expired", [1]),
        ("B1", "expired", [1]),
    ]
    assert [(row["id"], row["rule"]) for row in result.values["kept"]] == [("B3", "newest")]
    assert left(site) == ["B2", "B3"]
    assert not expire(site).changed


def test_of_named_volumes_every_copy_that_stays_is_told(site):
    result = expire(site, "oradata")
    assert [row["id"] for row in result.values["backups"]] == ["B0", "B1"]
    assert [(row["id"], row["rule"]) for row in result.values["kept"]] == [("B2", "tape_generations"), ("B3", "newest")]
    assert left(site) == ["B2", "B3"]


def test_check_mode_predicts_what_expires_and_changes_nothing(site):
    planned = expire(site, check=True)
    assert planned.changed and len(left(site)) == 4 and set(pools(site).values()) == {"daily"}
    done = expire(site)
    assert (planned.values, planned.before, planned.after) == (done.values, done.before, done.after)


def test_the_only_proven_copy_stays_and_volumes_without_one_are_reported(site):
    assert expire(site, check=True).values["unproven"] == ["oradata"]
    proven(site, "B0")
    result = expire(site)
    assert left(site) == ["B0", "B2", "B3"]
    assert result.values["unproven"] == []
    assert result.values["kept"][0] == {"volume": "oradata", "id": "B0", "copy": 1, "rule": "only proven"}


def test_a_cartridge_of_a_scratch_pool_leaves_it_with_its_last_living_copy(site):
    result = expire(site)
    assert result.values["cartridges"] == [{"barcode": name, "left_pool": "daily"} for name in ("S0", "S1")]
    assert pools(site) == {"S0": "", "S1": "", "S2": "daily", "S3": "daily"}


def test_a_cartridge_that_bears_another_living_copy_stays_and_so_do_those_of_a_private_pool(site):
    written(site, "B5", "oradata", 18, "S0")
    written(site, "A0", "oradata", -1, "P0", pool="pool")
    expire(site)
    assert pools(site) == {"P0": "pool", "S0": "daily", "S1": "", "S2": "", "S3": "daily"}
    assert left(site) == ["B3", "B5"]


def test_while_a_copy_is_written_into_the_pool_no_cartridge_leaves_it(site):
    with site.catalog.begin() as records:
        records.put_tape_copy("B3", TapeCopy(2, TapeState.QUEUED, "daily", START))
        records.claim_tape_copy("B3", 2, "other:1", site.clock.now(), 120.0)
    result = expire(site)
    assert result.values["cartridges"] == [] and set(pools(site).values()) == {"daily"}


def test_deleting_by_hand_lets_cartridges_leave_too(site):
    request = GenerationRequest(Wanted.ABSENT, Selection(ids=("B1",)), Media.TAPE)
    result = change(replace(site.context(), arrays={}), request)
    assert result.values["cartridges"] == [{"barcode": "S1", "left_pool": "daily"}]
    assert pools(site)["S1"] == ""


def test_held_backups_stay_and_named_volumes_alone_are_looked_at(site):
    site.tv("redolog", 2, generations=1, media="both", tape_pool="daily", tape_days=1)
    for night in range(2):
        written(site, f"R{night}", "redolog", night, f"R{night}")
    with site.catalog.begin() as records:
        records.set_hold(["B0"], True)
    expire(site, "redolog")
    assert left(site) == ["B0", "B1", "R1", "B2", "B3"]
    expire(site)
    assert left(site) == ["B0", "R1", "B2", "B3"]


def test_without_a_policy_nothing_expires_and_that_is_told(site):
    with site.catalog.begin() as records:
        records.remove_policies([site.by_name["oradata"].ref])
    result = expire(site, "oradata")
    assert not result.changed and "has no policy" in result.warnings[0]
    assert not expire(site).changed
