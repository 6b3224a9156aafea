# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape server on a desk: volumes that are files, a library in a directory, and drives that fail on demand."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents, read_contents, write_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import open_device
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Header, Label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Block,
    Drive,
    Library,
    MediumError,
    WriteOutcome,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import PartToRead, read_image
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual_drive import VirtualDrive
from ansible_collections.eternus.backup.plugins.module_utils._tape.writer import (
    Image,
    Mounted,
    PartWritten,
    Told,
    write_image,
)

NOW = datetime(2026, 1, 5, 20, 10, tzinfo=timezone.utc)
BLOCK = 512 * 1024
MIB = 1 << 20
SOURCE = "600000E00D2A0000002A011500010000"
TARGET = "600000E00D2A0000002A011500020000"


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def write_files(drive: Drive, *sizes: int) -> None:
    """Write tape files of so many bytes, in blocks of 512 KiB."""
    for size in sizes:
        for start in range(0, size, BLOCK):
            assert drive.write_block(noise(min(BLOCK, size - start), start)) is WriteOutcome.WRITTEN
        drive.write_filemark(synchronous=False)


def refused(error_class: str, act: Callable[..., object], *args: object) -> BackupError:
    """Expect that this is refused with that class, and a next step."""
    with pytest.raises(BackupError) as caught:
        act(*args)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    return caught.value


class TrippingDrive(VirtualDrive):
    """A drive on which the n-th write (block or filemark, counted over all loads) trips."""

    count = 0
    at = 0
    trip: Callable[[], None] = staticmethod(lambda: None)

    def _step(self) -> None:
        TrippingDrive.count += 1
        if TrippingDrive.count == TrippingDrive.at:
            TrippingDrive.trip()

    def write_block(self, data: Block) -> WriteOutcome:
        self._step()
        return super().write_block(data)

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:
        self._step()
        return super().write_filemark(synchronous=synchronous)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def break_medium() -> None:
    raise MediumError("write error")


class TrippingLibrary(VirtualLibrary):
    """A library whose drives trip."""

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[VirtualDrive]:
        with super().load(barcode, owner) as drive:
            drive.__class__ = TrippingDrive
            yield drive


class Bed:
    """Everything below one directory."""

    #: Whether a dying process's drive still gets a filemark: the st driver writes one when it closes the device.
    closing_marks = False

    def __init__(self, path: Path, threads: bool = True) -> None:
        self.path = path
        self.devices = path / "by-id"
        self.devices.mkdir(exist_ok=True)
        self.library = VirtualLibrary(str(path / "library"))
        self.options = StreamOptions(threads=threads)

    def volume(self, device_id: str, content: bytes) -> Path:
        file = self.path / f"volume-{device_id[-8:]}"
        file.write_bytes(content)
        link = self.devices / f"wwn-0x{device_id.lower()}"
        if not link.is_symlink():
            link.symlink_to(file)
        return file

    def cartridges(self, *barcodes: str, capacity: int = 16 * MIB, pool: str = "weekly") -> None:
        self.library.create(dict.fromkeys(barcodes, capacity))
        for barcode in barcodes:
            with self.library.load(barcode, "test") as drive:
                write_label(drive, Label(barcode, f"uuid-{barcode}", pool, NOW))

    def file(self, barcode: str, number: int) -> Path:
        return self.path / "library" / barcode / f"{number:05d}"

    def contents(self, barcode: str) -> Contents:
        with self.library.load(barcode, "test") as drive:
            found = read_contents(drive)
        assert isinstance(found, Contents)
        return found

    def header(self, size: int, backup_id: str = "B1") -> Header:
        return Header(backup_id, "", "ET1", "oradata", SOURCE, NOW, 1, size, 1, "", 0, 0, "", 0)

    def write(
        self, size: int, *barcodes: str, backup_id: str = "B1", library: Library | None = None
    ) -> tuple[str, list[PartWritten]]:
        """Write the source volume to these cartridges, in this order."""
        todo = list(barcodes)
        parts: list[PartWritten] = []

        @contextmanager
        def following() -> Iterator[Mounted]:
            if not todo:
                raise BackupError(ErrorClass.NO_CARTRIDGE, "None is left.", next_step="Add one.")
            with (library or self.library).load(todo.pop(0), "test") as drive:
                found = read_contents(drive)
                assert isinstance(found, Contents)
                yield Mounted(drive, found)

        with open_device(str(self.devices), SOURCE, size) as device:
            image = Image(self.header(size, backup_id), device)
            told = Told(parts.append, lambda _barcode: None, lambda _error: None, lambda _done: None)
            sha256 = write_image(image, following, told, self.options)
        return sha256, parts

    def to_read(self, parts: list[PartWritten]) -> list[PartToRead]:
        return [
            PartToRead(
                one.entry.header.cartridge,
                f"uuid-{one.entry.header.cartridge}",
                one.entry.header.backup_id,
                one.entry.header.data_file,
                one.entry.header.offset,
                one.entry.bytes,
                one.entry.sha256,
                one.entry.data_block,
            )
            for one in parts
        ]

    def load(self, barcode: str):
        return self.library.load(barcode, "test")

    def verify(self, parts: list[PartWritten]) -> str:
        return read_image(self.to_read(parts), self.load, None, lambda _done: None, self.options)

    def restore(self, parts: list[PartWritten], size: int) -> str:
        with open_device(str(self.devices), TARGET, size, write=True) as device:
            return read_image(self.to_read(parts), self.load, device, lambda _done: None, self.options)


__all__ = ["Bed", "Drive", "TrippingDrive", "TrippingLibrary"]
