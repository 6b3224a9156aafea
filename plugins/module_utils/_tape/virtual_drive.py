# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A drive with a cartridge that is a directory: it behaves as the st driver does (tape.md)."""

# ruff: noqa: PTH123, PTH208
# Descriptors, not paths: nobody can swap a link under us.
from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._private import open_plain
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Block,
    DriveLost,
    EndOfData,
    MediumError,
    Position,
    WriteOutcome,
    WriteProtected,
)

BLOCK_SIZE = 512 * 1024
#: The library's file system is full, or went away: nothing is said about the cartridge.
_LOST = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESHUTDOWN,
    errno.ETIMEDOUT,
}  # fmt: skip
_PROTECTED = {errno.EROFS, errno.EACCES, errno.EPERM}


def read_json(directory: int, name: str) -> dict[str, Any]:
    with open(open_plain(name, os.O_RDONLY, directory), encoding="utf-8") as file:
        value = json.loads(file.read(1 << 20))
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")
    return value


def write_json(directory: int, name: str, value: dict[str, Any], *, flush: bool = True) -> None:
    """Replace a small file in one step; nobody ever sees half of it."""
    with open(open_plain(f".{name}", os.O_WRONLY | os.O_CREAT, directory), "w", encoding="utf-8") as file:
        file.truncate()
        json.dump(value, file)
        file.flush()
        if flush:
            os.fsync(file.fileno())
    os.rename(f".{name}", name, src_dir_fd=directory, dst_dir_fd=directory)
    if flush:
        os.fsync(directory)


@dataclass(frozen=True)
class CartridgeState:
    """A virtual cartridge. Bytes; ``files`` counts filemarks. A file's last block may be short."""

    barcode: str
    capacity: int
    early_warning: int
    block_size: int = BLOCK_SIZE
    files: int = 0
    write_protected: bool = False


