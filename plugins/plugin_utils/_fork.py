# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a function in a child of Ansible's worker, as if it were a module's process.

The child has its own life: signals at their defaults, standard input empty, output by pipes. Whatever kills it, SIGALRM
of ``_backup/fuse.py`` above all, leaves the worker alone; whatever ends the wait in the worker (``timeout:`` of a task)
kills the child. Nothing is written to a file, and nothing stands in a list of processes.
"""

from __future__ import annotations

import atexit
import gc
import io
import itertools
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, NoReturn

#: What a child does. It adds to the list what it wants to tell beside its output; all of that must fit into JSON.
Work = Callable[[list[dict[str, Any]]], None]

_CHUNK = 65536
_NOTES = 2
_SIGNALLED = 128


class Unborn(Exception):
    """No child could be made; nothing has been run."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    :ivar code: its exit code as a shell tells it: 128 and the signal's number where a signal ended it.
    :ivar out: what it wrote to standard output. ``err``: to standard error. ``notes``: what it noted; none if killed.
    """

    code: int
    out: str
    err: str
    notes: tuple[dict[str, Any], ...]


def run_in_fork(work: Work, *, given: bytes, directory: str, program: str) -> Ended:
    """Run ``work`` in a child, and wait for it.

    :param work: gets a list for its notes; returns, or ends by SystemExit.
    :param given: what the child reads from ``sys.stdin``. ``directory``: where it works. ``program``: ``sys.argv[0]``.
    :raises Unborn: there is no room for another process; nothing has been run.
    """
    pipes: list[tuple[int, int]] = []
    try:
        pipes.extend(os.pipe() for _number in range(3))
        pid = os.fork()
    except OSError as error:
        for end in itertools.chain(*pipes):
            os.close(end)
        raise Unborn(error.strerror) from error
    if pid == 0:
        for begin, _end in pipes:
            os.close(begin)
        _live(work, [end for _begin, end in pipes], given, directory, program)
    try:
        for _begin, end in pipes:
            os.close(end)
        texts = _read([begin for begin, _end in pipes])
        code, pid = _waited(pid), 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            _waited(pid)
        for begin, _end in pipes:
            os.close(begin)
    notes = texts[_NOTES] if code < _SIGNALLED else ""  # else they may be broken off
    return Ended(code, texts[0], texts[1], tuple(json.loads(notes or "[]")))


def _waited(pid: int) -> int:
    """Wait for the child; return its exit code, 0 where nobody can tell."""
    try:
        ended = os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 0  # whoever started ansible-playbook ignores SIGCHLD, and so do we
    return _SIGNALLED + os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)


def _read(pipes: Sequence[int]) -> list[str]:
    """Read all of them to their ends, side by side."""
    parts: list[list[bytes]] = [[] for _pipe in pipes]
    with selectors.DefaultSelector() as waiting:
        for number, pipe in enumerate(pipes):
            waiting.register(pipe, selectors.EVENT_READ, number)
        while waiting.get_map():
            for key, _events in waiting.select():
                chunk = os.read(key.fd, _CHUNK)
                if chunk:
                    parts[key.data].append(chunk)
                else:
                    waiting.unregister(key.fd)
    return [b"".join(part).decode("utf-8", errors="surrogateescape") for part in parts]


def _live(work: Work, ends: Sequence[int], given: bytes, directory: str, program: str) -> NoReturn:
    """Be the child: never return, never raise."""
    code = 1
    try:
        _become(ends, given, directory, program)
        code = _ended(work, ends[_NOTES])
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(ends: Sequence[int], given: bytes, directory: str, program: str) -> None:
    gc.freeze()  # what the worker holds is not touched, and so not copied, when this child collects its garbage
    atexit._clear()  # what Ansible does at its end is not this child's
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, end in enumerate((nothing, *ends[:_NOTES])):
        os.dup2(end, standard)
        os.close(end)
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = [program]
    os.chdir(directory)


def _ended(work: Work, pipe: int) -> int:
    """Run it; return its exit code, after all that a process does at its end."""
    code = 0
    notes: list[dict[str, Any]] = []
    try:
        work(notes)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    atexit._run_exitfuncs()
    with os.fdopen(pipe, "w", encoding="utf-8") as place:
        json.dump(notes, place)
    return code
