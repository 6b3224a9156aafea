# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules by the thousand: one process has imported them all, and forks for each set of arguments.

A fork runs a module's entry with its real argument spec and JSON in and out; only the imports are spent once.
Run as a program, this file is that process: a line of JSON in, a line of JSON out.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLLECTION = "ansible_collections.eternus.backup"


class Calls:
    """The process that forks, as its user sees it. ``cwd``: where relative paths lead."""

    def __init__(self, env: Mapping[str, str], cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            text=True,
        )

    def call(self, module: str, args: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
        """Return ``code``, ``result`` (empty where none was printed) and ``text`` (all that was printed)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        given = {**args, "_ansible_check_mode": check, "_ansible_remote_tmp": "/tmp"}
        self._process.stdin.write(json.dumps({"module": module, "args": given}) + "\n")
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], 120)[0], f"{module} does not end: {args}"
        status, out, err = json.loads(self._process.stdout.readline())
        lines = [line for line in out.splitlines() if line.startswith("{")]
        result = json.loads(lines[-1]) if lines else {}
        return {"code": status, "result": result, "text": out + err}

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _become(request: Mapping[str, Any], place: str) -> None:
    """Run the entry in this fork; never returns."""
    signal.alarm(100)
    Path(place, "in").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": request["args"]}), encoding="utf-8")
    for number, (part, flags) in enumerate(
        (("in", os.O_RDONLY), ("out", os.O_WRONLY | os.O_CREAT), ("err", os.O_WRONLY | os.O_CREAT))
    ):
        os.dup2(os.open(Path(place, part), flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{request['module']}")
    code = 0
    try:
        try:
            from ansible.module_utils.testing import patch_module_args
        except ImportError:  # ansible-core 2.16: a module reads its arguments from standard input
            module.main()
        else:
            with patch_module_args(request["args"]):
                module.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - told as Python tells it; the fork must end here
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    for file in Path(__file__).resolve().parents[3].glob("plugins/modules/*.py"):
        importlib.import_module(f"{COLLECTION}.plugins.modules.{file.stem}")
    for name in ("pywbem", "sqlalchemy.dialects.sqlite", "jmespath"):
        importlib.import_module(name)
    for name in ("_array/connect", "_catalog/connect", "_catalog/schema"):
        importlib.import_module(f"{COLLECTION}.plugins.module_utils.{name.replace('/', '.')}")
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="calls-") as place:
            child = os.fork()
            if not child:
                _become(json.loads(line), place)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = [Path(place, part).read_text(encoding="utf-8", errors="replace") for part in ("out", "err")]
        print(json.dumps([status, *texts]), flush=True)


if __name__ == "__main__":
    _serve()
