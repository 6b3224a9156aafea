# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read: a block device where one can be had (root: a loop device over memory), else a file in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PIECE = 4 << 20


@dataclass(frozen=True)
class Source:
    """A volume's bytes and how they are kept."""

    path: Path
    size: int
    kind: str

    @property
    def direct(self) -> bool:
        """Tell whether it is read past the page cache."""
        return self.kind != "file in memory"


@contextmanager
def source(size: int) -> Iterator[Source]:
    """Give random bytes (a drive could compress others) as a device."""
    folder = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    work = Path(tempfile.mkdtemp(prefix="bench-tape-", dir=folder))
    try:
        file = work / "volume"
        with file.open("wb") as out:
            for _piece in range(size // PIECE):
                out.write(os.urandom(PIECE))
        loop = _loop(file)
        try:
            yield Source(Path(loop), size, "loop device over memory") if loop else Source(file, size, "file in memory")
        finally:
            if loop:
                subprocess.run(["losetup", "-d", loop], check=True)
    finally:
        shutil.rmtree(work)


def speed(source: Source) -> float:
    """Return how fast dd reads it, in MB/s; the best of three."""
    flags = ["iflag=direct"] if source.direct else []
    best = 0.0
    for _run in range(3):
        start = time.monotonic()
        subprocess.run(["dd", f"if={source.path}", "of=/dev/null", "bs=4M", "status=none", *flags], check=True)
        best = max(best, source.size / (time.monotonic() - start) / 1_000_000)
    return best


def _loop(file: Path) -> str:
    """Return a loop device over a file; empty where this user may not have one."""
    if os.getuid() != 0 or not shutil.which("losetup"):
        return ""
    done = subprocess.run(
        ["losetup", "--find", "--show", "--read-only", str(file)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
