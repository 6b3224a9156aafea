# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world that may be broken: arrays, a catalog and a tape library in one directory, which is copied in no time.

The arrays serve from threads of this process; modules run as processes with real arguments (run_module.py). Volumes
go by the names that the arrays know them by.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.tests.unit.support.run_module import module_process
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)

SIZE = 2 * MIB
INJECT = Path(__file__).resolve().parent / "inject"
HERE, THERE = "ET603SA4621302115", "ET603SA4621302116"

#: Modules that take no array's connection, and those that wait for it.
_NO_ARRAY = ("eternus_policy", "eternus_catalog", "tape_copy", "tape_restore", "tape_cartridge", "tape_pool")
_NO_ARRAY += ("tape_info", "tape_scan", "tape_verify")
_LIBRARY = ("tape_copy", "tape_restore", "tape_cartridge", "tape_info", "tape_scan", "tape_verify")
_DEVICES = ("tape_copy", "tape_restore", "tape_verify")
_WAITING = ("eternus_sync", "eternus_backup", "eternus_restore")
#: CopyStates of a session that has not copied everything: initialized, unsynchronized.
_COPYING = (2, 3)
_PRELUDE = f"""
import sys
sys.path.insert(0, {str(INJECT)!r})
import sitecustomize
sys.path.remove({str(INJECT)!r})
"""


@dataclass(frozen=True)
class Crash:
    """Where a job dies: the number of the event (0: nowhere, they are only counted), and ``before`` or ``after``."""

    at: int = 0
    when: str = "before"


@dataclass(frozen=True)
class Called:
    """What became of a module's process. ``result`` is empty when it was killed; ``events`` where it was counted."""

    code: int
    result: Mapping[str, Any]
    events: Sequence[str] = ()
    text: str = ""

    @property
    def killed(self) -> bool:
        """Tell whether it died by a signal."""
        return self.code < 0

    @property
    def failed(self) -> bool:
        """Tell whether it ended by itself and failed."""
        return not self.killed and bool(self.result.get("failed", True))


