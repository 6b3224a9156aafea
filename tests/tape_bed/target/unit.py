# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every logical unit answers alike: who it is, and the first command after a change."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .sense import UNIT_ATTENTION, Check, invalid_field

if TYPE_CHECKING:
    from .library import Library

RESET = (UNIT_ATTENTION, 0x29, 0)
MEDIUM_CHANGED = (UNIT_ATTENTION, 0x28, 0)


class Unit:
    """A logical unit. ``name`` is what tests call it."""

    device_type = 0
    vendor = product = ""

    def __init__(self, library: Library, name: str, serial: str) -> None:
        self.library, self.name, self.serial = library, name, serial
        self.attentions: list[tuple[int, int, int]] = [RESET]

    def command(self, cdb: bytes, data: memoryview) -> bytes:
        """Carry out a command; return what it reads. Raises :class:`Check`."""
        opcode = cdb[0]
        if opcode == 0x12:
            return self._inquiry(cdb)
        if opcode == 0xA0:
            return self.library.luns()[: int.from_bytes(cdb[6:10], "big")]
        if opcode == 0x03:
            return Check(0).sense[: cdb[4]]
        if self.attentions:
            raise Check(*self.attentions.pop(0))
        self.library.control.fault(self.name, opcode)
        if opcode in (0x16, 0x17, 0x1E):  # reserve, release, prevent removal
            return b""
        return self.own(cdb, data)

    def own(self, cdb: bytes, data: memoryview) -> bytes:
        """Carry out what only this kind of unit can."""
        raise NotImplementedError

    def _inquiry(self, cdb: bytes) -> bytes:
        length = int.from_bytes(cdb[3:5], "big")
        serial = self.serial.encode()
        if not cdb[1] & 1:
            words = f"{self.vendor:<8}{self.product:<16}0001".encode()
            return (bytes([self.device_type, 0x80, 6, 2, 31, 0, 0, 2]) + words)[:length]
        if cdb[2] == 0:
            return bytes([self.device_type, 0, 0, 3, 0, 0x80, 0x83])[:length]
        if cdb[2] == 0x80:
            return (bytes([self.device_type, 0x80, 0, len(serial)]) + serial)[:length]
        if cdb[2] == 0x83:
            ident = f"{self.vendor:<8}{self.product:<16}".encode() + serial
            return (bytes([self.device_type, 0x83, 0, 4 + len(ident), 2, 1, 0, len(ident)]) + ident)[:length]
        raise invalid_field()


def mode_page(cdb: bytes, pages: dict[int, bytes], specific: int, descriptor: bytes) -> bytes:
    """Answer MODE SENSE (6) and (10) with one page, or all."""
    wanted = cdb[2] & 0x3F
    if wanted not in (0, 0x3F) and wanted not in pages:
        raise invalid_field()
    body = b"".join(page for number, page in sorted(pages.items()) if wanted in (number, 0x3F))
    block = b"" if cdb[1] & 8 else descriptor
    if cdb[0] == 0x1A:
        return (bytes([3 + len(block) + len(body), 0, specific, len(block)]) + block + body)[: cdb[4]]
    head = struct.pack(">HBBHH", 6 + len(block) + len(body), 0, specific, 0, len(block))
    return (head + block + body)[: int.from_bytes(cdb[7:9], "big")]
