# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fork that runs a module is a process of the module's own: its death, signals, prints and limits are its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.plugin_utils import _in_process
from ansible_collections.eternus.backup.plugins.plugin_utils._forked import Ended, run_forked

ARGUMENTS = json.dumps({"ANSIBLE_MODULE_ARGS": {"secret": "v3rysecret", "_ansible_remote_tmp": "/tmp"}}).encode()
SPEC = {"secret": {"type": "str", "no_log": True}}


class _Late(BaseException):
    """What a task's timeout raises in a worker."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def late(_number: int, _frame: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _main() -> None:
    print("a library prints {something")
    module = AnsibleModule(argument_spec=SPEC)
    module.warn(f"be warned of {module.params['secret']}")
    module.exit_json(changed=False, said="x" * 300_000)


def test_a_module_reads_its_arguments_and_its_result_has_its_warnings_without_secrets() -> None:
    ended = run_forked(_main, ARGUMENTS)
    result = _in_process._result("m", ended)
    assert ended.code == 0 and len(result["said"]) == 300_000
    assert len(result["warnings"]) == 1 and "be warned of" in result["warnings"][0]
    assert "v3rysecret" not in ended.out + ended.err
    assert AnsibleModule.warn.__name__ == "warn" and AnsibleModule.exit_json.__qualname__ == "AnsibleModule.exit_json"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGALRM, signal.SIGTERM])
def test_a_death_by_a_signal_is_a_failed_result_that_names_it(number: signal.Signals) -> None:
    with _alarm(300):  # a worker's handler is not the fork's
        ended = run_forked(lambda: os.kill(os.getpid(), number), ARGUMENTS)
    assert ended.code == -number
    result = _in_process._result("eternus.backup.m", ended)
    assert result["failed"] and result["rc"] == 128 + number
    assert result["msg"].startswith(f"MODULE FAILURE: eternus.backup.m was ended by {number.name}")


def test_a_bug_is_a_failed_result_with_its_traceback() -> None:
    def bug() -> None:
        raise KeyError("a bug")

    ended = run_forked(bug, ARGUMENTS)
    result = _in_process._result("eternus.backup.m", ended)
    assert ended.code == 1 and result["rc"] == 1
    assert result["exception"].startswith("Traceback") and "KeyError: 'a bug'" in result["exception"]


def test_what_is_no_result_is_none() -> None:
    assert _in_process._result("m", Ended(0, '{"a": 1}\n{broken\nmore\n', "")) == {"a": 1}
    assert _in_process._result("m", Ended(3, "{broken", "why"))["module_stderr"] == "why"


def test_what_interrupts_the_wait_ends_the_fork(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def endless() -> None:
        mark.write_text(str(os.getpid()), encoding="utf-8")
        while True:
            time.sleep(60)

    with pytest.raises(_Late), _alarm(1):
        run_forked(endless, ARGUMENTS)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)


def test_a_fork_sees_no_input_the_working_directory_and_none_of_its_parents_handlers(tmp_path: Path) -> None:
    def look() -> None:
        assert os.read(0, 1) == b""
        module = AnsibleModule(argument_spec=SPEC)
        module.exit_json(cwd=os.getcwd(), handler=signal.getsignal(signal.SIGALRM) is signal.SIG_DFL)  # noqa: PTH109

    with _alarm(300):
        result = _in_process._result("m", run_forked(look, ARGUMENTS, str(tmp_path)))
    assert (result["cwd"], result["handler"]) == (str(tmp_path), True)


_ENDLESS = """
import os, sys, time
from ansible_collections.eternus.backup.plugins.plugin_utils._forked import run_forked
mark = sys.argv[1]
def endless():
    with open(mark + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(mark + ".new", mark)
    time.sleep(600)
run_forked(endless, b"{}")
"""


def test_whoever_ends_the_process_group_ends_the_fork_too(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(mark)], env=env, start_new_session=True)
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.05)
    pid = int(mark.read_text(encoding="utf-8"))
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    while _runs(pid):  # a moment later at most: a process that is killed still has to go
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
