# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Writes a volume's image to cartridges, spanning at early warning (tape.md, The format).

Whatever stops it, each cartridge is readable up to its last complete part. A part whose cartridge or drive fails is
begun anew on the next cartridge.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
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
    DriveLost,
    EndOfData,
    MediumError,
    WriteOutcome,
    WriteProtected,
    lost,
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

#: So many cartridges in a row may fail before it is rather the drive, or the path to it, that is bad.
MOST_BAD = 2


@dataclass(frozen=True)
class Told:
    """Who is told what happens, in the thread that writes.

    ``part``: a part is whole, its trailer is on tape; the drive is still held.
    ``full``: the barcode of a cartridge on which not even one block fitted.
    ``lost``: why a cartridge or its drive failed; the part is begun anew.
    ``progress``: the bytes that are written so far; fewer than before when a part is begun anew.
    """

    part: Callable[[PartWritten], None]
    full: Callable[[str], None]
    lost: Callable[[BackupError], None]
    progress: Callable[[int], None]


class _PartLost(Exception):
    """A cartridge or its drive failed within a part."""

    def __init__(self, drive: Drive, error: BackupError, *, protected: bool = False) -> None:
        super().__init__(str(error))
        self.drive = drive.name
        self.error = error
        self.protected = protected  # which says nothing about the drive


class _Losses:
    """The parts that were lost: ``row`` since the last whole part, and why a cartridge was left that is not bad."""

    def __init__(self) -> None:
        self.row: list[_PartLost] = []
        self._away: Optional[BackupError] = None

    def add(self, error: _PartLost) -> None:
        """Count one."""
        self.row.append(error)
        if error.error.error_class is ErrorClass.TAPE_UNAVAILABLE:
            self._away = error.error

    @property
    def bad(self) -> list[_PartLost]:
        """Return those in a row that may be the drive's fault."""
        return [one for one in self.row if not one.protected]

    @property
    def why_another(self) -> Optional[BackupError]:
        """Return why another cartridge was needed at all; None when those before are full."""
        return self.row[-1].error if self.row else self._away


def _put(drive: Drive, block: Optional[bytes], *, synchronous: bool = False) -> bool:
    """Write a block or a filemark (None) for which there must be room; True when the early warning came."""

    def write() -> WriteOutcome:
        return drive.write_filemark(synchronous=synchronous) if block is None else drive.write_block(block)

    outcome = write()
    warned = outcome is WriteOutcome.EARLY_WARNING
    if warned:  # told once: it goes again
        outcome = write()
    if outcome is not WriteOutcome.WRITTEN:
        raise MediumError("it ended before its early warning left room for a trailer")
    return warned


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
        self._begun = (0, self._volume.copy())  # what a part that fails goes back to: the offset, the volume's digest

    def source(self) -> Callable[[memoryview], int]:
        """Return what fills buffers from where the writing is."""
        position, size, device = self.offset, self._image.header.size, self._image.device

        def fill(into: memoryview) -> int:
            nonlocal position
            wanted = min(len(into), size - position)
            length = device.read_at(into[:wanted], position) if wanted else 0
            position += length
            return length

        return fill

    def go_back(self) -> None:
        """Return to the beginning of the part that failed."""
        self.offset, digest = self._begun
        self._volume, self._buffer = digest.copy(), None
        self._progress(self.offset)

    def write_part(self, mounted: Mounted, buffers: Any) -> Optional[PartWritten]:
        """Write one part; None when not even one block of data fits on this cartridge."""
        self._begun = (self.offset, self._volume.copy())
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
        _put(drive, None)
        data_block = drive.position().block
        digest = PartDigest(self._volume, self._options, first=self._part == 0)
        try:
            full = self._write_data(drive, buffers, digest)
            if self.offset == header.offset and full:
                return None
            full = _put(drive, None) or full
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
            full = _put(drive, text[start : start + BLOCK_SIZE]) or full
        full = _put(drive, None, synchronous=True) or full
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


def write_image(image: Image, next_cartridge: NextCartridge, told: Told, options: StreamOptions) -> str:
    """Write a whole image; return its sha256.

    :raises BackupError: what ``next_cartridge`` raises; ``suspect_cartridge`` and ``tape_unavailable`` when cartridges
        or drives failed and no other was left; ``copy_failed`` when the volume cannot be read.
    """
    writer = _ImageWriter(image, told.progress, options)
    losses = _Losses()
    while True:
        try:
            with read_ahead(writer.source(), options) as buffers:
                return _write_parts(writer, buffers, next_cartridge, told, losses)
        except _PartLost as error:
            losses.add(error)
            bad = losses.bad
            if len(bad) >= MOST_BAD and len({one.drive for one in bad}) == 1:
                raise _same_drive(bad) from error
            told.lost(error.error)
            if len(bad) >= MOST_BAD:
                raise error.error from error
            writer.go_back()


def _write_parts(writer: _ImageWriter, buffers: Any, next_cartridge: NextCartridge, told: Told, losses: _Losses) -> str:
    """Write part after part to the end of the image; return its sha256."""
    while True:
        with ExitStack() as stack:
            try:
                mounted = stack.enter_context(next_cartridge())
            except BackupError as error:
                why = losses.why_another
                if why is not None and error.error_class in (ErrorClass.NO_CARTRIDGE, ErrorClass.CARTRIDGE_FULL):
                    raise why from error
                raise
            drive = mounted.drive
            try:
                part = writer.write_part(mounted, buffers)
            except (MediumError, EndOfData) as error:
                bad = suspect(drive.barcode, f"it cannot be written ({str(error) or 'the recorded data ends'})")
                raise _PartLost(drive, bad, protected=isinstance(error, WriteProtected)) from error
            except DriveLost as error:
                raise _PartLost(drive, lost(drive, error)) from error
            if part is None:
                told.full(drive.barcode)
                continue
            losses.row.clear()
            told.part(part)
            if part.entry.last:
                return part.entry.volume_sha256


def _same_drive(row: Sequence[_PartLost]) -> BackupError:
    """Return the error for a drive in which one cartridge after the other fails."""
    return BackupError(
        ErrorClass.TAPE_UNAVAILABLE,
        f"Drive {row[0].drive} failed with {len(row)} cartridges one after the other: {row[-1].error.message}",
        next_step="Clean or check the drive and its path; take it out of 'drives' until then. Then run the copy again.",
        drive=row[0].drive,
    )
