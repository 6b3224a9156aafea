# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape drive of the LTO kind (SSC): everything that Linux's st driver and sg3-utils ask of one."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ansible_collections.eternus.backup.tests.tape_bed import drive_pages, sense
from ansible_collections.eternus.backup.tests.tape_bed.medium import Medium
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check, Key, illegal
from ansible_collections.eternus.backup.tests.tape_bed.unit import Data, Unit

LARGEST_BLOCK = 8 << 20


def _signed(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


class Drive(Unit):
    """A drive; ``medium`` is in it, and ``loaded`` once it is threaded: then a changer cannot take it out."""

    kind = 1
    vendor = "TAPEBED"
    product = "ULTRIUM-TD8"

    def __init__(self, name: str, serial: str, before: Callable[[str, str], None]) -> None:
        super().__init__(name, serial, before)
        self.medium: Medium | None = None
        self.loaded = False
        self.fixed_block = 0
        self.alerts: set[int] = set()
        self.commands |= {
            0x00: ("test_unit_ready", self._ready),
            0x01: ("rewind", self._rewind),
            0x05: ("block_limits", lambda _command, _data: struct.pack(">IH", LARGEST_BLOCK, 1)),
            0x08: ("read", self._read),
            0x0A: ("write", self._write),
            0x10: ("filemarks", self._filemarks),
            0x11: ("space", self._space),
            0x15: ("mode_select", self._mode_select),
            0x19: ("erase", self._erase),
            0x1A: ("mode_sense", self._mode_sense),
            0x1B: ("load_unload", self._load_unload),
            0x1E: ("prevent", lambda _command, _data: b""),
            0x2B: ("locate", self._locate),
            0x34: ("read_position", self._read_position),
            0x4D: ("log_sense", self._log_sense),
            0x55: ("mode_select", self._mode_select),
            0x5A: ("mode_sense", self._mode_sense),
            0x8C: ("read_attribute", self._read_attribute),
            0x92: ("locate", self._locate),
        }

    def insert(self, medium: Medium) -> None:
        """Take a cartridge from the changer, and thread it."""
        self.medium, self.loaded = medium, True
        self.attentions = [sense.MEDIUM_CHANGED]

    def remove(self) -> Medium | None:
        """Give the cartridge out."""
        medium, self.medium, self.loaded = self.medium, None, False
        if medium:
            medium.save()
            medium.close()
        return medium

    def _loaded_medium(self) -> Medium:
        if self.medium is None or not self.loaded:
            raise Check(Key.NOT_READY, sense.NO_MEDIUM)
        if self.medium.barcode.startswith("CLN"):
            raise Check(Key.NOT_READY, sense.CLEANING_CARTRIDGE)
        return self.medium

    def _writable_medium(self) -> Medium:
        medium = self._loaded_medium()
        if medium.protected:
            raise Check(Key.DATA_PROTECT, sense.WRITE_PROTECTED)
        return medium

    def _ready(self, _command: bytes, _data: Data) -> bytes:
        self._loaded_medium()
        return b""

    def _rewind(self, _command: bytes, _data: Data) -> bytes:
        medium = self._loaded_medium()
        medium.save()
        medium.go(0, 0)
        return b""

    def _load_unload(self, command: bytes, _data: Data) -> bytes:
        if command[4] & 1:
            if self.medium is None:
                raise Check(Key.NOT_READY, sense.NO_MEDIUM)
            self.loaded = True
        if self.medium:
            self.medium.save()
            self.medium.go(0, 0)
        self.loaded = bool(command[4] & 1)
        return b""

    def _write(self, command: bytes, data: Data) -> bytes:
        medium = self._writable_medium()
        fixed = command[1] & 1
        if fixed and not self.fixed_block:
            raise illegal()
        block = self.fixed_block if fixed else len(data)
        warned = False
        for start in range(0, len(data), block or 1):
            left = medium.write(data[start : start + block])
            if left < 0:
                rest = (len(data) - start) // block if fixed else len(data)
                raise Check(Key.VOLUME_OVERFLOW, sense.END_OF_MEDIUM, information=rest, end_of_medium=True)
            warned = warned or left < medium.early_warning
        if warned:  # everything was written
            raise Check(Key.NO_SENSE, sense.END_OF_MEDIUM, end_of_medium=True)
        return b""

    def _filemarks(self, command: bytes, _data: Data) -> bytes:
        medium = self._writable_medium()
        medium.mark(int.from_bytes(command[2:5], "big"))
        if medium.room() < medium.early_warning:
            raise Check(Key.NO_SENSE, sense.END_OF_MEDIUM, end_of_medium=True)
        return b""

    def _read(self, command: bytes, _data: Data) -> bytes:
        medium = self._loaded_medium()
        fixed, asked = command[1] & 1, int.from_bytes(command[2:5], "big")
        if not asked:
            return b""
        block, count = (self.fixed_block, asked) if fixed else (asked, 1)
        pieces: list[bytes] = []
        for done in range(count):
            rest = count - done if fixed else asked
            if medium.at_end():
                raise Check(Key.BLANK_CHECK, sense.END_OF_DATA, information=rest, data=b"".join(pieces))
            if medium.block >= medium.blocks(medium.file):
                medium.go(medium.file + 1, 0)
                raise Check(Key.NO_SENSE, sense.FILEMARK, information=rest, filemark=True, data=b"".join(pieces))
            length, piece = medium.read(block)
            pieces.append(piece)
            if length != block and not (command[1] & 2 and length < block):
                rest = count - done if fixed else asked - length
                raise Check(Key.NO_SENSE, information=rest, wrong_length=True, data=b"".join(pieces))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _space(self, command: bytes, _data: Data) -> bytes:
        medium, count = self._loaded_medium(), _signed(command[2:5])
        kind = command[1] & 7
        if kind == 3:
            medium.end()
        elif kind == 1:
            self._space_marks(medium, count)
        elif kind == 0:
            self._space_blocks(medium, count)
        else:
            raise illegal()
        return b""

    def _space_marks(self, medium: Medium, count: int) -> None:
        target = medium.file + count
        if target > medium.marks:
            medium.end()
            raise Check(Key.BLANK_CHECK, sense.END_OF_DATA, information=target - medium.marks)
        if target < 0:
            medium.go(0, 0)
            raise Check(Key.NO_SENSE, sense.BEGINNING_OF_MEDIUM, information=-target, end_of_medium=True)
        if count:
            medium.go(target, 0 if count > 0 else medium.blocks(target))

    def _space_blocks(self, medium: Medium, count: int) -> None:
        target, here = medium.block + count, medium.blocks(medium.file)
        if 0 <= target <= here:
            medium.go(medium.file, target)
        elif target > here and medium.file >= medium.marks:
            medium.end()
            raise Check(Key.BLANK_CHECK, sense.END_OF_DATA, information=target - here)
        elif target > here:
            medium.go(medium.file + 1, 0)
            raise Check(Key.NO_SENSE, sense.FILEMARK, information=target - here, filemark=True)
        elif medium.file:
            medium.go(medium.file - 1, medium.blocks(medium.file - 1))
            raise Check(Key.NO_SENSE, sense.FILEMARK, information=-target, filemark=True)
        else:
            medium.go(0, 0)
            raise Check(Key.NO_SENSE, sense.BEGINNING_OF_MEDIUM, information=-target, end_of_medium=True)

    def _erase(self, _command: bytes, _data: Data) -> bytes:
        self._writable_medium().erase()
        return b""

    def _locate(self, command: bytes, _data: Data) -> bytes:
        place = command[3:7] if command[0] == 0x2B else command[4:12]
        if not self._loaded_medium().locate(int.from_bytes(place, "big")):
            raise Check(Key.BLANK_CHECK, sense.END_OF_DATA)
        return b""

    def _read_position(self, command: bytes, _data: Data) -> bytes:
        medium = self._loaded_medium()
        place = medium.tell()
        begin = 0x80 if place == 0 else 0
        if command[1] & 0x1F == 6:
            return struct.pack(">B3xIQQQ", begin, 0, place, medium.file, 0)
        return struct.pack(">BB2xIIII", begin, 0, place, place, 0, 0)

    def _mode_select(self, command: bytes, data: Data) -> bytes:
        self.fixed_block = drive_pages.selected_block(command, data, self.fixed_block)
        return b""

    def _mode_sense(self, command: bytes, _data: Data) -> bytes:
        protected = self.medium is not None and self.medium.protected
        return drive_pages.mode_sense(command, self.fixed_block, protected=protected)

    def _log_sense(self, command: bytes, _data: Data) -> bytes:
        return drive_pages.log_sense(command, self.alerts)

    def _read_attribute(self, command: bytes, _data: Data) -> bytes:
        return drive_pages.attributes(command, self._loaded_medium())
