# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fork that runs a module is a process of the module's own: its death, signals, prints and limits are its own."""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.plugin_utils._fork import Ended, Unborn, Work, run_in_fork
from ansible_collections.eternus.backup.plugins.plugin_utils._module_json import read_result, written

NAME = "eternus.backup.some"
SPEC = {"secret": {"type": "str", "no_log": True}}
GIVEN = {"ANSIBLE_MODULE_ARGS": {"secret": "v3rysecret", "_ansible_remote_tmp": "/tmp"}}


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


def forked(work: Work, directory: Path) -> Ended:
    """Run it in a fork, with the arguments of a module."""
    return run_in_fork(work, given=written(GIVEN), directory=str(directory), program="/some/module.py")


def result(ended: Ended) -> dict[str, Any]:
    """Return what a task would return."""
    return read_result(NAME, ended, {})


def test_a_module_reads_its_arguments_and_its_result_is_found_among_what_libraries_print(tmp_path: Path) -> None:
    def work(_notes: list[dict[str, Any]]) -> None:
        print("a library prints {something")
        os.write(1, b"{and another, past Python\n")
        module = AnsibleModule(argument_spec=SPEC)
        atexit.register(print, "{at the end")
        module.exit_json(changed=False, said="x" * 300_000, told=module.params["secret"])

    ended = forked(work, tmp_path)
    found = result(ended)
    assert ended.code == 0
    assert "{at the end" in ended.out
    assert len(found["said"]) == 300_000
    assert found["told"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert "v3rysecret" not in ended.out + ended.err


def test_what_a_module_says_is_that_of_the_last_result_and_nothing_of_it_is_ansibles_own() -> None:
    said = '{"a": 0}\n[1]\n{"a": 1, "warnings": ["w"], "_ansible_verbose_always": true}\n{broken\nmore\n'
    found = read_result(NAME, Ended(0, said, "", ()), {"warnings": ["v"]})
    assert found == {"a": 1, "warnings": ["w", "v"]}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1])
def test_a_death_by_a_signal_is_a_failed_task_that_says_so(number: signal.Signals, tmp_path: Path) -> None:
    def work(_notes: list[dict[str, Any]]) -> None:
        print("before", flush=True)
        os.kill(os.getpid(), number)

    with _alarm(300):  # a worker's handler is not the child's
        ended = forked(work, tmp_path)
    found = result(ended)
    assert found["failed"]
    assert found["rc"] == 128 + number
    assert found["msg"].startswith(f"MODULE FAILURE: {NAME} was ended by signal {int(number)}.")
    assert found["module_stdout"] == "before\n"


def test_a_bug_is_a_failed_task_with_its_traceback(tmp_path: Path) -> None:
    def work(_notes: list[dict[str, Any]]) -> None:
        raise KeyError("a bug")

    found = result(forked(work, tmp_path))
    assert found["failed"]
    assert found["rc"] == 1
    assert "ended with 1 and without a result" in found["msg"]
    assert found["module_stderr"].startswith("Traceback")
    assert "KeyError: 'a bug'" in found["module_stderr"]


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (3, 3), ("words", 1)])
def test_its_exit_code_is_that_of_a_process(given: object, code: int, tmp_path: Path) -> None:
    assert forked(lambda _notes: sys.exit(given), tmp_path).code == code  # type: ignore[arg-type]


def test_it_has_no_input_its_own_directory_and_none_of_its_parents_handlers(tmp_path: Path) -> None:
    def work(notes: list[dict[str, Any]]) -> None:
        mask = os.umask(0)
        os.umask(mask)
        notes += [
            {"read": os.read(0, 1).decode(), "cwd": str(Path.cwd()), "argv": sys.argv, "mask": mask},
            {"alarm": signal.getsignal(signal.SIGALRM) is signal.SIG_DFL},
        ]

    mask = os.umask(0o22)
    os.umask(mask)
    with _alarm(300):
        notes = forked(work, tmp_path).notes
    assert notes[0] == {"read": "", "cwd": str(tmp_path), "argv": ["/some/module.py"], "mask": mask}
    assert notes[1] == {"alarm": True}


def test_what_its_parent_does_at_its_end_is_not_the_childs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    atexit.register(mark.touch)
    try:
        forked(lambda _notes: None, tmp_path)
    finally:
        atexit.unregister(mark.touch)
    assert not mark.exists()


def test_what_interrupts_the_wait_ends_the_child(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def work(_notes: list[dict[str, Any]]) -> None:
        mark.write_text(str(os.getpid()), encoding="utf-8")
        os.kill(os.getppid(), signal.SIGALRM)
        while True:
            time.sleep(60)

    with pytest.raises(_Late), _alarm(300):
        forked(work, tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)


def test_where_no_child_can_be_made_nothing_has_been_run_and_nothing_is_left_open(tmp_path: Path) -> None:
    def work(notes: list[dict[str, Any]]) -> None:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, free + 3))
        with pytest.raises(Unborn, match="Too many open files"):
            forked(lambda _notes: notes.append({"ran": True}), tmp_path)
        os.close(os.dup(0))
        notes.append({"open": os.dup(0) == free})

    assert forked(work, tmp_path).notes == ({"open": True},)


def test_a_result_is_read_even_where_children_go_unnoticed(tmp_path: Path) -> None:
    def work(notes: list[dict[str, Any]]) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        ended = forked(lambda _notes: print("said"), tmp_path)
        notes.append({"code": ended.code, "out": ended.out})

    assert forked(work, tmp_path).notes == ({"code": 0, "out": "said\n"},)


def test_arguments_are_written_so_that_a_module_reads_them_as_plain_values() -> None:
    assert json.loads(written({"a": ["ä", 1, None, {"b": True}]})) == {"a": ["ä", 1, None, {"b": True}]}
