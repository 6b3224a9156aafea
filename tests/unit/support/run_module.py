# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module as Ansible does: a process of its own, JSON in, JSON out, through its real argument spec.

``run_module("eternus_info", {...}, check=True)`` returns the module's result. It works with ansible-core 2.16 to 2.22
without private names: the arguments go through ``ansible.module_utils.testing`` where that exists, else by standard
input. The process is a fork of one that has imported the libraries of others (nursery.py); with a ``prefix`` it is new.
Coverage follows the process, since the environment is inherited.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.tests.unit.support.nursery import run_forked

COLLECTION = "ansible_collections.eternus.backup"

#: What the product reads from the environment, and what must not leak from the developer's shell into a test.
_OURS = ("ETERNUS_", "AWX_", "TOWER_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

_CHILD = """
import importlib, io, json, sys
name, arguments = sys.argv[1], json.loads(sys.stdin.read())
sys.argv = [name]
try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # ansible-core 2.16: a module reads its arguments from standard input
    sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()))
    importlib.import_module(name).main()
else:
    with patch_module_args(arguments):
        importlib.import_module(name).main()
"""


def _tree() -> str:
    """Return the directory that holds ansible_collections (see the root conftest.py)."""
    here = Path(__file__).resolve().parents[3]
    return next((path for path in sys.path if Path(path, "ansible_collections/eternus/backup").is_dir()), None) or str(
        here / ".cache" / "tree"
    )


def module_environment(env: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """Return the environment of a module's process: ours, without the product's own variables, with ``env`` on top."""
    base = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    path = [_tree(), *filter(None, [base.get("PYTHONPATH")])]
    return {**base, "PYTHONPATH": os.pathsep.join(path), **(env or {})}


def run_module(
    name: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    env: Optional[Mapping[str, str]] = None,
    timeout: float = 120,
    prefix: Sequence[str] = (),
) -> dict[str, Any]:
    """Run a module of this collection and return its result; ``failed`` is always there.

    :param name: the module's short name, e.g. ``eternus_info``.
    :param check: run in check mode. ``diff``: ask for a diff.
    :param env: more variables for the process, e.g. ``ETERNUS_HOST``.
    :param timeout: seconds after which the process is ended and the test fails.
    :param prefix: a command that runs the module's process, e.g. ``setpriv`` with its options.
    """
    code, out, err = module_process(name, args, check=check, diff=diff, env=env, timeout=timeout, prefix=prefix)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    assert lines, f"{name} printed no result (rc {code}): {out}\n{err}"
    result: dict[str, Any] = json.loads(lines[-1])
    result.setdefault("failed", code != 0)
    return result


def module_process(
    name: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    env: Optional[Mapping[str, str]] = None,
    timeout: float = 120,
    prefix: Sequence[str] = (),
    prelude: str = "",
) -> tuple[int, str, str]:
    """Run a module's process and return its exit code (negative: the signal that ended it), stdout and stderr.

    :param prelude: Python that the process runs first.
    """
    arguments = {**args, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
    module, given, around = f"{COLLECTION}.plugins.modules.{name}", json.dumps(arguments), module_environment(env)
    if not prefix:
        return run_forked(prelude + _CHILD, module, given, around, timeout)
    done = subprocess.run(
        [*prefix, sys.executable, "-c", prelude + _CHILD, module],
        input=given,
        capture_output=True,
        text=True,
        env=around,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
