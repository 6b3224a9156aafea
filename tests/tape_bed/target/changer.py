# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The robot (SMC-3, as far as ch and mtx use it): inventory with barcodes and drive serial numbers, and moves."""

from __future__ import annotations

import struct

from .sense import ILLEGAL_REQUEST, Check, invalid_command
from .unit import Unit, mode_page


class Changer(Unit):
    """A media changer."""

    device_type = 8
    vendor, product = "STK", "L700"

    def own(self, cdb: bytes, data: memoryview) -> bytes:
        """Carry out a command of a changer."""
        opcode = cdb[0]
        if opcode in (0x00, 0x07, 0x37, 0x2B, 0xE7):  # ready; INITIALIZE ELEMENT STATUS; POSITION TO ELEMENT
            return b""
        if opcode in (0x1A, 0x5A):
            return self._mode(cdb)
        if opcode == 0xA5:
            _arm, source, target = struct.unpack(">HHH", cdb[2:8])
            self._move(source, target)
            return b""
        if opcode == 0xB8:
            return self._status(cdb)
        raise invalid_command()

    def _mode(self, cdb: bytes) -> bytes:
        lib = self.library
        layout = (lib.ARM, 1, lib.SLOT, lib.slots, lib.OUTSIDE, lib.outsides, lib.DRIVE, len(lib.drives))
        pages = {
            0x1D: struct.pack(">BB8H2x", 0x1D, 18, *layout),
            0x1E: bytes([0x1E, 2, 0, 0]),
            0x1F: bytes([0x1F, 18, 0x0E, 0, 0, 0x0E, 0x0E, 0x0E]) + bytes(12),
        }
        return mode_page(cdb, pages, 0, b"")

    def _move(self, source: int, target: int) -> None:
        held = self.library.held
        if source not in held or target not in held:
            raise Check(ILLEGAL_REQUEST, 0x21, 1)
        if not held[source]:
            raise Check(ILLEGAL_REQUEST, 0x3B, 0x0E)
        if held[target]:
            raise Check(ILLEGAL_REQUEST, 0x3B, 0x0D)
        drive = self.library.drive_at(source)
        if drive is not None and drive.loaded:
            raise Check(ILLEGAL_REQUEST, 0x53, 2)  # as a real library: eject first
        self.library.move(source, target)

    def _status(self, cdb: bytes) -> bytes:
        kind, tags, identify = cdb[1] & 0x0F, bool(cdb[1] & 0x10), bool(cdb[6] & 1)
        start, most = struct.unpack(">HH", cdb[2:6])
        pages, count, first = b"", 0, 0
        for number, addresses in self.library.elements().items():
            if kind not in (0, number):
                continue
            found = [address for address in addresses if address >= start][: most - count]
            if not found:
                continue
            first = min(first or found[0], found[0])
            count += len(found)
            rows = [self._element(number, address, tags=tags, identify=identify) for address in found]
            size = max(map(len, rows))
            body = b"".join(row.ljust(size, b"\0") for row in rows)
            pages += struct.pack(">BBHI", number, 0x80 if tags else 0, size, len(body)) + body
        return (struct.pack(">HHI", first, count, len(pages)) + pages)[: int.from_bytes(cdb[7:10], "big")]

    def _element(self, kind: int, address: int, *, tags: bool, identify: bool) -> bytes:
        barcode, drive = self.library.held[address], self.library.drive_at(address)
        source = self.library.came_from.get(address) if barcode else None
        access = 0 if kind == 1 or (drive is not None and drive.loaded) else 0x08
        flags = (1 if barcode else 0) | access | (0x30 if kind == 3 else 0)
        row = struct.pack(">HBB5xBH", address, flags, 0, 0x80 if source else 0, source or 0)
        if tags:
            row += self.library.tag(barcode).ljust(32).encode() + bytes(4)
        serial = drive.serial.encode() if drive is not None and identify else b""
        return row + bytes([2 if serial else 0, 0, 0, len(serial)]) + serial
