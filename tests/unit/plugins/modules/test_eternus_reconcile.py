# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_reconcile through its real argument spec, over a simulated array (behaviour.md §8)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import REPAIRABLE, DriftKind
from ansible_collections.eternus.backup.plugins.modules import eternus_reconcile
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented

FREE = ("drift[].before", "drift[].after")


@pytest.fixture
def suspended(site: Any) -> Any:
    """Return a site whose tv has one suspended generation on bv1."""
    site.policy("tv", suspend=True)
    site.backup("tv")
    return site


def forget(site: Any) -> None:
    """Let the catalog know nothing of backups and sessions any more."""
    with site.records() as records:
        records.drop_disk([backup.id for backup in records.backups()])
        records.free([row.bv for row in records.allocations()])


def bound_to(site: Any) -> str:
    with site.records() as records:
        (row,) = records.allocations()
        names = {volume.ref: volume.name for volume in records.volumes()}
    return names[row.bv]


def test_a_report_changes_nothing_and_bears_what_is_documented(suspended: Any) -> None:
    site = suspended
    bv = bound_to(site)
    forget(site)
    site.done("eternus_reconcile")  # what it learnt of the array is kept from then on
    before = site.state()
    result = site.run("eternus_reconcile", diff=True)
    assert not result["failed"] and not result["changed"] and not result["clean"] and result["round_trips"] <= 4, result
    assert site.state() == before
    assert_documented("eternus_reconcile", result, free=FREE)
    assert f"foreign_session: {site.name('tv')} -> {bv}" in result["diff"]["after"]
    assert "counts as unused" in str(result["warnings"])


def test_a_session_is_adopted_by_name_in_check_mode_as_in_earnest_and_resumed(suspended: Any) -> None:
    site = suspended
    bv = bound_to(site)
    forget(site)
    asked = {"adopt": [{"source": site.name("tv"), "target": bv}], "repair": ["unexplained_volume"]}
    before = site.state()
    planned = site.run("eternus_reconcile", check=True, diff=True, **asked)
    assert planned["changed"] and site.state() == before
    site.array.fail("CreateElementReplica", "refuse", code=4, times=100)
    site.array.fail("ModifyReplicaSynchronization", "refuse", code=4, times=100)
    done = site.run("eternus_reconcile", diff=True, **asked)
    assert done["changed"] and done["repaired"] == planned["repaired"] and done["diff"] == planned["diff"], done
    assert site.state()["array"] == before["array"]
    assert not site.done("eternus_reconcile", **asked)["changed"]
    site.array.unfail()
    started = site.done("eternus_sync", volumes=site.names("tv"))
    assert [row["action"] for row in started["synchronizations"]] == ["resumed"]


def test_what_is_marked_by_name_is_accepted_by_name(site: Any) -> None:
    assert site.done("eternus_reconcile", distrust=site.names("bv1"))["changed"]
    (row,) = site.done("eternus_reconcile")["drift"]
    assert (row["kind"], row["what"]) == ("unknown_volume", site.name("bv1"))
    assert site.done("eternus_reconcile", accept=site.names("bv1"))["clean"]
    assert site.done("eternus_reconcile", repair=[kind.value for kind in REPAIRABLE])["changed"] is False


def test_what_makes_no_sense_is_refused(site: Any) -> None:
    site.refused("not_registered", "eternus_reconcile", volumes=["nix"])
    site.refused("not_registered", "eternus_reconcile", adopt=["nix"])
    site.refused("invalid_option", "eternus_reconcile", adopt=[{"source": site.name("tv")}])
    site.refused("invalid_option", "eternus_reconcile", accept=[""])
    site.refused("invalid_option", "eternus_reconcile", tapes=[{"barcode": "A1"}])
    site.refused("role_conflict", "eternus_reconcile", accept=site.names("tv"))


def test_every_kind_of_drift_is_documented_with_what_it_does() -> None:
    options = yaml.safe_load(eternus_reconcile.DOCUMENTATION)["options"]
    assert sorted(options["repair"]["choices"]) == sorted(kind.value for kind in REPAIRABLE)
    told = " ".join(options["repair"]["description"])
    assert [kind.value for kind in REPAIRABLE if f"V({kind.value})" not in told] == []
    assert set(REPAIRABLE) < set(DriftKind)


@pytest.mark.parametrize("check", [True, False])
def test_tapes_are_not_held_against_a_catalog_that_is_not_there(site: Any, tmp_path: Any, check: bool) -> None:
    tapes = [{"barcode": "A1", "uuid": "u", "pool": "weekly", "complete": True, "copies": []}]
    nowhere = tmp_path / "nowhere.db"
    result = site.run("eternus_reconcile", check=check, tapes=tapes, catalog_url=f"sqlite:///{nowhere}")
    assert result["failed"] and result["error_class"] == "catalog_unavailable", result
    assert not nowhere.exists()
