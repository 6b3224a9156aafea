# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One death: clone, run until it is killed, let hosts write on, run again as Tower does, and look whether all holds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.tests.fault.invariants import Violation, standing, violations
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.world import Called, Crash, World

#: Seconds that Tower lets pass before a relaunch, and how often. A lease lives 120 seconds; a session list lags 10.
RELAUNCH = {60.0: 10, 600.0: 9, 0.0: 1}
#: A relaunch that is killed too is killed at one of so many events: those of its recovery and some more.
EARLY = 12


@dataclass(frozen=True)
class Case:
    """One point and what became of it. ``by``: ``module`` or ``playbook``."""

    workflow: str
    event: str
    number: int
    when: str
    by: str
    survived: bool
    violations: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as build/fault.json shows it."""
        return asdict(self)


@dataclass(frozen=True)
class Workflow:
    """A job that may be killed.

    :ivar prepare: makes volumes, policies and history in a new world, and says in the ledger what stands.
    :ivar module: the job, with ``args`` and what :func:`note` has kept. The same again is the relaunch.
    :ivar expected: says what is missing after the job has ended well, besides the invariants.
    :ivar writes: volumes that hosts go on writing to, between death and relaunch.
    :ivar copy_rate: bytes per second that the arrays copy; 0 is unlimited. A restore that is never seen to run is
        believed to have ended only after ten seconds.
    :ivar always: whether the generations must be there right after the death too: not where the catalog was lost.
    :ivar knobs: what the arrays are turned to for the job.
    """

    name: str
    prepare: Callable[[World, Ledger], None]
    module: str
    args: Mapping[str, Any]
    expected: Callable[[World, Ledger], Sequence[str]]
    writes: Sequence[str] = ()
    remote: bool = False
    copy_rate: int = 0
    always: bool = True
    knobs: Mapping[str, Any] = field(default_factory=dict)

    def run(self, world: World, crash: Optional[Crash] = None) -> Called:
        """Run the job once, to its end or to its death."""
        for array in world.arrays:
            array.knobs(copy_rate=self.copy_rate, **self.knobs)
        return world.call(self.module, {**filled(world, self.args), **noted(world)}, crash=crash)


def note(world: World, **args: Any) -> None:
    """Keep arguments that only the prepared world knows, such as ids, for the job."""
    (world.directory / "args.json").write_text(json.dumps(args), encoding="utf-8")


def noted(world: World) -> dict[str, Any]:
    """Return what was kept by :func:`note`."""
    kept = world.directory / "args.json"
    return dict(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else {}


def filled(world: World, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with the world's directory in the place of ``{world}``."""
    return {
        key: value.replace("{world}", str(world.directory)) if isinstance(value, str) else value
        for key, value in args.items()
    }


def template(workflow: Workflow, directory: Path, tls: Path) -> int:
    """Build a workflow's world in a directory, count the events of a run in a copy, and return them.

    :raises AssertionError: the job does not even work undisturbed.
    """
    world = World.template(directory, remote=workflow.remote, tls=tls)
    ledger = Ledger()
    try:
        workflow.prepare(world, ledger)
        ledger.save(directory)
        twin = world.clone(directory.with_name(directory.name + "-counted"))
        try:
            called = workflow.run(twin, Crash())
            assert not called.failed, (workflow.name, called)
            found = settled(twin, ledger, workflow)
            assert not found, (workflow.name, found)
            (directory / "events.txt").write_text("\n".join(called.events), encoding="utf-8")
            return len(called.events)
        finally:
            twin.remove()
    finally:
        world.stop()


def events_of(directory: Path) -> list[str]:
    """Return the events that were counted when a template was built."""
    return (directory / "events.txt").read_text(encoding="utf-8").splitlines()


def strike(workflow: Workflow, origin: Path, directory: Path, crash: Crash, seed: int, twice: float = 0.0) -> Case:
    """Kill the job at one point and return what became of it.

    ``twice``: how often (0 to 1) the relaunch is killed as well, at one of its first events, and launched once more.

    A run that polls may be over a look or two earlier than the one that was counted: its last event is taken then.
    """
    for _attempt in range(3):
        world = World(origin).clone(directory)
        try:
            first = workflow.run(world, crash)
            if first.killed:
                found = aftermath(world, Ledger.load(directory), workflow, seed, twice)
                return _case(workflow, first.events[crash.at - 1], crash, found)
        finally:
            world.remove()
        crash = replace(crash, at=min(crash.at, len(first.events)))
    return _case(workflow, "none", crash, [Violation("other", f"the job was not killed: {_why(first)}")])


def _case(workflow: Workflow, event: str, crash: Crash, found: Sequence[Violation]) -> Case:
    texts, kinds = [f"{one.kind}: {one.text}" for one in found], [one.kind for one in found]
    return Case(workflow.name, event, crash.at, crash.when, "module", not found, texts, kinds)


def aftermath(world: World, ledger: Ledger, workflow: Workflow, seed: int, twice: float = 0.0) -> list[Violation]:
    """Look, write on, run again, look again, run once more: return all that does not hold."""
    draw = random.Random(seed)
    found = _survey(world, ledger, workflow, draw)
    if draw.random() < twice:
        second = Crash(draw.randint(1, EARLY), draw.choice(("before", "after")))
        again = workflow.run(world, second)
        if again.killed:
            seen = _survey(world, ledger, workflow, draw)
            found += [replace(one, text=f"{one.text} (after a second death, {second})") for one in seen]
    again = workflow.run(world)
    if again.failed or again.killed:
        return [*found, Violation("other", f"the relaunch failed: {_why(again)}")]
    return found + settled(world, ledger, workflow)


def _survey(world: World, ledger: Ledger, workflow: Workflow, draw: random.Random) -> list[Violation]:
    """Look right after a death, let hosts write on, and let time pass."""
    found = standing(world, ledger) if workflow.always else []
    ledger.write(world, *workflow.writes)
    world.later(draw.choices(list(RELAUNCH), list(RELAUNCH.values()))[0])
    return found


def settled(world: World, ledger: Ledger, workflow: Workflow) -> list[Violation]:
    """Return what does not hold after a run that ended well: the invariants, what was expected, and a further run."""
    world.quiet()
    found = violations(world, ledger)
    found += [Violation("other", text) for text in workflow.expected(world, ledger)]
    before = world.state()
    third = workflow.run(world)
    if third.failed:
        return [*found, Violation("other", f"one run more failed: {_why(third)}")]
    if third.result.get("changed"):
        found.append(Violation("other", "one run more changed something"))
    after = world.state()
    found += [
        Violation("other", f"one run more left another {part}: {_difference(before.get(part), after[part])}")
        for part in after
        if after[part] != before.get(part)
    ]
    return found


def _why(called: Called) -> str:
    return str(called.result.get("msg") or called.text)[:2000]


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        return "; ".join(
            f"{key}: {before.get(key)} -> {after.get(key)}" for key in after if after[key] != before.get(key)
        )
    return f"{before} -> {after}"
