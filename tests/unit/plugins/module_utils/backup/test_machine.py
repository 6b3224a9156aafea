# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random starts, backups, cancels, deletions, readers and kills against a model of behaviour.md §2."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Reader, ReaderPurpose
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import (
    EXTENTS,
    START,
    Fault,
    Killed,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

TVS = ("oradata", "redolog")
DRIVE = "drive-1"

tv_names = st.sampled_from(TVS)
moments = st.sampled_from(["before", "after"])


class Synchronized(RuleBasedStateMachine):
    """Two TVs of one size, one with suspend, on a pool that is one BV short of comfort."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.contents: dict[str, list[int]] = {}
        self.expected: dict[str, list[str]] = {name: [] for name in TVS}
        self.written = 0

    @initialize(bvs=st.integers(2, 7), lists=st.booleans(), limits=st.tuples(st.integers(1, 3), st.integers(1, 3)))
    def build(self, bvs: int, lists: bool, limits: tuple[int, int]) -> None:
        self.house = House(Path(self.directory.name), lists=lists)
        self.house.tv("oradata", bvs, suspend=True, generations=limits[0])
        self.house.tv("redolog", generations=limits[1])
        self.limits = dict(zip(TVS, limits))

    def teardown(self) -> None:
        self.house.catalog.close()
        self.directory.cleanup()

    def ref(self, name: str) -> VolumeRef:
        return self.house.by_name[name].ref

    @rule(name=tv_names)
    def start(self, name: str) -> None:
        """No change while active; else the resumable BV suspended last, else an unused one, else refused."""
        world = self.house.look()
        tv = self.ref(name)
        active = world.active_mirror(tv)
        carried = {backup.disk.bv for backup in world.backups.get(tv, ()) if backup.disk}
        waiting = [s for s in world.mirrors_of(tv) if s.state is SessionState.SUSPENDED and s.target not in carried]
        best = max(waiting, key=lambda s: s.suspended_at, default=None)
        unused = self.house.unused()
        try:
            result = self.house.start(name)
        except BackupError as refusal:
            assert refusal.error_class.value in ("no_unused_volume", "volume_in_use_by_tape")
            assert active is None
            assert best is None
            assert not unused
            return
        row = result.values["synchronizations"][0]
        if active is not None:
            assert row["action"] == "none"
        elif best is not None:
            assert (row["action"], row["backup_volume"]) == ("resumed", self.house.bv_of(best.target))
        else:
            assert row["action"] in ("started", "resumed")

    @rule(name=tv_names, times=st.integers(1, 4), extent=st.integers(0, EXTENTS - 1))
    def cycles(self, name: str, times: int, extent: int) -> None:
        """Synchronize and back up: what every night does, so that rotations are common."""
        for _cycle in range(times):
            self.start(name)
            self.write(name, extent)
            self.house.clock.sleep(10)
            self.backup(name, suspend=None)

    @rule(seconds=st.sampled_from([1, 3, 10]))
    def pass_time(self, seconds: int) -> None:
        self.house.clock.sleep(seconds)

    @rule(name=tv_names, extent=st.integers(0, EXTENTS - 1))
    def write(self, name: str, extent: int) -> None:
        self.written += 1
        self.house.fabric.write(self.ref(name), extent, self.written)

    @rule(name=tv_names, suspend=st.none() | st.booleans())
    def backup(self, name: str, suspend: Optional[bool]) -> None:
        """Refused before the pair is equivalent; else it is the newest generation, with the TV's bytes."""
        session = self.house.look().active_mirror(self.ref(name))
        ready = session is not None and session.state is SessionState.EQUIVALENT
        try:
            result = self.house.backup(name, suspend=suspend)
        except BackupError as refusal:
            assert refusal.error_class.value == "not_equivalent"
            assert not ready
            return
        assert ready
        self._note(name, result.values["backups"][0]["id"])

    def _note(self, name: str, backup_id: str) -> None:
        self.contents[backup_id] = list(self.house.fabric.content[self.ref(name)])
        self.expected[name] = [backup_id, *self.expected[name]][: self.limits[name]]

    @rule(name=tv_names, every=st.booleans())
    def cancel(self, name: str, every: bool) -> None:
        """History is never touched; nothing active stays."""
        self.house.cancel(name, every=every)
        mirrors = self.house.look().mirrors_of(self.ref(name))
        assert not mirrors if every else all(s.state is SessionState.SUSPENDED for s in mirrors)

    @rule(name=tv_names, position=st.integers(0, 2))
    def cancel_by_bv(self, name: str, position: int) -> None:
        mirrors = self.house.look().mirrors_of(self.ref(name))
        if position < len(mirrors):
            bv = self.house.bv_of(mirrors[position].target)
            self.house.cancel(name, bvs=[bv])
            assert bv not in [self.house.bv_of(s.target) for s in self.house.look().mirrors_of(self.ref(name))]

    @rule(name=tv_names, position=st.integers(0, 2))
    def delete(self, name: str, position: int) -> None:
        """Deleting history never releases a suspended session."""
        if position >= len(self.expected[name]):
            return
        before = {s.key for s in self.house.look().mirrors_of(self.ref(name))}
        self.house.forget(name, self.expected[name].pop(position))
        assert {s.key for s in self.house.look().mirrors_of(self.ref(name))} == before

    @rule(name=tv_names, position=st.integers(0, 2))
    def read_for_tape(self, name: str, position: int) -> None:
        generations = self.house.generations(name)
        if position < len(generations) and generations[position].disk:
            bv = generations[position].disk.bv
            with self.house.catalog.begin() as records:
                if not records.readers([bv]):
                    records.add_reader(Reader(bv, generations[position].id, ReaderPurpose.TAPE, DRIVE, START))

    @rule()
    def end_reading(self) -> None:
        with self.house.catalog.begin() as records:
            for reader in records.readers():
                records.remove_reader(reader.bv, DRIVE)
                finish_leaving(records, reader.bv)

    @rule(name=tv_names, method=st.sampled_from(["start", "suspend", "resume", "release"]), when=moments)
    def killed(self, name: str, method: str, when: str) -> None:
        """A process dies around an array request; the next run of anything on the TV mends it."""
        self.house.array.faults.append(Fault(method, f"killed_{when}"))
        act = {"start": self.house.start, "resume": self.house.start, "release": self.house.cancel}.get(method)
        with contextlib.suppress(Killed, BackupError):
            if act is not None:
                act(name)
            else:
                at = list(self.house.fabric.content[self.ref(name)])
                result = self.house.backup(name)
                self._note(name, result.values["backups"][0]["id"])
                self.contents[self.expected[name][0]] = at
        self.house.array.faults.clear()
        frozen = list(self.house.fabric.content[self.ref(name)])
        self.house.clock.sleep(300)
        self._clean_up(name)
        self._find_recovered(name, frozen)

    @rule(
        name=tv_names,
        method=st.sampled_from(["start", "suspend", "resume", "release"]),
        kind=st.sampled_from(["lost", "refuse"]),
    )
    def answered_badly(self, name: str, method: str, kind: str) -> None:
        """An answer is lost after the act, or the array refuses: the next run mends it, or nothing was changed."""
        self.house.array.faults.append(Fault(method, kind, 32786))
        before = list(self.house.fabric.content[self.ref(name)])
        with contextlib.suppress(BackupError):
            if method == "suspend":
                self._note(name, self.house.backup(name).values["backups"][0]["id"])
            elif method == "release":
                self.house.cancel(name)
            else:
                self.house.start(name)
        self.house.array.faults.clear()
        self.house.clock.sleep(300)
        self._clean_up(name)
        self._find_recovered(name, before)

    @rule(name=tv_names, position=st.integers(0, 2))
    def ended_by_other_hands(self, name: str, position: int) -> None:
        """Somebody ends a session on the array: its BV is not lost to the pool."""
        mirrors = self.house.look().mirrors_of(self.ref(name))
        if position < len(mirrors):
            del self.house.fabric.copies[mirrors[position].key]
            self.house.clock.sleep(60)
            self._clean_up(name)

    def _clean_up(self, name: str) -> None:
        """Run whatever runs next on the TV."""
        with contextlib.suppress(BackupError):
            self.house.cancel(name)

    def _find_recovered(self, name: str, content: list[int]) -> None:
        """A split that had happened is recorded by recovery: its bytes are those of the moment of the kill."""
        newest = self.house.generations(name)[:1]
        if newest and newest[0].id not in self.contents:
            self.contents[newest[0].id] = content
            self.expected[name] = [newest[0].id, *self.expected[name]][: self.limits[name]]

    @invariant()
    def generations_are_those_of_the_model(self) -> None:
        """Never more than G after success, newest first, none lost."""
        if hasattr(self, "house"):
            for name in TVS:
                assert [backup.id for backup in self.house.generations(name)] == self.expected[name]

    @invariant()
    def every_generation_holds_the_tvs_bytes_of_its_time(self) -> None:
        if hasattr(self, "house"):
            for name in TVS:
                for backup in self.house.generations(name):
                    assert self.house.fabric.content[backup.disk.bv] == self.contents[backup.id]

    @invariant()
    def a_bv_has_one_role_and_none_is_leaked(self) -> None:
        if not hasattr(self, "house"):
            return
        world = self.house.look()
        carriers = [b.disk.bv for name in TVS for b in world.backups.get(self.ref(name), ()) if b.disk]
        assert len(carriers) == len(set(carriers))
        for session in world.sessions.values():
            assert world.allocations[session.target].tv == session.source
        for bv, allocation in world.allocations.items():
            carried = world.backup_on(bv, allocation.tv) is not None
            assert carried or world.touching(bv) or world.readers.get(bv)
        for name in self.house.unused():
            bv = self.ref(name)
            assert bv not in carriers
            assert not world.touching(bv)
            assert not world.readers.get(bv)


Synchronized.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSynchronized = pytest.mark.unmeasured(Synchronized.TestCase)
