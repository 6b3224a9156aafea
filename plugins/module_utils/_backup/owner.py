# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Who holds a lease, in words that tell on the same machine whether that process still lives."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

_OWNER = re.compile(r"(job .+ on )?(?P<host>\S+), process (?P<process>\d+) \[(?P<start>\d+) (?P<namespace>\S+)\]")


def _start_of(pid: int) -> str:
    """Return the kernel's start time of a process (a number may be used again), empty when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if len(fields) > 19 and fields[0] not in ("Z", "X") else ""


def _namespace() -> str:
    """Return what tells one machine's (or container's) process numbers from another's."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]") + "-" + _boot_id()
    except OSError:
        return ""


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]


def default_owner() -> str:
    """Return Tower's job where there is one, host, process; in brackets its start and its process namespace."""
    job = os.environ.get("TOWER_JOB_ID") or os.environ.get("AWX_JOB_ID") or os.environ.get("JOB_ID")
    mine = f"{socket.gethostname()}, process {os.getpid()} [{_start_of(os.getpid())} {_namespace()}]"
    return f"job {job} on {mine}" if job else mine


def is_dead(owner: str) -> bool:
    """Tell whether an owner certainly lives no more: same host, same process namespace, and no such process.

    False where it cannot be told: then only the lease's expiry helps (DESIGN.md, Catalog).
    """
    told = _OWNER.fullmatch(owner)
    if told is None or told["host"] != socket.gethostname() or told["namespace"] != _namespace():
        return False
    return _start_of(int(told["process"])) != told["start"]
