# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_backup_info through its real argument spec (behaviour.md §7, §8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.history import next_due, overdue, show, use_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    Method,
    Policy,
    PoolKind,
    RegisteredVolume,
    RestoreTest,
    Role,
    TapeCopy,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

NOW = SystemClock().now()
TV, BV = VolumeRef("ET1", "0" * 32), VolumeRef("ET1", "1" * 32)
EVERYTHING = ("history", "policies", "pool", "running", "sessions")


def _registered(ref: VolumeRef, role: Role) -> RegisteredVolume:
    return RegisteredVolume(Volume(ref, "tv" if role is Role.TRANSACTION else "bv", 4096), role, NOW)


def _world(**more: Any) -> World:
    return World(NOW, {TV: _registered(TV, Role.TRANSACTION), BV: _registered(BV, Role.BACKUP)}, **more)


def _on_tape(age: timedelta, state: TapeState) -> Backup:
    copy = TapeCopy(1, state, "weekly", NOW)
    return Backup("1", TV, NOW - age, Method.SYNCHRONIZED, CopyType.EC, False, 4096, tape=(copy,))


@pytest.mark.rule("R8.3", "R8.4", "R8.6")
def test_everything_is_shown_as_documented_and_nothing_is_changed(site: Any) -> None:
    with site.records() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, NOW))
    site.policy("tv", suspend=True, media="both", tape_pool="weekly", interval_days=1)
    taken = site.backup("tv", key="a")[0]
    site.array.knobs(copy_rate=1)
    site.done("eternus_sync", volumes=site.names("tv"), state="started")
    before = site.state()["catalog"]
    site.array.reset_counters()
    found = site.done("eternus_backup_info", query="volumes[].backups[].id")
    assert found["round_trips"] == site.array.requests() <= 3
    assert not found["changed"] and site.state()["catalog"] == before
    assert_documented("eternus_backup_info", found, free={"summary.pool"})
    shown = {row["volume"]: row for row in found["volumes"]}[site.name("tv")]
    assert shown["use"] == "Transaction" and shown["synchronization"]["state"] == "executing"
    assert shown["suspended"] == site.names("bv1") and shown["backups"][0]["id"] == taken["id"]
    policy = found["policies"][0]
    assert policy["last_backup_id"] == taken["id"] and not policy["overdue"]
    assert policy["next_due"] > policy["last_backup"]
    assert not policy["proven_tape"] and found["summary"]["unproven"] == site.names("tv")
    use = {row["name"]: row["use"] for row in found["pool"]}
    assert use == {
        **dict.fromkeys(site.names("bv1", "bv2"), "Backup (used)"),
        **dict.fromkeys(site.names("bv3", "big"), "Backup (free)"),
    }
    assert found["summary"]["pool"] == {"Backup (used)": 2, "Backup (free)": 2}
    running = {row["source"]: row for row in found["running"]}[site.name("tv")]
    assert (running["kind"], running["target"]) == ("synchronization", site.name("bv2"))
    assert found["query_result"] == [taken["id"]]


def test_without_an_array_the_catalog_alone_is_read_and_synchronization_is_unknown(site: Any) -> None:
    site.policy("tv", suspend=True)
    site.backup("tv")
    found = run_module("eternus_backup_info", {"catalog_url": site.url, "volumes": site.names("tv")})
    assert not found["failed"], found
    assert [row["synchronization"]["state"] for row in found["volumes"]] == ["unknown"]
    assert found["volumes"][0]["suspended"] == site.names("bv1") and found["sessions"] == []
    assert "round_trips" not in found


def test_what_is_not_there_or_makes_no_sense_is_refused(empty: Any, tmp_path: Path) -> None:
    place = {"catalog_url": empty.url}
    assert run_module("eternus_backup_info", place)["error_class"] == "catalog_unavailable"
    assert run_module("eternus_backup_info", place, check=True)["summary"]["volumes"] == 0
    assert not (tmp_path / "state").exists()
    for wrong in ({"gather_subset": ["nix"]}, {"query": "volumes[?"}):
        result = run_module("eternus_backup_info", {**place, **wrong}, check=True)
        assert result["error_class"] == "invalid_option", result
    assert "username" in run_module("eternus_backup_info", {**place, "host": "array"})["msg"]


def test_only_what_is_chosen_is_shown_and_the_summary_always(site: Any) -> None:
    with site.engine() as ctx:
        assert show(ctx, [], ["pool"]).values.keys() == {"pool", "summary"}
        assert show(ctx, [], EVERYTHING).values.keys() == {"volumes", *EVERYTHING[1:], "summary"}


