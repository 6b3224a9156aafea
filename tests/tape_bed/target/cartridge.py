# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cartridge: one plain file for each tape file, and the sizes of its blocks. What is behind the head is lost by a write."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Cartridge:
    """A recording. ``files[n]`` holds the sizes of the blocks of tape file n; all but the last are ended by a filemark."""

    def __init__(self, folder: Path, capacity: int = 0) -> None:
        self.folder = folder
        self.barcode = folder.name
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "index.json"
        if self._index.exists():
            value = json.loads(self._index.read_text(encoding="utf-8"))
            self.capacity, self.files = int(value["capacity"]), [list(map(int, sizes)) for sizes in value["files"]]
        else:
            self.capacity, self.files = capacity, [[]]
            self.save()
        self.used = sum(map(sum, self.files))
        self.file = self.block = 0
        self._offset = 0
        self._open: tuple[int, int] | None = None

    def save(self) -> None:
        """Write down how long the blocks are."""
        draft = self._index.with_suffix(".new")
        draft.write_text(json.dumps({"capacity": self.capacity, "files": self.files}), encoding="utf-8")
        draft.replace(self._index)

    def close(self) -> None:
        """Leave the drive."""
        self.save()
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _descriptor(self) -> int:
        if self._open is None or self._open[0] != self.file:
            if self._open is not None:
                os.close(self._open[1])
            path = self.folder / f"{self.file:05d}"
            self._open = (self.file, os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
        return self._open[1]

    def move(self, file: int, block: int = 0) -> None:
        """Go to a block of a tape file."""
        self.file, self.block = file, block
        self._offset = sum(self.files[file][:block])

    @property
    def last(self) -> int:
        """The tape file behind the last filemark."""
        return len(self.files) - 1

    @property
    def at_end(self) -> bool:
        """Nothing is recorded behind the head."""
        return self.file == self.last and self.block == len(self.files[self.file])

    def _cut(self) -> None:
        """Forget what is behind the head."""
        if self.file == self.last and self.block == len(self.files[self.file]):
            return
        for number in range(self.file + 1, len(self.files)):
            (self.folder / f"{number:05d}").unlink(missing_ok=True)
        del self.files[self.file + 1 :]
        del self.files[self.file][self.block :]
        os.ftruncate(self._descriptor(), self._offset)
        self.used = sum(map(sum, self.files))

    def write(self, data: memoryview) -> None:
        """Record a block."""
        self._cut()
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor(), data[done:], self._offset + done)
        self.files[self.file].append(len(data))
        self.used += len(data)
        self._offset += len(data)
        self.block += 1

    def mark(self) -> None:
        """Record a filemark."""
        self._cut()
        self._descriptor()  # an empty file is a file too
        self.files.append([])
        self.file, self.block, self._offset = self.file + 1, 0, 0
        self.save()

    def read(self) -> bytes:
        """Return the next block; the caller has looked that there is one."""
        size = self.files[self.file][self.block]
        data = os.pread(self._descriptor(), size, self._offset)
        self._offset += size
        self.block += 1
        return data

    def tell(self) -> int:
        """Return the number of the next block; a filemark counts as one."""
        return sum(len(sizes) + 1 for sizes in self.files[: self.file]) + self.block

    def seek(self, number: int) -> bool:
        """Go to a block by its number; False when it is not recorded, and the head then stands behind the last one."""
        for file, sizes in enumerate(self.files):
            if number <= len(sizes):
                self.move(file, number)
                return True
            number -= len(sizes) + 1
        self.move(self.last, len(self.files[self.last]))
        return False
