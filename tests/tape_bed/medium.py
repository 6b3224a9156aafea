# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cartridge: a directory with one plain file a tape file, so that a test reads and damages it by plain file tools.

``cartridge.json`` knows what the files do not show: capacity, filemarks, and the lengths of blocks. Sizes in bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Recording:
    """A tape file's blocks: all of ``block`` bytes but a shorter last one, or else of ``lengths``."""

    block: int = 0
    lengths: list[int] = field(default_factory=list)

    def count(self, size: int) -> int:
        """Return the number of blocks in a file of ``size`` bytes (somebody may have cut it)."""
        if not self.lengths:
            return -(-size // self.block) if self.block else 0
        total = count = 0
        for length in self.lengths:
            if total >= size:
                break
            total, count = total + length, count + 1
        return count

    def offset(self, number: int) -> int:
        """Return where a block begins."""
        return sum(self.lengths[:number]) if self.lengths else number * self.block

    def length(self, number: int, size: int) -> int:
        """Return how long a block is."""
        whole = self.lengths[number] if self.lengths else self.block
        return min(whole, size - self.offset(number))

    def cut(self, number: int) -> None:
        """Forget the blocks from ``number`` on."""
        self.lengths = self.lengths[:number]
        if not number:
            self.block = 0

    def append(self, number: int, length: int, size: int) -> None:
        """Add block ``number`` to a file of ``size`` bytes."""
        if not number:
            self.block, self.lengths = length, []
        elif self.lengths:
            self.lengths.append(length)
        elif length > self.block or size % self.block:
            last = size - (number - 1) * self.block
            self.lengths = [self.block] * (number - 1) + [last, length]


class Medium:
    """A cartridge and the place under the head: ``file`` (filemarks before it) and ``block`` within that file.

    What is recorded: ``marks`` files that a filemark ends, and perhaps blocks behind the last mark.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        value = json.loads((directory / "cartridge.json").read_text(encoding="utf-8"))
        self.barcode = str(value["barcode"])
        self.capacity = int(value["capacity"])
        self.early_warning = int(value["early_warning"])
        self.protected = bool(value["protected"])
        self.recordings = [Recording(**one) for one in value["recordings"]]
        self.marks = int(value["marks"])
        self.file = self.block = 0
        self._before = 0  # bytes in the files before this one; valid while writing
        self._open: tuple[int, int] | None = None
        self._written = False  # something was written here since the head was moved

    @classmethod
    def create(cls, directory: Path, capacity: int, early_warning: int, *, protected: bool = False) -> Medium:
        """Make a blank cartridge; its directory's name is its barcode."""
        directory.mkdir(parents=True)
        value = {
            "barcode": directory.name,
            "capacity": capacity,
            "early_warning": early_warning,
            "protected": protected,
            "marks": 0,
            "recordings": [],
        }
        (directory / "cartridge.json").write_text(json.dumps(value), encoding="utf-8")
        return cls(directory)

    def save(self) -> None:
        """Write down what the files do not show."""
        value = {
            "barcode": self.barcode,
            "capacity": self.capacity,
            "early_warning": self.early_warning,
            "protected": self.protected,
            "marks": self.marks,
            "recordings": [asdict(one) for one in self.recordings],
        }
        temporary = self.directory / ".cartridge.json"
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self.directory / "cartridge.json")

    def close(self) -> None:
        """Give the open file back."""
        if self._open:
            os.close(self._open[1])
            self._open = None

    def path(self, number: int) -> Path:
        """Return the plain file of a tape file."""
        return self.directory / f"{number:05d}"

    def size(self, number: int) -> int:
        """Return the bytes in a tape file; 0 for one that is gone."""
        try:
            return self.path(number).stat().st_size
        except FileNotFoundError:
            return 0

    def blocks(self, number: int) -> int:
        """Return the blocks in a tape file."""
        return self.recordings[number].count(self.size(number)) if number < len(self.recordings) else 0

    def used(self) -> int:
        """Return the bytes recorded."""
        return sum(self.size(number) for number in range(len(self.recordings)))

    def tell(self) -> int:
        """Return the logical position: blocks and filemarks before the head."""
        return sum(self.blocks(number) + 1 for number in range(self.file)) + self.block

    def go(self, file: int, block: int) -> None:
        """Move the head."""
        self.file, self.block, self._written = file, block, False

    def end(self) -> None:
        """Move the head behind the last record."""
        self.go(self.marks, self.blocks(self.marks))

    def at_end(self) -> bool:
        """Tell whether nothing is recorded behind the head."""
        return self.file >= self.marks and self.block >= self.blocks(self.marks)

    def locate(self, place: int) -> bool:
        """Move the head to a logical position; False, and behind the last record, where there is none."""
        for number in range(self.marks + 1):
            blocks = self.blocks(number)
            if place <= blocks:
                self.go(number, place)
                return True
            place -= blocks + 1
        self.end()
        return False

    def _descriptor(self) -> int:
        if self._open is None or self._open[0] != self.file:
            self.close()
            self._open = (self.file, os.open(self.path(self.file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        return self._open[1]

    def _forget_rest(self) -> None:
        """Forget what is recorded behind the head, as a drive does at the first write."""
        if self._written:
            return
        self._written = True
        while len(self.recordings) <= self.file:
            self.recordings.append(Recording())
        here = self.recordings[self.file]
        os.ftruncate(self._descriptor(), here.offset(self.block))
        here.cut(self.block)
        for number in range(self.file + 1, len(self.recordings)):
            self.path(number).unlink(missing_ok=True)
        del self.recordings[self.file + 1 :]
        self.marks = self.file
        self._before = sum(self.size(number) for number in range(self.file))

    def room(self) -> int:
        """Return the bytes that fit behind the head."""
        self._forget_rest()
        return self.capacity - self._before - self.size(self.file)

    def write(self, data: memoryview) -> int:
        """Write a block here; return the bytes that still fit behind it, negative (and nothing written): too few."""
        room = self.room() - len(data)
        if room < 0:
            return room
        descriptor = self._descriptor()
        size = os.fstat(descriptor).st_size
        self.recordings[self.file].append(self.block, len(data), size)
        done = 0
        while done < len(data):
            done += os.pwrite(descriptor, data[done:], size + done)
        self.block += 1
        return room

    def mark(self, count: int) -> None:
        """Write filemarks."""
        for _turn in range(count):
            self._forget_rest()
            self.marks = self.file + 1
            self._descriptor()  # an empty tape file is a file too
            self._before += self.size(self.file)
            self.file, self.block = self.file + 1, 0
            self.recordings.append(Recording())
        self.save()

    def erase(self) -> None:
        """Forget what is recorded behind the head."""
        self._written = False
        self._forget_rest()
        self.save()

    def read(self, limit: int) -> tuple[int, bytes]:
        """Read the block here, at most ``limit`` bytes of it, and go on; return its true length and the bytes."""
        length = self.recordings[self.file].length(self.block, self.size(self.file))
        data = os.pread(self._descriptor(), min(length, limit), self.recordings[self.file].offset(self.block))
        self.block += 1
        self._written = False
        return length, data
