# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Death by number: what a process does to the world is counted, and at one event it is killed, just before or after.

Python imports this file by itself in every process that has its directory on PYTHONPATH, so in a playbook's modules,
and in ansible-playbook, in whose forks modules run;
a fork of the nursery (tests/unit/support/nursery.py) runs it by a prelude. Environment:

FAULT_LOG
    a file: each event is one JSON line; its number is that of the line, from 1, over all processes of a job. Without
    it nothing is counted.
FAULT_AT, FAULT_WHEN
    the number of the event at which to die, and ``before`` or ``after`` it. All processes of the job die: those
    that were started with the same FAULT_LOG, the one at the event last.
FAULT_ROOT
    the directory below which renamed and removed files count.
FAULT_SHIFT
    seconds by which the product's clock is ahead: the next run is one minute later, and nobody waits that long.

Events: ``wbem:METHOD`` (one HTTP request), ``commit`` (a catalog transaction that may write), ``rename:NAME``,
``link:NAME``, ``unlink:NAME``, ``tape:label``, ``tape:block``, ``tape:filemark``,
``tape:read``; any other by :func:`event`.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.abc
import importlib.util
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional

_PRODUCT = "ansible_collections.eternus.backup.plugins.module_utils"
#: What is made anew each time in a file's name.
_RANDOM = re.compile(r"[0-9a-f]{12,}|[0-9A-Z]{20,}")


@contextmanager
def event(name: str) -> Iterator[None]:
    """Count an event, and die just before or just after it when it is the one."""
    number = _count(name)
    chosen = os.environ.get("FAULT_AT") == str(number)
    when = os.environ.get("FAULT_WHEN", "before")
    if chosen and when == "before":
        die()
    try:
        yield
    finally:
        if chosen:
            die()


def die() -> None:
    """Kill this job: every process that was started with this FAULT_LOG, and this one last."""
    mark = f"FAULT_LOG={os.environ['FAULT_LOG']}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0") and not _watches(entry):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
    os.kill(os.getpid(), signal.SIGKILL)


def _watches(entry: Path) -> bool:
    """Tell whether a process is the watchdog that freeze.sh (role host_volume) has started, or its sleep."""
    if b"eternus-watchdog" in (entry / "cmdline").read_bytes():
        return True
    parent = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]
    return b"eternus-watchdog" in Path("/proc", parent, "cmdline").read_bytes()


def _count(name: str) -> int:
    """Write an event down and return its number."""
    log = os.open(os.environ["FAULT_LOG"], os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(log, fcntl.LOCK_EX)
        number = 1 + os.pread(log, os.fstat(log).st_size, 0).count(b"\n")
        os.write(log, (json.dumps({"number": number, "event": name, "pid": os.getpid()}) + "\n").encode())
    finally:
        os.close(log)
    return number


def _around(owner: Any, attribute: str, name: Callable[..., Optional[str]]) -> None:
    """Make an event of each call of a function; none where ``name`` returns None."""
    original = getattr(owner, attribute)

    @functools.wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        called = name(*args, **kwargs)
        if called is None:
            return original(*args, **kwargs)
        with event(called):
            return original(*args, **kwargs)

    setattr(owner, attribute, counted)


def _requests(module: Any) -> None:
    def name(_adapter: Any, request: Any, *_args: Any, **_more: Any) -> str:
        method = request.headers.get("CIMMethod", "")
        return f"wbem:{method.decode() if isinstance(method, bytes) else method}"

    _around(module.HTTPAdapter, "send", name)


def _sqlalchemy(module: Any) -> None:
    def name(_dialect: Any, connection: Any) -> Optional[str]:
        if not hasattr(connection, "total_changes"):
            return "commit"  # PostgreSQL
        reads = connection.execute("PRAGMA query_only").fetchone()[0]
        return None if reads else "commit"

    _around(module.DefaultDialect, "do_commit", name)


def _drive(module: Any) -> None:
    def block(drive: Any, _data: Any) -> str:
        return "tape:block" if drive.position().file else "tape:label"

    _around(module.VirtualDrive, "write_block", block)
    _around(module.VirtualDrive, "read_block", lambda _drive, _into: "tape:read")
    _around(module.VirtualDrive, "write_filemark", lambda _drive, **_how: "tape:filemark")


def _clock(module: Any) -> None:
    ahead = timedelta(seconds=float(os.environ.get("FAULT_SHIFT", "0")))
    original = module.SystemClock.now
    module.SystemClock.now = lambda clock: original(clock) + ahead


def _path(name: Any, directory: Optional[int]) -> Path:
    path = Path(os.fsdecode(name))
    if directory is not None and not path.is_absolute():
        path = Path(f"/proc/self/fd/{directory}").readlink() / path
    return path.absolute()


def _files() -> None:
    root = os.environ.get("FAULT_ROOT")
    if not root:
        return

    def name(act: str, path: Path) -> Optional[str]:
        if Path(root) not in path.parents:
            return None
        return f"{act}:{_RANDOM.sub('*', path.name)}"

    def two(_source: Any, target: Any, *, dst_dir_fd: Optional[int] = None, **_more: Any) -> Path:
        return _path(target, dst_dir_fd)

    def one(path: Any, *, dir_fd: Optional[int] = None) -> Path:
        return _path(path, dir_fd)

    for function, act in (("rename", "rename"), ("replace", "rename"), ("link", "link")):
        _around(os, function, lambda *args, act=act, **more: name(act, two(*args, **more)))
    for function in ("unlink", "remove"):
        _around(os, function, lambda *args, **more: name("unlink", one(*args, **more)))


_WATCHED = {
    "requests.adapters": _requests,
    "sqlalchemy.engine.default": _sqlalchemy,
    f"{_PRODUCT}._tape.virtual_drive": _drive,
    f"{_PRODUCT}._waiter": _clock,
}


class _Patching(importlib.abc.Loader):
    """Loads as the original does, then patches. AnsiballZ's loader serves all modules of an archive: it stays as is."""

    def __init__(self, original: Any, patch: Callable[[Any], None]) -> None:
        self._original, self._patch = original, patch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def create_module(self, spec: Any) -> Any:
        """Make the module."""
        return self._original.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """Run the module, then patch it."""
        self._original.exec_module(module)
        self._patch(module)


class _Watch(importlib.abc.MetaPathFinder):
    """Patches a module when it is imported."""

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """Return its own spec with a loader that patches it afterwards; it is watched for no longer."""
        if sys.meta_path[0] is not self:  # ansible-core, in whose forks modules run, puts its own before all others
            sys.meta_path.remove(self)
            sys.meta_path.insert(0, self)
        if name not in _WATCHED:
            return None
        patch = _WATCHED.pop(name)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = _Patching(spec.loader, patch)
        return spec


def install() -> None:
    """Begin to count, in this process; without FAULT_LOG only the clock is put forward."""
    if not os.environ.get("FAULT_LOG"):
        for name in [name for name in _WATCHED if not name.endswith("._waiter")]:
            del _WATCHED[name]
    for name in [name for name in _WATCHED if name in sys.modules]:
        _WATCHED.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Watch())
    if os.environ.get("FAULT_LOG"):
        _files()


if os.environ.get("FAULT_LOG") or os.environ.get("FAULT_SHIFT"):
    install()
