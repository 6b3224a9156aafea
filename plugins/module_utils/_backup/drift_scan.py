# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What was read from cartridges, in the shape of ``tape_scan``'s result, and how the parts of a copy are joined. Pure.

A cartridge: ``barcode uuid pool complete copies`` and, where known, ``labelled_at bytes_written files capacity full``
and ``protected_until``: the latest ``keep_until`` of its headers, before which it is not written over.
A copy on it: ``backup_id copy run array volume device_id point_in_time size sha256 generation key parts`` and, where
known, ``method``: a header's fields, and ``sha256`` of the whole volume from the last part's trailer, else empty.
A part: ``sequence data_file data_block offset size sha256``. Sizes and offsets in bytes; times in ISO 8601, UTC.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional, TypeVar

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, Method, TapePart
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._times import moment_of

T = TypeVar("T")
_NUMBER = re.compile("-?[0-9]{1,20}")
_SHAPE = "Give the cartridges of tape_scan's result as they are."


@dataclass(frozen=True)
class ScannedCopy:
    """What the parts of one writing of a tape copy say: on one cartridge, or joined over several. Bytes, UTC."""

    backup_id: str
    number: int
    run: str
    tv: VolumeRef
    volume: str
    point_in_time: datetime
    size: int
    sha256: str
    generation: int
    key: str
    method: Optional[Method]
    parts: tuple[TapePart, ...]

    @property
    def whole(self) -> bool:
        """Tell whether every byte of the volume is there, and its checksum."""
        end = 0
        for number, part in enumerate(self.parts):
            if part.sequence != number or part.offset != end:
                return False
            end += part.size
        return end == self.size and bool(self.sha256)


@dataclass(frozen=True)
class ScannedCartridge:
    """A cartridge that was read. ``complete``: to its end, so that what was not found is not on it."""

    cartridge: Cartridge
    complete: bool
    copies: tuple[ScannedCopy, ...]

    @property
    def barcode(self) -> str:
        """Return its barcode."""
        return self.cartridge.barcode


def parse_scan(rows: Sequence[Mapping[str, Any]]) -> tuple[ScannedCartridge, ...]:
    """Return cartridges out of plain values; ``invalid_option`` for anything that is not of the shape."""
    found = tuple(_cartridge(row) for row in rows)
    barcodes = [one.barcode for one in found]
    twice = sorted({barcode for barcode in barcodes if barcodes.count(barcode) > 1})
    if twice:
        raise invalid("tapes", twice, "Name each cartridge once.")
    return found


def joined(scan: Iterable[ScannedCartridge]) -> tuple[ScannedCopy, ...]:
    """Join the parts of each writing over all cartridges, by sequence; two writings of one copy stay apart."""
    groups: dict[tuple[str, int, str], list[ScannedCopy]] = defaultdict(list)
    for cartridge in scan:
        for copy in cartridge.copies:
            groups[(copy.backup_id, copy.number, copy.run)].append(copy)
    return tuple(_join(group) for _key, group in sorted(groups.items()))


def _join(group: Sequence[ScannedCopy]) -> ScannedCopy:
    parts = sorted((part for one in group for part in one.parts), key=lambda part: (part.sequence, part.barcode))
    first = group[0]
    sha256 = next((one.sha256 for one in group if one.sha256), "")
    return ScannedCopy(
        first.backup_id, first.number, first.run, first.tv, first.volume, first.point_in_time, first.size, sha256,
        first.generation, first.key, first.method, tuple(parts),
    )  # fmt: skip


def _cartridge(row: Mapping[str, Any]) -> ScannedCartridge:
    barcode = _get(row, "barcode", str)
    labelled = _get(row, "labelled_at", str, "")
    until = _get(row, "protected_until", str, "")
    cartridge = Cartridge(
        barcode=barcode,
        uuid=_get(row, "uuid", str),
        pool=_get(row, "pool", str),
        labelled_at=moment_of("tapes", labelled) if labelled else None,
        capacity=_get(row, "capacity", int, 0),
        bytes_written=_get(row, "bytes_written", int, 0),
        files=_get(row, "files", int, 0),
        full=_get(row, "full", bool, False),
        protected_until=moment_of("tapes", until) if until else None,
    )
    copies = tuple(_copy(one, barcode) for one in _rows(row, "copies"))
    return ScannedCartridge(cartridge, _get(row, "complete", bool), copies)


def _copy(row: Mapping[str, Any], barcode: str) -> ScannedCopy:
    moment = moment_of("tapes", _get(row, "point_in_time", str))
    method = _get(row, "method", str, "")
    if moment is None or method not in ("", *(one.value for one in Method)):
        raise invalid("tapes", method, _SHAPE)
    return ScannedCopy(
        backup_id=_get(row, "backup_id", str),
        number=_get(row, "copy", int),
        run=_get(row, "run", str, ""),
        tv=VolumeRef(_get(row, "array", str), _get(row, "device_id", str)),
        volume=_get(row, "volume", str),
        point_in_time=moment,
        size=_get(row, "size", int),
        sha256=_get(row, "sha256", str, ""),
        generation=_get(row, "generation", int, 0),
        key=_get(row, "key", str, ""),
        method=Method(method) if method else None,
        parts=tuple(_part(one, barcode) for one in _rows(row, "parts")),
    )


def _part(row: Mapping[str, Any], barcode: str) -> TapePart:
    return TapePart(
        sequence=_get(row, "sequence", int),
        barcode=barcode,
        data_file=_get(row, "data_file", int),
        offset=_get(row, "offset", int),
        size=_get(row, "size", int),
        sha256=_get(row, "sha256", str),
        data_block=_get(row, "data_block", int, -1),
    )


def _rows(row: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    rows = _get(row, name, list)
    if not all(isinstance(one, Mapping) for one in rows):
        raise invalid("tapes", name, _SHAPE)
    return rows


def _get(row: Mapping[str, Any], name: str, kind: type[T], default: Optional[T] = None) -> T:
    """Return a field of its type; ``invalid_option`` names the one that is missing or wrong."""
    value = row.get(name, default)
    if value is None:
        value = default
    if kind is int and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)  # what a template made of a number
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise invalid("tapes", f"{name}: {value!r}", _SHAPE)
    return value
