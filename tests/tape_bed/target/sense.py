# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a SCSI command fails: sense data (SPC-4, 4.5)."""

from __future__ import annotations

import struct

NO_SENSE, NOT_READY, MEDIUM_ERROR, HARDWARE_ERROR, ILLEGAL_REQUEST = 0, 2, 3, 4, 5
UNIT_ATTENTION, DATA_PROTECT, BLANK_CHECK, VOLUME_OVERFLOW = 6, 7, 8, 13


class Check(Exception):
    """CHECK CONDITION. ``data`` goes back with it; ``residue`` is the INFORMATION field."""

    def __init__(
        self,
        key: int,
        asc: int = 0,
        ascq: int = 0,
        *,
        residue: int = 0,
        filemark: bool = False,
        end: bool = False,
        wrong_length: bool = False,
        data: bytes = b"",
    ) -> None:
        super().__init__(f"{key:x}/{asc:02x}/{ascq:02x}")
        flags = key | 0x80 * filemark | 0x40 * end | 0x20 * wrong_length
        self.sense = struct.pack(">BBBiB4xBBBB2x", 0xF0, 0, flags, residue, 10, asc, ascq, 0, 0)
        self.data = data


def invalid_field() -> Check:
    """INVALID FIELD IN CDB."""
    return Check(ILLEGAL_REQUEST, 0x24)


def invalid_command() -> Check:
    """INVALID COMMAND OPERATION CODE."""
    return Check(ILLEGAL_REQUEST, 0x20)


def no_medium() -> Check:
    """MEDIUM NOT PRESENT."""
    return Check(NOT_READY, 0x3A)
