# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_policy through its real argument spec (behaviour.md §3, §4)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind, TapePool
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

#: Root may write whatever the modes say; without these capabilities it may not.
_AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def _policy(site: Any, volume: str = "tv", **more: Any) -> dict[str, Any]:
    return {"volume": site.name(volume), "media": "disk", "generations": 1, **more}


@pytest.mark.rule("R8.2", "R1.11")
def test_a_policy_is_declared_once_and_check_mode_declares_none(site: Any) -> None:
    before = site.state()
    planned = site.run("eternus_policy", check=True, diff=True, policies=[_policy(site, suspend=True)])
    assert planned["changed"] and site.state() == before
    done = site.run("eternus_policy", diff=True, policies=[_policy(site, suspend=True)])
    assert done["changed"] and done["diff"] == planned["diff"] and done["policies"] == planned["policies"]
    assert done["diff"]["before"] == {}
    assert_documented("eternus_policy", done)
    again = site.run("eternus_policy", diff=True, policies=[_policy(site, suspend=True)])
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]


@pytest.mark.rule("R9.15")
def test_a_declaration_is_whole_what_is_not_given_has_its_default(site: Any) -> None:
    site.policy("tv", suspend=True, interval_days=1)
    done = site.done("eternus_policy", policies=[_policy(site)])
    assert done["changed"]
    assert (done["policies"][0]["suspend"], done["policies"][0]["interval_days"]) == (False, 0)


def test_two_policies_on_one_transaction_volume_are_refused(site: Any) -> None:
    twice = [_policy(site), _policy(site, generations=2)]
    assert site.name("tv") in site.refused("policy_violation", "eternus_policy", policies=twice)["error"]


def test_a_backup_volume_gets_no_policy(site: Any) -> None:
    site.refused("role_conflict", "eternus_policy", policies=[_policy(site, "bv1")])


def test_a_volume_that_nobody_registered_gets_no_policy(site: Any) -> None:
    refused = site.refused("not_registered", "eternus_policy", policies=[_policy(site, "free"), _policy(site, "gone")])
    assert refused["details"]["volumes"] == site.names("free", "gone")


def test_a_pinned_volume_of_another_size_is_refused(site: Any) -> None:
    site.refused("size_mismatch", "eternus_policy", policies=[_policy(site, pinned=site.names("big"))])


def test_too_few_backup_volumes_are_refused_or_with_strict_false_a_warning(site: Any) -> None:
    refused = site.refused("policy_violation", "eternus_policy", policies=[_policy(site, generations=3)])
    assert (refused["details"]["needed"], refused["details"]["available"]) == (4, 3)
    warned = site.done("eternus_policy", policies=[_policy(site, generations=3)], strict=False)
    assert warned["changed"] and "1 more must be registered" in str(warned["warnings"])


def test_the_arrays_own_session_limit_counts_when_a_policy_is_declared(site: Any, now_offers: Any) -> None:
    now_offers(max_sessions_per_source=4)
    site.done("eternus_volume", volumes=site.names("tv"), role="transaction")
    asked = [_policy(site, generations=3, suspend=True)]
    refused = site.refused("session_limit", "eternus_policy", policies=asked, strict=False)
    assert (refused["details"]["sessions"], refused["details"]["limit"]) == (4, 4)
    assert site.done("eternus_policy", policies=[_policy(site, generations=2, suspend=True)])["changed"]
    now_offers(max_sessions_per_source=5)
    assert not site.done("eternus_volume", volumes=site.names("tv"), role="transaction")["changed"]
    assert site.done("eternus_policy", policies=asked, strict=False)["changed"]


def test_every_method_is_offered_and_the_rules_are_refusals(site: Any) -> None:
    for method in ("auto", "snapshot", "differential"):
        done = site.done("eternus_policy", policies=[_policy(site, method=method)], check=True)
        assert done["policies"][0]["method"] == method
    with site.records() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, SystemClock().now()))
    staged = site.done("eternus_policy", policies=[_policy(site, method="tape_only", media="both", tape_pool="weekly")])
    assert staged["policies"][0]["media"] == "tape"
    refused = site.refused(
        "policy_violation", "eternus_policy", policies=[_policy(site, method="snapshot", suspend=True)]
    )
    assert refused["details"]["volume"] == site.name("tv")
    members = [_policy(site, group="db"), _policy(site, "tv2", group="db", method="snapshot")]
    site.refused("policy_violation", "eternus_policy", policies=members)


def test_a_copy_that_the_array_said_it_does_not_offer_is_refused(site: Any, now_offers: Any) -> None:
    now_offers(replication_types=[2])
    site.done("eternus_volume", volumes=site.names("tv"), role="transaction")
    refused = site.refused("unsupported_copy", "eternus_policy", policies=[_policy(site, method="snapshot")])
    assert refused["details"]["offered"] == ["EC"]
    now_offers(replication_types=[2, 10, 11])
    site.done("eternus_volume", volumes=site.names("tv"), role="transaction")


def test_a_policy_goes_while_there_is_no_history_and_by_force_the_history_stays(site: Any) -> None:
    site.policy("tv")
    site.backup("tv")
    gone = {"policies": [{"volume": site.name("tv")}], "state": "absent"}
    site.refused("policy_violation", "eternus_policy", **gone)
    removed = site.done("eternus_policy", **gone, force=True)
    assert removed["changed"] and removed["policies"] == []
    assert not site.done("eternus_policy", **gone, force=True)["changed"]
    with site.records() as records:
        assert len(records.backups()) == 1


def test_in_check_mode_a_catalog_that_is_still_to_be_made_is_an_empty_one(empty: Any, tmp_path: Path) -> None:
    assert not empty.done("eternus_policy", policies=[], check=True)["changed"]
    empty.refused("not_registered", "eternus_policy", policies=[_policy(empty)], check=True)
    assert not (tmp_path / "state").exists()


def test_a_catalog_that_may_not_be_written_is_named_and_left(site: Any, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for place, mode in ((state / "catalog.db", 0o444), (state, 0o555)):
        place.chmod(mode)
    before = site.state()
    try:
        options = {"catalog_url": site.url, "policies": [_policy(site)]}
        result = run_module("eternus_policy", options, prefix=_AS_ANYBODY)
    finally:
        state.chmod(0o755)
    assert result["failed"] and result["error_class"] == "catalog_unavailable", result
    assert str(state / "catalog.db") in result["error"] and result["next_step"]
    assert site.state() == before


def test_a_catalog_of_a_newer_schema_is_refused(site: Any, tmp_path: Path) -> None:
    path = tmp_path / "state" / "catalog.db"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE eternus_schema SET version = version + 1")
    database.close()
    before = path.read_bytes()
    result = run_module("eternus_policy", {"catalog_url": site.url, "policies": [_policy(site)]})
    assert result["failed"] and result["error_class"] == "catalog_schema", result
    assert result["details"]["found"] > result["details"]["known"] and result["next_step"]
    assert path.read_bytes() == before


def test_a_catalog_url_of_no_known_form_is_refused_without_showing_it(site: Any) -> None:
    result = run_module("eternus_policy", {"catalog_url": "mysql://me:geheim@host/db", "policies": []})
    assert result["failed"] and result["error_class"] == "invalid_option", result
    assert "geheim" not in str(result)
