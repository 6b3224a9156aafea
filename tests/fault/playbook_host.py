# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of playbooks that are killed: its directory, stand-ins for its programs, and what must be true of it.

The host outlives the job: a watchdog that was started there is not killed with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HOOKS = Path(__file__).resolve().with_name("hooks.py")
#: Seconds after which nothing may be frozen any more, once the limit of the watchdog has passed.
SOON = 15.0

_EVENT = '#!/bin/sh\nexec "{python}" "{hooks}" {name} "$@"\n'
_PROGRAMS = {
    **dict.fromkeys(("hook", "fsfreeze", "mount", "umount", "findmnt"), _EVENT),
    "mountpoint": '#!/bin/sh\nexec [ -f "$FAULT_HOST/mounted-${2##*/}" ]\n',
    # The product's clock is ahead in a later run, so is that of its host.
    "date": '#!/bin/sh\nexec /bin/date -d "+${FAULT_SHIFT:-0} seconds" "$@"\n',
    # What has a session of its own is no part of the job, and is not killed with it.
    "setsid": '#!/bin/sh\nexec env -u FAULT_LOG -u FAULT_AT -u FAULT_WHEN /usr/bin/setsid "$@"\n',
    # Nobody waits for the limit to pass. A second stays a second.
    "sleep": (
        '#!/bin/sh\n[ "$1" = 1 ] && exec /bin/sleep 1\ntenths=$(($1 * 10))\n'
        'until [ "$tenths" = 0 ] || [ -f "$FAULT_HOST/later" ]; do /bin/sleep 0.1; tenths=$((tenths - 1)); done\n'
    ),
}


class Host:
    """One host and the controller of its jobs. Its directory stays, whatever world is used with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs, self.home = directory / "bin", directory / "home"

    def reset(self, mounts: Sequence[str]) -> None:
        """Begin anew: nothing has happened, and these are mounted."""
        shutil.rmtree(self.directory, ignore_errors=True)
        for place in (self.programs, self.home / "tmp", *map(self.mount_point, mounts)):
            place.mkdir(parents=True)
        for name, text in _PROGRAMS.items():
            (self.programs / name).write_text(
                text.format(python=sys.executable, hooks=HOOKS, name=name) if text is _EVENT else text, encoding="utf-8"
            )
            (self.programs / name).chmod(0o755)
        for name in mounts:
            (self.directory / f"mounted-{name}").touch()
        (self.home / "ansible.cfg").touch()
        (self.home / "inventory").write_text(
            "storage\ndb01\n[all:vars]\nansible_connection=local\n"
            "ansible_python_interpreter={{ ansible_playbook_python }}\n",
            encoding="utf-8",
        )

    def mount_point(self, name: str) -> Path:
        """Return where a file system is mounted."""
        return self.directory / name

    def environment(self) -> dict[str, str]:
        """Return the environment of the next job: as Tower gives it, each with a number of its own."""
        job = str(1000 + sum(1 for _line in self._lines("jobs")))
        with (self.directory / "jobs").open("a", encoding="utf-8") as jobs:
            jobs.write(f"{job}\n")
        foreign = ("ETERNUS_", "AWX_", "TOWER_", "FAULT_", "ANSIBLE_", "COVERAGE_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            **dict.fromkeys(("AWX_JOB_ID", "TOWER_JOB_ID", "JOB_ID"), job),
            "FAULT_HOST": str(self.directory),
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "PATH": os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "ANSIBLE_CONFIG": str(self.home / "ansible.cfg"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def _lines(self, name: str) -> list[str]:
        file = self.directory / name
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def done(self) -> list[str]:
        """Return what the last job did, in its order."""
        job = self._lines("jobs")[-1]
        return [line.partition(" ")[2] for line in self._lines("log") if line.partition(" ")[0] == job]

    # what must be true

    def after_death(self) -> None:
        """Let the freeze limit pass; write down what is not at rest then: thawed, and free for the next job."""
        (self.directory / "later").touch()
        deadline = time.monotonic() + SOON
        while self._restless() and time.monotonic() < deadline:
            time.sleep(0.05)
        (self.directory / "complaints").write_text("".join(f"{one}\n" for one in self._restless()), encoding="utf-8")
        for pid in marked(f"FAULT_HOST={self.directory}"):
            os.kill(pid, signal.SIGKILL)
        (self.directory / "later").unlink()

    def _restless(self) -> list[str]:
        found = [f"{file.name} for longer than the limit" for file in self.directory.glob("frozen-*")]
        if any(marked(f"FAULT_HOST={self.directory}", command="eternus-watchdog")):
            found.append("a watchdog holds the file system for longer than the limit")
        return found

    def complaints(self, mounts: Sequence[str], *, hooks: bool) -> Iterator[str]:
        """Say what is wrong after a job that ended by itself, and what was wrong before it."""
        yield from self._lines("complaints")
        (self.directory / "complaints").unlink(missing_ok=True)
        yield from (f"{file.name} after the job" for file in self.directory.glob("frozen-*"))
        yield from (f"the note {file.name} is left" for file in (self.directory / "notes").glob("*"))
        yield from (f"{name} is not mounted" for name in mounts if not (self.directory / f"mounted-{name}").exists())
        done = self.done()
        kept = [done.index(name) for name in ("hook:pre", "freeze", "thaw", "hook:post") if name in done]
        around = [name for name in done if name.startswith("hook:")]
        if (hooks and around != ["hook:pre", "hook:post"]) or kept != sorted(kept):
            yield f"the order was {done}"
        if done.count("freeze") != done.count("thaw"):
            yield f"frozen and thawed not alike: {done}"


def marked(mark: str, command: str = "") -> Iterator[int]:
    """Return the processes that have this in their environment, and this in their command."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                if mark.encode() in environment and command.encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)
            except OSError:
                continue
