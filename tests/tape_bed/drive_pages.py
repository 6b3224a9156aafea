# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drive's pages: mode (SSC), log with TapeAlert, and the attributes of a cartridge's memory (SPC)."""

from __future__ import annotations

import struct

from ansible_collections.eternus.backup.tests.tape_bed.medium import Medium
from ansible_collections.eternus.backup.tests.tape_bed.sense import illegal

MIB = 1 << 20
DENSITY = 0x5E  # LTO-8
_COMPRESSION = bytes([0x0F, 14, 0xC0, 0x80]) + bytes([0, 0, 0, 0xFF]) * 2 + bytes(4)
_CONFIGURATION = bytes([0x10, 14]) + bytes(12) + b"\1\0"
_MODES = {0x00: b"", 0x0F: _COMPRESSION, 0x10: _CONFIGURATION, 0x3F: _COMPRESSION + _CONFIGURATION}
_ALERTS = 0x2E


def mode_sense(command: bytes, fixed_block: int, *, protected: bool) -> bytes:
    """Answer MODE SENSE of 6 or 10 bytes."""
    if command[2] & 0x3F not in _MODES:
        raise illegal()
    pages = _MODES[command[2] & 0x3F]
    block = b"" if command[1] & 8 else bytes([DENSITY, 0, 0, 0, 0]) + fixed_block.to_bytes(3, "big")
    specific = 0x10 | 0x80 * protected
    if command[0] == 0x1A:
        head = bytes([3 + len(block) + len(pages), 0x88, specific, len(block)])
        return (head + block + pages)[: command[4]]
    head = struct.pack(">HBBHH", 6 + len(block) + len(pages), 0x88, specific, 0, len(block))
    return (head + block + pages)[: int.from_bytes(command[7:9], "big")]


def selected_block(command: bytes, data: memoryview, before: int) -> int:
    """Return the block length that MODE SELECT asks for; 0: variable."""
    head = 4 if command[0] == 0x15 else 8
    if len(data) < head:
        return before
    length = data[3] if head == 4 else int.from_bytes(data[6:8], "big")
    return int.from_bytes(data[head + 5 : head + 8], "big") if length == 8 else before


def log_sense(command: bytes, alerts: set[int]) -> bytes:
    """Answer LOG SENSE: which pages there are, or the TapeAlert flags, which are told once."""
    page, length = command[2] & 0x3F, int.from_bytes(command[7:9], "big")
    if page == 0:
        return bytes([0, 0, 0, 2, 0, _ALERTS])[:length]
    if page != _ALERTS:
        raise illegal()
    flags = b"".join(struct.pack(">HBBB", number, 0, 1, number in alerts) for number in range(1, 65))
    alerts.clear()
    return (struct.pack(">BBH", _ALERTS, 0, len(flags)) + flags)[:length]


def attributes(command: bytes, medium: Medium) -> bytes:
    """Answer READ ATTRIBUTE: capacities, in MiB, and the barcode."""
    first, length = int.from_bytes(command[8:10], "big"), int.from_bytes(command[10:14], "big")
    barcode = medium.barcode.ljust(32).encode("ascii")
    known = {
        0x0000: (0x80, struct.pack(">Q", max(0, medium.capacity - medium.used()) // MIB)),
        0x0001: (0x80, struct.pack(">Q", medium.capacity // MIB)),
        0x0401: (0x81, barcode),
        0x0806: (0x81, barcode),
    }
    content = b"".join(
        struct.pack(">HBH", number, form, len(value)) + value
        for number, (form, value) in known.items()
        if number >= first
    )
    return (struct.pack(">I", len(content)) + content)[:length]
