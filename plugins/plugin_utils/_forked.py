# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module's own ``main()`` in a fork of this process, as in a process of its own.

What the module sees is what Ansible would give it: arguments as JSON on standard input, output to a pipe, signals as
Python sets them, no exit handlers or log files of ansible-playbook. Nothing of it touches a file or a command line.
"""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, NoReturn, Optional

from ansible.module_utils.basic import AnsibleModule

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Ended:
    """How a fork ended: exit code (negative: the signal that ended it), and what it wrote."""

    code: int
    out: str
    err: str


def run_forked(main: Callable[[], None], arguments: bytes, cwd: Optional[str] = None) -> Ended:
    """Run a module's main in a fork and wait for its end. What interrupts the wait (a task's timeout) ends the fork.

    :param arguments: JSON, as a module reads it from standard input.
    :param cwd: where it runs; here, if it is None.
    """
    out, err = os.pipe(), os.pipe()
    pid = 0
    try:
        pid = os.fork()
        if pid == 0:
            _child(main, arguments, out[1], err[1], cwd)
        os.close(out[1])
        os.close(err[1])
        texts = _read_all(out[0], err[0])
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(out[0])
        os.close(err[0])
    return Ended(status, *texts)


def _read_all(*pipes: int) -> list[str]:
    """Read several pipes until nobody writes to them any more."""
    found = {pipe: bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select():
                part = os.read(key.fd, _CHUNK)
                found[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    return [text.decode("utf-8", errors="replace") for text in found.values()]


def _child(main: Callable[[], None], arguments: bytes, out: int, err: int, cwd: Optional[str]) -> NoReturn:
    """Be the module's process, to its end; nothing returns into Ansible's code."""
    code = 1
    try:
        gc.freeze()  # what is there already is not touched, and so not copied, by garbage collection
        _plain_signals()
        atexit._clear()
        logging.root.handlers.clear()
        _plain_streams(arguments, out, err)
        if cwd:
            os.chdir(cwd)
        _keep_warnings()
        code = _ended(main)
        atexit._run_exitfuncs()
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _ended(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _plain_signals() -> None:
    """Set signals as Python does when it starts: a worker's handlers are not the module's."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _plain_streams(arguments: bytes, out: int, err: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, opened in enumerate((nothing, out, err)):
        os.dup2(opened, number)
    sys.stdin = io.TextIOWrapper(io.BytesIO(arguments), encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["module"]  # one with arguments would be read instead of standard input


def _keep_warnings() -> None:
    """Let warnings of a module reach its result.

    In a process of Ansible's, ansible-core 2.19 shows a module's warnings by the display of that process, which for a
    fork is nobody's. They are handed to the end of the module instead, which hides secrets in them too.
    """
    said: list[str] = []
    originals = {name: getattr(AnsibleModule, name) for name in ("exit_json", "fail_json")}

    def warn(_module: AnsibleModule, warning: str, **_more: Any) -> None:
        if warning not in said:
            said.append(warning)

    def ending(name: str) -> Callable[..., None]:
        def end(module: AnsibleModule, *given: Any, **values: Any) -> None:
            more: Mapping[str, Any] = {"warnings": list(said)} if said else {}
            originals[name](module, *given, **values, **more)

        return end

    AnsibleModule.warn = warn
    for name in originals:
        setattr(AnsibleModule, name, ending(name))
