# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads an image back from cartridges: to a device, or nowhere but through the checksums (tape.md, The format)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import (
    read_header,
    read_label,
    read_text,
    read_trailer,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import (
    BLOCK_SIZE,
    Header,
    Label,
    parse_header,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Drive,
    DriveLost,
    EndOfData,
    MediumError,
    lost,
    suspect,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import (
    Pace,
    PartDigest,
    StreamOptions,
    read_ahead,
)

#: A header is one block and a filemark in front of the data.
_HEADER_BLOCKS = 2


@dataclass(frozen=True)
class PartToRead:
    """A part as the catalog knows it. Bytes; ``data_block``: the drive's block number of its DATA, -1: not known.

    ``place``: where its cartridge is kept while it is not in the library, in the operator's words.
    """

    barcode: str
    uuid: str
    backup_id: str
    data_file: int
    offset: int
    size: int
    sha256: str
    data_block: int = -1
    place: str = ""


#: Loads a cartridge by barcode.
LoadCartridge = Callable[[str], AbstractContextManager[Drive]]


def mismatch(barcode: str, what: str, expected: str, actual: str) -> BackupError:
    """Return the error for bytes that are not those that were written."""
    return BackupError(
        ErrorClass.CHECKSUM_MISMATCH,
        f"The {what} on cartridge {barcode} has sha256 {actual}, and {expected} was written.",
        next_step="Set the cartridge aside; restore from the disk generation, another tape copy or another backup.",
        unchanged="The cartridge was only read.",
        barcode=barcode,
        sha256_expected=expected,
        sha256_actual=actual,
    )


def _to_header(drive: Drive, part: PartToRead) -> Header:
    """Go to the header, by block number where that is known, and read it; the drive stands at the data then."""
    if part.data_block >= _HEADER_BLOCKS:
        try:
            drive.seek_block(part.data_block - _HEADER_BLOCKS, part.data_file - 1)
            header = parse_header(read_text(drive), part.barcode)
            if header.data_file == part.data_file:
                return header
        except (BackupError, EndOfData, MediumError):
            pass  # a copied tape may count otherwise, and a drive may know no block numbers: by file number, then
    return read_header(drive, part.data_file)


def _position(drive: Drive, part: PartToRead) -> None:
    """Check label and header against the catalog, and go to the data."""
    label = read_label(drive)
    if not isinstance(label, Label) or (part.uuid and label.uuid != part.uuid):
        raise suspect(part.barcode, "it bears another label than the catalog knows")
    header = _to_header(drive, part)
    if (header.backup_id, header.offset, header.data_file) != (part.backup_id, part.offset, part.data_file):
        raise suspect(part.barcode, f"tape file {part.data_file} holds backup {header.backup_id}, not {part.backup_id}")


def _compare(drive: Drive, part: PartToRead, sha256: str, digests: Sequence[str]) -> None:
    """Compare what was read with what was written; where they differ, say from which GiB on."""
    trailer = read_trailer(drive, part.data_file)
    if sha256 != part.sha256:
        same = next((n for n, pair in enumerate(zip(digests, trailer.digests)) if pair[0] != pair[1]), 0)
        raise mismatch(
            part.barcode, f"part at offset {part.offset} (different from its GiB {same + 1} on)", part.sha256, sha256
        )
    if (trailer.entry.bytes, trailer.entry.sha256) != (part.size, part.sha256):
        raise mismatch(part.barcode, f"trailer of tape file {part.data_file}", part.sha256, trailer.entry.sha256)


def _read_part(
    drive: Drive,
    part: PartToRead,
    volume: Any,
    target: Optional[Device],
    progress: Callable[[int], None],
    options: StreamOptions,
    pace: Pace,
) -> None:
    _position(drive, part)
    ended = False

    def fill(into: memoryview) -> int:
        nonlocal ended
        length = 0
        while not ended and length + BLOCK_SIZE <= len(into):
            block = drive.read_block(into[length : length + BLOCK_SIZE])
            length += block
            ended = block < BLOCK_SIZE  # the last block of the file, or its filemark: the next file is none of the data
        return length

    done = 0
    digest = PartDigest(volume, options, first=part.offset == 0)
    try:
        with read_ahead(fill, options) as buffers:
            for buffer in buffers:
                if done + buffer.length > part.size:
                    raise suspect(part.barcode, f"tape file {part.data_file} is longer than {part.size} bytes")
                digest.add(buffer, 0, buffer.length)
                if target is not None:
                    target.write_at(buffer.data, part.offset + done)
                done += buffer.length
                pace.add(buffer.length)
                buffer.release()
                progress(part.offset + done)
                if done == part.size:
                    break
        sha256, digests = digest.finish()
    finally:
        digest.close()
    if done != part.size:
        raise suspect(part.barcode, f"tape file {part.data_file} ends after {done} of {part.size} bytes")
    _compare(drive, part, sha256, digests)


def read_image(
    parts: Sequence[PartToRead],
    load: LoadCartridge,
    target: Optional[Device],
    progress: Callable[[int], None],
    options: StreamOptions,
) -> str:
    """Read a whole image, write it to ``target`` when there is one, and return its sha256.

    ``checksum_mismatch`` when a part differs, ``suspect_cartridge`` when it is short, unreadable or missing,
    ``tape_unavailable`` when the drive was lost: the target is undefined then.
    """
    volume = hashlib.sha256()
    pace = Pace(options)
    expected = 0
    for part in parts:
        if part.offset != expected:
            raise suspect(part.barcode, f"no part is known for the bytes from {expected} to {part.offset}")
        with load(part.barcode) as drive:
            try:
                _read_part(drive, part, volume, target, progress, options, pace)
            except (MediumError, EndOfData) as error:
                why = str(error) or "the recorded data ends"
                raise suspect(part.barcode, f"tape file {part.data_file} cannot be read ({why})") from error
            except DriveLost as error:
                raise lost(drive, error) from error
        expected += part.size
    if target is not None:
        target.flush()
    return volume.hexdigest()
