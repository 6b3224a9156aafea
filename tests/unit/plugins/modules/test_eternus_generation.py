# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_generation through its real argument spec (behaviour.md §2, §5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    Method,
    PoolKind,
    Role,
    TapeCopy,
    TapePart,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

MODULE = "eternus_generation"


def catalog_only(site: Any, **options: Any) -> dict[str, Any]:
    result = run_module(MODULE, {"catalog_url": site.url, **options})
    assert not result["failed"], result
    return result


def test_a_generation_is_held_refused_released_and_deleted(site: Any) -> None:
    site.policy("tv", generations=2)
    old, new = (site.backup("tv", key=key)[0]["id"] for key in ("a", "b"))
    held = catalog_only(site, volume=site.name("tv"), generations=[2], state="held")
    assert held["changed"] and held["backups"][0]["id"] == old and "round_trips" not in held
    assert not catalog_only(site, backup_ids=[old], state="held")["changed"]
    site.refused("policy_violation", MODULE, backup_ids=[old], state="absent")
    assert catalog_only(site, backup_ids=[old], state="released")["changed"]
    before = site.state()
    planned = site.run(MODULE, backup_ids=[old], state="absent", check=True, diff=True)
    assert planned["changed"] and site.state() == before
    done = site.run(MODULE, backup_ids=[old], state="absent", diff=True)
    assert done["changed"] and done["diff"] == planned["diff"]
    assert_documented(MODULE, done)
    assert [row["id"] for row in done["diff"]["after"][site.name("tv")]] == [new]
    again = site.done(MODULE, backup_ids=[old], state="absent")
    assert not again["changed"] and old in str(again["warnings"])
    refused = site.refused("confirmation_required", MODULE, volumes=site.names("tv"), state="absent")
    assert site.name("tv") in refused["next_step"]
    assert site.done(MODULE, volumes=site.names("tv"), state="absent", confirm=site.name("tv"))["changed"]


def test_deleting_leaves_suspended_sessions_alone(site: Any) -> None:
    site.policy("tv", suspend=True)
    ident = site.backup("tv")[0]["id"]
    sessions = site.array.state()["sessions"]
    assert site.done(MODULE, backup_ids=[ident], state="absent", confirm=site.names("tv"))["changed"]
    assert site.array.state()["sessions"] == sessions
    found = site.done("eternus_backup_info", volumes=site.names("tv"))
    assert found["volumes"][0]["suspended"] == site.names("bv1")
    assert {row["name"]: row["use"] for row in found["pool"]}[site.name("bv1")] == "Backup (used)"


def test_tape_copies_expire_without_an_array(site: Any) -> None:
    now = SystemClock().now()
    with site.records() as records:
        records.put_pool(TapePool("daily", PoolKind.SCRATCH, now))
        tv = next(one.ref for one in records.volumes(role=Role.TRANSACTION) if one.name == site.name("tv"))
    site.policy("tv", media="both", tape_pool="daily", tape_days=10)
    with site.records() as records:
        for age in (30, 20, 1):
            at, barcode = now - timedelta(days=age), f"S{age}"
            copy = TapeCopy(1, TapeState.WRITTEN, "daily", at, parts=(TapePart(1, barcode, 2, 0, 4096, ""),))
            records.put_cartridge(Cartridge(barcode, barcode, "daily", at, files=4))
            made = Backup(f"B{age}", tv, at, Method.SYNCHRONIZED, CopyType.EC, False, 4096, tape=(copy,))
            records.add_backups([made])
    result = catalog_only(site, state="expired")
    assert_documented(MODULE, result)
    assert [row["id"] for row in result["backups"]] == ["B30", "B20"]
    assert [(row["id"], row["rule"]) for row in result["kept"]] == [("B1", "newest")]
    assert result["unproven"] == site.names("tv")
    assert [row["barcode"] for row in result["cartridges"]] == ["S20", "S30"]
    assert not catalog_only(site, state="expired")["changed"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "absent", "volumes": ["tv"]},
        {"state": "held"},
        {"state": "held", "generations": [1]},
        {"state": "held", "volumes": ["tv"], "generations": []},
        {"state": "released", "backup_ids": []},
        {"state": "expired", "generations": [1]},
        {"state": "held", "volumes": ["tv"], "before": "yesterday"},
    ],
)
def test_it_must_be_said_which_backups_are_meant_and_where_the_array_is(site: Any, wrong: dict[str, Any]) -> None:
    result = run_module(MODULE, {"catalog_url": site.url, **wrong})
    assert result["failed"] and result["error_class"] == "invalid_option", result
    assert result["next_step"]


def test_a_wrong_catalog_never_passes_for_nothing_to_do(empty: Any) -> None:
    result = run_module(MODULE, {"catalog_url": empty.url, "state": "expired"})
    assert result["failed"] and result["error_class"] == "catalog_unavailable"
    assert not run_module(MODULE, {"catalog_url": empty.url, "state": "expired"}, check=True)["changed"]
