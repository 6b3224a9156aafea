# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC: executing, equivalent, suspended, resumed (behaviour.md §1 and §2, array.md "Operations")."""

from __future__ import annotations

import os

import pytest
from eternus_sim.core.model import Code, CopyState, Operation, Progress, Refused

EXTENT = 64 * 1024


def test_a_start_copies_everything_and_is_held_equivalent(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 1)
    session = bench.mirror(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)
    assert (session.copy_state, session.progress_status, session.percent) == (4, 2, 100)
    assert session.when_synced is not None
    assert bench.run(tv, bv)["bytes_moved"] == 16 * EXTENT


def test_while_it_executes_the_state_and_the_percentage_say_so(bench):
    tv, bv = bench.make("tv", "bv")
    bench.hold()
    session = bench.array.start_sessions([(tv, bv)], 6)[0]
    assert (session.copy_state, session.progress_status, session.percent) == (3, 6, 0)
    bench.go()
    assert bench.equivalent(tv, bv).percent == 100


def test_a_write_while_equivalent_is_on_the_target_when_it_returns(bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    bench.array.write(tv, EXTENT - 5, b"0123456789")
    assert bench.bytes(bv) == bench.bytes(tv)
    assert bench.run(tv, bv)["bytes_mirrored"] == 10


def test_writes_while_it_executes_are_right_on_the_target(bench):
    tv, bv = bench.make("tv", "bv", size=512 * EXTENT)
    bench.fill(tv, 2, 512 * EXTENT)
    bench.array.knobs.copy_rate = 64 << 20
    bench.array.start_sessions([(tv, bv)], 6)
    for n in range(200):
        bench.array.write(tv, (n * 7919 * 4096) % (512 * EXTENT - 4096), os.urandom(4096))
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)


@pytest.mark.parametrize(("operation", "state"), [(Operation.FRACTURE, 6), (Operation.SPLIT, 7)])
def test_after_a_suspend_both_sides_are_independent(bench, operation, state):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 3)
    bench.mirror(tv, bv)
    session = bench.array.operate([(tv, bv)], operation)[0]
    assert session.copy_state == state
    assert session.when_suspended is not None
    bench.array.write(tv, 0, b"new")
    assert bench.bytes(bv) == frozen
    bench.array.write(bv, 10, b"theirs")
    assert bench.bytes(tv)[:16] == b"new" + frozen[3:16]


@pytest.mark.parametrize("operation", [Operation.FRACTURE, Operation.SPLIT])
def test_a_suspend_before_equivalence_is_refused_and_changes_nothing(bench, operation):
    tv, bv = bench.make("tv", "bv")
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 6)
    before = bench.array.session(tv, bv)
    with pytest.raises(Refused) as refused:
        bench.array.operate([(tv, bv)], operation)
    assert refused.value.code == Code.PHASE
    assert bench.array.session(tv, bv) == before


def test_a_resume_moves_exactly_the_extents_changed_on_either_side_and_throws_the_targets_changes_away(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 4)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    bench.array.write(tv, 2 * EXTENT + 100, b"a" * 10)
    bench.array.write(tv, 2 * EXTENT + 900, b"b" * 10)
    bench.array.write(tv, 5 * EXTENT - 1, b"cc")  # extents 4 and 5
    bench.array.write(bv, 9 * EXTENT, b"d")
    session = bench.array.operate([(tv, bv)], Operation.RESYNC)[0]
    assert (session.copy_state, session.progress_status) == (3, Progress.RESYNCING)
    bench.equivalent(tv, bv)
    run = bench.run(tv, bv)
    assert (run["kind"], run["extents"], run["bytes_moved"]) == ("differential", 4, 4 * EXTENT)
    assert bench.sha(bv) == bench.sha(tv)


def test_each_suspended_session_of_a_source_has_a_map_of_its_own(bench):
    tv, *bvs = bench.make("tv", "bv1", "bv2", "bv3")
    bench.fill(tv, 5)
    for n, bv in enumerate(bvs):
        bench.mirror(tv, bv)
        bench.array.operate([(tv, bv)], Operation.SPLIT)
        bench.array.write(tv, n * EXTENT, b"x%d" % n)
    for n, bv in enumerate(bvs):
        bench.array.operate([(tv, bv)], Operation.RESYNC)
        bench.equivalent(tv, bv)
        assert bench.run(tv, bv)["extents"] == 3 - n
        assert bench.sha(bv) == bench.sha(tv)


