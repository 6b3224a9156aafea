# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of volumes: sparse files, and how a write past the door is noticed."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .model import BLOCK

Fingerprint = tuple[int, int, int, int]  # mtime ns, ctime ns, size, inode
Range = tuple[int, int]  # first byte, one past the last

_STAMP_AGE_NS = 1_000_000_000
_STEP = 1 << 20
_UNUSABLE = b"the copy was ended before this extent had arrived; "


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


def copy(source: Path, target: Path, spans: Iterable[Range]) -> Fingerprint:
    """Make ranges of one file what they are in another; holes stay holes. Returns the target's new fingerprint."""
    from_fd = os.open(source, os.O_RDONLY)
    to_fd = os.open(target, os.O_RDWR)
    try:
        for first, last in spans:
            done = first
            for start, end in _data(from_fd, first, last):
                _zero(to_fd, done, start)
                _copy(from_fd, to_fd, start, end)
                done = end
            _zero(to_fd, done, last)
        return _stamp(to_fd)
    finally:
        os.close(from_fd)
        os.close(to_fd)


def _data(fd: int, first: int, last: int) -> Iterator[Range]:
    """Yield the parts of a range that are no holes."""
    while first < last:
        try:
            start = os.lseek(fd, first, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # no data from here to the end
        if start >= last:
            return
        first = min(os.lseek(fd, start, os.SEEK_HOLE), last)
        yield (start, first)


def _zero(fd: int, first: int, last: int) -> None:
    for start, end in list(_data(fd, first, last)):
        for place in range(start, end, _STEP):
            os.pwrite(fd, bytes(min(_STEP, end - place)), place)


def _copy(from_fd: int, to_fd: int, first: int, last: int) -> None:
    for place in range(first, last, _STEP):
        data = os.pread(from_fd, min(_STEP, last - place), place)
        done = 0
        while done < len(data):
            done += os.pwrite(to_fd, data[done:], place + done)


def spoil(path: Path, first: int, last: int) -> Fingerprint:
    """Make a range something that nobody takes for data; in a hole only its first block, so that it stays small."""
    fd = os.open(path, os.O_RDWR)
    try:
        length = BLOCK if _hole(fd, first, last - first) else last - first
        os.pwrite(fd, (_UNUSABLE * (length // len(_UNUSABLE) + 1))[:length], first)
        return _stamp(fd)
    finally:
        os.close(fd)


def _hole(fd: int, offset: int, length: int) -> bool:
    try:
        return os.lseek(fd, offset, os.SEEK_DATA) >= offset + length
    except OSError:  # ENXIO: no data from here to the end
        return True
