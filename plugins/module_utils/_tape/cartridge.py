# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A loaded cartridge: its label, what is on it, where the next backup goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import (
    BLOCK_SIZE,
    Entry,
    Header,
    Label,
    Trailer,
    label_bytes,
    parse_header,
    parse_label,
    parse_trailer,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Drive,
    DriveLost,
    EndOfData,
    MediumError,
    Position,
    WriteOutcome,
    lost,
    suspect,
)

#: No text file of ours is larger: 64 MiB are some 50,000 parts.
_TEXT_LIMIT = 64 << 20


@dataclass(frozen=True)
class Blank:
    """Nothing is recorded: it may be labelled."""


@dataclass(frozen=True)
class Contents:
    """What a labelled cartridge holds. ``append_file`` is the tape file of the next header.

    ``leftover``: something is recorded behind the last whole part: what a crash left, or a part with a damaged trailer.
    """

    label: Label
    entries: tuple[Entry, ...]
    append_file: int
    leftover: bool = False

    @property
    def bytes_written(self) -> int:
        """Return the bytes of all finished parts."""
        return sum(entry.bytes for entry in self.entries)


def read_text(drive: Drive, number: Optional[int] = None) -> bytes:
    """Read a small tape file (label, header, trailer) and pass its filemark: this one, or the one of that number."""
    if number is not None:
        drive.position_file(number)
    buffer = memoryview(bytearray(BLOCK_SIZE))
    parts: list[bytes] = []
    size = 0
    while size < _TEXT_LIMIT:
        try:
            length = drive.read_block(buffer)
        except EndOfData:
            break
        if not length:
            break
        parts.append(bytes(buffer[:length]))
        size += length
    return b"".join(parts)


def _holds_nothing(end: Position) -> bool:
    """Tell whether nothing, or one filemark, is recorded; a drive without block numbers vouches for nothing only."""
    return end.block <= 1 if end.block >= 0 else end.file == 0


def read_label(drive: Drive) -> Label | Blank:
    """Read file 0; ``foreign_cartridge``, ``suspect_cartridge`` and ``tape_unavailable`` are its errors."""
    try:
        data = read_text(drive, 0)
        if not data and _holds_nothing(drive.end_of_data()):
            return Blank()
        return parse_label(data, drive.barcode)
    except MediumError as error:
        raise suspect(drive.barcode, f"its label cannot be read ({error})") from error
    except DriveLost as error:
        raise lost(drive, error) from error


def write_label(drive: Drive, label: Label) -> None:
    """Label a cartridge: everything on it is gone."""
    try:
        drive.position_file(0)
        fits = drive.write_block(label_bytes(label)) is WriteOutcome.WRITTEN
        if not fits or drive.write_filemark(synchronous=True) is WriteOutcome.END_OF_MEDIUM:
            raise suspect(drive.barcode, "it is too small for a label")
    except MediumError as error:
        raise suspect(drive.barcode, f"its label cannot be written ({error})") from error
    except DriveLost as error:
        raise lost(drive, error) from error


def read_header(drive: Drive, data_file: int) -> Header:
    """Read the header in front of a DATA file."""
    return parse_header(read_text(drive, data_file - 1), drive.barcode)


def read_trailer(drive: Drive, data_file: int) -> Trailer:
    """Read the trailer behind a DATA file."""
    return parse_trailer(read_text(drive, data_file + 1), drive.barcode)


def read_contents(drive: Drive) -> Contents | Blank:
    """Read the label and the newest table of contents, and find where to append.

    A crash leaves a header, or a header and data, without a trailer: the last whole part counts, and what follows it
    is written over.
    """
    label = read_label(drive)
    if isinstance(label, Blank):
        return label
    try:
        end = drive.end_of_data().file
        parts = max(0, end - 1) // 3
        while parts:
            try:
                trailer = parse_trailer(read_text(drive, 3 * parts), drive.barcode)
                return Contents(label, trailer.contents, 3 * parts + 1, end > 3 * parts + 1)
            except (BackupError, EndOfData):
                # Only the last trailer may be cut off; a damaged one inside is never written over.
                if 3 * parts + 1 < end:
                    raise
                parts -= 1
    except MediumError as error:
        raise suspect(drive.barcode, f"its table of contents cannot be read ({error})") from error
    except DriveLost as error:
        raise lost(drive, error) from error
    return Contents(label, (), 1, end > 1)
