# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run integration targets (tests/integration/targets/NAME: a role, or a runme.sh) as ansible-test lays them out.

They run in .venv, which has pywbem and SQLAlchemy, each with a directory and a HOME of its own, on the host
``testhost`` (local). A target that leaves a process behind has failed; the process is ended.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

from runner import BIN, LOGS, ROOT, Finished

TARGETS = ROOT / "tests" / "integration" / "targets"
MARK = "ETERNUS_TEST_RUN"
TIMEOUT = 900
GRACE = 15.0  # async_wrapper looks every 5 s whether its module has ended

#: Those that take more than 45 s by themselves, the longest first: the last one to begin should not be one of them.
LONG = ("tape_progress", "role_restore", "groups", "role_restore_test", "playbooks", "hooks", "secrets")
LONG += ("eternus_restore", "command_map")

INVENTORY = """\
[all]
testhost
localhost

[all:vars]
ansible_connection=local
ansible_python_interpreter={{ ansible_playbook_python }}
"""
PLAYBOOK = [{"name": "Integration target", "hosts": "testhost", "gather_facts": False, "roles": []}]


def discover() -> list[str]:
    """Return the names of all targets; one whose aliases say ``hidden`` only serves others by meta/main.yml."""
    found = []
    for path in sorted(TARGETS.iterdir()) if TARGETS.is_dir() else []:
        aliases = path / "aliases"
        hidden = aliases.is_file() and re.search(r"^hidden$", aliases.read_text(encoding="utf-8"), re.MULTILINE)
        if not hidden and ((path / "runme.sh").is_file() or (path / "tasks" / "main.yml").is_file()):
            found.append(path.name)
    return found


def longest_first(names: list[str]) -> list[str]:
    """Return the targets in the order in which they begin."""
    return sorted(names, key=lambda name: LONG.index(name) if name in LONG else len(LONG))


def _left(mark: str) -> dict[int, str]:
    """Return the processes that still carry a run's mark in their environment."""
    found = {}
    needle = f"{MARK}={mark}\0".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if needle in (entry / "environ").read_bytes() + b"\0":
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if command:  # a zombie has none
                        found[int(entry.name)] = command.strip()[:200]
    return found


def _clean(mark: str) -> dict[int, str]:
    """Give processes a moment to end, then kill what is left and return it.

    A process has no environment while it is between fork and exec, so one look that sees nothing proves nothing.
    """
    deadline = time.monotonic() + GRACE
    looks = [True, _left(mark)]
    while any(looks) and time.monotonic() < deadline:
        time.sleep(0.1)
        looks = [looks[-1], _left(mark)]
    left = _left(mark)
    for pid in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return left


def _command(name: str, work: Path) -> tuple[list[str], Path]:
    inventory = work / "inventory"
    inventory.write_text(INVENTORY, encoding="utf-8")
    if (TARGETS / name / "runme.sh").is_file():
        return ["bash", str(TARGETS / name / "runme.sh")], TARGETS / name
    playbook = work / "play.yml"
    play = [{**PLAYBOOK[0], "roles": [name], "vars": {"output_dir": str(work / "output")}}]
    playbook.write_text(json.dumps(play), encoding="utf-8")
    return [str(BIN / "ansible-playbook"), "-i", str(inventory), str(playbook)], work


def run_target(name: str, env: dict[str, str], way: str = "") -> Finished:
    """Run one target; its output goes to build/logs/target-NAME.log, with the ``way`` behind its name."""
    LOGS.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    work = Path(tempfile.mkdtemp(prefix="et-"))
    for part in ("home", "output", "tmp"):
        (work / part).mkdir()
    (work / "ansible.cfg").touch()
    env = {
        **env,
        MARK: mark,
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "tmp"),
        "OUTPUT_DIR": str(work / "output"),
        "INVENTORY_PATH": str(work / "inventory"),
        "ANSIBLE_CONFIG": str(work / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_PIPELINING": "1",
    }
    argv, cwd = _command(name, work)
    path = LOGS / f"target-{name}{way}.log"
    start = time.monotonic()
    with path.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            code = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            out.write(f"\nended after {TIMEOUT} s\n".encode())
        left = _clean(mark)
        for pid, command in left.items():
            out.write(f"\nleft a process running, {pid}: {command}\n".encode())
    shutil.rmtree(work, ignore_errors=True)
    seconds = time.monotonic() - start
    return Finished(code or (1 if left else 0), path.read_text(encoding="utf-8", errors="replace"), seconds)
