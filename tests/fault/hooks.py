# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a playbook's job does to hosts, as events: hooks, freezing, mounting. Each is a stand-in for a program.

Run as ``hooks.py PROGRAM ARGUMENTS...`` by scripts in a directory that stands first on PATH (playbook_host.py).
FAULT_HOST is the host's directory: ``frozen-NAME`` and ``mounted-NAME`` are the states of its file systems, ``log``
has a line for each thing that was done: the job, and what.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

HOST = Path(os.environ.get("FAULT_HOST", "/nonexistent"))
MOUNTED = {"source": "/dev/sdx", "fstype": "xfs", "options": "rw,noatime"}


@contextlib.contextmanager
def _event(name: str) -> Iterator[None]:
    """Count an event where events are counted, and write down that it has happened."""
    counted: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if os.environ.get("FAULT_LOG"):
        import sitecustomize

        counted = sitecustomize.event(name)
    with counted:
        yield
        with (HOST / "log").open("a", encoding="utf-8") as log:
            log.write(f"{os.environ.get('AWX_JOB_ID', '-')} {name}\n")


def _state(what: str, mount_point: str) -> Path:
    return HOST / f"{what}-{Path(mount_point).name}"


def hook(name: str) -> int:
    """A task of the user."""
    with _event(f"hook:{name}"):
        return 0


def fsfreeze(option: str, mount_point: str) -> int:
    """As fsfreeze: freezing what is frozen fails, so does thawing what is not."""
    file, thaws = _state("frozen", mount_point), option == "-u"
    if thaws != file.exists():
        return 1
    with _event("thaw" if thaws else "freeze"):
        file.unlink() if thaws else file.touch()
    return 0


def umount(mount_point: str) -> int:
    """As umount."""
    file = _state("mounted", mount_point)
    if not file.exists():
        return 32
    with _event("umount"):
        file.unlink()
    return 0


def mount(*args: str) -> int:
    """As mount: ``-t TYPE -o OPTIONS SOURCE MOUNT_POINT``."""
    file = _state("mounted", args[5])
    if file.exists() or (args[1], args[3], args[4]) != (MOUNTED["fstype"], MOUNTED["options"], MOUNTED["source"]):
        return 32
    with _event("mount"):
        file.touch()
    return 0


def findmnt(*args: str) -> int:
    """As findmnt with JSON."""
    if not _state("mounted", args[-1]).exists():
        return 1
    print(json.dumps({"filesystems": [MOUNTED]}))
    return 0


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))
