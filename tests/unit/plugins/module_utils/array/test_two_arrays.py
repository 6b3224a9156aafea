# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies between two arrays, REC and ROPC, by the product's client (behaviour.md §2.7, §3; array.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Outcome, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)

REC, ROPC, S = CopyType.REC, CopyType.ROPC, SessionState
EXTENT = 64 * 1024
LOCAL = [2, 6, 7, 10, 11]


@dataclass(frozen=True)
class Two:
    """Two linked arrays, the door of each and a connection to each; ``tv`` lies here, ``bv`` there."""

    here: Simulated
    there: Simulated
    near: WbemArray
    far: WbemArray

    @property
    def pair(self) -> Pair:
        return Pair(self.near.find_volumes(["tv"])["tv"], self.far.find_volumes(["bv"])["bv"])

    @property
    def back(self) -> Pair:
        return Pair(self.pair.target, self.pair.source)

    def until(self, test: Callable[[list[SessionState]], bool]) -> None:
        """Wait until the sessions are so, seen from either end."""
        for array in (self.near, self.far):
            look = wait_until(lambda a=array: [s.state for s in a.sessions()], test, Wait(0.01, 30), SystemClock())
            assert look.satisfied, look.last


@pytest.fixture
def two(tmp_path: Path, certificates: Path) -> Iterator[Two]:
    directory = tmp_path / "two"
    config = {"arrays": [{"model": "ET603SA4621302115"}, {"model": "ET603SA4621302116", "name": "remote"}]}
    here, there = start_simulated(directory, tls_directory=certificates, config=config)
    here.create_volume("tv", MIB)
    there.create_volume("bv", MIB)
    try:
        yield Two(here, there, here.connect(), there.connect())
    finally:
        stop_simulated(directory)


def error(outcomes: Sequence[Outcome]) -> BackupError:
    found = outcomes[0].error
    assert found is not None
    return found


def ok(outcomes: Sequence[Outcome]) -> None:
    assert [outcome.error for outcome in outcomes] == [None]


def test_rec_is_held_equivalent_suspended_and_resumed_with_the_differences_only(two: Two) -> None:
    two.here.write("tv", b"one" * 100_000)
    ok(two.near.start(REC, [two.pair]))
    two.until(lambda found: found == [S.EQUIVALENT])
    two.here.write("tv", b"followed", 5 * EXTENT)
    ok(two.near.suspend(REC, [two.pair]))
    assert two.there.sha256("bv") == two.here.sha256("tv")
    two.here.write("tv", b"later", 9 * EXTENT)
    assert two.there.sha256("bv") != two.here.sha256("tv")
    ok(two.near.resume(REC, [two.pair]))
    two.until(lambda found: found == [S.EQUIVALENT])
    runs = two.here.counters()["runs"]
    assert [(run["kind"], run["bytes_moved"]) for run in runs] == [("full", MIB), ("differential", EXTENT)]
    ok(two.near.release(REC, [two.pair]))
    two.until(lambda found: found == [])


def test_a_session_is_the_same_from_both_ends(two: Two) -> None:
    ok(two.near.start(REC, [two.pair]))
    two.until(lambda found: found == [S.EQUIVALENT])
    (seen,), (seen_there,) = two.near.sessions(), two.far.sessions()
    assert seen.key == seen_there.key == two.pair.key
    assert (seen.copy_type, seen.state) == (seen_there.copy_type, seen_there.state)
    ok(two.far.suspend(REC, [two.pair]))
    two.until(lambda found: found == [S.SUSPENDED])


@pytest.mark.parametrize("ends", ["both", "the near one"])
def test_ropc_is_a_point_in_time_on_the_other_array_at_once(two: Two, ends: str) -> None:
    two.here.write("tv", b"frozen" * 10_000)
    frozen = two.here.sha256("tv")
    two.here.knobs(copy_rate=1)
    ok(two.near.start(ROPC, [two.pair]))
    assert two.near.sessions()[0].copy_type is ROPC
    assert two.far.sessions()[0].state is S.EXECUTING
    two.here.write("tv", b"later")
    assert two.there.sha256("bv") == frozen
    if ends == "both":
        two.there.knobs(copy_rate=1)
        ok(two.far.start(ROPC, [two.back]))  # restored while its own background copy still runs
        assert two.here.sha256("tv") == frozen
        two.there.knobs(copy_rate=0)
    two.here.knobs(copy_rate=0)
    two.until(lambda found: found == [])
    assert two.there.sha256("bv") == frozen


