# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What drives and changer have in common: who they are, unit attentions, faults (SPC)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

from ansible_collections.eternus.backup.tests.tape_bed.sense import (
    LENGTH,
    OFFLINE,
    POWER_ON,
    Check,
    Key,
    illegal,
)

Data = memoryview
Handler = Callable[[bytes, Data], bytes]


class Unit:
    """A logical unit. ``before`` is called with (name of the unit, name of the command) and may raise a fault."""

    kind: ClassVar[int]
    vendor: ClassVar[str]
    product: ClassVar[str]

    def __init__(self, name: str, serial: str, before: Callable[[str, str], None]) -> None:
        self.name = name
        self.serial = serial
        self.online = True
        self.attentions: list[tuple[int, int]] = [POWER_ON]
        self._before = before
        self.commands: dict[int, tuple[str, Handler]] = {
            0x00: ("test_unit_ready", lambda _command, _data: b""),
            0x16: ("reserve", lambda _command, _data: b""),
            0x17: ("release", lambda _command, _data: b""),
            0x1D: ("diagnostic", lambda _command, _data: b""),
        }

    def attend(self, code: tuple[int, int]) -> None:
        """Answer the next command with a unit attention."""
        if code not in self.attentions:
            self.attentions.append(code)

    def execute(self, command: bytes, data: Data) -> bytes:
        """Run a command; return what it sends. Raises :class:`Check`."""
        code = command[0]
        if code == 0x12:
            return self._inquiry(command)
        if code == 0x03:
            return Check(Key.NO_SENSE).sense[: min(command[4], LENGTH)]
        if not self.online:
            raise Check(Key.NOT_READY, OFFLINE)
        if self.attentions:
            raise Check(Key.UNIT_ATTENTION, self.attentions.pop(0))
        if code not in self.commands:
            raise illegal((0x20, 0x00))
        name, handler = self.commands[code]
        self._before(self.name, name)
        return handler(command, data)

    def _inquiry(self, command: bytes) -> bytes:
        length = int.from_bytes(command[3:5], "big")
        if not command[1] & 1:
            about = self.vendor.ljust(8) + self.product.ljust(16) + "0001"
            return (bytes([self.kind, 0x80, 6, 2, 31, 0, 0, 2]) + about.encode("ascii"))[:length]
        serial = self.serial.encode("ascii")
        if command[2] == 0x00:
            content = bytes([0x00, 0x80, 0x83])
        elif command[2] == 0x80:
            content = serial
        elif command[2] == 0x83:
            content = self.identifier().encode("ascii")
            content = bytes([2, 1, 0, len(content)]) + content
        else:
            raise illegal()
        return (struct.pack(">BBH", self.kind, command[2], len(content)) + content)[:length]

    def identifier(self) -> str:
        """Return the T10 identifier: vendor, product and serial number."""
        return self.vendor.ljust(8) + self.product.ljust(16) + self.serial
