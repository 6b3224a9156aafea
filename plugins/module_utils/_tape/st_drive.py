# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A drive by Linux's st driver (tape.md, How the real st driver behaves): variable blocks, filemarks, early warning."""

# A descriptor, not a file: one write is one block.
from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.eternus.backup.plugins.module_utils._tape import st_ioctl
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Block,
    DriveLost,
    EndOfData,
    MediumError,
    Position,
    WriteOutcome,
    WriteProtected,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_sg import is_ready
from ansible_collections.eternus.backup.plugins.module_utils._tape.st_ioctl import Op

#: The drive, its path or its cartridge is gone; nothing is said about the medium.
_GONE = {
    errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM, errno.ETIMEDOUT, errno.ESHUTDOWN, errno.EBADF, errno.ENOTCONN,
    errno.EBUSY,
}  # fmt: skip
_PROTECTED = {errno.EROFS, errno.EACCES, errno.EPERM}


def open_drive(device: str) -> tuple[int, bool]:
    """Open a tape device whose cartridge is ready; tell whether it may be written. OSError says why not."""
    try:
        return os.open(device, os.O_RDWR | os.O_CLOEXEC), True
    except OSError as error:
        if error.errno not in _PROTECTED:
            raise
        return os.open(device, os.O_RDONLY | os.O_CLOEXEC), False


