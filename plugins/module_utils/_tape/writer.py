# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Writes a volume's image to cartridges, spanning at early warning (tape.md, The format).

Whatever stops it, each cartridge is readable up to its last complete part.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import (
    BLOCK_SIZE,
    Entry,
    Header,
    Trailer,
    header_bytes,
    trailer_bytes,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Drive,
    MediumError,
    WriteOutcome,
    suspect,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import (
    Buffer,
    Pace,
    PartDigest,
    StreamOptions,
    read_ahead,
)


@dataclass(frozen=True)
class Mounted:
    """A loaded cartridge that may take the next part."""

    drive: Drive
    contents: Contents


@dataclass(frozen=True)
class Image:
    """What is written, as its headers will say; ``header`` lacks only part, offset, cartridge and data_file."""

    header: Header
    device: Device


@dataclass(frozen=True)
class PartWritten:
    """A part is whole on its cartridge. ``files``, ``bytes_written``: the cartridge's; ``full``: early warning."""

    entry: Entry
    files: int
    bytes_written: int
    full: bool


#: Loads the next cartridge; called again only after the one before was given back. Raises when there is none.
NextCartridge = Callable[[], AbstractContextManager[Mounted]]


class _ImageWriter:
    """The state of one writing: where it is, and the buffer that the next cartridge goes on with."""

    def __init__(self, image: Image, progress: Callable[[int], None], options: StreamOptions) -> None:
        self._image = image
        self._progress = progress
        self._options = options
        self._pace = Pace(options)
        self._volume: Any = hashlib.sha256()
        self._buffer: Optional[Buffer] = None  # begun on one cartridge, to be ended on the next
        self._start = 0
        self.offset = 0
        self._run = secrets.token_hex(8)
        self._part = 0

    def write_part(self, mounted: Mounted, buffers: Any) -> Optional[PartWritten]:
        """Write one part; None when not even one block of data fits on this cartridge."""
        drive, contents = mounted.drive, mounted.contents
        header = replace(
            self._image.header,
            run=self._run,
            part=self._part,
            offset=self.offset,
            cartridge=drive.barcode,
            data_file=contents.append_file + 1,
        )
        drive.position_file(contents.append_file)
        if drive.write_block(header_bytes(header)) is not WriteOutcome.WRITTEN:
            return None
        drive.write_filemark(synchronous=False)
        data_block = drive.position().block
        digest = PartDigest(self._volume, self._options, first=self._part == 0)
        try:
            full = self._write_data(drive, buffers, digest)
            if self.offset == header.offset and full:
                return None
            drive.write_filemark(synchronous=False)
            sha256, digests = digest.finish()
        finally:
            digest.close()
        if self.offset < header.size and not full:
            raise BackupError(
                ErrorClass.COPY_FAILED,
                f"The volume ended after {self.offset} of {header.size} bytes.",
                next_step="Check the device, then run the tape copy again.",
            )
        last = self.offset == header.size
        entry = Entry(
            header, self.offset - header.offset, sha256, last, self._volume.hexdigest() if last else "", data_block
        )
        text = trailer_bytes(Trailer(entry, digests, (*contents.entries, entry)))
        for start in range(0, len(text), BLOCK_SIZE):
            outcome = drive.write_block(text[start : start + BLOCK_SIZE])
            if outcome is WriteOutcome.EARLY_WARNING:  # told once: the block goes again
                full, outcome = True, drive.write_block(text[start : start + BLOCK_SIZE])
            if outcome is not WriteOutcome.WRITTEN:
                raise suspect(drive.barcode, "it ended before its early warning left room for a trailer")
        drive.write_filemark(synchronous=True)
        self._part += 1
        return PartWritten(entry, contents.append_file + 3, contents.bytes_written + entry.bytes, full)

    def _write_data(self, drive: Drive, buffers: Any, digest: PartDigest) -> bool:
        """Write blocks until the image or the cartridge ends; True for the cartridge."""
        while True:
            if self._buffer is None:
                self._buffer, self._start = next(buffers, None), 0
            if self._buffer is None:
                return False
            data, begun = self._buffer.data, self._start
            outcome = WriteOutcome.WRITTEN
            while self._start < len(data) and outcome is WriteOutcome.WRITTEN:
                block = data[self._start : self._start + BLOCK_SIZE]
                outcome = drive.write_block(block)
                if outcome is WriteOutcome.WRITTEN:
                    self._start += len(block)
            digest.add(self._buffer, begun, self._start)
            self.offset += self._start - begun
            self._pace.add(self._start - begun)
            self._progress(self.offset)
            if outcome is not WriteOutcome.WRITTEN:
                return True
            self._buffer.release()
            self._buffer = None


def write_image(
    image: Image,
    next_cartridge: NextCartridge,
    on_part: Callable[[PartWritten], None],
    on_full: Callable[[str], None],
    progress: Callable[[int], None],
    options: StreamOptions,
) -> str:
    """Write a whole image; return its sha256.

    :param on_part: is told each part as soon as its trailer is on tape.
    :param on_full: is told the barcode of a cartridge on which not even one block fitted.
    :param progress: is told the bytes that are written so far.
    """
    size = image.header.size
    position = 0

    def fill(into: memoryview) -> int:
        nonlocal position
        wanted = min(len(into), size - position)
        length = image.device.read_at(into[:wanted], position) if wanted else 0
        position += length
        return length

    writer = _ImageWriter(image, progress, options)
    with read_ahead(fill, options) as buffers:
        while True:
            with next_cartridge() as mounted:
                barcode = mounted.drive.barcode
                try:
                    part = writer.write_part(mounted, buffers)
                except MediumError as error:
                    raise suspect(barcode, f"it cannot be written ({error})") from error
            if part is None:
                on_full(barcode)
                continue
            on_part(part)
            if part.entry.last:
                return part.entry.volume_sha256