class VirtualDrive:
    """A drive with a virtual cartridge. Not for two threads at once."""

    def __init__(self, directory: int, state: CartridgeState, name: str = "") -> None:
        self.name = name
        self._directory = directory
        self._state = state
        self._file = 0
        self._block = 0
        self._open: Optional[tuple[int, int, bool]] = None  # tape file number, descriptor, whether it may be written
        self._warned = False
        self._dirty = False  # written behind the last filemark
        self._before = 0  # bytes in the files before the current one; valid while writing

    @property
    def barcode(self) -> str:
        """Return the barcode, as the library reads it."""
        return self._state.barcode

    @property
    def capacity(self) -> int:
        """Return the capacity in bytes."""
        return self._state.capacity

    @contextmanager
    def _told(self, *, writing: bool = False) -> Iterator[None]:
        """Say what an error of the file system means for a drive."""
        try:
            yield
        except OSError as error:
            why = f"tape file {self._file}: {os.strerror(error.errno or 0)}"
            if error.errno in _LOST or self._pulled():
                raise DriveLost(why) from error
            if writing and error.errno in _PROTECTED:
                raise WriteProtected from error
            raise MediumError(why) from error

    def _pulled(self) -> bool:
        """Tell whether somebody took the cartridge away: its directory is no more."""
        return os.fstat(self._directory).st_nlink == 0

    def _size(self, number: int) -> int:
        try:
            return os.stat(f"{number:05d}", dir_fd=self._directory, follow_symlinks=False).st_size
        except FileNotFoundError:
            if self._pulled():
                raise
            return 0

    def _blocks(self, number: int) -> int:
        return -(-self._size(number) // self._state.block_size)

    def _descriptor(self, *, writing: bool) -> int:
        if self._open is None or self._open[0] != self._file or (writing and not self._open[2]):
            self._release()
            flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
            descriptor = open_plain(f"{self._file:05d}", flags, self._directory)
            self._open = (self._file, descriptor, writing)
        return self._open[1]

    def _release(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _save(self, files: int, *, flush: bool) -> None:
        self._state = replace(self._state, files=files)
        write_json(self._directory, "cartridge.json", asdict(self._state), flush=flush)

    def _truncate(self) -> int:
        """Forget what is recorded behind the head, as a drive does at the first write; return the descriptor."""
        if self._state.write_protected:
            raise WriteProtected
        if not self._dirty:
            if self._state.files != self._file:
                self._save(self._file, flush=False)
            os.ftruncate(self._descriptor(writing=True), self._block * self._state.block_size)
            numbers = (int(name) for name in os.listdir(self._directory) if re.match(r"\d{5,}\Z", name))
            for number in sorted(numbers, reverse=True):
                if number > self._file:
                    os.unlink(f"{number:05d}", dir_fd=self._directory)
            self._before = sum(self._size(number) for number in range(self._file))
            self._dirty = True
        return self._descriptor(writing=True)

    def write_block(self, data: Block) -> WriteOutcome:
        """Write one block; all blocks of a file are ``block_size`` long but the last."""
        with self._told(writing=True):
            return self._write(data)

    def _write(self, data: Block) -> WriteOutcome:
        size = self._state.block_size
        descriptor = self._truncate()
        offset = self._block * size
        if not 0 < len(data) <= size or os.fstat(descriptor).st_size != offset:
            raise ValueError("blocks of a file are of one size, only the last may be short")
        used = self._before + offset + len(data)
        if used > self._state.capacity - self._state.early_warning and not self._warned:
            self._warned = True
            return WriteOutcome.EARLY_WARNING
        if used > self._state.capacity:
            return WriteOutcome.END_OF_MEDIUM
        done = 0
        while done < len(data):
            done += os.pwrite(descriptor, data[done:], offset + done)
        self._block += 1
        return WriteOutcome.WRITTEN

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:
        """End the current file; a synchronous mark flushes everything before it."""
        with self._told(writing=True):
            self._mark(synchronous=synchronous)
        return WriteOutcome.WRITTEN

    def _mark(self, *, synchronous: bool) -> None:
        descriptor = self._truncate()
        if synchronous:
            for number in range(max(0, self._file - 2), self._file):  # the files whose marks were immediate
                other = open_plain(f"{number:05d}", os.O_RDONLY, self._directory)
                os.fsync(other)
                os.close(other)
            os.fsync(descriptor)
        self._before += os.fstat(descriptor).st_size
        self._file += 1
        self._block = 0
        self._save(self._file, flush=synchronous)
        self._release()

    def read_block(self, into: memoryview) -> int:
        """Read one block; 0 at a filemark."""
        with self._told():
            return self._read(into)

    def _read(self, into: memoryview) -> int:
        size = self._state.block_size
        self._close_file()
        left = self._size(self._file) - self._block * size
        if left <= 0:
            if self._file >= self._state.files:
                raise EndOfData
            self._file, self._block = self._file + 1, 0
            return 0
        length = min(size, left)
        if length > len(into):
            raise MediumError(f"a block of {length} bytes does not fit into {len(into)} (ENOMEM)")
        read = os.preadv(self._descriptor(writing=False), [into[:length]], self._block * size)
        self._block += 1
        return read

    def _close_file(self) -> None:
        """End a file that was written without a mark, as the driver does when the device is closed or moved."""
        if self._dirty and self._file == self._state.files and self._size(self._file):
            self._mark(synchronous=True)
        self._dirty = False

    def position_file(self, number: int) -> None:
        """Go to the first block of a file."""
        with self._told():
            self._close_file()
        if number > self._state.files:
            raise EndOfData
        self._file, self._block = number, 0

    def end_of_data(self) -> Position:
        """Go behind the last record."""
        with self._told():
            self._close_file()
            self._file, self._block = self._state.files, self._blocks(self._state.files)
        return self.position()

    def position(self) -> Position:
        """Tell where the drive stands."""
        with self._told():
            before = sum(self._blocks(number) + 1 for number in range(self._file))
        return Position(self._file, before + self._block)

    def seek_block(self, block: int, file: int = -1) -> None:  # noqa: ARG002 - a real drive needs it
        """Go to a logical block; this drive knows by itself which ``file`` it is in."""
        with self._told():
            self._close_file()
            for number in range(self._state.files + 1):
                blocks = self._blocks(number)
                if block <= blocks:
                    self._file, self._block = number, block
                    return
                block -= blocks + 1
        raise EndOfData

    def close(self) -> None:
        """Give the cartridge back. What cannot be ended by a mark any more is no whole part anyway."""
        try:
            with suppress(DriveLost, MediumError), self._told():
                self._close_file()
        finally:
            self._release()
            os.close(self._directory)
