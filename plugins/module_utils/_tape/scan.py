# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a cartridge says of itself, without any catalog (tape.md, The format). It is only read.

The newest trailer tells of the whole cartridge. A part counts only when a trailer proves it: its own, or the table of
contents of a later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import (
    Blank,
    read_label,
    read_text,
    read_trailer,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import (
    FORMAT_VERSION,
    MAGIC,
    Entry,
    Header,
    Label,
    Trailer,
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

_VERSION = re.compile(rf"{MAGIC} LABEL (\d{{1,9}})\n".encode("ascii"))
#: Parts in a row that cannot be reached at all, before a tape whose end is not known is given up.
_ENOUGH = 2


@dataclass(frozen=True)
class Unsupported:
    """A cartridge of ours in a format that this version does not read."""

    version: int


@dataclass(frozen=True)
class Scanned:
    """What is on a labelled cartridge, in its order.

    :param complete: it was read to its end, so that what is not here is not on it. What a crash cut off is no part.
    :param files: its tape files, the label too; what a crash cut off is not counted, what cannot be read is.
    :param problems: what could not be read; empty when all could.
    """

    label: Label
    entries: tuple[Entry, ...]
    complete: bool
    files: int
    problems: tuple[str, ...] = ()


def scan(drive: Drive, *, headers: bool = False) -> Union[Scanned, Unsupported, Blank]:
    """Read what a loaded cartridge holds: its newest trailer, and every header where that does not tell all.

    :param headers: read every header and trailer in any case.
    :raises BackupError: ``foreign_cartridge``, ``suspect_cartridge`` (not even its label can be read) and
        ``tape_unavailable`` (the drive was lost).
    """
    try:
        version = _other_version(drive)
        if version is not None:
            return Unsupported(version)
        label = read_label(drive)
        if isinstance(label, Blank):
            return label
        return _Scan(drive, label).run(headers=headers)
    except DriveLost as error:
        raise lost(drive, error) from error
    except (MediumError, EndOfData) as error:
        raise suspect(drive.barcode, f"it cannot be read ({error})") from error


def _other_version(drive: Drive) -> Optional[int]:
    """Return the version of a label that is ours and of a format that is not this one."""
    found = _VERSION.match(read_text(drive, 0))
    version = int(found.group(1)) if found else FORMAT_VERSION
    return version if version != FORMAT_VERSION else None


class _Scan:
    """The scan of one labelled cartridge."""

    def __init__(self, drive: Drive, label: Label) -> None:
        self._drive, self._label = drive, label
        self._found: dict[int, Entry] = {}
        self._refuted: set[int] = set()
        self._problems: list[str] = []
        self._seen = 0

    def run(self, *, headers: bool) -> Scanned:
        parts = self._parts()
        told = parts is not None and self._from_newest(parts)
        if headers or not told:
            self._from_headers(parts)
        entries = tuple(entry for file, entry in sorted(self._found.items()) if file not in self._refuted)
        whole = (entries[-1].header.data_file + 1) // 3 if entries else 0
        files = 3 * (max(whole, self._seen) if self._problems else whole) + 1
        return Scanned(self._label, entries, not self._problems, files, tuple(dict.fromkeys(self._problems)))

    def _parts(self) -> Optional[int]:
        """Return how many parts have a trailer; None when the end cannot be found."""
        try:
            self._seen = max(0, self._drive.end_of_data().file - 1) // 3
        except (MediumError, EndOfData) as error:
            self._problems.append(f"the end of the recorded data cannot be found ({error or 'no end of data'})")
            return None
        return self._seen

    def _from_newest(self, parts: int) -> bool:
        """Take the newest table of contents that can be read; tell whether it, or an empty tape, tells all."""
        for part in range(parts, 0, -1):
            trailer = self._trailer(part)
            if trailer is not None:
                self._take(trailer.contents)
                break
        return not self._problems

    def _trailer(self, part: int) -> Optional[Trailer]:
        """Read the trailer of the n-th part; None, with a word on it, when it proves nothing."""
        try:
            trailer = read_trailer(self._drive, 3 * part - 1)
        except (BackupError, MediumError, EndOfData) as error:
            self._doubt(3 * part, error)
            return None
        if not self._fits(trailer, part):
            self._problems.append(f"tape file {3 * part}: the trailer is not that of this place")
            return None
        return trailer

    def _fits(self, trailer: Trailer, part: int) -> bool:
        """Tell whether a trailer is the one of this cartridge and place: its table of contents has one row a part."""
        rows = [entry.header for entry in trailer.contents]
        places = [(self._label.barcode, 3 * number + 2) for number in range(part)]
        return [(row.cartridge, row.data_file) for row in rows] == places and trailer.contents[-1] == trailer.entry

    def _from_headers(self, parts: Optional[int]) -> None:
        """Read every header with its trailer, from the beginning on; what contradicts itself is left out."""
        part = unreachable = 0
        while unreachable < _ENOUGH and (parts is None or part < parts):
            part += 1
            try:
                data = read_text(self._drive, 3 * part - 2)
                if not data and parts is None:
                    break
                header: Optional[Header] = parse_header(data, self._label.barcode)
            except EndOfData as error:
                if parts is not None:
                    self._doubt(3 * part - 2, error)
                break
            except MediumError as error:
                self._doubt(3 * part - 2, error)
                unreachable += parts is None
                header = None
            except BackupError as error:
                self._doubt(3 * part - 2, error)
                header = None
            self._seen = max(self._seen, part)
            trailer = self._trailer(part) if parts is not None or header is not None else None
            if trailer is not None:
                unreachable = 0
                self._take(trailer.contents)
            self._agree(3 * part - 1, header, trailer)

    def _agree(self, file: int, header: Optional[Header], trailer: Optional[Trailer]) -> None:
        """Leave a part out of which header, trailer and table of contents say different things."""
        known = self._found.get(file)
        if known is None:
            return
        if header not in (None, known.header) or (trailer is not None and trailer.entry != known):
            self._problems.append(f"tape file {file - 1}: header, trailer and table of contents contradict each other")
            self._refuted.add(file)

    def _take(self, contents: Iterable[Entry]) -> None:
        for entry in contents:
            self._found.setdefault(entry.header.data_file, entry)

    def _doubt(self, file: int, error: Exception) -> None:
        why = error.message if isinstance(error, BackupError) else str(error) or "the recorded data ends"
        self._problems.append(f"tape file {file}: {why}")
