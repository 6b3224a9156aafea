# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run tasks by ansible-playbook on a local connection, and return each task's whole result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
#: What ansible-playbook tells at -vvv of each task that needed no process of its own.
HERE = "in a fork of this process"

_CALLBACK = """
import json, os
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = '''
name: kept
type: notification
short_description: Every result as JSON
description: [Every result as JSON.]
'''


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "kept"

    def _keep(self, result, how):
        whole = {**(getattr(result, "result", None) or result._result), "failed": how}
        with open(os.environ["KEPT_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(whole, default=str) + "\\n")

    def v2_runner_on_ok(self, result):
        self._keep(result, False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._keep(result, True)
"""


class Played:
    """What a playbook came to: ``results`` of its tasks in their order, ``text``, and its exit ``code``."""

    def __init__(self, code: int, text: str, results: Sequence[Mapping[str, Any]]) -> None:
        self.code, self.text, self.results = code, text, results

    @property
    def here(self) -> int:
        """How many modules ran in a fork of Ansible's worker."""
        return self.text.count(HERE)


class Playing:
    """A play that runs: ``process`` leads a process group of its own; all that it writes goes to a file."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self._out, self._kept = directory / "out.txt", directory / "results.jsonl"
        self._kept.unlink(missing_ok=True)
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "-i", "hosts.yml", "play.yml"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**env, "KEPT_RESULTS": str(self._kept)},
                cwd=directory,
                start_new_session=True,
            )

    def left(self) -> list[int]:
        """Return the processes of this play that are still there, by the environment that they were started with."""
        mark, found = f"KEPT_RESULTS={self._kept}".encode(), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def ended(self, timeout: float = 120) -> Played:
        """Wait for its end; after so many seconds its process group is killed."""
        try:
            code = self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        lines = self._kept.read_text(encoding="utf-8").splitlines() if self._kept.exists() else []
        return Played(code, self._out.read_text(encoding="utf-8"), [json.loads(line) for line in lines])


def begin(
    directory: Path,
    tasks: Sequence[Mapping[str, Any]],
    *,
    variables: Optional[Mapping[str, Any]] = None,
    env: Optional[Mapping[str, str]] = None,
    **more: Any,
) -> Playing:
    """Begin a play of these tasks on one host; each may fail, and the next goes on.

    :param variables: of the host, beside those that make it local. ``env``: more variables of the process.
    :param more: more keywords of the play.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "callbacks").mkdir(exist_ok=True)
    (directory / "callbacks" / "kept.py").write_text(_CALLBACK, encoding="utf-8")
    hosts = {"all": {"hosts": {"host": {**LOCAL, **(variables or {})}}}}
    (directory / "hosts.yml").write_text(json.dumps(hosts), encoding="utf-8")
    whole = [{"hosts": "all", "gather_facts": False, "ignore_errors": True, **more, "tasks": list(tasks)}]
    (directory / "play.yml").write_text(json.dumps(whole), encoding="utf-8")
    (directory / "ansible.cfg").touch()
    around = {
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "kept",
        "ANSIBLE_CALLBACK_PLUGINS": str(directory / "callbacks"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    return Playing(directory, {**module_environment(), **around, **(env or {})})


def play(directory: Path, tasks: Sequence[Mapping[str, Any]], **more: Any) -> Played:
    """Run such a play (see :func:`begin`) to its end."""
    return begin(directory, tasks, **more).ended()
