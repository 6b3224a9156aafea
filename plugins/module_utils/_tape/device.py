# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The bytes of a volume on this host: found by name, checked first, read and written past the page cache."""

# ruff: noqa: PTH116, PTH118, PTH123
from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

_BLKGETSIZE64 = 0x80081272
_NAA = re.compile(r"(?:naa\.|mpath-3)([0-9a-f]{32})\b")


class Device:
    """An opened volume. ``size`` in bytes. Not for two threads at once."""

    def __init__(self, path: str, descriptor: int, size: int, *, block: bool) -> None:
        self.path = path
        self.size = size
        self.block = block
        self._descriptor = descriptor
        self._buffered = False
        self._set_direct(True)

    def _set_direct(self, wanted: bool) -> None:
        """Use O_DIRECT where the file system takes it, else go through the page cache and drop what was used."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        direct = getattr(os, "O_DIRECT", 0)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | direct if wanted else flags & ~direct)
            self._buffered = not wanted or not direct
        except OSError:
            self._buffered = True

    def read_at(self, into: memoryview, offset: int) -> int:
        """Fill a page-aligned buffer from ``offset``; fewer bytes only at the end."""
        done = 0
        while done < len(into):
            try:
                length = os.preadv(self._descriptor, [into[done:]], offset + done)
            except OSError as error:
                if error.errno == errno.EINVAL and not self._buffered:
                    self._set_direct(False)
                    continue
                raise self._failed("read", error) from error
            if not length:
                break
            done += length
        if self._buffered:
            os.posix_fadvise(self._descriptor, offset, done, os.POSIX_FADV_DONTNEED)
        return done

    def write_at(self, data: memoryview, offset: int) -> None:
        """Write a page-aligned buffer at ``offset``; a short tail goes through the page cache."""
        done = 0
        while done < len(data):
            try:
                done += os.pwritev(self._descriptor, [data[done:]], offset + done)
            except OSError as error:
                if error.errno == errno.EINVAL and not self._buffered:
                    self._set_direct(False)
                    continue
                raise self._failed("written", error) from error

    def flush(self) -> None:
        """Bring everything onto the volume."""
        try:
            os.fsync(self._descriptor)
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise self._failed("written", error) from error

    def same_as(self, other: Device) -> bool:
        """Tell whether two names lead to the same bytes."""
        mine, theirs = os.fstat(self._descriptor), os.fstat(other._descriptor)
        if self.block and other.block:
            return mine.st_rdev == theirs.st_rdev
        return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)

    def _failed(self, what: str, error: OSError) -> BackupError:
        return BackupError(
            ErrorClass.COPY_FAILED,
            f"{self.path} could not be {what}: {os.strerror(error.errno or 0)}.",
            next_step="See the kernel's log and the paths to the array, then run it again.",
            unchanged="What was already done is recorded.",
            device=self.path,
        )


def device_path(device_dir: str, device_id: str) -> str:
    """Return where this host shows a volume (DESIGN.md, Where things run)."""
    return os.path.join(device_dir, f"wwn-0x{device_id.lower()}")


def _identity(status: os.stat_result) -> str:
    """Return the NAA identifier that the kernel knows of a block device, in lower case; empty when it does not tell."""
    base = f"/sys/dev/block/{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    for name in ("device/wwid", "dm/uuid", "wwid"):
        with suppress(OSError), open(f"{base}/{name}", encoding="ascii", errors="replace") as file:
            match = _NAA.search(file.read(512).lower())
            if match:
                return match.group(1)
    return ""


@contextmanager
def open_device(device_dir: str, device_id: str, size: int, *, write: bool = False) -> Iterator[Device]:
    """Open a volume after checking that it is the right one and of the right size (bytes; 0: whatever it has).

    It may be a link to a block device or to a regular file. A block device must not be mounted when it is written.
    """
    path = device_path(device_dir, device_id)
    flags = os.O_RDWR if write else os.O_RDONLY
    try:
        block = stat.S_ISBLK(os.stat(path).st_mode)
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_EXCL if write and block else 0))
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise BackupError(
                ErrorClass.BUSY,
                f"{path} is mounted or used by another driver of this host.",
                next_step="Unmount it, then run it again.",
                device=path,
            ) from error
        raise BackupError(
            ErrorClass.NO_SUCH_VOLUME,
            f"This host has no usable {path}: {os.strerror(error.errno or 0)}.",
            next_step="Map the volume to this host, rescan, and check 'device_dir' and the rights on the device.",
            device=path,
        ) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISBLK(status.st_mode):
            actual = int(struct.unpack("Q", fcntl.ioctl(descriptor, _BLKGETSIZE64, b"\0" * 8))[0])
            known = _identity(status)
        elif stat.S_ISREG(status.st_mode):
            actual, known = status.st_size, ""
        else:
            raise BackupError(
                ErrorClass.NO_SUCH_VOLUME,
                f"{path} is neither a block device nor a regular file.",
                next_step="Check the option 'device_dir'.",
                device=path,
            )
        if known and known != device_id.lower():
            raise BackupError(
                ErrorClass.NO_SUCH_VOLUME,
                f"{path} leads to volume {known.upper()}, not to {device_id.upper()}.",
                next_step="Rescan the host's devices and let udev settle.",
                device=path,
            )
        if size and actual != size:
            raise BackupError(
                ErrorClass.SIZE_MISMATCH,
                f"{path} has {actual} bytes, and {size} are needed exactly.",
                next_step="Name a volume of exactly that size, or rescan the host's devices.",
                device=path,
                size=actual,
                needed=size,
            )
        yield Device(path, descriptor, actual, block=stat.S_ISBLK(status.st_mode))
    finally:
        os.close(descriptor)
