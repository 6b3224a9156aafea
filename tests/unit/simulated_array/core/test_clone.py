# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OPC, QuickOPC and SnapOPC: a point in time at once, the copying behind it (behaviour.md §3)."""

from __future__ import annotations

import pytest
from eternus_sim.core.model import Code, CopyState, Operation, Refused

EXTENT = 64 * 1024


def test_a_clone_is_the_source_as_it_was_at_the_start_and_its_session_disappears(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 1)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    bench.array.write(tv, 3 * EXTENT - 10, b"y" * 100)
    bench.go()
    bench.gone(tv, bv)
    assert bench.bytes(bv) == frozen
    assert bench.bytes(tv) != frozen


def test_a_clones_target_is_readable_and_writable_at_once(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 2)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    assert bench.array.read(bv, 5 * EXTENT - 3, 10) == frozen[5 * EXTENT - 3 : 5 * EXTENT + 7]
    bench.array.write(bv, 7 * EXTENT + 1, b"mine")
    bench.go()
    bench.gone(tv, bv)
    expected = bytearray(frozen)
    expected[7 * EXTENT + 1 : 7 * EXTENT + 5] = b"mine"
    assert bench.bytes(bv) == bytes(expected)
    assert bench.bytes(tv) == frozen


@pytest.mark.rule("R6.1a")
def test_a_restore_works_while_the_generations_own_background_copy_still_runs(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 3)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    bench.array.write(tv, 0, b"spoilt" * 20000)
    bench.array.start_sessions([(bv, tv)], 8)
    assert bench.array.read(tv, 0, 16 * EXTENT) == frozen
    bench.array.write(tv, 4 * EXTENT, b"after the restore")
    bench.go()
    bench.gone(bv, tv)
    bench.gone(tv, bv)
    assert bench.bytes(bv) == frozen
    expected = bytearray(frozen)
    expected[4 * EXTENT : 4 * EXTENT + 17] = b"after the restore"
    assert bench.bytes(tv) == bytes(expected)


def test_a_clone_of_a_clone_in_progress_is_what_the_first_one_is(bench):
    one, two, three = bench.make("one", "two", "three")
    frozen = bench.fill(one, 4)
    bench.fill(two, 5)
    bench.hold()
    bench.array.start_sessions([(one, two)], 8)
    bench.array.start_sessions([(two, three)], 8)
    bench.array.write(two, 0, b"on two")
    bench.array.write(one, EXTENT, b"on one")
    bench.go()
    bench.gone(one, two)
    bench.gone(two, three)
    assert bench.bytes(three) == frozen
    assert bench.bytes(two) == b"on two" + frozen[6:]


def test_an_earlier_clone_of_the_target_keeps_what_the_target_was(bench):
    one, two, three = bench.make("one", "two", "three")
    source, old = bench.fill(one, 4), bench.fill(two, 5)
    bench.hold()
    bench.array.start_sessions([(two, three)], 8)
    bench.array.start_sessions([(one, two)], 8)
    bench.go()
    bench.gone(one, two)
    bench.gone(two, three)
    assert (bench.bytes(two), bench.bytes(three)) == (source, old)


def test_a_differential_clone_stays_and_copies_only_changes_the_next_time(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 6)
    bench.array.start_sessions([(tv, bv)], 8, sync_maintained=True)
    bench.equivalent(tv, bv)
    bench.array.write(tv, 2 * EXTENT, b"one")
    bench.array.write(bv, 6 * EXTENT, b"two")
    frozen = bench.bytes(tv)
    bench.hold()
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.array.write(tv, 2 * EXTENT, b"too late")
    assert bench.array.read(bv, 2 * EXTENT, 3) == b"one"
    bench.go()
    bench.equivalent(tv, bv)
    assert bench.bytes(bv) == frozen
    assert bench.run(tv, bv)["extents"] == 2
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.run(tv, bv)["extents"] == 1  # the write that came too late
    assert bench.sha(bv) == bench.sha(tv)


def test_a_plain_clone_is_not_resynchronized(bench):
    tv, bv = bench.make("tv", "bv")
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    with pytest.raises(Refused) as refused:
        bench.array.operate([(tv, bv)], Operation.RESYNC)
    assert refused.value.code == Code.PHASE


def test_a_snapshot_copies_only_what_is_about_to_change(bench):
    tv, snap = bench.make("tv", "snap")
    frozen = bench.fill(tv, 7)
    session = bench.array.start_sessions([(tv, snap)], 7)[0]
    assert (session.copy_type, session.copy_state) == (4, CopyState.SYNCHRONIZED)
    bench.array.write(tv, 5 * EXTENT, b"new")
    assert bench.run(tv, snap)["bytes_moved"] == EXTENT
    assert bench.array.read(snap, 0, 16 * EXTENT) == frozen
    bench.array.operate([(tv, snap)], Operation.RETURN, force=True)
    assert bench.array.sessions() == []


def test_a_restore_from_a_snapshot_brings_back_what_changed(bench):
    tv, snap = bench.make("tv", "snap")
    frozen = bench.fill(tv, 8)
    bench.array.start_sessions([(tv, snap)], 7)
    bench.array.write(tv, 5 * EXTENT, b"new")
    bench.array.operate([(tv, snap)], Operation.RESTORE)
    bench.wait(tv, snap, lambda s: s.copy_state == CopyState.RESTORED)
    assert bench.bytes(tv) == frozen
    assert bench.array.read(snap, 0, 16 * EXTENT) == frozen


def test_a_clone_may_be_larger_than_its_source(bench):
    (tv,) = bench.make("tv")
    (big,) = bench.make("big", size=20 * EXTENT + 512)
    frozen = bench.fill(tv, 9)
    bench.array.start_sessions([(tv, big)], 8)
    bench.array.write(big, 18 * EXTENT, b"beyond")
    bench.gone(tv, big)
    assert bench.bytes(big)[: 16 * EXTENT] == frozen


def test_a_mirror_of_a_copys_target_is_equivalent_when_that_copy_is_physically_there(bench):
    one, two, three = bench.make("one", "two", "three")
    frozen = bench.fill(one, 10)
    bench.array.start_sessions([(one, two)], 7)  # never copies by itself: stays incomplete
    bench.array.start_sessions([(two, three)], 6)
    bench.wait(two, three, lambda s: s.percent == 100)
    assert bench.array.session(two, three).copy_state == CopyState.SYNCHRONIZED
    assert bench.bytes(three) == frozen
