# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crash matrix (make fault) in small: a few deaths, and weaknesses that it must see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, StepState
from ansible_collections.eternus.backup.tests.fault.crash import Case, aftermath, events_of, strike, template
from ansible_collections.eternus.backup.tests.fault.invariants import violations
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.points import Point, all_points, chosen
from ansible_collections.eternus.backup.tests.fault.run import main, summary
from ansible_collections.eternus.backup.tests.fault.workflows import WORKFLOWS
from ansible_collections.eternus.backup.tests.fault.world import Crash, World

SPLIT = "wbem:ModifyReplicaSynchronization"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Path:
    """Return the template of the job ``backup``."""
    directory = tmp_path_factory.mktemp("fault") / "origin"
    template(WORKFLOWS["backup"], directory, certificates)
    return directory


@pytest.fixture
def world(origin: Path, tmp_path: Path) -> Iterator[World]:
    """Return a copy of it, and end it."""
    made = World(origin).clone(tmp_path / "world")
    yield made
    made.stop()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_backup_that_is_killed_at_its_split_is_made_whole_by_the_relaunch(
    origin: Path, tmp_path: Path, when: str
) -> None:
    number = events_of(origin).index(SPLIT) + 1
    case = strike(WORKFLOWS["backup"], origin, tmp_path / "struck", Crash(number, when), 1)
    assert (case.survived, case.event, case.number, case.when) == (True, SPLIT, number, when), case


def test_a_relaunch_that_forgets_what_was_begun_is_seen(origin: Path, world: World, tmp_path: Path) -> None:
    """Where the journal's entries are lost, the BV that was split is leaked, or an old time goes with new bytes."""
    flow = WORKFLOWS["backup"]
    number = events_of(origin).index(SPLIT) + 1
    assert flow.run(world, Crash(number, "after")).killed
    with closing(open_catalog(world.url)) as catalog, catalog.begin() as records:
        records.settle([entry.id for entry in records.open_entries()], StepState.DONE, world.now())
    assert aftermath(world, Ledger.load(origin), flow, 1)


def _lose_a_generation(world: World, records: Records) -> None:
    records.drop_disk([backup.id for backup in records.backups() if backup.good_on_disk])


def _leak_a_volume(world: World, records: Records) -> None:
    found = records.find_volumes(["tv", "bv3"])
    records.allocate([Allocation(found["bv3"].ref, found["tv"].ref, CopyType.EC, world.now())])


def _forget_a_session(world: World, records: Records) -> None:
    carried = {backup.bv for backup in records.backups() if backup.disk is not None}
    records.free([row.bv for row in records.allocations() if row.bv not in carried])


def _spoil_bytes(world: World, records: Records) -> None:
    (bv,) = [backup.bv for backup in records.backups() if backup.good_on_disk]
    world.array.write(bv.device_id, b"spoilt")


def _hold_a_lease(world: World, records: Records) -> None:
    records.take_leases(["volume:x"], "somebody elsewhere", world.now(), 3600.0)


@pytest.mark.parametrize(
    ("kind", "weaken"),
    [
        ("lost_generation", _lose_a_generation),
        ("leaked_volume", _leak_a_volume),
        ("unknown_session", _forget_a_session),
        ("wrong_bytes", _spoil_bytes),
        ("lease_left", _hold_a_lease),
    ],
)
def test_each_weakness_is_seen(origin: Path, world: World, kind: str, weaken: Callable[[World, Records], None]) -> None:
    ledger = Ledger.load(origin)
    with closing(open_catalog(world.url)) as catalog, catalog.begin() as records:
        weaken(world, records)
    assert kind in {one.kind for one in violations(world, ledger)}


def test_a_job_that_was_killed_while_it_made_a_cartridge_makes_it(tmp_path: Path, certificates: Path) -> None:
    flow, origin = WORKFLOWS["label"], tmp_path / "origin"
    template(flow, origin, certificates)
    for point in chosen(all_points({"label": events_of(origin)}), 0, 1)[:1]:
        assert strike(flow, origin, tmp_path / "struck", point.crash, 1).survived


def test_points_are_drawn_evenly_by_their_seed_and_no_kind_of_event_is_left_out() -> None:
    points = all_points({"a": ["commit"] * 40 + ["wbem:X"], "b": ["commit", "tape:block"]})
    assert len(points) == 86
    assert chosen(points, 0, 1) == points
    some = chosen(points, 20, 7)
    assert len(some) == 20
    assert some == chosen(points, 20, 7) != chosen(points, 20, 8)
    for one in (Point("a", "wbem:X", Crash(41, "after")), Point("b", "tape:block", Crash(2, "before"))):
        assert one in some
    assert len(chosen(points, 1, 1)) == 8


def test_the_figures_name_what_was_not_survived() -> None:
    cases = [Case("a", "commit", 1, when, "module", not kinds, kinds, kinds) for when, kinds in
             (("before", []), ("after", ["lost_generation", "leaked_volume"]))]  # fmt: skip
    figures = summary(cases, {"a": ["commit"]}, 5, 1.0)
    assert (figures["points"], figures["survived"], figures["seed"]) == (2, 1, 5)
    assert (figures["lost_generations"], figures["leaked_volumes"]) == (1, 1)
    assert figures["workflows"] == {"a": {"events": 1, "points": 2}}


def test_a_workflow_that_is_not_there_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKFLOWS", "start nonesuch")
    assert main() == 2
    assert capsys.readouterr().err.startswith("No such workflow: nonesuch; there are start, ")
