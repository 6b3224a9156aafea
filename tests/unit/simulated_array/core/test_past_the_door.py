# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A volume's file written past the door is noticed before the next transition (DESIGN.md, the simulated array)."""

from __future__ import annotations

import os

import pytest
from eternus_sim.core.model import Operation

EXTENT = 64 * 1024


def past_the_door(path, offset, data):
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, offset)
    os.close(fd)


def test_a_resume_copies_what_was_written_past_the_door(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 1)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    past_the_door(bench.array.volumes[tv].path, 3 * EXTENT, b"dd")
    past_the_door(bench.array.volumes[bv].path, 8 * EXTENT, b"dd")
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.run(tv, bv)["extents"] == 2
    assert bench.sha(bv) == bench.sha(tv)


def test_a_split_carries_what_was_written_past_the_door_while_equivalent(bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    past_the_door(bench.array.volumes[tv].path, 3 * EXTENT, b"dd")
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    assert bench.bytes(bv)[3 * EXTENT : 3 * EXTENT + 2] == b"dd"


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_write_past_the_door_is_seen_beside_a_write_through_it(bench, order):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    if order == "after":
        bench.array.write(tv, 0, b"door")
    past_the_door(bench.array.volumes[tv].path, 3 * EXTENT, b"dd")
    if order == "before":
        bench.array.write(tv, 0, b"door")
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)
    assert bench.run(tv, bv)["extents"] == 2


def test_a_file_cut_short_has_its_size_again(bench):
    tv, bv = bench.make("tv", "bv")
    bench.fill(tv, 2)
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    os.truncate(bench.array.volumes[tv].path, 15 * EXTENT)
    bench.array.operate([(tv, bv)], Operation.RESYNC)
    bench.equivalent(tv, bv)
    assert len(bench.bytes(tv)) == 16 * EXTENT
    assert bench.sha(bv) == bench.sha(tv)


def test_a_write_past_the_door_while_executing_is_on_the_target_when_equivalent(bench):
    tv, bv = bench.make("tv", "bv", size=64 * EXTENT)
    bench.array.knobs.copy_rate = 256 * EXTENT
    bench.array.start_sessions([(tv, bv)], 6)
    bench.wait(tv, bv, lambda s: s.percent >= 50)
    past_the_door(bench.array.volumes[tv].path, 0, b"dd")
    bench.equivalent(tv, bv)
    assert bench.sha(bv) == bench.sha(tv)
