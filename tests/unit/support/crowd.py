# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many module processes at once, and single ones that a test stops and wakes.

Like nursery.py, one process has imported the libraries - and the product, since 32 forks would else pay for it 32
times - and forks for each module: arguments as JSON, output on stdout, a process of its own. Run as a program, this
file is that process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Seconds that a process may take.
PATIENCE = 120.0
_PRODUCT = ("eternus_sync", "eternus_backup", "eternus_volume", "eternus_policy")


@dataclass(frozen=True)
class Call:
    """A module's process: name, options, more environment, Python that it runs first."""

    module: str
    options: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    prelude: str = ""


class Member:
    """A process that was started."""

    def __init__(self, crowd: Crowd, pid: int, place: Path) -> None:
        self._crowd, self.pid, self._place = crowd, pid, place

    def state(self) -> str:
        """Return the kernel's letter for it: R, S, T (stopped), Z (ended)."""
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]

    def until(self, *states: str) -> str:
        """Wait until it is in one of these states."""
        end = time.monotonic() + PATIENCE
        while self.state() not in states:
            assert time.monotonic() < end, f"process {self.pid} is still {self.state()}: {self._text('err')}"
            time.sleep(0.01)
        return self.state()

    def until_stopped(self) -> None:
        """Wait until it has stopped itself."""
        assert self.until("T", "Z") == "T", f"it did not stop: {self.ended()}"

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end; return its exit code (negative: the signal) and its result, empty where it printed none."""
        self.until("Z")
        code = self._crowd.ask("wait", pid=self.pid)
        lines = [line for line in self._text("out").splitlines() if line.startswith("{")]
        if not lines:
            return code, {"stderr": self._text("err")}
        return code, {"failed": code != 0, **json.loads(lines[-1])}

    def _text(self, part: str) -> str:
        return Path(self._place, part).read_text(encoding="utf-8", errors="replace")


class Crowd:
    """The process that forks, as its user sees it."""

    def __init__(self, directory: Path) -> None:
        from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment

        self._directory = Path(tempfile.mkdtemp(prefix="crowd", dir=directory))
        env = {key: value for key, value in module_environment().items() if not key.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )
        self._members: list[Member] = []

    def ask(self, what: str, **request: Any) -> int:
        """Ask the process for something; it answers a number."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **request}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, call: Call, *, gate: str = "") -> Member:
        """Start a module's process. ``gate``: a named pipe that it waits at until somebody opens it to write."""
        from ansible_collections.eternus.backup.tests.unit.support import run_module

        arguments = {
            "_ansible_check_mode": False,
            "_ansible_diff": False,
            "_ansible_remote_tmp": "/tmp",
            **call.options,
        }
        place = Path(tempfile.mkdtemp(dir=self._directory))
        (place / "in").write_text(json.dumps(arguments), encoding="utf-8")
        pid = self.ask(
            "start",
            code=call.prelude + run_module._CHILD,
            name=f"{run_module.COLLECTION}.plugins.modules.{call.module}",
            env=run_module.module_environment(call.env),
            place=str(place),
            cwd=str(Path.cwd()),
            gate=gate,
        )
        self._members.append(Member(self, pid, place))
        return self._members[-1]

    def together(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """Run many at once: all wait until the last is there. Returns their results in order."""
        gate = self._directory / f"gate{len(self._members)}"
        os.mkfifo(gate)
        members = [self.start(call, gate=str(gate)) for call in calls]
        for member in members:
            member.until("S", "Z")
        opened = os.open(gate, os.O_WRONLY)
        try:
            return [member.ended()[1] for member in members]
        finally:
            os.close(opened)

    def close(self) -> None:
        """End it, and whatever is still stopped."""
        for member in self._members:
            with contextlib.suppress(OSError):
                if member.state() == "T":
                    os.kill(member.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _start(request: Mapping[str, Any]) -> int:
    from ansible_collections.eternus.backup.tests.unit.support import nursery

    pid = os.fork()
    if pid:
        return pid
    nursery._become(request)
    if request["gate"]:
        Path(request["gate"]).open("rb").close()
    ended = nursery._run(request["code"])
    nursery.atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)


def main() -> None:
    """Fork for each request, until nobody asks any more."""
    import gc
    import importlib

    from ansible_collections.eternus.backup.tests.unit.support import nursery

    names = [f"ansible_collections.eternus.backup.plugins.modules.{name}" for name in _PRODUCT]
    for library in (*nursery.LIBRARIES, "ansible.module_utils.testing", *names):
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if request["what"] == "start":
            print(_start(request), flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1]), flush=True)


if __name__ == "__main__":
    main()