class StDrive:
    """A drive with a loaded cartridge. Not for two threads at once.

    :param descriptor: of the opened, non-rewinding device; closing it is the caller's.
    :param generic: the drive's generic device; it tells a drive that is gone from a bad medium.
    :param capacity: the cartridge's, in bytes; 0 when the drive does not tell.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        barcode: str,
        *,
        generic: str = "",
        capacity: int = 0,
        writable: bool = True,
    ) -> None:
        self._descriptor = descriptor
        self.name = name
        self._barcode = barcode
        self._generic = generic
        self._capacity = capacity
        self._writable = writable
        self._warned = False
        with self._told():
            st_ioctl.command(descriptor, Op.SETBLK, 0)
            self._file = st_ioctl.status(descriptor).file  # our own count: the driver loses its one at a seek
        with suppress(OSError):  # root only, and a matter of how blocks are numbered
            st_ioctl.command(descriptor, Op.SETDRVBUFFER, st_ioctl.SET_BOOLEANS | st_ioctl.SCSI2_LOGICAL)
        self._tells = self._tell() >= 0  # some targets have neither READ POSITION nor LOCATE

    @property
    def barcode(self) -> str:
        """Return the barcode, as the library reads it."""
        return self._barcode

    @property
    def capacity(self) -> int:
        """Return the capacity in bytes."""
        return self._capacity

    @contextmanager
    def _told(self, *, end: bool = False) -> Iterator[None]:
        """Say what an error of the driver means.

        :param end: what fails behind the last record says only that it ends there.
        """
        try:
            yield
        except OSError as error:
            why = os.strerror(error.errno or 0)
            lost = self._lost()
            if lost or error.errno in _GONE:
                raise DriveLost(lost or why) from error
            if error.errno in _PROTECTED:
                raise WriteProtected from error
            if end and self._at_end():
                raise EndOfData from error
            raise MediumError(why) from error

    def _lost(self) -> str:
        """Return why drive or cartridge are no longer what they were, empty when it must be the medium.

        To the driver all is EIO, and it does not notice by itself that a cartridge was taken out.
        """
        try:
            if not st_ioctl.status(self._descriptor).online:
                return "it is offline, or its cartridge was taken out"
        except OSError as error:
            return os.strerror(error.errno or 0)
        if self._generic and not is_ready(self._generic):
            return "it is not ready, or its cartridge was taken out"
        if self._file > 0 and self._tells and self._tell() == 0:
            return "it stands at the beginning: it was reset, or its cartridge was changed"
        return ""

    def _at_end(self) -> bool:
        with suppress(OSError):
            return st_ioctl.status(self._descriptor).end_of_data
        return False

    def _tell(self) -> int:
        """Return the block number, -1 when the drive does not tell."""
        with suppress(OSError):
            return st_ioctl.tell(self._descriptor)
        return -1

    def _last(self) -> int:
        """Go behind the last record and return the block number there, -1 when that is not known."""
        self._file = -1
        with suppress(OSError):
            st_ioctl.command(self._descriptor, Op.EOM)
            self._file = st_ioctl.status(self._descriptor).file
            return self._tell()
        return -1

    def write_block(self, data: Block) -> WriteOutcome:
        """Write one block."""
        if not self._writable:
            raise WriteProtected
        with self._told():
            for _try in range(2):
                try:
                    written = os.write(self._descriptor, data)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    if not self._warned:
                        self._warned = True
                        return WriteOutcome.EARLY_WARNING
                    continue  # behind the early warning every second write succeeds
                if written != len(data):
                    raise MediumError(f"{written} of {len(data)} bytes of a block were written")
                return WriteOutcome.WRITTEN
        return WriteOutcome.END_OF_MEDIUM

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:
        """End the file; a synchronous mark flushes the drive's buffer."""
        if not self._writable:
            raise WriteProtected
        op = Op.WEOF if synchronous else Op.WEOFI
        with self._told():
            for _try in range(2):
                try:
                    st_ioctl.command(self._descriptor, op)
                except OSError as error:
                    if error.errno in (errno.EINVAL, errno.ENOSYS) and op is Op.WEOFI:
                        op = Op.WEOF  # a driver that does not know immediate marks
                        continue
                    if error.errno != errno.ENOSPC:
                        raise
                    self._warned = True  # the mark is on tape; what the early warning would say is known
                self._file += self._file >= 0
                return WriteOutcome.WRITTEN
        return WriteOutcome.END_OF_MEDIUM

    def read_block(self, into: memoryview) -> int:
        """Read one block; 0 at a filemark."""
        try:
            with self._told(end=True):
                length = os.readv(self._descriptor, [into])
        except MediumError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOMEM:
                raise MediumError(f"a block does not fit into {len(into)} bytes") from error.__cause__
            # Right behind a write, and on a new cartridge, the driver does not say that nothing follows.
            here = self._tell()
            if here >= 0 and self._last() == here:
                raise EndOfData from error
            raise
        if length and self._tells:
            return length
        with self._told():
            now = st_ioctl.status(self._descriptor)
        if length:
            # A target that cannot tell where it is gives zeros behind the last record, with the flags of an end.
            if now.end_of_data or now.end_of_medium:
                raise EndOfData
            return length
        # Behind the last record the driver reads nothing too, but then it has passed no filemark.
        if now.end_of_data or (now.file >= 0 and now.file == self._file):
            raise EndOfData
        self._file += self._file >= 0
        return 0

    def position_file(self, number: int) -> None:
        """Go to the first block of a file, from where the drive stands or from the beginning, whichever is nearer."""
        here = self._file
        if not (0 < number <= here and here - number < number and self._back(here - number + 1)):
            if here < 0 or number <= here:
                self.rewind()
            if number > self._file:
                self._forward(number - self._file)
        self._file = number

    def _forward(self, marks: int) -> None:
        """Go forward over filemarks; where it stands is not known until they have been passed."""
        here, self._file = self._file, -1
        try:
            with self._told(end=True):
                st_ioctl.command(self._descriptor, Op.FSF, marks)
            self._file = here + marks
        except MediumError as error:
            if self._tells:
                raise
            raise EndOfData from error  # a target that cannot tell where it is does not say why it stopped either

    def _back(self, marks: int) -> bool:
        """Go back over filemarks and forward over one; False where the drive cannot."""
        self._file = -1
        with suppress(MediumError, EndOfData), self._told(end=True):
            st_ioctl.command(self._descriptor, Op.BSFM, marks)
            return True
        return False

    def end_of_data(self) -> Position:
        """Go behind the last record."""
        if not self._tells:
            self._count_files()
        with self._told():
            if self._tells and st_ioctl.status(self._descriptor).file < 0:  # it counts only from a place that it knows
                st_ioctl.command(self._descriptor, Op.REW)
            st_ioctl.command(self._descriptor, Op.EOM)
            if self._tells:
                self._file = st_ioctl.status(self._descriptor).file
        found = self.position()
        if self._tells and not 0 <= found.file <= found.block:
            self._file = -1
            raise MediumError(f"the drive lost count: file {found.file} at block {found.block}")
        return found

    def _count_files(self) -> None:
        """Go forward file by file as far as it goes."""
        if self._file < 0:
            self.rewind()
        counted = self._file
        with suppress(EndOfData):
            while True:
                self._forward(1)
                counted += 1
        self._file = counted

    def position(self) -> Position:
        """Tell where the drive stands; ``block`` is -1 where it cannot tell."""
        with self._told():
            now = st_ioctl.status(self._descriptor)
        block = self._tell() if self._tells else -1
        return Position(self._file, 0 if block < 0 and (now.file, now.block) == (0, 0) else block)

    def seek_block(self, block: int, file: int = -1) -> None:
        """Go to a logical block; a drive that cannot is a :class:`MediumError`: its files can still be counted."""
        if not self._tells:
            raise MediumError("the drive knows no block numbers")
        try:
            with self._told(end=True):
                st_ioctl.command(self._descriptor, Op.SEEK, block)
                there = st_ioctl.tell(self._descriptor)
        except MediumError as error:
            if 0 <= self._last() < block:
                raise EndOfData from error
            raise
        except (EndOfData, DriveLost):
            self._file = -1
            raise
        self._file = file
        if there != block:
            self._file = -1
            raise EndOfData

    def rewind(self) -> None:
        """Go to the beginning."""
        self._file = -1
        with self._told():
            st_ioctl.command(self._descriptor, Op.REW)
        self._file = 0
