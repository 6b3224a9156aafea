# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies on a simulated array over https: start, suspend, resume, release; one by one and by lists (array.md)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Outcome,
    Pair,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)

EC, S = CopyType.EC, SessionState
NAMES = ("tv1", "tv2", "tv3", "bv1", "bv2", "bv3")


def pairs_of(array: WbemArray, *names: tuple[str, str]) -> list[Pair]:
    found = array.find_volumes([name for pair in names for name in pair])
    return [Pair(found[source], found[target]) for source, target in names]


def three(array: WbemArray) -> list[Pair]:
    return pairs_of(array, ("tv1", "bv1"), ("tv2", "bv2"), ("tv3", "bv3"))


def states(array: WbemArray) -> list[SessionState]:
    return [session.state for session in array.sessions()]


def until(array: WbemArray, done: Callable[[list[SessionState]], bool]) -> None:
    assert wait_until(lambda: states(array), done, Wait(0.01, 30), SystemClock()).satisfied


def until_equivalent(array: WbemArray) -> None:
    until(array, lambda found: set(found) == {S.EQUIVALENT})


def errors(outcomes: Sequence[Outcome]) -> list[Any]:
    return [None if outcome.error is None else outcome.error.error_class for outcome in outcomes]


@pytest.fixture
def sim(simulated_array: Simulated) -> Simulated:
    """An array with three pairs of volumes of one size."""
    simulated_array.create_volumes(*NAMES)
    return simulated_array


@pytest.fixture(params=["list", "single"])
def either(sim: Simulated, request: pytest.FixtureRequest) -> Simulated:
    """The same array with and without methods that take lists."""
    sim.knobs(list_support=request.param == "list")
    return sim


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_a_mirror_goes_from_executing_through_equivalent_and_suspended_and_back(either: Simulated, jobs: str) -> None:
    either.knobs(jobs=jobs)
    array = either.connect()
    pairs = three(array)
    assert errors(array.start(EC, pairs)) == [None] * 3
    until_equivalent(array)
    assert errors(array.suspend(EC, pairs)) == [None] * 3
    until(array, lambda found: found == [S.SUSPENDED] * 3)
    assert all(session.suspended_at for session in array.sessions())
    either.write("tv1", b"changed")
    assert errors(array.resume(EC, pairs)) == [None] * 3
    until_equivalent(array)
    assert either.sha256("bv1") == either.sha256("tv1")
    assert errors(array.release(EC, pairs)) == [None] * 3
    until(array, lambda found: found == [])


def test_a_list_is_one_request_and_single_methods_one_each(either: Simulated) -> None:
    offered = either.connect()
    pairs, capabilities = three(offered), offered.capabilities()
    array = either.connect(known=offered.known)
    assert array.serial
    before = array.round_trips
    array.start(EC, pairs)
    assert array.round_trips - before == (1 if capabilities.create_list else 3)


@pytest.mark.parametrize("number", [1, 10, 100])
@pytest.mark.parametrize("jobs", ["never", "always"])
def test_starting_n_pairs_with_names_resolved_costs_at_most_n_plus_6_or_8(
    either: Simulated, number: int, jobs: str
) -> None:
    names = [(f"s{index}", f"t{index}") for index in range(number)]
    either.create_volumes(*(name for pair in names for name in pair), size=MIB)
    either.knobs(jobs=jobs)
    first = either.connect()
    pairs, capabilities = pairs_of(first, *names), first.capabilities()
    either.reset_counters()
    array = either.connect(known=first.known)
    array.sessions()
    array.capabilities()
    assert errors(array.start(EC, pairs)) == [None] * number
    array.sessions()
    assert either.requests() <= (8 if capabilities.create_list else number + 6)


def test_without_lists_one_refusal_leaves_the_others(sim: Simulated) -> None:
    sim.knobs(list_support=False)
    sim.create_volume("large", 8 * MIB)
    array = sim.connect()
    pairs = pairs_of(array, ("tv1", "bv1"), ("large", "bv2"), ("tv3", "bv3"))
    outcomes = array.start(EC, pairs)
    assert errors(outcomes) == [None, ErrorClass.SIZE_MISMATCH, None]
    assert [outcome.pair for outcome in outcomes] == pairs
    assert len(array.sessions()) == 2


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_with_lists_a_refusal_is_all_or_nothing(sim: Simulated, jobs: str) -> None:
    sim.create_volume("large", 8 * MIB)
    sim.knobs(jobs=jobs)
    array = WbemArray(Connection(sim.options()), clock=FakeClock())
    outcomes = array.start(EC, pairs_of(array, ("tv1", "bv1"), ("large", "bv2")))
    assert errors(outcomes) == [ErrorClass.SIZE_MISMATCH] * 2
    assert array.sessions() == []


