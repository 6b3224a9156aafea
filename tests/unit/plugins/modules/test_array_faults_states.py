# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions that break, lists that lag, arrays that restart or are gone: a named error or none (behaviour.md §4)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED
from ansible_collections.eternus.backup.tests.fault.crash import Workflow
from ansible_collections.eternus.backup.tests.fault.invariants import violations
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.workflows import WORKFLOWS
from ansible_collections.eternus.backup.tests.fault.workflows_disk import cycle, newest, site
from ansible_collections.eternus.backup.tests.fault.world import SIZE, World
from ansible_collections.eternus.backup.tests.unit.support.faulted import (
    Faulted,
    copied,
    prepare,
    repeated,
    strike,
    usual_time,
)
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB

SLOW = 2 * MIB  # bytes a second: a copy lasts for a number of looks
ALL = os.environ.get("ARRAY_FAULTS") == "all"
OTHERS = ["resume", "backup_suspend", "backup_snapshot", "backup_group", "remote_start"] if ALL else []
NAMED = {True: "named_in_the_task", **({False: "not_named"} if ALL else {})}
NOBODY = [{"host": "127.0.0.1", "port": 1}]


def _two_houses(world: World, ledger: Ledger) -> None:
    """``tv`` has its pair on the other array, ``near`` has one here; both have a backup and are equivalent."""
    site(world, ledger, ["tv"], ["far1", "far2"], suspend=True)
    world.array.create_volumes("near", "bv1", "bv2", size=SIZE)
    ledger.write(world, "near")
    world.done("eternus_volume", volumes=["near"], role="transaction")
    world.done("eternus_volume", volumes=["bv1", "bv2"], role="backup")
    world.done("eternus_policy", policies=[{"volume": "near", "generations": 1, "media": "disk", "suspend": True}])
    cycle(world, ledger, "tv", "near")
    world.done("eternus_sync", volumes=["tv", "near"])
    ledger.write(world, "tv", "near")


def _here(module: str, expected: Callable[[World, Ledger], Any] = lambda _world, _ledger: [], **args: Any) -> Workflow:
    return Workflow("two_houses", _two_houses, module, args, expected, remote=True)


TWO_HOUSES = _here("eternus_backup_info")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Callable[[str], Path]]:
    """Return what makes the world of a job, once."""
    place, jobs = tmp_path_factory.mktemp("faulted"), {**WORKFLOWS, TWO_HOUSES.name: TWO_HOUSES}
    with usual_time():
        yield cache(lambda job: prepare(jobs[job], place / job, certificates))


@pytest.mark.rule("R4.23")
def test_a_session_that_breaks_at_60_percent_is_copy_failed_and_can_be_cancelled_and_started_anew(
    template: Callable[[str], Path], tmp_path: Path
) -> None:
    workflow = replace(WORKFLOWS["start"], copy_rate=SLOW)
    with copied(template("start"), tmp_path / "world") as (world, ledger):
        point = {"on": "copy", "action": "break_session", "at": 60, "times": 2}
        called, wrong = strike(world, ledger, workflow, point)
        assert (called.result.get("error_class"), wrong) == ("copy_failed", []), called.result
        world.quiet()  # the other pair's copy would go on beneath the comparison
        again, wrong = strike(world, ledger, workflow)
        assert (again.result.get("error_class"), wrong) == ("copy_failed", []), again.result
        assert "state: cancelled" in again.result["next_step"]
        world.done("eternus_sync", volumes=list(workflow.args["volumes"]), state="cancelled")
        assert repeated(world, ledger, WORKFLOWS["start"]) == []


@pytest.mark.rule("R6.5a")
def test_a_restore_that_breaks_at_60_percent_leaves_the_target_marked_until_it_succeeds(
    template: Callable[[str], Path], tmp_path: Path
) -> None:
    workflow = replace(WORKFLOWS["restore"], copy_rate=SLOW)
    with copied(template("restore"), tmp_path / "world") as (world, ledger):
        point = {"on": "copy", "action": "break_session", "at": 60}
        called, wrong = strike(world, ledger, workflow, point)
        assert (called.result.get("error_class"), wrong) == ("copy_failed", []), called.result
        with world.records() as records:
            assert records is not None
            assert len(records.undefined_targets()) == 1
        again, wrong = strike(world, ledger, workflow)
        assert (again.result.get("error_class"), wrong) == ("copy_failed", []), again.result
        assert "state: cancelled" in again.result["next_step"]
        world.done("eternus_restore", volume="tv", confirm="tv", state="cancelled")
        assert repeated(world, ledger, workflow) == []


