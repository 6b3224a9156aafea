# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iSCSI's protocol data units: the 48 bytes of a header, and what follows them (RFC 7143 §11)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = 48
NO_TAG = 0xFFFFFFFF
_FIELDS = struct.Struct(">BBBBB3s8sI")


class In:
    """What the initiator sends."""

    NOP, COMMAND, TASK, LOGIN, TEXT, DATA, LOGOUT = range(7)


class Out:
    """What the target sends."""

    NOP, RESPONSE, TASK, LOGIN, TEXT, DATA, LOGOUT = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26
    READY = 0x31


def padding(length: int) -> int:
    """Return how many bytes follow a data segment."""
    return -length % 4


@dataclass(frozen=True)
class Request:
    """A header that the initiator sent. ``words``: its bytes 20 to 47."""

    code: int
    immediate: bool
    flags: int
    length: int
    lun: bytes
    tag: int
    words: bytes

    @classmethod
    def decode(cls, header: bytes) -> Request:
        """Read a header."""
        code, flags, _two, _three, _ahs, length, lun, tag = _FIELDS.unpack_from(header)
        return cls(code & 0x3F, bool(code & 0x40), flags, int.from_bytes(length, "big"), lun, tag, header[20:HEADER])

    def number(self, at: int) -> int:
        """Return the 32 bits at byte ``at`` of the header."""
        return int.from_bytes(self.words[at - 20 : at - 16], "big")

    @property
    def unit(self) -> int:
        """Return the number of the logical unit."""
        return self.lun[1]

    @property
    def final(self) -> bool:
        """Tell whether no data follows unasked."""
        return bool(self.flags & 0x80)


def encode(
    code: int,
    *,
    flags: int = 0x80,
    second: int = 0,
    third: int = 0,
    length: int = 0,
    lun: bytes = bytes(8),
    tag: int = NO_TAG,
    words: bytes = b"",
) -> bytes:
    """Make a header; ``second`` and ``third`` are its bytes 2 and 3, ``words`` its bytes from 20 on."""
    head = _FIELDS.pack(code, flags, second, third, 0, length.to_bytes(3, "big"), lun, tag)
    return (head + words).ljust(HEADER, b"\0")


def text(data: bytes) -> dict[str, str]:
    """Read the keys of a login or text request."""
    pairs = (item.decode("utf-8", "replace").partition("=") for item in data.split(b"\0") if b"=" in item)
    return {key: value for key, _equals, value in pairs}


def untext(keys: dict[str, str]) -> bytes:
    """Write keys."""
    return b"".join(f"{key}={value}\0".encode() for key, value in keys.items())