def test_a_copy_that_is_not_offered_is_refused_without_a_request_and_says_what_is(sim: Simulated) -> None:
    sim.knobs(replication_types=[10, 11])
    array = sim.connect()
    pairs = three(array)
    sim.reset_counters()
    array.capabilities()
    outcomes = array.start(EC, pairs)
    assert errors(outcomes) == [ErrorClass.UNSUPPORTED_COPY] * 3
    assert outcomes[0].error is not None
    assert outcomes[0].error.details["offered"] == ["OPC", "QuickOPC"]
    assert "CreateListReplica" not in sim.counters()["requests"]


def test_a_suspend_before_equivalence_is_not_equivalent_and_the_pair_goes_on(either: Simulated) -> None:
    either.knobs(copy_rate=65536)
    array = either.connect()
    pairs = three(array)
    array.start(EC, pairs)
    assert errors(array.suspend(EC, pairs)) == [ErrorClass.NOT_EQUIVALENT] * 3
    assert states(array) == [S.EXECUTING] * 3


def test_a_session_that_is_not_there_counts_as_ended_and_the_others_end(either: Simulated) -> None:
    array = either.connect()
    pairs = three(array)
    array.start(EC, pairs[:2])
    assert errors(array.release(EC, pairs)) == [None] * 3
    assert array.sessions() == []


def test_an_executing_session_can_be_ended(either: Simulated) -> None:
    either.knobs(copy_rate=65536)
    array = either.connect()
    pairs = three(array)
    array.start(EC, pairs)
    assert errors(array.release(EC, pairs)) == [None] * 3
    assert array.sessions() == []


def test_nothing_to_do_asks_nothing(sim: Simulated) -> None:
    array = sim.connect()
    acts = (array.start, array.suspend, array.resume, array.release)
    assert [list(act(EC, [])) for act in acts] == [[]] * 4
    assert array.round_trips == 0


def test_a_ninth_session_of_a_source_is_a_session_limit(sim: Simulated) -> None:
    sim.knobs(max_sessions_per_source=1)
    array = sim.connect()
    first, second = pairs_of(array, ("tv1", "bv1"), ("tv1", "bv2"))
    assert errors(array.start(EC, [first])) == [None]
    assert errors(array.start(EC, [second])) == [ErrorClass.SESSION_LIMIT]
    assert array.capabilities().max_sessions_per_source == 1


@pytest.mark.rule("R4.10")
def test_a_volume_that_is_gone_is_no_such_volume(sim: Simulated) -> None:
    array = sim.connect()
    (pair,) = pairs_of(array, ("tv1", "bv1"))
    gone = VolumeRef(pair.target.ref.array, pair.target.ref.device_id[:24] + "0FFF0000")
    lost = Pair(pair.source, type(pair.target)(gone, "gone", pair.target.blocks))
    assert errors(array.start(EC, [lost])) == [ErrorClass.NO_SUCH_VOLUME]


def test_device_busy_is_asked_again_within_a_bound(sim: Simulated) -> None:
    clock = FakeClock()
    array = WbemArray(Connection(sim.options()), clock=clock, busy=Wait(interval=1, timeout=5))
    (pair,) = pairs_of(array, ("tv1", "bv1"))
    sim.fail("CreateElementReplica", "refuse", code=32787, times=2)
    assert errors(array.start(EC, [pair])) == [None]
    assert len(clock.slept) == 2
    sim.fail("ModifyReplicaSynchronization", "refuse", code=32787, times=99)
    outcome = array.release(EC, [pair])[0]
    assert outcome.error is not None
    assert (outcome.error.error_class, outcome.error.details["code"]) == (ErrorClass.ARRAY_ERROR, 32787)


@pytest.mark.parametrize("code", [32786, 32820, 32816])
def test_any_other_refusal_is_final(sim: Simulated, code: int) -> None:
    array = sim.connect()
    (pair,) = pairs_of(array, ("tv1", "bv1"))
    sim.fail("CreateElementReplica", "refuse", code=code)
    sim.reset_counters()
    assert errors(array.start(EC, [pair])) == [ErrorClass.ARRAY_ERROR]
    assert sim.counters()["requests"]["CreateElementReplica"] == 1


def test_opc_vanishes_when_it_has_finished_and_the_bytes_are_there(sim: Simulated) -> None:
    sim.write("tv1", b"content", 4096)
    array = sim.connect()
    (pair,) = pairs_of(array, ("tv1", "bv1"))
    assert errors(array.start(CopyType.OPC, [pair])) == [None]
    until(array, lambda found: found == [])
    assert sim.sha256("bv1") == sim.sha256("tv1")


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_quickopc_stays_tracking_and_copies_differences(sim: Simulated, jobs: str) -> None:
    sim.knobs(jobs=jobs)
    array = sim.connect()
    (pair,) = pairs_of(array, ("tv1", "bv1"))
    assert errors(array.start(CopyType.OPC, [pair], track=True)) == [None]
    until(array, lambda found: found == [S.TRACKING])
    sim.write("tv1", b"changed")
    assert errors(array.resume(CopyType.QUICK_OPC, [pair])) == [None]
    until(array, lambda found: found == [S.TRACKING])
    assert sim.sha256("bv1") == sim.sha256("tv1")
    runs = sim.counters()["runs"]
    assert [run["kind"] for run in runs] == ["full", "differential"]
    assert runs[1]["bytes_moved"] == 65536
    assert errors(array.release(CopyType.QUICK_OPC, [pair])) == [None]


