# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Files and directories for their owner alone, whatever the umask (SECURITY.md, Files)."""

# ruff: noqa: PTH102, PTH112, PTH120
# Paths and descriptors alike.
from __future__ import annotations

import errno
import os
import stat


def make_directory(path: str) -> None:
    """Make a directory, and what is missing above it, each 0700; :class:`OSError` where that cannot be done.

    ``os.makedirs`` leaves those above it to the umask, and who may write one of them may put another in its place.
    """
    path = path.rstrip("/") or path
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above not in ("", path):  # of a relative path, the current directory is there
        make_directory(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def open_to_all(mode: int) -> bool:
    """Tell whether every user of the host may change a file, or put other files into a directory, by its mode."""
    return bool(mode & stat.S_IWOTH) and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)


def open_plain(name: str, flags: int, directory: int) -> int:
    """Open a plain file of a directory, new ones 0600; :class:`OSError` for anything else that bears its name.

    No link is followed, no pipe is waited for, and nothing is written that has a second name elsewhere.
    """
    safe = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(name, flags | safe, 0o600, dir_fd=directory)
    found = os.fstat(descriptor)
    wrong = 0
    if not stat.S_ISREG(found.st_mode):
        wrong = errno.EINVAL
    elif found.st_nlink > 1 and flags & (os.O_WRONLY | os.O_RDWR):
        wrong = errno.EMLINK
    if wrong:
        os.close(descriptor)
        raise OSError(wrong, os.strerror(wrong), name)
    return descriptor
