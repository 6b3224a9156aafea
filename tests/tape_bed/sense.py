# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a device says that a command did not go as asked: sense data (SPC, fixed format)."""

from __future__ import annotations

import struct
from enum import IntEnum


class Key(IntEnum):
    """Sense keys."""

    NO_SENSE = 0
    NOT_READY = 2
    MEDIUM_ERROR = 3
    HARDWARE_ERROR = 4
    ILLEGAL_REQUEST = 5
    UNIT_ATTENTION = 6
    DATA_PROTECT = 7
    BLANK_CHECK = 8
    VOLUME_OVERFLOW = 13


#: Additional sense codes with their qualifiers.
FILEMARK = (0x00, 0x01)
END_OF_MEDIUM = (0x00, 0x02)
BEGINNING_OF_MEDIUM = (0x00, 0x04)
END_OF_DATA = (0x00, 0x05)
OFFLINE = (0x04, 0x12)
WRITE_ERROR = (0x0C, 0x00)
READ_ERROR = (0x11, 0x00)
UNKNOWN_COMMAND = (0x20, 0x00)
NO_SUCH_ELEMENT = (0x21, 0x01)
INVALID_FIELD = (0x24, 0x00)
NO_SUCH_UNIT = (0x25, 0x00)
WRITE_PROTECTED = (0x27, 0x00)
MEDIUM_CHANGED = (0x28, 0x00)
POWER_ON = (0x29, 0x00)
CLEANING_CARTRIDGE = (0x30, 0x03)
NO_MEDIUM = (0x3A, 0x00)
DESTINATION_FULL = (0x3B, 0x0D)
SOURCE_EMPTY = (0x3B, 0x0E)
INTERNAL = (0x44, 0x00)
EJECT_FIRST = (0x53, 0x02)  # medium removal prevented

LENGTH = 18


class Check(Exception):
    """CHECK CONDITION. ``data`` is sent with it: what was read before.

    :param information: the residue: what was asked less what was done.
    """

    def __init__(
        self,
        key: int,
        code: tuple[int, int] = (0, 0),
        *,
        information: int = 0,
        filemark: bool = False,
        end_of_medium: bool = False,
        wrong_length: bool = False,
        data: bytes = b"",
    ) -> None:
        super().__init__(f"{int(key):x}/{code[0]:02x}/{code[1]:02x}")
        flags = 0x80 * filemark | 0x40 * end_of_medium | 0x20 * wrong_length
        self.sense = struct.pack(">BBBiB4xBBBB2x", 0xF0, 0, key | flags, information, 10, *code, 0, 0)
        self.data = data


def illegal(code: tuple[int, int] = INVALID_FIELD) -> Check:
    """Return the refusal of a command that makes no sense."""
    return Check(Key.ILLEGAL_REQUEST, code)