def test_a_job_that_fails_gives_its_own_errorcode(sim: Simulated) -> None:
    sim.knobs(jobs="always", max_sessions_per_source=1)
    array = WbemArray(Connection(sim.options()), clock=FakeClock())
    first, second = pairs_of(array, ("tv1", "bv1"), ("tv1", "bv2"))
    array.start(EC, [first])
    outcome = array.start(EC, [second])[0]
    assert outcome.error is not None
    assert (outcome.error.error_class, outcome.error.details["code"]) == (ErrorClass.SESSION_LIMIT, 35333)


def test_jobs_are_not_polled_pair_by_pair(sim: Simulated) -> None:
    sim.knobs(jobs="always", list_support=False)
    array = sim.connect()
    pairs = three(array)
    sim.reset_counters()
    array.start(EC, pairs)
    assert "GetInstance" not in sim.counters()["requests"]


def test_a_path_that_was_kept_saves_the_look_up(sim: Simulated) -> None:
    first = sim.connect()
    pairs = three(first)
    first.capabilities()
    sim.reset_counters()
    sim.connect(known=first.known).start(EC, pairs)
    assert sim.counters()["requests"] == {"EnumerateInstanceNames": 1, "CreateListReplica": 1}


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_lists_that_were_kept_as_offered_and_are_offered_no_more_go_one_by_one(sim: Simulated, jobs: str) -> None:
    first = sim.connect()
    pairs = three(first)
    first.capabilities()
    sim.knobs(list_support=False, jobs=jobs)

    def kept() -> Any:
        return sim.connect(known=first.known)

    assert errors(kept().start(EC, pairs)) == [None] * 3
    until_equivalent(first)
    assert errors(kept().suspend(EC, pairs)) == [None] * 3
    until(first, lambda found: found == [S.SUSPENDED] * 3)
    assert errors(kept().resume(EC, pairs)) == [None] * 3
    until_equivalent(first)
    last = kept()
    assert errors(last.release(EC, pairs)) == [None] * 3
    until(first, lambda found: found == [])
    assert last.known["capabilities"] != first.known["capabilities"]


def test_a_list_that_is_refused_for_another_reason_stays_refused(sim: Simulated) -> None:
    first = sim.connect()
    pairs = three(first)
    first.capabilities()
    sim.knobs(replication_types=[10, 11])
    array = sim.connect(known=first.known)
    sim.reset_counters()
    assert errors(array.start(EC, pairs)) == [ErrorClass.UNSUPPORTED_COPY] * 3
    assert "CreateElementReplica" not in sim.counters()["requests"]
    assert not array.ask_anew()


def test_what_was_kept_is_asked_anew_once_and_only_when_it_was_kept(sim: Simulated) -> None:
    first = sim.connect()
    assert first.capabilities() and not first.ask_anew()
    array = sim.connect(known=first.known)
    assert not array.ask_anew()
    sim.knobs(max_sessions_per_source=4)
    asked = array.round_trips
    assert not array.ask_anew() and array.round_trips == asked
    array = sim.connect(known=first.known)
    assert array.ask_anew() and array.capabilities().max_sessions_per_source == 4


def test_rec_lies_between_two_arrays_and_both_show_the_same_session(tmp_path: Path, certificates: Path) -> None:
    directory = tmp_path / "two"
    config = {"arrays": [{"model": "ET603SA4621302115"}, {"model": "ET603SA4621302116", "name": "remote"}]}
    try:
        here, there = start_simulated(directory, tls_directory=certificates, config=config)
        here.create_volumes("tv1")
        there.create_volumes("bv1")
        near, far = here.connect(), there.connect()
        pair = Pair(near.find_volumes(["tv1"])["tv1"], far.find_volumes(["bv1"])["bv1"])
        assert pair.target.ref.array == "ET603SA4621302116"
        assert errors(near.start(CopyType.REC, [pair])) == [None]
        until_equivalent(near)
        (session,) = near.sessions()
        assert (session.copy_type, session.key) == (CopyType.REC, pair.key)
        assert all(other.key == pair.key and other.copy_type is CopyType.REC for other in far.sessions())
        assert errors(near.suspend(CopyType.REC, [pair])) == [None]
        until(near, lambda found: found == [S.SUSPENDED])
        assert errors(near.release(CopyType.REC, [pair])) == [None]
        assert near.sessions() == []
    finally:
        stop_simulated(directory)
