# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world of the crash matrix (tests/fault) whose array fails: strike, look whether the result tells the truth, repair.

Time passes quickly here: what the product would sleep is put on its clock instead.
"""

from __future__ import annotations

import importlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import with_arrays
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import start
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.fault.crash import Workflow
from ansible_collections.eternus.backup.tests.fault.invariants import standing, violations
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.world import Called, Crash, World
from ansible_collections.eternus.backup.tests.unit.support.run_module import module_process
from ansible_collections.eternus.backup.tests.unit.support.simulated import FILES

UNSYNCHRONIZED = 3  # a CopyState

#: Seconds that lie between a fault and the next run: leases have run out, session lists are believed again.
LATER = 300.0

#: Bytes of memory that a module's process may take for itself: what comes from the array must not decide that.
MEMORY = 512 << 20

_LIMIT = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, ({MEMORY}, {MEMORY}))
"""
_HURRY = """
import time
from datetime import timedelta
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
_ahead = [0.0]
_now, _real = SystemClock.now, time.sleep
def _sleep(clock, seconds):
    passed = min(seconds, max(0.01, seconds / 20))  # pauses follow the progress: arrays must have time to make some
    _real(passed)
    _ahead[0] += seconds - passed
SystemClock.now = lambda clock: _now(clock) + timedelta(seconds=SHIFT + _ahead[0])
SystemClock.monotonic = lambda clock: time.monotonic() + _ahead[0]
SystemClock.sleep = _sleep
"""


class Faulted(World):
    """A world whose modules do not wait in earnest, unless ``earnest`` is set.

    :ivar peers: what leads to further arrays, where it is not what is there.
    """

    earnest = False
    peers: Optional[Sequence[Mapping[str, Any]]] = None
    request_timeout = 60.0

    def arguments(self, module: str, **args: Any) -> dict[str, Any]:
        """Return a module's arguments with all that leads to this world."""
        given = super().arguments(module, **args)
        if "host" in given:
            given["request_timeout"] = self.request_timeout
        if "peers" in given and self.peers is not None:
            given["peers"] = list(self.peers)
        return given

    def call(
        self,
        module: str,
        args: Mapping[str, Any],
        *,
        crash: Optional[Crash] = None,
        env: Optional[Mapping[str, str]] = None,
        check: bool = False,
    ) -> Called:
        """Run a module's process."""
        given = self.arguments(module, **args)
        hurry = "" if self.earnest else _HURRY.replace("SHIFT", str(self.shift))
        code, out, err = module_process(module, given, check=check, env=env, prelude=_LIMIT + hurry)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        result.setdefault("failed", code != 0)
        return Called(code, result, (), "" if lines else f"{out}\n{err}")

    def sha256(self, ref: VolumeRef) -> str:
        """Return the checksum of a whole volume; of one that a mirror is being copied to, that it has none."""
        copying = [key for key, row in self.sessions().items() if key[1] == ref and row["copy_state"] == UNSYNCHRONIZED]
        return "being copied" if copying else super().sha256(ref)


@contextmanager
def usual_time() -> Iterator[None]:
    """Give the simulated array's code its own clock back afterwards: worlds put it forward."""
    if str(FILES) not in sys.path:
        sys.path.append(str(FILES))
    modules = [importlib.import_module(f"eternus_sim.core.{name}") for name in ("model", "copier", "start", "operate")]
    before = [module.now for module in modules]
    try:
        yield
    finally:
        for module, now in zip(modules, before):
            module.now = now


def prepare(workflow: Workflow, directory: Path, tls: Path) -> Path:
    """Make the world in which a workflow's job is to run, and leave it stopped."""
    world, ledger = _Prepared.template(directory, remote=workflow.remote, tls=tls), Ledger()
    try:
        workflow.prepare(world, ledger)
        ledger.save(directory)
    finally:
        world.stop()
    return directory


@contextmanager
def copied(template: Path, directory: Path) -> Iterator[tuple[Faulted, Ledger]]:
    """Yield a running copy of a world, and its ledger."""
    subprocess.run(["cp", "-a", "--sparse=always", str(template), str(directory)], check=True)
    world = Faulted(directory)
    world.start()
    try:
        yield world, Ledger.load(directory)
    finally:
        world.remove()