@pytest.mark.rule("R7.3")
def test_a_policy_is_overdue_when_more_than_its_days_have_passed_since_the_last_good_backup() -> None:
    daily = Policy(TV, 1, interval_days=1)
    day = timedelta(days=1)
    written = {TV: (_on_tape(day, TapeState.WRITTEN),)}
    assert overdue(_world(), daily)
    assert not overdue(_world(), replace(daily, interval_days=0))
    assert not overdue(_world(backups=written), daily)
    assert overdue(_world(backups={TV: (_on_tape(day + timedelta(seconds=1), TapeState.WRITTEN),)}), daily)
    assert overdue(_world(backups={TV: (_on_tape(timedelta(0), TapeState.FAILED),)}), daily)


@pytest.mark.rule("R8.1")
def test_the_use_of_a_backup_volume_is_in_the_words_of_the_original() -> None:
    bv = _registered(BV, Role.BACKUP)
    tracked = Session(TV, BV, CopyType.QUICK_OPC, SessionState.TRACKING, tracked=True)
    mirror = Session(TV, BV, CopyType.EC, SessionState.SUSPENDED)
    assert use_of(_world(), bv) == "Backup (free)"
    assert use_of(_world(sessions={mirror.key: mirror}), bv) == "Backup (used)"
    assert use_of(_world(sessions={tracked.key: tracked}), bv) == "Backup (used-T)"
    assert use_of(_world(), replace(bv, unknown=True)) == "Backup (unknown)"


def test_the_next_backup_is_due_when_the_days_have_passed_since_the_last_good_one() -> None:
    daily = Policy(TV, 1, interval_days=2)
    world = _world(backups={TV: (_on_tape(timedelta(days=1), TapeState.WRITTEN),)})
    assert next_due(world, daily) == NOW + timedelta(days=1)
    assert next_due(world, replace(daily, interval_days=0)) is None
    assert next_due(_world(), daily) is None


def test_the_last_restore_test_and_whether_a_tape_copy_is_proven_are_shown(site: Any) -> None:
    with site.records() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, NOW))
        tv = next(one.ref for one in records.volumes(role=Role.TRANSACTION) if one.name == site.name("tv"))
    site.policy("tv", media="both", tape_pool="weekly")
    with site.records() as records:
        records.add_backups([replace(_on_tape(timedelta(days=1), TapeState.WRITTEN), id="B1", tv=tv)])

    def policy() -> dict[str, Any]:
        found: dict[str, Any] = run_module(
            "eternus_backup_info", {"catalog_url": site.url, "gather_subset": ["policies"]}
        )["policies"][0]
        return found

    assert (policy()["last_test"], policy()["last_test_ok"], policy()["proven_tape"]) == (None, None, False)
    for number, ok in enumerate((False, True)):
        at = NOW + timedelta(seconds=number)
        with site.records() as records:
            records.add_restore_test(RestoreTest(f"T{number}", "B1", tv, tv, "tape", 1, at, ok, 4096, ""))
        shown = policy()
        assert (shown["last_test"], shown["last_test_ok"], shown["proven_tape"]) == (at.isoformat(), ok, ok)


def test_a_tracked_volume_is_known_as_such_without_the_array() -> None:
    row = Allocation(BV, TV, CopyType.QUICK_OPC, NOW)
    assert use_of(_world(allocations={BV: row}), _registered(BV, Role.BACKUP)) == "Backup (used-T)"


def test_a_bad_query_is_refused_by_name_in_both_info_modules(site: Any) -> None:
    for query in ("&volume", "volumes[::0]", "nothing_like_it(@)"):
        refused = run_module("eternus_backup_info", {"catalog_url": site.url, "query": query})
        assert refused["error_class"] == "invalid_option" and query in refused["error"], refused
    assert site.run("eternus_info", query="&volume")["error_class"] == "invalid_option"


def test_a_tape_copy_that_is_being_written_is_a_running_copy(site: Any) -> None:
    with site.records() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, NOW))
    site.policy("tv", media="both", tape_pool="weekly")
    ident = site.backup("tv")[0]["id"]
    with site.records() as records:
        copy = replace(records.backups(ids=[ident])[0].tape[0], state=TapeState.WRITING, bytes_done=1, bytes_total=4)
        records.put_tape_copy(ident, copy)
    with site.engine() as ctx:
        running = show(ctx, site.names("tv"), ["running"]).values["running"]
    told = {"kind": "tape", "source": site.name("tv"), "target": "weekly", "state": "writing", "percent": 25}
    assert {**told, "backup_id": ident, "copy": 1, "bytes_done": 1, "bytes_total": 4} in running
