# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which extents of a volume are meant: bitmaps that are on disk before anyone relies on them."""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Iterator
from pathlib import Path

_SET_BYTE = re.compile(rb"[^\0]")

Span = tuple[int, int]  # first extent, one past the last


class Bitmap:
    """A set of extents 0..size-1. Every change is in the file at ``offset`` of ``path`` when the call returns."""

    def __init__(self, size: int, path: Path, offset: int) -> None:
        self.size = size
        self._path = path
        self._offset = offset
        self._bits = bytearray((size + 7) // 8)
        self.count = 0

    def load(self) -> None:
        """Read the set back. A file that is too short has zeros beyond its end."""
        data = b""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(len(self._bits))
        self._bits = bytearray(data.ljust(len(self._bits), b"\0"))
        self._recount()

    def _recount(self) -> None:
        self.count = bin(int.from_bytes(self._bits, "little")).count("1")

    def _save(self, first: int, last: int) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(fd, self._bits[first : last + 1], self._offset + first)
        finally:
            os.close(fd)

    def __contains__(self, extent: int) -> bool:
        return extent < self.size and bool(self._bits[extent >> 3] & (1 << (extent & 7)))

    def __bool__(self) -> bool:
        return self.count > 0

    def _change(self, span: Span, value: bool) -> None:
        first, last = span[0], min(span[1], self.size)
        low, high = -1, -1
        for extent in range(first, last):
            place, bit = extent >> 3, 1 << (extent & 7)
            if bool(self._bits[place] & bit) == value:
                continue
            self._bits[place] ^= bit
            self.count += 1 if value else -1
            low = place if low < 0 else low
            high = place
        if low >= 0:
            self._save(low, high)

    def add(self, span: Span) -> None:
        """Put a span into the set."""
        self._change(span, True)

    def discard(self, span: Span) -> None:
        """Take a span out of the set."""
        self._change(span, False)

    def fill(self) -> None:
        """Put everything into the set."""
        self._bits = bytearray(b"\xff" * len(self._bits))
        if self.size & 7:
            self._bits[-1] = (1 << (self.size & 7)) - 1
        self.count = self.size
        self._save(0, len(self._bits) - 1)

    def clear(self) -> None:
        """Empty the set."""
        if self.count:
            self._bits = bytearray(len(self._bits))
            self.count = 0
            self._save(0, len(self._bits) - 1)

    def unite(self, *others: Bitmap) -> None:
        """Put all that is in the other sets into this one."""
        number = int.from_bytes(self._bits, "little")
        for other in others:
            number |= int.from_bytes(other._bits, "little")
        self._bits = bytearray(number.to_bytes(len(self._bits), "little"))
        self._recount()
        self._save(0, len(self._bits) - 1)

    def runs(self, span: Span, most: int = 1 << 62) -> Iterator[Span]:
        """Yield the runs of the set within a span, each of at most ``most`` extents."""
        extent, end = span[0], min(span[1], self.size)
        while extent < end:
            if not self._bits[extent >> 3]:
                found = _SET_BYTE.search(self._bits, extent >> 3)
                if found is None:
                    return
                extent = max(extent, found.start() << 3)
                continue
            if extent not in self:
                extent += 1
                continue
            first = extent
            while extent < end and extent - first < most and extent in self:
                extent += 1
            yield (first, extent)

    def first_run(self, start: int, most: int) -> Span:
        """Return the first run from ``start`` on, going round at the end. The set must not be empty."""
        for span in ((start, self.size), (0, start)):
            for run in self.runs(span, most):
                return run
        raise ValueError("an empty set has no run")

    def members(self) -> builtins.list[int]:
        """Return the extents in order."""
        return [extent for run in self.runs((0, self.size)) for extent in range(*run)]