@pytest.mark.parametrize("job", ["start", "backup", "cancel_all", *OTHERS])
def test_a_list_of_sessions_that_lags_is_read_until_it_shows_and_nothing_is_sent_twice(
    template: Callable[[str], Path], tmp_path: Path, job: str
) -> None:
    workflow = WORKFLOWS[job]
    with copied(template(job), tmp_path / "world") as (world, ledger):
        world.earnest = True
        world.array.reset_counters()
        called, wrong = strike(world, ledger, workflow, stale_seconds=1.0)
        assert (called.failed, wrong) == (False, []), called.result
        sent = {name: count for name, count in world.array.counters()["requests"].items() if "Replica" in name}
        assert sum(sent.values()) == (2 if job == "backup" else 1) - (job == "cancel_all"), sent
        ledger.report(world)
        assert [*violations(world, ledger), *workflow.expected(world, ledger)] == []


def test_an_array_that_restarts_while_a_copy_is_waited_for_leaves_it_going_on(
    template: Callable[[str], Path], tmp_path: Path
) -> None:
    workflow = replace(WORKFLOWS["start"], copy_rate=SLOW)
    with copied(template("start"), tmp_path / "world") as (world, ledger):
        point = {"on": "EnumerateInstances", "action": "restart", "after": 6, "delay": 0.5}
        called, wrong = strike(world, ledger, workflow, point)
        assert (called.result.get("error_class"), wrong) == ("array_unreachable", []), called.result
        assert "going on: tv, tv2" in called.result["unchanged"]
        assert repeated(world, ledger, WORKFLOWS["start"]) == []


@pytest.mark.parametrize("after", ["the_split", "the_record"])
def test_an_array_that_restarts_between_two_requests_of_a_backup_loses_no_generation(
    template: Callable[[str], Path], tmp_path: Path, after: str
) -> None:
    workflow = WORKFLOWS["backup"]
    with copied(template("backup"), tmp_path / "world") as (world, ledger):
        at_end = {"on": "ModifyReplicaSynchronization", "match": {"operation": 8}}
        point = at_end if after == "the_record" else {"on": "EnumerateInstances", "after": 2}
        called, wrong = strike(world, ledger, workflow, {"action": "restart", "delay": 0.5, **point})
        assert (called.result.get("error_class"), wrong) == ("array_unreachable", []), called.result
        assert "journal" in called.result["unchanged"]
        assert repeated(world, ledger, workflow) == []


_NEAR = {
    "backup": _here("eternus_backup", newest("near"), volumes=["near"], key="night"),
    "cancel": _here("eternus_sync", volumes=["near"], state="cancelled"),
    "start": _here("eternus_sync", volumes=["near"]),
}


@pytest.mark.parametrize("named", NAMED, ids=NAMED.get)
@pytest.mark.parametrize("job", _NEAR)
def test_what_is_local_goes_on_though_the_other_array_is_gone(
    template: Callable[[str], Path], tmp_path: Path, job: str, named: bool
) -> None:
    with copied(template("two_houses"), tmp_path / "world") as (world, ledger):
        _gone(world, named)
        called = _NEAR[job].run(world)
        assert not called.failed, called.result
        ledger.report(world)
        assert [*violations(world, ledger), *_NEAR[job].expected(world, ledger)] == []


@pytest.mark.parametrize("named", NAMED, ids=NAMED.get)
def test_a_generation_here_is_restored_though_the_other_array_is_gone(
    template: Callable[[str], Path], tmp_path: Path, named: bool
) -> None:
    with copied(template("two_houses"), tmp_path / "world") as (world, ledger):
        _gone(world, named)
        cancelled = _NEAR["cancel"].run(world)
        assert not cancelled.failed, cancelled.result
        ledger.restored["near"] = ledger.versions["near"][0].sha256
        called = world.call("eternus_restore", {"volume": "near", "confirm": "near"})
        assert not called.failed, called.result
        assert violations(world, ledger) == []


def test_a_backup_to_an_array_that_is_gone_is_refused_by_name_and_is_taken_when_it_is_back(
    template: Callable[[str], Path], tmp_path: Path
) -> None:
    workflow = _here("eternus_backup", newest("tv"), volumes=["tv"], key="night")
    with copied(template("two_houses"), tmp_path / "world") as (world, ledger):
        _gone(world, named=True)
        ledger.write(world, "tv")
        before = _recorded(world)
        called = workflow.run(world)
        assert called.result.get("error_class") == "copy_failed", called.result
        assert called.result["unchanged"] == NOTHING_CHANGED
        assert _recorded(world) == before
        _back(world)
        world.done("eternus_sync", volumes=["tv"])
        assert repeated(world, ledger, workflow) == []


def _recorded(world: World) -> list[str]:
    with world.records() as records:
        assert records is not None
        return [str(row) for row in (*records.backups(), *records.allocations(), *records.open_entries())]


def _gone(world: Faulted, named: bool) -> None:
    """Cut the path between the arrays, and the one to the second array."""
    world.array.knobs(peer_reachable=False)
    world.peers = NOBODY if named else []


def _back(world: Faulted) -> None:
    world.array.knobs(peer_reachable=True)
    world.peers = None
