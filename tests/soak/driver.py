# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs cycles of two units at a time, step by step, and looks whether everything holds."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, TapeState
from ansible_collections.eternus.backup.tests.fault.invariants import Violation, violations
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger, Reported
from ansible_collections.eternus.backup.tests.fault.world import _PRELUDE, SIZE, Crash, World
from ansible_collections.eternus.backup.tests.soak.cycles import Cycles, GaveUp, Steps
from ansible_collections.eternus.backup.tests.soak.faults import Fault, Faults
from ansible_collections.eternus.backup.tests.soak.site import Unit, units
from ansible_collections.eternus.backup.tests.soak.steps import Ask, Done, Pause, Step, Write
from ansible_collections.eternus.backup.tests.unit.support.run_module import module_process

#: Cycles between two looks at everything.
EVERY = 50
_NONE = Crash()


@dataclass
class Running:
    """A cycle under way: its next step, and whether its last call failed."""

    unit: Unit
    steps: Steps
    step: Optional[Step]
    again: bool = False
    log: str = ""


class Soak:
    """One soak. ``say`` gets a line now and then."""

    def __init__(self, world: World, ledger: Ledger, seed: int, say: Callable[[str], None]) -> None:
        self.world, self.ledger, self._say = world, ledger, say
        self._chance = random.Random(seed)
        self.faults = Faults(world, self._chance)
        self.cycles = Cycles(world, ledger, self.faults, self._chance)
        self.found: list[str] = []
        self.counted: Counter[str] = Counter()
        self.strikes: Counter[str] = Counter()
        self.seen: set[str] = set()
        self._pool = ThreadPoolExecutor(2)
        self._trail: list[str] = []

    def run(self, cycles: int) -> None:
        """Run so many cycles; look at everything every 50, and at the end."""
        begun, active = 0, [None, None]
        running: list[Optional[Running]] = list(active)
        while begun < cycles or any(running):
            drain = begun >= cycles or (begun % EVERY == 0 and self.counted["looked_at"] < begun)
            for slot in (0, 1):
                if running[slot] is None and not drain:
                    running[slot] = self._begin(running)
                    begun += 1
                    drain = begun >= cycles or begun % EVERY == 0
            if any(running):
                self._round(running)
            elif begun < cycles:
                self._look(begun)
        self._look(begun)

    def _begin(self, running: list[Optional[Running]]) -> Running:
        busy = {one.unit.tvs for one in running if one}
        unit = self._chance.choice([one for one in units() if one.tvs not in busy])
        steps = self.cycles.any(unit)
        made = Running(unit, steps, None)
        self._advance(made, None)
        return made

    def _advance(self, one: Running, done: Optional[Done]) -> None:
        """Go to a cycle's next step; None when it has ended."""
        try:
            one.step = next(one.steps) if done is None else one.steps.send(done)
        except StopIteration:
            one.step = None
        except GaveUp as error:
            self._complain("gave up", str(error))
            one.step = None

    def _round(self, running: list[Optional[Running]]) -> None:
        """Carry out one step of each cycle, the calls side by side; then let time pass, where somebody waits."""
        asked = [one for one in running if one and isinstance(one.step, Ask)]
        drawn = [(one, self.faults.draw(one.step, again=one.again)) for one in asked]
        struck = self._strike([fault for _one, fault in drawn])
        jobs = [self._pool.submit(self._call, one.step, fault, slot) for slot, (one, fault) in enumerate(drawn)]
        done = [job.result() for job in jobs]
        self.faults.calm()
        pause = 0.0
        for one in (one for one in running if one and not isinstance(one.step, Ask)):
            if isinstance(one.step, Pause):
                pause = max(pause, one.step.seconds)
            elif isinstance(one.step, Write):
                self.ledger.write(self.world, *one.step.tvs)
            if one.step is not None:
                self._advance(one, Done())
        if pause:
            self.world.later(pause)
        for (one, fault), outcome in zip(drawn, done):
            self._after(one, fault, outcome, struck)
        for slot, one in enumerate(running):
            if one is not None and one.step is None:
                running[slot] = None
                self.counted["cycles"] += 1

    def _strike(self, faults: list[Optional[Fault]]) -> bool:
        """Carry out the faults outside the processes; tell whether any of them concerns everybody."""
        everybody = False
        for fault in faults:
            if fault is None:
                continue
            if fault.kind == "array" and fault.point is not None:
                self.world.array.fail(**fault.point)
                self.strikes[f"array {fault.point['action']}"] += 1
                everybody = True
            elif fault.kind == "tape":
                what = self.faults.spoil()
                self.strikes[f"tape {what}"] += bool(what)
        return everybody

    def _call(self, ask: Ask, fault: Optional[Fault], slot: int) -> Done:
        crash = fault.crash if fault and fault.crash else _NONE
        log = self.world.directory / f"events-{slot}.jsonl"
        log.unlink(missing_ok=True)
        around = self.world.injection(crash, log)
        code, out, err = module_process(
            ask.module, self.world.arguments(ask.module, **ask.args), env=around, prelude=_PRELUDE, timeout=300
        )
        self.faults.learn(ask, len(self.world.events(log)))
        self.counted["calls"] += 1
        if code < 0:
            return Done(killed=True, disturbed=True)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return Done(result={"failed": code != 0, **result}, text="" if lines else f"{out}\n{err}"[-2000:])

    def _after(self, one: Running, fault: Optional[Fault], done: Done, struck: bool) -> None:
        ask = one.step
        assert isinstance(ask, Ask)
        self.strikes["kill"] += done.killed
        disturbed = done.killed or struck or (fault is not None and fault.kind == "tape")
        if done.error_class == "none":
            self._complain("no class", f"{ask.module} {dict(ask.args)} failed without a class: {done.why}")
        if done.ok:
            self._report(ask.tvs)
        one.again = not done.ok
        self._trail.append(f"{ask.module} {dict(ask.args)} {fault} -> {_told(done)}")
        self._advance(one, Done(done.killed, disturbed, done.result, done.text))

    def _report(self, tvs: tuple[str, ...]) -> None:
        """Take down what somebody has just been told is done, and read every byte of a new generation."""
        with self.world.records() as records:
            assert records is not None
            refs = {volume.ref: name for name, volume in records.find_volumes(list(tvs)).items()}
            backups = list(records.backups(tvs=list(refs)))
        for backup in backups:
            moment = backup.point_in_time.isoformat(timespec="microseconds")
            disk = backup.disk is not None and backup.disk.state is not DiskState.LEAVING
            written = [copy.number for copy in backup.tape if copy.state is TapeState.WRITTEN]
            self.ledger.reported[backup.id] = Reported(refs[backup.tv], moment, disk, written)
            if backup.id not in self.seen and backup.disk is not None and backup.whole_on_disk:
                self.seen.add(backup.id)
                self.counted["generations"] += 1
                self.counted["bytes_verified"] += SIZE
                stood = {one.sha256 for one in self.ledger.at(refs[backup.tv], backup.point_in_time)}
                if self.world.sha256(backup.disk.bv) not in stood:
                    self._complain("wrong_bytes", f"{backup.id} of {refs[backup.tv]} at {moment}")

    def _look(self, begun: int) -> None:
        """Look at every invariant and every checksum, and let the product look too."""
        self.counted["looked_at"], self.counted["looks"] = begun, self.counted["looks"] + 1
        for one in violations(self.world, self.ledger):
            if not self._explained(one):
                self._complain(one.kind, one.text)
        with self.world.records() as records:
            assert records is not None
            for backup in records.backups():
                self.counted["bytes_verified"] += SIZE * (backup.whole_on_disk + len(backup.tape))
        reconciled = self.world.done("eternus_reconcile")
        for drift in reconciled["drift"]:
            if not drift["info"]:
                self._complain("drift", f"{drift['kind']}: {drift['message']}")
        self._forget()
        self._say(
            f"{begun} cycles, {self.counted['calls']} calls, {self.strikes['kill']} kills, "
            f"{sum(self.strikes.values())} faults, {self.counted['generations']} generations, "
            f"{len(self.found)} violations"
        )

    def _explained(self, one: Violation) -> bool:
        """Tell whether a cartridge that was spoilt on purpose explains it."""
        if one.kind not in ("wrong_tape", "lost_generation"):
            return False
        return any(name in one.text for name in (*self.faults.damage.barcodes, *self.faults.damage.backups))

    def _forget(self) -> None:
        """Forget backups that are gone by the rules: they cannot be lost any more."""
        with self.world.records() as records:
            assert records is not None
            there = {backup.id for backup in records.backups()}
        self.ledger.reported = {ident: one for ident, one in self.ledger.reported.items() if ident in there}
        self.ledger.gone_disk = [ident for ident in self.ledger.gone_disk if ident in there]
        self.ledger.gone_tape = [ident for ident in self.ledger.gone_tape if ident in there]
        self._trail = self._trail[-400:]

    def _complain(self, kind: str, text: str) -> None:
        line = f"{kind}: {text}"
        if line in self.found:
            return
        self.found.append(line)
        self._say(f"VIOLATION after {self.counted['cycles']} cycles: {line}")
        place = Path(self.world.directory).parent / f"violation-{len(self.found)}.txt"
        place.write_text("\n".join([line, "", *self._trail[-80:], ""]), encoding="utf-8")

    def figures(self, seed: int, began: float) -> dict[str, Any]:
        """Return what build/soak.json holds."""
        return {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seed": seed,
            "volumes": sum(len(unit.tvs) for unit in units()),
            "cycles": self.counted["cycles"],
            "calls": self.counted["calls"],
            "kills": self.strikes["kill"],
            "faults": dict(sorted(self.strikes.items())),
            "refusals": dict(sorted(self.cycles.refusals.items())),
            "kinds": dict(sorted(self.cycles.kinds.items())),
            "generations": self.counted["generations"],
            "looks": self.counted["looks"],
            "bytes_verified": self.counted["bytes_verified"],
            "violations": self.found,
            "seconds": round(time.monotonic() - began),
        }


def _told(done: Done) -> str:
    if done.killed:
        return "killed"
    return "ok" if done.ok else done.why[:200]
