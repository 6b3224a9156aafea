# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crash matrix by whole playbooks: at points drawn by a seed, all processes of a job are killed.

The job is what Tower runs: ansible-playbook with the collection's own playbooks and roles, or with tasks of the user
(playbooks/), and hooks. A relaunch is the same again under a new job id.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.fault.crash import (
    Case,
    Workflow,
    events_of,
    filled,
    noted,
    strike,
    template,
)
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.playbook_host import Host, marked
from ansible_collections.eternus.backup.tests.fault.workflows import WORKFLOWS
from ansible_collections.eternus.backup.tests.fault.world import INJECT, Called, Crash, World
from ansible_collections.eternus.backup.tests.unit.support.module_paths import TREE

PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"
POINTS, WORKERS = 5, 2
TIMEOUT = 300


@dataclass(frozen=True)
class Job(Workflow):
    """A workflow whose job is a playbook.

    :ivar playbook: the collection's by its name, or one of playbooks/. ``variables``: its extra variables.
    :ivar role: whose hooks are used; empty where the playbook has its own.
    :ivar mounts: file systems of db01, by the volume that bears them. They are frozen or unmounted.
    """

    playbook: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    host: Optional[Host] = None

    def run(self, world: World, crash: Optional[Crash] = None) -> Called:
        """Run the playbook once, to its end or to its death; a host that is not as it must be makes it a failure."""
        assert self.host is not None
        begun = world.directory / "host-begun"
        if not begun.exists():
            self.host.reset(list(self.mounts.values()))
            begun.touch()
        for array in world.arrays:
            array.knobs(copy_rate=self.copy_rate)
        code, text, events = self._play(world, self.host, crash)
        if code < 0:
            self.host.after_death()
            return Called(code, {}, events, text)
        wrong = list(self.host.complaints(list(self.mounts.values()), hooks=True))
        changed = sum(int(count) for count in re.findall(r"\bchanged=(\d+)", text))
        said = "\n".join([*wrong, text[-3000:]])
        return Called(code, {"failed": code != 0 or bool(wrong), "changed": changed > 0, "msg": said}, events, text)

    def _play(self, world: World, host: Host, crash: Optional[Crash]) -> tuple[int, str, list[str]]:
        log = world.directory / "events.jsonl"
        log.unlink(missing_ok=True)
        env = {**host.environment(), "ANSIBLE_COLLECTIONS_PATH": TREE, "PYTHONPATH": str(INJECT)}
        env |= {"FAULT_SHIFT": str(world.shift)} if crash is None else world.injection(crash, log)
        given = host.home / "vars.json"
        given.write_text(
            json.dumps({**_reach(world, host), **filled(world, self.variables), **noted(world)}), encoding="utf-8"
        )
        playbook = str(PLAYBOOKS / self.playbook) if self.playbook.endswith(".yml") else self.playbook
        argv = ["ansible-playbook", "-i", str(host.home / "inventory"), playbook, "-e", f"@{given}"]
        with (host.home / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / argv[0]), *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=host.home,
                start_new_session=True,
            )
            try:
                code = process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                _end(f"FAULT_HOST={host.directory}")
                code = process.wait()
                return 1, "the playbook did not end", world.events(log)
            finally:
                if crash is not None:
                    _end(f"FAULT_LOG={log}")
            output.seek(0)
            return code, output.read(), world.events(log)


