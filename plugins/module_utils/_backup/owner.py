# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Who holds a lease, in words that tell on the same machine whether that process still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


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
    """Return host, process, its start, its process namespace, and Tower's job where there is one."""
    job = os.environ.get("TOWER_JOB_ID") or os.environ.get("AWX_JOB_ID") or os.environ.get("JOB_ID")
    mine = f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}:{_namespace()}"
    return f"{mine}:job-{job}" if job else mine


def is_dead(owner: str) -> bool:
    """Tell whether an owner certainly lives no more: same host, same process namespace, and no such process.

    False where it cannot be told: then only the lease's expiry helps (DESIGN.md, Catalog).
    """
    parts = owner.split(":")
    if len(parts) < 4 or parts[0] != socket.gethostname() or not parts[3] or parts[3] != _namespace():
        return False
    return parts[1].isdigit() and _start_of(int(parts[1])) != parts[2]
