# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file system that gets full, or may not be written, without any right to mount: in a user namespace of its own."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: What a member of a crowd runs first to live in the namespaces of another process (a fork has one thread).
_ENTER = """
def _enter():
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    spaces = [os.open(f"/proc/HOLDER/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt")]
    here = os.getcwd()
    for space in spaces:
        if libc.setns(space, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(space)
    os.chdir(here)
_enter()
"""


class Namespace:
    """A place that only processes with this prelude see as it is."""

    def __init__(self, holder: subprocess.Popen[str], place: Path) -> None:
        self._place = place
        self.prelude = _ENTER.replace("HOLDER", str(holder.pid))
        #: The place as this process sees it.
        self.outside = Path(f"/proc/{holder.pid}/root{place}")

    def fill(self) -> None:
        """Leave not one byte."""
        with (self.outside / "ballast").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def empty(self) -> None:
        """Make room again."""
        (self.outside / "ballast").unlink()


@contextlib.contextmanager
def namespace(place: Path, mount: str) -> Iterator[Namespace | None]:
    """Mount something at a place, for the block; None where this machine allows no user namespaces.

    :param mount: the shell's command; ``$0`` is the place.
    """
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"{mount} && echo ready && exec sleep 600"]
    with subprocess.Popen([*argv, str(place)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as holder:
        assert holder.stdout is not None
        try:
            yield Namespace(holder, place) if holder.stdout.readline() == "ready\n" else None
        finally:
            holder.kill()


def limit(member: int, size: int) -> None:
    """Let a process write no file beyond a size in bytes: what works everywhere."""
    resource.prlimit(member, resource.RLIMIT_FSIZE, (size, size))


#: The same for a process from its beginning.
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
"""

#: Be bound by permissions: root without capabilities owns what it owns, and no more.
BOUND = """
def _bound():
    import ctypes
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
_bound()
"""
