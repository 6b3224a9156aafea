# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_sync through its real argument spec, over a simulated array (behaviour.md §2, §4)."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented

NO_LICENCE = 32792


def _states(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["state"], row["action"]) for row in result["synchronizations"]]


def test_a_pair_is_made_equivalent_once_and_check_mode_starts_none(site: Any) -> None:
    site.policy("tv")
    before = site.state()
    planned = site.run("eternus_sync", check=True, diff=True)
    assert planned["changed"] and site.state() == before
    assert _states(planned) == [("executing", "started")]
    site.array.reset_counters()
    done = site.run("eternus_sync", diff=True)
    assert done["changed"] and done["equivalent"] and _states(done) == [("equivalent", "started")]
    assert done["round_trips"] == site.array.requests()
    assert done["diff"]["before"] == planned["diff"]["before"] != done["diff"]["after"]
    assert done["synchronizations"][0]["backup_volume"] == planned["synchronizations"][0]["backup_volume"]
    assert_documented("eternus_sync", done)
    before = site.state()
    again = site.done("eternus_sync")
    assert not again["changed"] and _states(again) == [("equivalent", "none")]
    # What is known of the array is kept: the second time nobody asks what it can do.
    assert again["round_trips"] <= 3
    assert site.state() == before


def test_a_wait_that_runs_out_is_no_failure_and_the_next_run_goes_on(site: Any) -> None:
    site.policy("tv", "tv2")
    site.array.knobs(copy_rate=64 * 1024)
    started = site.done("eternus_sync", volumes=site.names("tv"), state="started")
    assert started["changed"] and not started["equivalent"] and started["looks"] == 0
    waited = site.done("eternus_sync", volumes=site.names("tv"), wait_timeout=0)
    assert not waited["changed"] and not waited["equivalent"] and waited["looks"] == 1
    site.array.knobs(copy_rate=0)
    both = site.done("eternus_sync")
    assert both["equivalent"] and _states(both) == [("equivalent", "none"), ("equivalent", "started")]


@pytest.mark.rule("R8.3")
def test_cancel_ends_the_pair_once_and_frees_its_backup_volume(site: Any) -> None:
    site.policy("tv")
    site.synchronize("tv")
    before = site.state()
    assert site.done("eternus_sync", state="cancelled", check=True)["changed"] and site.state() == before
    done = site.done("eternus_sync", state="cancelled")
    assert done["changed"] and _states(done) == [("none", "cancelled")]
    with site.records() as records:
        assert not records.allocations()
    assert not site.done("eternus_sync", state="cancelled")["changed"]


def test_an_array_that_refuses_leaves_everything_as_it_was(site: Any) -> None:
    site.policy("tv")
    site.array.fail("CreateElementReplica", "refuse", code=NO_LICENCE, times=100)
    refused = site.refused("unsupported_copy", "eternus_sync")
    assert refused["details"]["code"] == NO_LICENCE and "licence" in refused["error"]
    site.array.unfail()
    site.synchronize("tv")
    site.array.fail("ModifyReplicaSynchronization", "refuse", code=4, times=100)
    site.refused("array_error", "eternus_sync", state="cancelled")


def test_without_an_unused_volume_each_registered_one_is_named_with_what_it_does(site: Any) -> None:
    site.policy("tv", generations=2, suspend=True)
    for _cycle in range(3):
        site.backup("tv")
    site.policy("tv2")
    refused = site.refused("no_unused_volume", "eternus_sync", volumes=site.names("tv2"))
    assert refused["details"]["blocks"] == 4096
    doing = {row["name"]: row["doing"] for row in refused["details"]["backup_volumes"] if site.prefix in row["name"]}
    assert doing == {
        site.name("bv1"): f"bound to {site.name('tv')}, EC suspended",
        site.name("bv2"): f"bound to {site.name('tv')}, generation 2, EC suspended",
        site.name("bv3"): f"bound to {site.name('tv')}, generation 1, EC suspended",
        site.name("big"): "unused",
    }
    assert all(name in refused["error"] for name in site.names("bv1", "bv2", "bv3", "big"))


def test_unknown_volumes_backup_volumes_and_volumes_without_policy_are_refused(site: Any) -> None:
    assert site.name("nix") in site.refused("not_registered", "eternus_sync", volumes=site.names("nix"))["error"]
    site.refused("role_conflict", "eternus_sync", volumes=site.names("bv1"))
    site.refused("policy_violation", "eternus_sync", volumes=site.names("tv"))


def test_numbers_that_make_no_sense_are_refused(site: Any) -> None:
    site.refused("invalid_option", "eternus_sync", poll_interval=0)


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("what", ["password", "authority", "down", "plain port", "tls port", "no authority file"])
def test_an_array_that_cannot_be_talked_to_is_an_error_of_its_own(site: Any, tmp_path: Path, what: str) -> None:
    site.policy("tv")
    stranger = tmp_path / "stranger.pem"
    if what == "authority":
        from eternus_sim import certs

        stranger = certs.ensure(tmp_path / "tls").ca_file
    wrong: dict[str, tuple[str, dict[str, Any]]] = {
        "password": ("not_authorized", {"password": "wrong"}),
        "authority": ("tls_failed", {"ca_path": str(stranger)}),
        "down": ("array_unreachable", {"port": _closed_port()}),
        "plain port": ("protocol_mismatch", {"port": site.array.endpoint["http_port"]}),
        "tls port": ("protocol_mismatch", {"use_tls": False}),
        "no authority file": ("invalid_option", {"ca_path": str(stranger)}),
    }
    error_class, options = wrong[what]
    site.refused(error_class, "eternus_sync", **options)
