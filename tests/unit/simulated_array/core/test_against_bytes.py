# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes, splits, resyncs, clones, restores and crashes in any order, against plain bytes in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from eternus_sim.core.array import SimArray
from eternus_sim.core.config import ArrayConfig, Knobs
from eternus_sim.core.model import CopyState, CopyType, Operation, Refused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

EXTENT = 64 * 1024
EXTENTS = 5
SIZE = EXTENTS * EXTENT - 32768  # the last extent is half a one
volumes = st.integers(0, 3)
pairs = st.permutations(range(4)).map(lambda order: (order[0], order[1]))
picks = st.integers(0, 11)
offsets = st.one_of(
    st.integers(0, SIZE - 1), st.sampled_from([n * EXTENT + d for n in range(1, EXTENTS) for d in (-1, 0, 1)])
)
lengths = st.sampled_from([1, 512, EXTENT, EXTENT + 1, 2 * EXTENT])


class ArrayAgainstBytes(RuleBasedStateMachine):
    """``model`` is what a host must read of each volume; ``changed`` the extents a resume may move at most."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.held = True
        self.stamp = 0
        self.array = self.open()
        self.ids = [v.device_id for v in self.array.create_volumes([(f"v{n}", SIZE) for n in range(4)], "TPP0004")]
        self.model = {device_id: bytearray(SIZE) for device_id in self.ids}
        self.changed: dict[tuple[str, str], set[int]] = {}

    def open(self) -> SimArray:
        return SimArray(self.root, ArrayConfig(knobs=Knobs(copy_rate=1 if self.held else 0)))

    def teardown(self) -> None:
        self.array.close()
        shutil.rmtree(self.root)

    # what the bytes must be

    def overwritten(self, device_id: str, extents: set[int]) -> None:
        for key in self.changed:
            if device_id in key:
                self.changed[key] |= extents

    def put(self, device_id: str, offset: int, data: bytes) -> None:
        self.model[device_id][offset : offset + len(data)] = data
        self.overwritten(device_id, set(range(offset // EXTENT, (offset + len(data) - 1) // EXTENT + 1)))
        for session in self.array.sessions(stale=False):
            follows = session.copy_type == CopyType.EC and session.copy_state == CopyState.SYNCHRONIZED
            if follows and session.source_id == device_id:
                self.put(session.target_id, offset, data)

    def become(self, device_id: str, other: str) -> None:
        self.put(device_id, 0, bytes(self.model[other]))

    def settle(self) -> None:
        """Let all copies come to their end."""
        self.array.knobs.copy_rate = 0
        idle = {2, 3}
        assert self.array.wait_for(lambda: all(s.progress_status in idle for s in self.array.sessions(stale=False)), 30)
        for session in self.array.sessions(stale=False):
            if session.copy_type == CopyType.EC and session.copy_state == CopyState.SYNCHRONIZED:
                self.model[session.target_id] = bytearray(self.model[session.source_id])
        self.array.knobs.copy_rate = 1 if self.held else 0

    def pick(self, number: int) -> tuple[str, str]:
        keys = sorted(session.key for session in self.array.sessions(stale=False))
        return keys[number % len(keys)] if keys else ("", "")  # no precondition: the copier is another thread

    # what happens

    @rule(volume=volumes, offset=offsets, length=lengths)
    def host_writes(self, volume: int, offset: int, length: int) -> None:
        self.stamp = self.stamp % 255 + 1
        data = bytes([self.stamp]) * min(length, SIZE - offset)
        try:
            self.array.write(self.ids[volume], offset, data)
        except Refused:
            return
        self.put(self.ids[volume], offset, data)

    @rule(pair=pairs)
    def mirror(self, pair: tuple[int, int]) -> None:
        try:
            self.array.start_sessions([(self.ids[pair[0]], self.ids[pair[1]])], 6)
        except Refused:
            return
        self.overwritten(self.ids[pair[1]], set(range(EXTENTS)))
        self.settle()

    @rule(pair=pairs, kind=st.sampled_from([(8, False), (8, True), (7, False)]))
    def copy(self, pair: tuple[int, int], kind: tuple[int, bool]) -> None:
        try:
            self.array.start_sessions([(self.ids[pair[0]], self.ids[pair[1]])], kind[0], sync_maintained=kind[1])
        except Refused:
            return
        self.become(self.ids[pair[1]], self.ids[pair[0]])

    @rule(pick=picks, operation=st.sampled_from([Operation.SPLIT, Operation.FRACTURE]))
    def split(self, pick: int, operation: int) -> None:
        key = self.pick(pick)
        try:
            self.array.operate([key], operation)
        except Refused:
            return
        self.changed[key] = set()

    @rule(pick=picks)
    def resync(self, pick: int) -> None:
        key = self.pick(pick)
        try:
            session = self.array.operate([key], Operation.RESYNC)[0]
        except Refused:
            return
        if session.copy_type == CopyType.EC:
            changed = self.changed.pop(key)
            self.overwritten(key[1], changed)
            run = self.array.counters.as_dict()["runs"][-1]
            assert run["extents"] <= len(changed)
            self.settle()
        else:
            self.become(key[1], key[0])

    @rule(pick=picks)
    def restore(self, pick: int) -> None:
        key = self.pick(pick)
        try:
            self.array.operate([key], Operation.RESTORE)
        except Refused:
            return
        self.become(key[0], key[1])

    @rule(pick=picks)
    def detach(self, pick: int) -> None:
        key = self.pick(pick)
        try:
            self.array.operate([key], Operation.DETACH)
        except Refused:
            return
        self.changed.pop(key, None)

    @rule(pick=picks)
    def reverse(self, pick: int) -> None:
        key = self.pick(pick)
        try:
            self.array.operate([key], Operation.REVERSE)
        except Refused:
            return
        self.changed[key[1], key[0]] = self.changed.pop(key)

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.held = held
        self.array.knobs.copy_rate = 1 if held else 0

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        if clean:
            self.array.close()
        else:
            self.array._copier.stop()  # as a kill leaves it: nothing is written down at the end
            self.array.log.close()
        self.array = self.open()

    @invariant()
    def hosts_read_what_they_must(self) -> None:
        if not self.held:
            self.settle()
        sessions = self.array.sessions(stale=False)
        for device_id in self.ids:
            own = [s for s in sessions if s.target_id == device_id and s.copy_type == CopyType.EC]
            assert not own or own[0].progress_status in {2, 8}
        with self.array.domain.lock:
            for device_id in self.ids:
                assert self.array.read(device_id, 0, SIZE) == bytes(self.model[device_id])
                assert self.array.volumes[device_id].path.read_bytes() == bytes(self.model[device_id])


TestArrayAgainstBytes = ArrayAgainstBytes.TestCase
TestArrayAgainstBytes.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