class _Prepared(Faulted):
    """A world that is prepared by the engine in this process: a tenth of what the modules' processes cost."""

    def done(self, module: str, **args: Any) -> Mapping[str, Any]:
        """Do what a module does with these arguments."""
        with closing(open_catalog(self.url)) as catalog:
            options = [array.options() for array in self.arrays]
            work = _ENGINE[module]
            return with_arrays(options, catalog, check_mode=False, keep=True, work=lambda ctx: work(ctx, **args)).values


def _register(ctx: Context, *, volumes: Sequence[str], role: str) -> Result:
    found = {volume.name: volume for array in ctx.arrays.values() for volume in array.volumes()}
    rows = [RegisteredVolume(found[name], Role(role), ctx.clock.now()) for name in volumes]
    for array in ctx.arrays.values():
        array.capabilities()  # kept, as by the module
    with ctx.catalog.begin() as records:
        records.put_volumes(rows)
    return Result(changed=True)


def _declare(ctx: Context, *, policies: Sequence[Mapping[str, Any]]) -> Result:
    return declare(ctx, policies, strict=True)


def _synchronize(ctx: Context, *, volumes: Sequence[str] = (), groups: Sequence[str] = ()) -> Result:
    done = start(ctx, volumes, groups=groups, wait=Wait(interval=0.01, timeout=30))
    assert done.values["equivalent"], done
    return done


def _back_up(ctx: Context, *, volumes: Sequence[str] = (), groups: Sequence[str] = (), key: str = "") -> Result:
    return take_backup(ctx, volumes, BackupRequest(key), groups=groups)


_ENGINE: Mapping[str, Callable[..., Result]] = {
    "eternus_volume": _register,
    "eternus_policy": _declare,
    "eternus_sync": _synchronize,
    "eternus_backup": _back_up,
}


def told(called: Called, before: Mapping[str, Any], world: Faulted, ledger: Ledger) -> list[str]:
    """Return what is not true of a run's result, or not said by it, or false in the catalog (behaviour.md §4)."""
    result, after = called.result, world.state()
    found = [one.text for one in standing(world, ledger)]
    found += [f"a lease is left: {lease}" for lease in after["catalog"]["leases"]]
    if not called.failed:
        return found
    if called.killed or "error_class" not in result:
        return [*found, f"it ended without an error of its own: {called}"]
    error = {name: str(result.get(name, "")) for name in ("error", "unchanged", "next_step")}
    found += [f"{name} is no sentence: {text!r}" for name, text in error.items() if not text.endswith(".")]
    found += ["the password is in the result"] if world.array.password in str({**result, "invocation": None}) else []
    found += [f"no such class: {result['error_class']}"] if result["error_class"] not in set(ErrorClass) else []
    if not result["changed"]:
        moved = [part for part in after if after[part] != before[part]]
        found += [f"it says {error['unchanged']!r}, and {part} changed" for part in moved]
    elif error["unchanged"] == NOTHING_CHANGED:
        found.append("it says that nothing was changed, and that something was")
    return found


def strike(
    world: Faulted, ledger: Ledger, workflow: Workflow, *points: Mapping[str, Any], **knobs: Any
) -> tuple[Called, list[str]]:
    """Run a workflow's job while these faults are set; return the run, and what is not true of it."""
    before, usual = world.state(), world.array.door("GET", "knobs")
    world.array.knobs(**knobs)
    for point in points:
        world.array.fail(**point)
    called = workflow.run(world)
    there(world)
    world.array.unfail()
    world.array.knobs(**{name: usual[name] for name in knobs})
    return called, told(called, before, world, ledger)


def there(world: Faulted) -> None:
    """Wait until the arrays listen: one may just restart."""
    deadline = time.monotonic() + 30
    for array in world.arrays:
        for port in ("http_port", "https_port"):
            while True:
                try:
                    socket.create_connection((array.endpoint["host"], array.endpoint[port]), timeout=5).close()
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < deadline, "the array stays away"
                    time.sleep(0.02)


def repeated(world: Faulted, ledger: Ledger, workflow: Workflow) -> list[str]:
    """Run the same job again, some minutes later and without the fault; return what does not hold then."""
    world.later(LATER)
    again = workflow.run(world)
    if again.failed:
        return [f"the same again failed: {again.result.get('msg') or again.text}"]
    ledger.report(world)
    return [str(one) for one in violations(world, ledger)] + list(workflow.expected(world, ledger))