def _end(mark: str) -> None:
    """Wait until all processes of a job are gone; what was forked while it was killed goes the same way."""
    deadline = time.monotonic() + 1
    while any(marked(mark)):
        if time.monotonic() > deadline:
            for pid in marked(mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _reach(world: World, host: Host) -> dict[str, Any]:
    """Return the variables that lead to a world and its host."""
    given = world.array.args()
    return {
        "eternus_hosts": "storage",
        **{f"eternus_{name}": value for name, value in given.items()},
        "eternus_catalog": world.url,
        "eternus_tape_library": str(world.library),
        "eternus_device_dir": str(world.array.device_dir),
        "host_volume_notes": str(host.directory / "notes"),
        "export": str(world.directory / "export"),
    }


def _hooks(role: str, step: str) -> dict[str, str]:
    return {f"{role}_{when}_{step}": str(PLAYBOOKS / "tasks" / f"{when}.yml") for when in ("pre", "post")}


def _backup(**more: Any) -> dict[str, Any]:
    wanted = {"backup_volumes": ["tv"], "backup_key": "night", "backup_freeze_limit": 120, **more}
    return {**wanted, **_hooks("backup", "backup")}


_SYNC = {"synchronize_volumes": ["tv"], "synchronize_poll_interval": 0.2, **_hooks("synchronize", "sync")}
_BACK = {"restore_volume": "tv", "restore_confirm": "tv", "restore_key": "night", "restore_poll_interval": 0.2}
_BACK |= _hooks("restore", "restore")
_U01 = {"tv": "u01"}

#: Name, what is prepared and expected (workflows.py), the playbook, its variables, what is mounted. The longest first.
_JOBS: Sequence[tuple[str, str, str, Mapping[str, Any], Mapping[str, str]]] = (
    (
        "backup_group",
        "backup_group",
        "eternus.backup.backup",
        _backup(backup_volumes=[], backup_groups=["app"]),
        {"data": "u01", "log": "u02"},
    ),
    ("backup", "backup", "eternus.backup.backup", _backup(), _U01),
    ("backup_suspend", "backup_suspend", "eternus.backup.backup", _backup(), _U01),
    ("backup_snapshot", "backup_snapshot", "eternus.backup.backup", _backup(), _U01),
    ("backup_differential", "backup_differential", "eternus.backup.backup", _backup(), _U01),
    ("restore", "restore", "eternus.backup.restore", _BACK, _U01),
    ("tape_restore", "tape_restore", "eternus.backup.restore", {**_BACK, "restore_source": "tape"}, _U01),
    ("tape_copy", "tape_copy", "eternus.backup.tape", {"tape_volumes": ["tv"], **_hooks("tape", "tape")}, {}),
    ("start", "start", "eternus.backup.synchronize", {**_SYNC, "synchronize_volumes": ["tv", "tv2"]}, {}),
    ("resume", "resume", "eternus.backup.synchronize", _SYNC, {}),
    ("delete", "delete", "delete.yml", {}, {}),
    ("cancel", "cancel", "cancel.yml", {}, {}),
    ("retention", "retention", "retention.yml", {}, {}),
    ("catalog_import", "catalog_import", "import.yml", {}, {}),
)
NAMES = tuple(row[0] for row in _JOBS)


def job(name: str, directory: Path) -> Job:
    """Return a job by its name; its host lives in a directory."""
    base_name, playbook, variables, mounts = next(row[1:] for row in _JOBS if row[0] == name)
    base, host = WORKFLOWS[base_name], Host(directory)

    def prepare(world: World, ledger: Ledger) -> None:
        base.prepare(world, ledger)
        if mounts:
            _mount(world, {tv: str(host.mount_point(mount)) for tv, mount in mounts.items()})

    given = {item.name: getattr(base, item.name) for item in fields(Workflow)}
    return Job(
        **{**given, "name": f"playbook_{name}", "prepare": prepare},
        playbook=playbook,
        variables=variables,
        mounts=mounts,
        host=host,
    )


def _mount(world: World, places: Mapping[str, str]) -> None:
    """Say in the policies where the volumes are mounted."""
    with closing(open_catalog(world.url)) as catalog, catalog.begin() as records:
        names = {records.find_volumes([tv])[tv].ref: place for tv, place in places.items()}
        records.put_policies(
            [
                replace(policy, mounted_on="db01", mount_point=names[policy.tv])
                for policy in records.policies()
                if policy.tv in names
            ]
        )


def drawn(name: str, seed: int, events: Sequence[str], points: int = POINTS) -> list[Crash]:
    """Draw the points of a job: of each kind of event one, then others, until there are enough."""
    source = random.Random(f"{seed}:{name}")
    kinds: dict[str, list[Crash]] = {}
    for number, event in enumerate(events, 1):
        both = [Crash(number, "before"), Crash(number, "after")]
        kinds.setdefault(event.partition(":")[0], []).extend(both)
    for crashes in kinds.values():
        source.shuffle(crashes)
    first = [crashes.pop() for crashes in kinds.values()]
    rest = [crash for crashes in kinds.values() for crash in crashes]
    source.shuffle(rest)
    return sorted(first + rest[: max(0, points - len(first))], key=lambda one: (one.at, one.when))


def strikes(name: str, seed: int, directory: Path, points: int = POINTS) -> list[Case]:
    """Count the events of one job, then kill it at each of its points."""
    mine = job(name, directory / f"host-{name}")
    origin = directory / f"world-{name}"
    template(mine, origin, directory / f"tls-{name}")
    found = []
    for crash in drawn(name, seed, events_of(origin), points):
        case = strike(mine, origin, directory / f"struck-{name}", crash, seed)
        found.append(replace(case, workflow=name, by="playbook"))
    return found


def cases(seed: int, directory: Path) -> Iterable[Case]:
    """Kill every job at its points, two side by side, and return what became of each."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(strikes, name, seed, directory) for name in NAMES]):
            yield from done.result()


def main() -> int:
    """Strike the jobs that are named, or all: ``playbook_points.py SEED DIRECTORY [JOB...]``; print each case."""
    seed, directory, names = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    print(f"seed {seed}", flush=True)
    bad = 0
    for case in (one for name in names for one in strikes(name, seed, directory)) if names else cases(seed, directory):
        bad += not case.survived
        print(case.workflow, case.number, case.when, case.event, case.survived, *case.violations, flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
