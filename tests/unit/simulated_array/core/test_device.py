# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host finds in the device of a copy's target while the array still copies (array.md, OPC target)."""

from __future__ import annotations

import os

import pytest
from eternus_sim.core import media
from eternus_sim.core.array import SimArray
from eternus_sim.core.config import ArrayConfig, Knobs
from eternus_sim.core.model import CopyState, Operation

EXTENT = 64 * 1024
SIZE = 16 * EXTENT


@pytest.fixture(params=[7, 8], ids=["SnapOPC", "OPC"])
def copied(request, bench):
    """A TV, a BV with something else on it, and what the TV was when the copy began; nothing has moved yet."""
    tv, bv = bench.make("tv", "bv")
    bench.fill(bv, 99)
    bench.array.write(bv, 15 * EXTENT, bytes(EXTENT))
    frozen = bytearray(bench.fill(tv, 1))
    frozen[8 * EXTENT :] = bytes(8 * EXTENT)
    bench.array.write(tv, 8 * EXTENT, bytes(8 * EXTENT))
    bench.hold()
    bench.array.start_sessions([(tv, bv)], request.param)
    return tv, bv, bytes(frozen)


def test_the_device_holds_the_point_in_time_as_soon_as_the_method_has_answered(bench, copied):
    tv, bv, frozen = copied
    assert bench.bytes(bv) == frozen
    assert bench.run(tv, bv)["bytes_moved"] == 0


def test_neither_a_write_to_the_source_nor_one_past_the_door_reaches_the_target(bench, copied):
    tv, bv, frozen = copied
    bench.array.write(tv, EXTENT, b"through the door")
    with bench.array.volumes[tv].path.open("r+b") as device:
        device.seek(9 * EXTENT)
        device.write(b"past it")
    bench.go()
    assert bench.bytes(bv) == frozen


@pytest.mark.parametrize("through", ["the door", "the device"])
def test_a_write_to_the_target_is_kept_when_the_copy_gets_there(bench, through):
    tv, bv = bench.make("tv", "bv")
    expected = bytearray(bench.fill(tv, 1))
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    if through == "the door":
        bench.array.write(bv, 5 * EXTENT + 7, b"mine")
    else:
        fd = os.open(bench.array.volumes[bv].path, os.O_WRONLY)
        os.pwrite(fd, b"mine", 5 * EXTENT + 7)
        os.close(fd)
    bench.go()
    bench.gone(tv, bv)
    expected[5 * EXTENT + 7 : 5 * EXTENT + 11] = b"mine"
    assert bench.bytes(bv) == bytes(expected)


def test_percent_and_moved_bytes_follow_the_rate_and_not_the_device(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 1)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    assert bench.array.session(tv, bv).percent == 0
    bench.array.write(tv, 0, b"x")  # copy on write: this extent is moved at once
    assert bench.run(tv, bv)["bytes_moved"] == EXTENT
    assert bench.array.session(tv, bv).percent == 100 // 16
    bench.array.read(bv, 0, SIZE)
    assert bench.run(tv, bv)["bytes_moved"] == EXTENT
    bench.go()
    bench.gone(tv, bv)
    assert bench.run(tv, bv)["bytes_moved"] == SIZE
    assert bench.bytes(bv) == frozen


@pytest.mark.parametrize("how", ["detached", "aborted", "broken"])
def test_a_copy_ended_early_leaves_a_target_that_nobody_takes_for_data(bench, how):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 1)
    bench.array.write(tv, 12 * EXTENT, bytes(4 * EXTENT))
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    bench.array.write(tv, 2 * EXTENT, b"x")  # this extent has arrived
    if how == "detached":
        bench.array.operate([(tv, bv)], Operation.DETACH, force=True)
    elif how == "aborted":
        bench.array.operate([(tv, bv)], Operation.ABORT)
    else:
        bench.array.break_session(tv, bv)
    left = bench.bytes(bv)
    for extent in range(16):
        part = left[extent * EXTENT : (extent + 1) * EXTENT]
        if extent == 2:
            assert part == frozen[2 * EXTENT : 3 * EXTENT]
        else:
            assert part.startswith(b"the copy was ended before this extent had arrived")