def test_a_resume_with_nothing_changed_moves_nothing(bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.FRACTURE)
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.run(tv, bv)["bytes_moved"] == 0


def test_pausing_keeps_the_target_where_it_is_and_resuming_catches_up(bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    assert bench.array.operate([(tv, bv)], Operation.SUSPEND)[0].copy_state == CopyState.SUSPENDED
    bench.array.write(tv, 0, b"later")
    assert bench.bytes(bv)[:5] == bytes(5)
    bench.array.operate([(tv, bv)], Operation.RESUME)
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)


def test_a_detach_ends_the_session_and_leaves_the_bytes(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 6)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.DETACH, force=True)
    assert bench.array.sessions() == []
    bench.array.write(tv, 0, b"new")
    assert bench.bytes(bv) == frozen
    with pytest.raises(Refused) as refused:
        bench.array.operate([(tv, bv)], Operation.DETACH, force=True)
    assert refused.value.code == Code.NO_SESSION


def test_while_it_executes_only_force_detaches(bench):
    tv, bv = bench.make("tv", "bv")
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 6)
    with pytest.raises(Refused):
        bench.array.operate([(tv, bv)], Operation.DETACH)
    bench.array.operate([(tv, bv)], Operation.DETACH, force=True)


def test_a_restore_brings_the_target_back_into_the_source_and_counts_for_the_other_sessions(bench):
    tv, bv, other = bench.make("tv", "bv", "other")
    frozen = bench.fill(tv, 7)
    for target in (bv, other):
        bench.mirror(tv, target)
        bench.array.operate([(tv, target)], Operation.SPLIT)
    bench.array.write(tv, 3 * EXTENT, b"spoilt")
    assert bench.array.operate([(tv, bv)], Operation.RESTORE)[0].progress_status == Progress.RESTORING
    session = bench.wait(tv, bv, lambda s: s.copy_state == CopyState.RESTORED)
    assert session.progress_status == Progress.COMPLETED
    assert bench.bytes(tv) == frozen
    assert bench.run(tv, bv)["bytes_moved"] == EXTENT
    bench.array.operate([(tv, other)], Operation.RESYNC)
    bench.equivalent(tv, other)
    assert bench.run(tv, other)["extents"] == 1
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv) == bench.sha(other)


def test_while_a_restore_runs_the_source_reads_as_restored(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 8)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    bench.array.write(tv, 0, b"spoilt")
    bench.hold()
    bench.array.operate([(tv, bv)], Operation.RESTORE)
    assert bench.array.read(tv, 0, 100) == frozen[:100]


def test_reversed_roles_resume_in_the_other_direction(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 9)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    bench.array.write(bv, EXTENT, b"kept")
    session = bench.array.operate([(tv, bv)], Operation.REVERSE)[0]
    assert session.key == (bv, tv)
    bench.array.operate([(bv, tv)], Operation.RESYNC)
    bench.equivalent(bv, tv)
    assert bench.bytes(tv)[EXTENT : EXTENT + 4] == b"kept"
    assert bench.run(bv, tv)["extents"] == 1


def test_a_mirrors_target_takes_no_host_write_before_the_suspend(bench):
    tv, bv = bench.make("tv", "bv")
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 6)
    for attempt in (lambda: bench.array.write(bv, 0, b"x"), lambda: bench.array.read(bv, 0, 1)):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == Code.VOLUME_BUSY
    bench.go()
    bench.equivalent(tv, bv)
    assert bench.array.read(bv, 0, 1) == b"\0"
    with pytest.raises(Refused):
        bench.array.write(bv, 0, b"x")


def test_an_aborted_or_broken_session_is_resynchronized_whole(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 10)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 6)
    assert bench.array.operate([(tv, bv)], Operation.ABORT)[0].copy_state == CopyState.ABORTED
    bench.go()
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    bench.array.break_session(tv, bv)
    assert bench.array.session(tv, bv).copy_state == CopyState.BROKEN
    bench.array.write(tv, 0, b"after the break")
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)
