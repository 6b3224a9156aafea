# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of volumes: sparse files, and how a write past the door is noticed."""

from __future__ import annotations

import os
import time
from pathlib import Path

Fingerprint = tuple[int, int, int, int]  # mtime ns, ctime ns, size, inode

_STAMP_AGE_NS = 1_000_000_000


def make(path: Path, size: int) -> Fingerprint:
    """Make a sparse file of ``size`` bytes, mode 0600."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.ftruncate(fd, size)
        return _stamp(fd)
    finally:
        os.close(fd)


def resize(path: Path, size: int) -> Fingerprint:
    """Give a file another size."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(fd, size)
        return _stamp(fd)
    finally:
        os.close(fd)


def _stamp(fd: int) -> Fingerprint:
    # The kernel's file times move in ticks of milliseconds: a foreign write in the same tick would go unseen. So the
    # file's time is set into the past after each write of our own, and any later write by anyone else moves it.
    stamp = time.time_ns() - _STAMP_AGE_NS
    os.utime(fd, ns=(stamp, stamp))
    return _of(os.fstat(fd))


def _of(status: os.stat_result) -> Fingerprint:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def fingerprint(path: Path) -> Fingerprint:
    """Return what changes whenever anyone writes the file."""
    return _of(path.stat())


def read(path: Path, offset: int, length: int) -> bytes:
    """Read; what lies beyond the end of the file is zeros."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if _hole(fd, offset, length):
            return bytes(length)
        parts = []
        while length > 0:
            part = os.pread(fd, length, offset)
            if not part:
                parts.append(bytes(length))
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
    finally:
        os.close(fd)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write(path: Path, offset: int, data: bytes) -> Fingerprint:
    """Write, and return the new fingerprint. Zeros into a hole leave the hole."""
    fd = os.open(path, os.O_RDWR)
    try:
        if not (_hole(fd, offset, len(data)) and data == bytes(len(data))):
            view = memoryview(data)
            while view:
                done = os.pwrite(fd, view, offset)
                offset += done
                view = view[done:]
        return _stamp(fd)
    finally:
        os.close(fd)


def _hole(fd: int, offset: int, length: int) -> bool:
    try:
        return os.lseek(fd, offset, os.SEEK_DATA) >= offset + length
    except OSError:  # ENXIO: no data from here to the end
        return True
