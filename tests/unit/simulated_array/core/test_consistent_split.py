# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operate() splits all its sessions at one instant against ordered writes (behaviour.md §3)."""

from __future__ import annotations

import struct
import threading

from eternus_sim.core.model import Operation


def test_a_split_of_several_volumes_is_one_cut_through_ordered_writes(bench):
    sources = bench.make("a", "b", "c")
    targets = bench.make("a2", "b2", "c2")
    pairs = list(zip(sources, targets))
    bench.array.start_sessions(pairs, 6)
    for pair in pairs:
        bench.equivalent(*pair)
    stop = threading.Event()

    def write() -> None:
        stamp = 0
        while not stop.is_set():
            stamp += 1
            bench.array.write_many([(source, 4096, struct.pack(">Q", stamp)) for source in sources])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _turn in range(20):
            bench.array.operate(pairs, Operation.SPLIT)
            stamps = [struct.unpack(">Q", bench.array.read(target, 4096, 8))[0] for target in targets]
            # Written in this order, the later volume is never ahead, and at most one round behind.
            assert stamps == sorted(stamps, reverse=True)
            assert stamps[0] - stamps[-1] <= 1
            bench.array.operate(pairs, Operation.RESYNC)
            for pair in pairs:
                bench.equivalent(*pair)
    finally:
        stop.set()
        writer.join()
    assert all(bench.sha(source) == bench.sha(target) for source, target in pairs)
