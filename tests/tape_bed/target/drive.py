# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An LTO-like drive (SSC-4, as far as st uses it): variable blocks, LOCATE, READ POSITION, early warning."""

from __future__ import annotations

import struct

from .cartridge import Cartridge
from .sense import (
    BLANK_CHECK,
    DATA_PROTECT,
    NO_SENSE,
    NOT_READY,
    VOLUME_OVERFLOW,
    Check,
    invalid_command,
    no_medium,
)
from .unit import MEDIUM_CHANGED, Unit, mode_page

_MIB = 1 << 20


def signed(value: bytes) -> int:
    """Return a count of 24 bits that may be negative."""
    return int.from_bytes(value, "big", signed=True)


class Drive(Unit):
    """A tape drive, perhaps with a cartridge in it."""

    device_type = 1
    vendor, product = "IBM", "ULT3580-TD8"

    cartridge: Cartridge | None = None
    loaded = False

    def insert(self, cartridge: Cartridge) -> None:
        """Take a cartridge from the robot, and thread it."""
        self.cartridge, self.loaded = cartridge, True
        cartridge.move(0)
        self.attentions = [MEDIUM_CHANGED]

    def remove(self) -> None:
        """Give the cartridge to the robot."""
        if self.cartridge is not None:
            self.cartridge.close()
        self.cartridge, self.loaded = None, False

    def _medium(self) -> Cartridge:
        if self.library.control.has("offline", self.name):
            raise Check(NOT_READY, 0x04, 0x03)
        if self.cartridge is None or not self.loaded or self.library.control.has("pulled", self.name):
            raise no_medium()
        return self.cartridge

    def own(self, cdb: bytes, data: memoryview) -> bytes:
        """Carry out a command of a tape drive."""
        opcode = cdb[0]
        if opcode == 0x05:  # READ BLOCK LIMITS
            return struct.pack(">IH", 8 * _MIB, 1)
        if opcode in (0x15, 0x55):  # MODE SELECT: variable blocks is all there is
            return b""
        if opcode in (0x1A, 0x5A):
            return self._mode(cdb)
        if opcode == 0x1B:
            return self._load(bool(cdb[4] & 1))
        medium = self._medium()
        if opcode == 0x00:
            return b""
        if opcode == 0x01:
            medium.move(0)
            medium.save()
            return b""
        if opcode in (0x0A, 0x10, 0x19) and self._protected(medium):
            raise Check(DATA_PROTECT, 0x27, 0)
        if opcode == 0x0A:
            return self._write(medium, data)
        if opcode == 0x08:
            return self._read(medium, cdb)
        if opcode == 0x10:
            return self._marks(medium, int.from_bytes(cdb[2:5], "big"))
        if opcode == 0x11:
            return self._space(medium, cdb[1] & 7, signed(cdb[2:5]))
        if opcode in (0x2B, 0x92):
            number = int.from_bytes(cdb[3:7] if opcode == 0x2B else cdb[4:12], "big")
            if not medium.seek(number):
                raise Check(BLANK_CHECK, 0, 5)
            return b""
        if opcode == 0x34:
            return self._position(medium, cdb[1] & 0x1F)
        if opcode == 0x8C:
            return self._attributes(medium, cdb)
        raise invalid_command()

    def _protected(self, medium: Cartridge) -> bool:
        return self.library.control.has("protected", medium.barcode)

    def _mode(self, cdb: bytes) -> bytes:
        protected = self.cartridge is not None and self._protected(self.cartridge)
        pages = {
            0x0F: bytes([0x0F, 14, 0xC0, 0x80]) + b"\0\0\0\xff\0\0\0\xff" + bytes(4),
            0x10: bytes([0x10, 14]) + bytes(12) + b"\x01\0",
        }
        return mode_page(cdb, pages, 0x90 if protected else 0x10, bytes([0x5E]) + bytes(7))

    def _load(self, load: bool) -> bytes:
        if load and self.cartridge is None:
            raise no_medium()
        if self.cartridge is not None:
            self.cartridge.move(0)
            self.cartridge.save()
        self.loaded = load
        return b""

    def _write(self, medium: Cartridge, data: memoryview) -> bytes:
        if not len(data):
            return b""
        if medium.used + len(data) > medium.capacity:
            raise Check(VOLUME_OVERFLOW, 0, 2, residue=len(data), end=True)
        medium.write(data)
        return self._warned(medium)

    def _warned(self, medium: Cartridge) -> bytes:
        """Say, with a success, that the end is near."""
        if medium.used > medium.capacity - self.library.early_warning:
            raise Check(NO_SENSE, 0, 2, end=True)
        return b""

    def _marks(self, medium: Cartridge, count: int) -> bytes:
        for _one in range(count):
            medium.mark()
        if count == 0:
            medium.save()
        return self._warned(medium) if count else b""

    def _read(self, medium: Cartridge, cdb: bytes) -> bytes:
        wanted = int.from_bytes(cdb[2:5], "big")
        if medium.at_end:
            raise Check(BLANK_CHECK, 0, 5, residue=wanted)
        if medium.block == len(medium.files[medium.file]):
            medium.move(medium.file + 1)
            raise Check(NO_SENSE, 0, 1, residue=wanted, filemark=True)
        data = medium.read()
        if len(data) == wanted or (len(data) < wanted and cdb[1] & 2):
            return data
        raise Check(NO_SENSE, residue=wanted - len(data), wrong_length=True, data=data[:wanted])

    def _space(self, medium: Cartridge, code: int, count: int) -> bytes:
        if code == 3:
            medium.move(medium.last, len(medium.files[medium.last]))
        elif code == 1:
            self._space_marks(medium, count)
        elif code == 0:
            self._space_blocks(medium, count)
        else:
            raise invalid_command()
        return b""

    @staticmethod
    def _space_marks(medium: Cartridge, count: int) -> None:
        if count >= 0:
            left = medium.last - medium.file
            if count > left:
                medium.move(medium.last, len(medium.files[medium.last]))
                raise Check(BLANK_CHECK, 0, 5, residue=count - left)
            if count:
                medium.move(medium.file + count)
            return
        if medium.file + count < 0:
            missing = -count - medium.file
            medium.move(0)
            raise Check(NO_SENSE, 0, 4, residue=missing, end=True)
        file = medium.file + count
        medium.move(file, len(medium.files[file]))

    @staticmethod
    def _space_blocks(medium: Cartridge, count: int) -> None:
        blocks, target = len(medium.files[medium.file]), medium.block + count
        if target > blocks:
            if medium.file == medium.last:
                medium.move(medium.file, blocks)
                raise Check(BLANK_CHECK, 0, 5, residue=target - blocks)
            medium.move(medium.file + 1)
            raise Check(NO_SENSE, 0, 1, residue=target - blocks, filemark=True)
        if target < 0:
            if medium.file == 0:
                medium.move(0)
                raise Check(NO_SENSE, 0, 4, residue=-target, end=True)
            medium.move(medium.file - 1, len(medium.files[medium.file - 1]))
            raise Check(NO_SENSE, 0, 1, residue=-target, filemark=True)
        medium.move(medium.file, target)

    @staticmethod
    def _position(medium: Cartridge, form: int) -> bytes:
        number = medium.tell()
        flags = 0x80 if number == 0 else 0
        if form == 6:
            return struct.pack(">B3xIQQQ", flags, 0, number, medium.file, 0)
        return struct.pack(">BB2xIIIII", flags, 0, number, number, 0, 0, 0)[:20]

    @staticmethod
    def _attributes(medium: Cartridge, cdb: bytes) -> bytes:
        """READ ATTRIBUTE: remaining and maximum capacity, barcode."""
        first, length = int.from_bytes(cdb[8:10], "big"), int.from_bytes(cdb[10:14], "big")
        values = (
            (0x0000, 0x80, struct.pack(">Q", max(0, medium.capacity - medium.used) // _MIB)),
            (0x0001, 0x80, struct.pack(">Q", medium.capacity // _MIB)),
            (0x0806, 0x01, medium.barcode.ljust(32).encode()),
        )
        body = b"".join(struct.pack(">HBH", n, kind, len(v)) + v for n, kind, v in values if n >= first)
        return (struct.pack(">I", len(body)) + body)[:length]