def test_a_restore_is_on_the_device_at_once_and_a_cancelled_one_leaves_it_undefined(bench):
    tv, bv = bench.make("tv", "bv")
    frozen = bench.fill(tv, 1)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8)
    bench.array.write(tv, 0, b"spoilt" * 20000)
    bench.array.start_sessions([(bv, tv)], 8)
    assert bench.bytes(tv) == frozen
    bench.array.operate([(bv, tv)], Operation.DETACH, force=True)
    assert bench.bytes(tv) != frozen
    bench.go()
    bench.gone(tv, bv)
    assert bench.bytes(bv) == frozen


def test_a_resynchronized_clone_is_on_the_device_at_once_and_moves_changed_extents_only(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 1)
    bench.array.start_sessions([(tv, bv)], 8, sync_maintained=True)
    bench.equivalent(tv, bv)
    bench.array.write(tv, 3 * EXTENT, b"source")
    bench.array.write(bv, 9 * EXTENT, b"target")
    frozen = bench.bytes(tv)
    bench.hold()
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    assert bench.bytes(bv) == frozen
    assert bench.run(tv, bv)["bytes_moved"] == 0
    bench.go()
    bench.equivalent(tv, bv)
    assert bench.run(tv, bv)["bytes_moved"] == 2 * EXTENT


def test_what_is_written_past_the_door_during_a_clone_counts_as_changed_afterwards(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 1)
    bench.hold()
    bench.array.start_sessions([(tv, bv)], 8, sync_maintained=True)
    with bench.array.volumes[tv].path.open("r+b") as device:
        device.seek(9 * EXTENT)
        device.write(b"past the door")
    bench.go()
    bench.equivalent(tv, bv)
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.run(tv, bv)["extents"] == 1
    assert bench.sha(bv) == bench.sha(tv)


def test_holes_stay_holes(bench):
    tv, bv = bench.make("tv", "bv", size=4096 * EXTENT)
    bench.array.write(tv, 100 * EXTENT, b"x" * EXTENT)
    bench.array.start_sessions([(tv, bv)], 8)
    bench.gone(tv, bv)
    assert bench.array.volumes[bv].path.stat().st_blocks * 512 <= 4 * EXTENT
    assert bench.sha(bv) == bench.sha(tv)


@pytest.mark.parametrize("dies_before", [0, 1, 2])
def test_an_array_killed_while_it_lays_points_in_time_down_finishes_it(tmp_path, monkeypatch, dies_before):
    class Killed(BaseException):
        """What SIGKILL is to the rest of the code."""

    def open_array() -> SimArray:
        return SimArray(tmp_path / "a", ArrayConfig(knobs=Knobs(copy_rate=1)))

    array = open_array()
    a, b, c = (v.device_id for v in array.create_volumes([(n, SIZE) for n in "abc"], "TPP0004"))
    array.write(a, 0, b"a" * SIZE)
    array.write(b, 0, b"b" * SIZE)
    real, done = media.copy, []

    def copy(source, target, spans):
        if len(done) == dies_before:
            real(source, target, [(0, 3 * EXTENT + 5)])
            raise Killed
        done.append(target)
        return real(source, target, spans)

    monkeypatch.setattr(media, "copy", copy)
    try:
        array.start_sessions([(b, c), (a, b)], 8)
    except Killed:
        pass
    monkeypatch.undo()
    array._copier.stop()
    array.log.close()
    array = open_array()
    assert {s.key for s in array.sessions()} == {(b, c), (a, b)}
    assert array.volumes[b].path.read_bytes() == b"a" * SIZE
    assert array.volumes[c].path.read_bytes() == b"b" * SIZE
    assert all(s.copy_state == CopyState.UNSYNCHRONIZED for s in array.sessions())
    array.close()
