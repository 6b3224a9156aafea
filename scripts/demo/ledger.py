# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the demo wrote: the volumes' expected bytes, and every write in order. It never asks the array."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

EXTENT = 64 << 10
BLOCK = 4 << 10
PIECE = 8 << 20


@dataclass(frozen=True)
class Write:
    """A write: offset and length in bytes."""

    volume: str
    offset: int
    length: int


class Ledger:
    """Keeps an image of each volume, and the list of writes; a mark is a place in that list."""

    def __init__(self, sizes: dict[str, int], seed: int) -> None:
        self._random = random.Random(seed)
        self._images = {name: bytearray(size) for name, size in sizes.items()}
        self._writes: list[Write] = []

    def mark(self) -> int:
        """Return the place in the list of writes where it ends now."""
        return len(self._writes)

    def changed(self, volume: str, since: int, until: int) -> int:
        """Return the bytes of the distinct 64 KiB extents of a volume that were written between two marks."""
        extents: set[int] = set()
        for write in self._writes[since:until]:
            if write.volume == volume:
                extents.update(range(write.offset // EXTENT, (write.offset + write.length - 1) // EXTENT + 1))
        return len(extents) * EXTENT

    def sha256(self, volume: str) -> str:
        """Return the checksum of what the volume must hold now."""
        return hashlib.sha256(self._images[volume]).hexdigest()

    def fill(self, volume: str) -> list[tuple[int, bytes]]:
        """Write a whole volume, in pieces."""
        size = len(self._images[volume])
        return [self._write(volume, start, min(PIECE, size - start)) for start in range(0, size, PIECE)]

    def scatter(self, volume: str, count: int) -> list[tuple[int, bytes]]:
        """Write so many blocks of 4 KiB, anywhere."""
        blocks = len(self._images[volume]) // BLOCK
        return [self._write(volume, self._random.randrange(blocks) * BLOCK, BLOCK) for _number in range(count)]

    def run(self, volume: str, length: int, step: int = 256 << 10) -> list[tuple[int, bytes]]:
        """Write one stretch from somewhere on, one piece behind the other."""
        first = self._random.randrange((len(self._images[volume]) - length) // BLOCK) * BLOCK
        return [self._write(volume, start, step) for start in range(first, first + length, step)]

    def _write(self, volume: str, offset: int, length: int) -> tuple[int, bytes]:
        data = self._random.randbytes(length)
        self._images[volume][offset : offset + length] = data
        self._writes.append(Write(volume, offset, length))
        return offset, data
