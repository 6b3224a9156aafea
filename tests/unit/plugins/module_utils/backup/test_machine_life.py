# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random lives of backups: every method, groups, tape, holds, deletions, restores, other hands, and deaths anywhere."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.machine_ledger import (
    GROUP,
    NAMES,
    Ledger,
    counted,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import (
    EXTENTS,
    Fault,
    Killed,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.mortal import Death
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import (
    NO_PATIENCE,
    PATIENCE,
    House,
)

#: How many lives are tried; MACHINE_EXAMPLES=5000 for a long run.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "150"))

tapes = {"tape_pool": "pool"}
METHODS = [
    {"method": "synchronized"},
    {"method": "synchronized", "suspend": True},
    {"method": "synchronized", "media": "both", **tapes},
    {"method": "synchronized", "media": "tape", "suspend": True, **tapes},
    {"method": "snapshot"},
    {"method": "snapshot", "safe_rotation": True},
    {"method": "snapshot", "media": "both", **tapes},
    {"method": "snapshot", "media": "tape", **tapes},
    {"method": "differential"},
    {"method": "differential", "media": "both", **tapes},
    {"method": "tape_only", "media": "both", **tapes},
    {"method": "auto", "suspend": True},
    {"method": "auto", "media": "both", **tapes},
]
GROUPED = [one for one in METHODS if one["method"] in ("synchronized", "snapshot")]

names = st.sampled_from(NAMES)
positions = st.integers(0, 3)
deaths = st.builds(Death, st.integers(0, 8), st.booleans())
faults = st.builds(
    Fault,
    st.sampled_from(["start", "suspend", "resume", "release"]),
    st.sampled_from(["refuse", "lost", "unreachable", "killed_before", "killed_after"]),
    st.just(32786),
    pair=st.sampled_from([None, None, 0, 1]),
)
mishaps = st.none() | st.none() | st.none() | deaths | faults


class Life(RuleBasedStateMachine):
    """Two TVs of their own and a group of two share a pool of backup volumes and a scratch volume."""

    memory = True

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.written = 0

    @initialize(
        solo=st.tuples(st.sampled_from(METHODS), st.sampled_from(METHODS)),
        group=st.sampled_from(GROUPED),
        limits=st.tuples(*[st.integers(1, 3)] * 3),
        bvs=st.integers(4, 16),
        lists=st.booleans(),
        seconds=st.sampled_from([4.0, 40.0]),
    )
    def build(self, solo: Any, group: Any, limits: Any, bvs: int, lists: bool, seconds: float) -> None:
        self.house = House(Path(self.directory.name), lists=lists, memory=self.memory)
        self.house.fabric.copy_seconds = seconds
        self.limits = dict(zip(NAMES, (*limits, limits[2])))
        self.policies = dict(zip(NAMES, (*solo, group, group)))
        for number, name in enumerate(NAMES):
            more = {"group": "app"} if name in GROUP else {}
            self.house.tv(name, 0 if number else bvs, generations=self.limits[name], **self.policies[name], **more)
        self.house.volume("scratch", None)
        self.ledger = Ledger(self.house)
        self.ledger.remember()

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.catalog.close()
        self.directory.cleanup()

    def mates(self, name: str) -> tuple[str, ...]:
        return GROUP if name in GROUP else (name,)

    def act(self, tvs: tuple[str, ...], act: Callable[[], Any], mishap: Any = None) -> Any:
        """Do something that may be refused, or go wrong in the middle; a refusal changes nothing."""
        house, ledger = self.house, self.ledger
        quiet = mishap is None and not any(name in ledger.dying for name in tvs) and not house.look().undefined
        before = house.everything() if quiet else None
        if isinstance(mishap, Fault):
            house.array.faults.append(replace(mishap))
        elif mishap is not None:
            house.death = replace(mishap)
        contents = {name: house.content(name) for name in tvs}
        try:
            return act()
        except BackupError as error:
            assert error.next_step
            if before is not None:
                assert house.everything() == before
            elif mishap is not None:
                ledger.dying.update(contents)
            return error
        except Killed:
            ledger.dying.update(contents)
            return None
        finally:
            house.array.faults.clear()
            house.death = None
            if mishap is not None:
                house.clock.sleep(300)

    @rule(name=names, extent=st.integers(0, EXTENTS - 1))
    def write(self, name: str, extent: int) -> None:
        self.written += 1
        self.house.fabric.write(self.ledger.ref(name), extent, self.written)

    @rule(seconds=st.sampled_from([1, 12, 100]))
    def pass_time(self, seconds: int) -> None:
        self.house.clock.sleep(seconds)
        self.ledger.check()

    @rule(name=names, mishap=mishaps, drop_untaped=st.booleans())
    def start(self, name: str, mishap: Any, drop_untaped: bool) -> None:
        if self.policies[name]["method"] in ("synchronized", "auto"):
            tvs = self.mates(name)
            self.act(tvs, lambda: self.house.start(*tvs, drop_untaped=drop_untaped), mishap)
            self.ledger.check(worked=tvs)

    @rule(name=names, mishap=mishaps, drop_untaped=st.booleans())
    def backup(self, name: str, mishap: Any, drop_untaped: bool) -> None:
        """What check mode foresees is what is done; a success leaves the policy's generations and no more."""
        house, tvs = self.house, self.mates(name)
        wanted = {"drop_untaped": drop_untaped}
        house.array.reads_only = True
        try:
            foreseen = house.alike(house.foreseen(name, **wanted))
        except BackupError as refusal:
            foreseen = refusal.error_class
        house.array.reads_only = False
        contents = {one: house.content(one) for one in tvs}
        quiet = not any(one in self.ledger.dying for one in tvs)
        done = self.act(tvs, lambda: house.backup(name, **wanted), mishap)
        if isinstance(done, BackupError) or done is None:
            if mishap is None:
                assert done.error_class == foreseen, f"foreseen {foreseen}, done {done}"
            self.ledger.check(worked=tvs)
            return
        if mishap is None and quiet:
            assert foreseen == house.alike(done)
        for row in done.values["backups"]:
            assert row["taken"]
            self.ledger.contents[row["id"]] = contents[row["volume"]]
            assert counted(self.ledger.valid(row["volume"])) <= self.limits[row["volume"]]
        for one in tvs:
            self.ledger.find_recovered()
            self.ledger.dying.pop(one, None)
        self.ledger.check(worked=tvs)

    @rule(name=names, times=st.integers(1, 4), tape=st.booleans())
    def nights(self, name: str, times: int, tape: bool) -> None:
        """Night after night, as jobs do, so that rotations are common."""
        for _night in range(times):
            self.start(name, None, False)
            self.write(name, 0)
            self.house.clock.sleep(60)
            self.backup(name, None, False)
            for one in self.mates(name) if tape else ():
                if not any(copy.state is TapeState.WRITING for b in self.house.history(one) for copy in b.tape):
                    self.house.tape_all(one)
            self.ledger.check()

    @rule(name=names, every=st.booleans(), mishap=mishaps)
    def cancel(self, name: str, every: bool, mishap: Any) -> None:
        """History is never touched; nothing active stays."""
        done = self.act((name,), lambda: self.house.cancel(name, every=every), mishap)
        if done is not None and not isinstance(done, BackupError):
            left = {session.state for session in self.house.look().mirrors_of(self.ledger.ref(name))}
            assert not left if every else left <= {SessionState.SUSPENDED}
        self.ledger.check()

    @rule(name=names, position=positions, mishap=mishaps)
    def delete(self, name: str, position: int, mishap: Any) -> None:
        """Deleting never ends a session; a held backup is not deleted."""
        history = self.house.history(name)
        if position >= len(history):
            return
        backup = history[-1 - position]
        sessions = set(self.house.fabric.copies)
        self.act((name,), lambda: self.house.delete(backup.id, confirm=[name]), mishap)
        if backup.hold:
            assert self.house.backup_of(backup.id) is not None
        if mishap is None and name not in self.ledger.dying:
            assert set(self.house.fabric.copies) == sessions
        self.ledger.check(deleted=[backup.id] if not backup.hold else [])

    @rule(name=names, position=positions, hold=st.booleans())
    def hold(self, name: str, position: int, hold: bool) -> None:
        history = self.house.history(name)
        if position < len(history):
            self.house.hold(history[-1 - position].id, hold)
            self.ledger.remember()

    def _legs(self, state: tuple[TapeState, ...]) -> list[tuple[str, int]]:
        return [
            (backup.id, copy.number)
            for name in NAMES
            for backup in self.house.history(name)
            if backup.disk is not None
            for copy in backup.tape
            if copy.state in state
        ]

    @rule(position=positions)
    def tape_begins(self, position: int) -> None:
        legs = self._legs((TapeState.QUEUED, TapeState.FAILED))
        if position < len(legs):
            self.house.begin_leg(*legs[position])
            self.ledger.check()

    @rule(position=positions, ok=st.booleans())
    def tape_ends(self, position: int, ok: bool) -> None:
        """The tape gets the bytes of the point in time; a borrowed BV goes back when all is written."""
        legs = self._legs((TapeState.WRITING,))
        if position < len(legs):
            backup = self.house.backup_of(legs[position][0])
            assert self.house.fabric.content[backup.disk.bv] == self.ledger.contents[backup.id]
            self.house.end_leg(legs[position][0], ok=ok, number=legs[position][1])
            self.ledger.check()

    @rule(
        name=names,
        position=positions,
        place=st.sampled_from(["", "", "scratch", "bv"]),
        patient=st.booleans(),
        mishap=mishaps,
    )
    def restore(self, name: str, position: int, place: str, patient: bool, mishap: Any) -> None:
        """A restore that has finished brings the bytes of its generation, and history is unchanged."""
        generations = self.ledger.valid(name)
        if position >= len(generations):
            return
        chosen = generations[position]
        unused = self.house.unused()
        onto = place if place != "bv" else unused[0] if unused else ""
        wait = PATIENCE if patient else NO_PATIENCE
        choice = Choice(backup_id=chosen.id)
        done = self.act((name,), lambda: self.house.restore(name, onto, choice=choice, wait=wait), mishap)
        if done is not None and not isinstance(done, BackupError) and done.values["finished"]:
            assert self.house.content(onto or name) == self.ledger.contents[chosen.id]
        self.ledger.check()

    @rule(name=names, onto=st.sampled_from(["", "scratch"]))
    def cancel_restore(self, name: str, onto: str) -> None:
        self.act((name,), lambda: self.house.cancel_restore(name, onto))
        self.ledger.check()

    @rule(name=names, position=positions)
    def ended_by_other_hands(self, name: str, position: int) -> None:
        """Somebody ends a session that is whole: no bytes are lost, and the BV comes back to the pool."""
        tv = self.ledger.ref(name)
        whole = (SessionState.SUSPENDED, SessionState.TRACKING, SessionState.EQUIVALENT)
        found = [key for key, one in self.house.fabric.copies.items() if key[0] == tv and one.session.state in whole]
        if position < len(found):
            self.house.fabric.end(found[position])
            self.house.clock.sleep(60)
            with contextlib.suppress(BackupError):
                self.house.cancel(name)
            self.ledger.check()


Life.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = pytest.mark.unmeasured(Life.TestCase)


class RealLife(Life):
    """The same over the real catalog, to see that the model of it does not lie."""

    memory = False


RealLife.TestCase.settings = settings(
    max_examples=max(2, EXAMPLES // 50),
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRealLife = pytest.mark.unmeasured(RealLife.TestCase)
