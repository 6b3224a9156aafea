# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The few SCSI commands that neither st nor mtx gives: serial numbers and a cartridge's capacity, by SG_IO."""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass

_SG_IO = 0x2285
_NO_DATA, _FROM_DEVICE = -1, -3
#: Not ready: switched off by its panel or by the library; waits for somebody.
_OFFLINE = {(2, 0x04, 0x12), (2, 0x04, 0x03)}
_UNIT_ATTENTION = 6
_TIMEOUT_MS = 60_000
_MIB = 1 << 20
_CHANGER, _DATA_TRANSFER = 8, 4  # a kind of device, and a kind of element
_IDENTIFIER_HEAD = 8 + 16  # vendor and product, which precede the serial number in an identifier that T10 describes
_MAXIMUM_CAPACITY = 1  # an attribute of the cartridge's memory, in MiB


class _Header(ctypes.Structure):
    """struct sg_io_hdr (include/scsi/sg.h)."""

    _fields_ = (
        ("interface_id", ctypes.c_int),
        ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p),
        ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    )


@dataclass(frozen=True)
class _Answer:
    """What came back: the data; the sense key of a command that failed, -1 when there is none, and its code."""

    data: bytes
    failed: bool
    sense_key: int
    sense_code: tuple[int, int] = (0, 0)


def _send(descriptor: int, command: bytes, length: int) -> _Answer:
    data, sense = ctypes.create_string_buffer(max(length, 1)), ctypes.create_string_buffer(64)
    words = ctypes.create_string_buffer(command, len(command))
    header = _Header(
        interface_id=ord("S"),
        dxfer_direction=_FROM_DEVICE if length else _NO_DATA,
        cmd_len=len(command),
        mx_sb_len=len(sense),
        dxfer_len=length,
        dxferp=ctypes.addressof(data) if length else None,
        cmdp=ctypes.addressof(words),
        sbp=ctypes.addressof(sense),
        timeout=_TIMEOUT_MS,
    )
    fcntl.ioctl(descriptor, _SG_IO, header)
    failed = bool(header.status or header.host_status or header.driver_status & 0x0F)
    key, code = -1, (0, 0)
    if header.sb_len_wr >= 3:  # fixed format has the key in byte 2, descriptor format in byte 1
        descriptors = sense.raw[0] & 0x7E == 0x72
        key = sense.raw[1 if descriptors else 2] & 0x0F
        code = (sense.raw[2], sense.raw[3]) if descriptors else (sense.raw[12], sense.raw[13])
    return _Answer(data.raw[: length - max(0, header.resid)], failed, key, code)


def _sent(device: str, command: bytes, length: int) -> _Answer:
    """Send a command; the first one after a change is answered by a unit attention only, and goes again."""
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        answer = _send(descriptor, command, length)
        for _try in range(3):
            if answer.sense_key != _UNIT_ATTENTION:
                break
            answer = _send(descriptor, command, length)
        return answer
    finally:
        os.close(descriptor)


def ask(device: str, command: bytes, length: int) -> bytes:
    """Send a command that reads; return its answer, at most ``length`` bytes. OSError when there is none."""
    answer = _sent(device, command, length)
    if answer.failed:
        raise OSError(f"{device} refused command {command[0]:#04x}")
    return answer.data


def is_ready(device: str) -> bool:
    """Ask a drive whether it has a cartridge and is ready (TEST UNIT READY); one that is gone is not."""
    try:
        return not _sent(device, bytes(6), 0).failed
    except OSError:
        return False


def is_offline(device: str) -> bool:
    """Ask a drive whether somebody must see to it before it works again. An empty one is well; so is a silent one."""
    try:
        answer = _sent(device, bytes(6), 0)
    except OSError:
        return False
    return answer.failed and (answer.sense_key, *answer.sense_code) in _OFFLINE


def is_changer(device: str) -> bool:
    """Ask a device whether it is a media changer (INQUIRY); OSError when it does not answer."""
    return ask(device, bytes([0x12, 0, 0, 0, 36, 0]), 36)[:1] == bytes([_CHANGER])


def serial_of(page: bytes) -> str:
    """Return the serial number out of INQUIRY page 0x80; empty when there is none."""
    if len(page) < 4 or page[1] != 0x80:
        return ""
    return page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace").strip(" \0")


def serial_number(device: str) -> str:
    """Ask a device for its serial number; empty when it does not tell."""
    try:
        return serial_of(ask(device, bytes([0x12, 1, 0x80, 0, 252, 0]), 252))
    except OSError:
        return ""


@dataclass(frozen=True)
class DriveId:
    """How a changer calls a drive: by its serial number, or by vendor, product and serial number.

    ``whole``: false when the answer ended within it, as that of a target does which forgets to count the header.
    """

    text: str = ""
    whole: bool = True

    def means(self, serial: str) -> bool:
        """Tell whether it is the drive of that serial number."""
        return self.whole and bool(serial) and serial in (self.text, self.text[_IDENTIFIER_HEAD:].strip())

    def may_mean(self, serial: str) -> bool:
        """Tell whether it is cut off, and what is left fits."""
        begun = self.text[_IDENTIFIER_HEAD:].strip()
        return not self.whole and bool(begun) and serial.startswith(begun)


def drive_ids(changer: str) -> dict[int, DriveId]:
    """Ask a changer for its drives' element addresses and identifiers; one is empty where it is not told."""
    command = bytes([0xB8, _DATA_TRANSFER, 0, 0, 0xFF, 0xFF, 1, 0, 0xFF, 0xFF, 0, 0])
    return dict(parse_elements(ask(changer, command, 0xFFFF)))


def parse_elements(answer: bytes) -> Iterator[tuple[int, DriveId]]:
    """Give address and identifier of every element in an answer to READ ELEMENT STATUS with DVCID."""
    end, place = 8 + int.from_bytes(answer[5:8], "big"), 8
    while place + 8 <= min(end, len(answer)):
        tags, size = answer[place + 1], int.from_bytes(answer[place + 2 : place + 4], "big")
        page_end = min(end, place + 8 + int.from_bytes(answer[place + 5 : place + 8], "big"))
        place += 8
        skip = 12 + 36 * bool(tags & 0x80) + 36 * bool(tags & 0x40)
        while size > 1 and place + size <= page_end and place + 2 <= len(answer):
            element = answer[place : place + size]
            length = element[skip + 3] if len(element) >= skip + 4 else 0
            text = element[skip + 4 : skip + 4 + length]
            whole = len(text) == length and len(element) >= skip + 4
            yield int.from_bytes(element[:2], "big"), DriveId(text.decode("ascii", "replace").strip(" \0"), whole)
            place += size
        place = max(place, page_end)


def parse_capacity(answer: bytes) -> int:
    """Return the maximum capacity in bytes out of READ ATTRIBUTE; 0 when it is not there."""
    place, end = 4, min(len(answer), 4 + int.from_bytes(answer[:4], "big"))
    while place + 5 <= end:
        number, size = (
            int.from_bytes(answer[place : place + 2], "big"),
            int.from_bytes(answer[place + 3 : place + 5], "big"),
        )
        value = answer[place + 5 : place + 5 + size]
        if number == _MAXIMUM_CAPACITY and len(value) == size:
            return int.from_bytes(value, "big") * _MIB
        place += 5 + size
    return 0


def cartridge_capacity(device: str) -> int:
    """Ask a drive for the capacity of its cartridge in bytes; 0 when it does not tell."""
    command = bytes([0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0]) + (0x1000).to_bytes(4, "big") + b"\0\0"
    try:
        return parse_capacity(ask(device, command, 0x1000))
    except OSError:
        return 0