def test_a_copy_to_another_array_is_asked_of_the_source_s_array(two: Two) -> None:
    refused = error(two.far.start(ROPC, [two.pair]))
    assert refused.error_class is ErrorClass.NO_SUCH_VOLUME
    assert two.near.sessions() == []


@pytest.mark.parametrize("copy_type", [REC, ROPC])
def test_a_copy_that_this_array_does_not_offer_is_refused_before_it_is_asked(two: Two, copy_type: CopyType) -> None:
    two.here.knobs(replication_types=LOCAL)
    two.here.reset_counters()
    refused = error(two.near.start(copy_type, [two.pair]))
    assert refused.error_class is ErrorClass.UNSUPPORTED_COPY
    assert refused.details["offered"] == ["EC", "OPC", "QuickOPC", "SnapOPC"]
    assert "CreateElementReplica" not in two.here.counters()["requests"]


@pytest.mark.parametrize("copy_type", [REC, ROPC])
def test_a_copy_that_the_other_array_does_not_offer_is_refused_by_the_array(two: Two, copy_type: CopyType) -> None:
    two.there.knobs(replication_types=LOCAL)
    assert copy_type not in two.far.capabilities().copies
    refused = error(two.near.start(copy_type, [two.pair]))
    assert (refused.error_class, refused.details["code"]) == (ErrorClass.UNSUPPORTED_COPY, 1)


def test_a_differential_clone_stays_inside_one_array(two: Two) -> None:
    refused = error(two.near.start(CopyType.QUICK_OPC, [two.pair], track=True))
    assert (refused.error_class, refused.details["code"]) == (ErrorClass.UNSUPPORTED_COPY, 1)
    assert two.near.sessions() == []


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("copy_type", [REC, ROPC])
def test_without_the_path_a_start_says_so(two: Two, copy_type: CopyType, lists: bool) -> None:
    two.here.create_volume("tv2", MIB)
    two.there.create_volume("bv2", MIB)
    second = Pair(two.near.find_volumes(["tv2"])["tv2"], two.far.find_volumes(["bv2"])["bv2"])
    two.here.knobs(list_support=lists)
    two.there.knobs(peer_reachable=False)
    outcomes = two.near.start(copy_type, [two.pair, second])
    assert [outcome.error.details["code"] for outcome in outcomes if outcome.error] == [32818, 32818]
    assert error(outcomes).error_class is ErrorClass.ARRAY_ERROR
    assert "REC path" in error(outcomes).next_step
    assert two.near.sessions() == []


def test_without_the_path_a_pair_counts_as_failed_and_catches_up_afterwards(two: Two) -> None:
    ok(two.near.start(REC, [two.pair]))
    two.until(lambda found: found == [S.EQUIVALENT])
    two.here.knobs(peer_reachable=False)
    two.here.write("tv", b"meanwhile")
    assert [session.state for session in two.near.sessions()] == [S.FAILED]
    assert error(two.near.suspend(REC, [two.pair])).error_class is ErrorClass.NOT_EQUIVALENT
    assert error(two.near.resume(REC, [two.pair])).details["code"] == 32818
    two.here.knobs(peer_reachable=True)
    two.until(lambda found: found == [S.EQUIVALENT])
    assert two.there.sha256("bv") == two.here.sha256("tv")


def test_many_pairs_between_arrays_are_one_request_and_all_or_nothing(two: Two) -> None:
    for number in (2, 3):
        two.here.create_volume(f"tv{number}", MIB)
        two.there.create_volume(f"bv{number}", MIB)
    near = two.near.find_volumes(["tv", "tv2", "tv3"])
    far = two.far.find_volumes(["bv", "bv2", "bv3"])
    pairs = [Pair(near[f"tv{n}"], far[f"bv{n}"]) for n in ("", "2", "3")]
    two.near.capabilities()
    two.here.reset_counters()
    assert all(outcome.error is None for outcome in two.near.start(REC, pairs))
    two.until(lambda found: found == [S.EQUIVALENT] * 3)
    assert all(outcome.error is None for outcome in two.near.suspend(REC, pairs))
    requests: dict[str, Any] = two.here.counters()["requests"]
    assert (requests["CreateListReplica"], requests["ModifyListSynchronization"]) == (1, 1)
    assert error(two.near.suspend(REC, pairs[:1])).error_class is ErrorClass.NOT_EQUIVALENT