class World:
    """One directory: ``array`` (one, or two for REC), ``state/catalog.db``, ``tape`` (library), ``world.json``.

    :ivar shift: seconds by which the product's and the arrays' clocks are ahead; kept with the world.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        about = json.loads((directory / "world.json").read_text(encoding="utf-8"))
        self.tls, self.remote, self.shift = Path(about["tls"]), bool(about["remote"]), float(about["shift"])
        self.url = f"sqlite:///{directory}/state/catalog.db"
        self.library = directory / "tape"
        self.arrays: list[Simulated] = []

    # life

    @classmethod
    def template(cls, directory: Path, *, remote: bool = False, tls: Optional[Path] = None) -> World:
        """Make a world with arrays without volumes, and start it. ``remote``: two arrays, linked."""
        directory.mkdir(parents=True, exist_ok=True)
        about = {"tls": str(tls or directory / "tls"), "remote": remote, "shift": 0.0}
        (directory / "world.json").write_text(json.dumps(about), encoding="utf-8")
        world = cls(directory)
        world.start()
        return world

    def start(self) -> World:
        """Start the arrays on what lies there, on new ports."""
        models: dict[str, Any] = {"model": HERE}
        if self.remote:
            models = {"arrays": [models, {"model": THERE, "name": "remote"}]}
        self._tell_arrays_the_time()
        self.arrays = start_simulated(self.directory / "array", tls_directory=self.tls, config=models)
        return self

    def stop(self) -> None:
        """Stop the arrays."""
        stop_simulated(self.directory / "array")
        self.arrays = []

    def clone(self, directory: Path) -> World:
        """Return a started copy of this world; its own arrays are stopped for that moment if they run."""
        running = bool(self.arrays)
        self.stop()
        try:
            subprocess.run(["cp", "-a", "--sparse=always", str(self.directory), str(directory)], check=True)
        finally:
            if running:
                self.start()
        return World(directory).start()

    def remove(self) -> None:
        """Stop it and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def later(self, seconds: float) -> None:
        """Let time pass at once, for the product and for the arrays."""
        self.shift += seconds
        about = {"tls": str(self.tls), "remote": self.remote, "shift": self.shift}
        (self.directory / "world.json").write_text(json.dumps(about), encoding="utf-8")
        self._tell_arrays_the_time()

    def now(self) -> datetime:
        """Return the time of day there, UTC."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.shift)

    def _tell_arrays_the_time(self) -> None:
        from ansible_collections.eternus.backup.tests.unit.support.simulated import FILES

        if str(FILES) not in sys.path:
            sys.path.append(str(FILES))
        ahead = timedelta(seconds=self.shift)
        for name in ("model", "copier", "start", "operate"):
            module = importlib.import_module(f"eternus_sim.core.{name}")
            module.now = lambda: datetime.now(timezone.utc) + ahead

    # what a caller does

    @property
    def array(self) -> Simulated:
        """Return the first array."""
        return self.arrays[0]

    def arguments(self, module: str, **args: Any) -> dict[str, Any]:
        """Return a module's arguments with all that leads to this world."""
        reach: dict[str, Any] = {"catalog_url": self.url}
        if module not in _NO_ARRAY:
            reach |= self.array.args()
            if self.remote:
                reach["peers"] = [
                    {"host": a.endpoint["host"], "port": a.endpoint["https_port"]} for a in self.arrays[1:]
                ]
        if module in _LIBRARY:
            reach["library"] = str(self.library)
        if module in _DEVICES:
            reach["device_dir"] = str(self.array.device_dir)
        if module in _WAITING:
            reach |= {"poll_interval": 0.2, "wait_timeout": 60}
        return {**reach, **args}

    def call(
        self,
        module: str,
        args: Mapping[str, Any],
        *,
        crash: Optional[Crash] = None,
        env: Optional[Mapping[str, str]] = None,
        check: bool = False,
    ) -> Called:
        """Run a module's process. With ``crash`` its events are counted, and it dies where that says."""
        log = self.directory / "events.jsonl"
        log.unlink(missing_ok=True)
        around = {"FAULT_SHIFT": str(self.shift), **(env or {})}
        if crash is not None:
            around |= self.injection(crash, log)
        done = module_process(module, self.arguments(module, **args), check=check, env=around, prelude=_PRELUDE)
        code, out, err = done
        lines = [line for line in out.splitlines() if line.startswith("{")]
        result: dict[str, Any] = json.loads(lines[-1]) if lines and code >= 0 else {}
        if code >= 0:
            result.setdefault("failed", code != 0)
        return Called(code, result, self.events(log), "" if lines else f"{out}\n{err}")

    def injection(self, crash: Crash, log: Path) -> dict[str, str]:
        """Return the variables by which a process, and what it starts, counts its events and dies."""
        return {
            "FAULT_LOG": str(log),
            "FAULT_ROOT": str(self.directory),
            "FAULT_AT": str(crash.at),
            "FAULT_WHEN": crash.when,
            "FAULT_SHIFT": str(self.shift),
        }

    @staticmethod
    def events(log: Path) -> list[str]:
        """Return the events of a log, in their order."""
        if not log.exists():
            return []
        return [str(json.loads(line)["event"]) for line in log.read_text(encoding="utf-8").splitlines()]

    def done(self, module: str, **args: Any) -> Mapping[str, Any]:
        """Run a module that must succeed, and return its result."""
        called = self.call(module, args)
        assert not called.failed and not called.killed, (module, called)
        return called.result

    def quiet(self) -> None:
        """Let the arrays copy at once what they still have to, and wait for it."""
        for array in self.arrays:
            array.knobs(copy_rate=0)
        until = time.monotonic() + 30
        while any(row["copy_state"] in _COPYING for row in self.sessions().values()) and time.monotonic() < until:
            time.sleep(0.05)

    # what there is

    def on(self, volume: str) -> Simulated:
        """Return the array that bears a volume of this name."""
        return next(array for array in self.arrays if any(row["name"] == volume for row in array.state()["volumes"]))

    @contextmanager
    def records(self) -> Iterator[Optional[Records]]:
        """Read the catalog; None where there is none."""
        if not Path(self.url.partition("///")[2]).exists():
            yield None
            return
        with closing(open_catalog(self.url, read_only=True)) as catalog, catalog.read() as records:
            yield records

    def sessions(self) -> dict[tuple[VolumeRef, VolumeRef], dict[str, Any]]:
        """Return the copy sessions of all arrays, by source and target."""
        place = self.places()
        return {
            (place[row["source_id"]], place[row["target_id"]]): row for array in self.arrays for row in array.sessions()
        }

    def places(self) -> dict[str, VolumeRef]:
        """Return every volume of the arrays by DeviceID."""
        return {
            row["device_id"]: VolumeRef(array.serial, row["device_id"])
            for array in self.arrays
            for row in array.state()["volumes"]
        }

    def sha256(self, ref: VolumeRef) -> str:
        """Return the checksum of a whole volume."""
        return next(array for array in self.arrays if array.serial == ref.array).sha256(ref.device_id)

    def tape_file(self, barcode: str, number: int) -> bytes:
        """Return what a tape file holds; nothing where it is missing."""
        with contextlib.suppress(FileNotFoundError):
            return (self.library / barcode / f"{number:05d}").read_bytes()
        return b""

    def state(self) -> dict[str, Any]:
        """Return all that a run which changes nothing leaves as it is."""
        found: dict[str, Any] = {"sessions": [array.sessions() for array in self.arrays]}
        found["volumes"] = {str(ref): self.sha256(ref) for ref in self.places().values()}
        found["tape"] = {
            str(file.relative_to(self.library)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.library.rglob("*"))
            if file.is_file() and not file.name.startswith("drive")
        }
        with self.records() as records:
            if records is not None:
                found["catalog"] = {
                    "volumes": list(map(str, records.volumes())),
                    "policies": list(map(str, records.policies())),
                    "allocations": list(map(str, records.allocations())),
                    "backups": list(map(str, records.backups())),
                    "readers": list(map(str, records.readers())),
                    "leases": list(map(str, records.leases())),
                    "open": list(map(str, records.open_entries())),
                    "undefined": list(map(str, records.undefined_targets())),
                    "pools": list(map(str, records.pools())),
                    "cartridges": list(map(str, records.cartridges())),
                }
        return found
