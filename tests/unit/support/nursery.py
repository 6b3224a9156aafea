# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes for modules, quickly: one process imports the libraries of others, and forks once for each module.

A module still has a process of its own, arguments as JSON, output on stdout, and none of the product imported before
it began; only the second that Python, pywbem, SQLAlchemy and ansible-core take to start is spent once. Coverage begins
in the fork. Run as a program, this file is that process: it reads requests, one JSON line each, and answers
with the exit code, or with the signal that ended the module, negative.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Optional

LIBRARIES = ("ansible.module_utils.basic", "pywbem", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql")
LIBRARIES += ("coverage", "jmespath", "psycopg", "importlib", "io", "uuid", "concurrent.futures", "urllib.request")


class Nursery:
    """The process that forks, as its user sees it. One module at a time."""

    def __init__(self, env: Mapping[str, str]) -> None:
        plain = {key: value for key, value in env.items() if not key.startswith(("COVERAGE_", "FAULT_"))}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=plain,
            text=True,
        )

    def run(self, code: str, name: str, stdin: str, env: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
        """Run ``code`` with ``sys.argv[1]`` and a standard input; return exit code, stdout, stderr.

        :raises subprocess.TimeoutExpired: and the nursery is of no more use.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="nursery-") as place:
            Path(place, "in").write_text(stdin, encoding="utf-8")
            request = {"code": code, "name": name, "env": dict(env), "place": place, "cwd": str(Path.cwd())}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                self._process.kill()
                self._process.wait()
                raise subprocess.TimeoutExpired(name, timeout)
            status = int(self._process.stdout.readline())
            texts = [Path(place, part).read_text(encoding="utf-8", errors="replace") for part in ("out", "err")]
            return status, texts[0], texts[1]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


_idle: list[Nursery] = []
_lock = Lock()


def run_forked(code: str, name: str, stdin: str, env: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
    """Run it in an idle nursery, or in a new one. Threads may do so side by side."""
    with _lock:
        nursery = _idle.pop() if _idle else None
    nursery = nursery or Nursery(env)
    done = nursery.run(code, name, stdin, env, timeout)
    with _lock:
        _idle.append(nursery)
    return done


@atexit.register
def _close_all() -> None:
    while _idle:
        _idle.pop().close()


def _become(request: Mapping[str, Any]) -> None:
    """Turn this fork into the module's process."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for number, (part, flags) in enumerate(
        (("in", os.O_RDONLY), ("out", os.O_WRONLY | os.O_CREAT), ("err", os.O_WRONLY | os.O_CREAT))
    ):
        opened = os.open(Path(request["place"], part), flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.path[0] = ""
    sys.argv = ["-c", request["name"]]
    if "COVERAGE_PROCESS_START" in os.environ:
        import coverage

        coverage.process_startup()


def _next() -> Optional[dict[str, Any]]:
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def _run(code: str) -> int:
    """Run code as Python runs a program; return its exit code."""
    try:
        exec(compile(code, "<module>", "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        if isinstance(ended.code, int) or ended.code is None:
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def main() -> None:
    """Fork for each request, until nobody asks any more."""
    import importlib

    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except ImportError:
            continue
    gc.freeze()  # what is there already is not touched, and so not copied, by a fork's garbage collection
    while True:
        request = _next()
        if request is None:
            return
        pid = os.fork()
        if pid == 0:
            _become(request)
            ended = _run(request["code"])
            atexit._run_exitfuncs()  # coverage is saved, temporary files are removed
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended)  # taking the libraries down would cost as much as importing them
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, flush=True)


if __name__ == "__main__":
    main()
