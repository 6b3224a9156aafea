# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Linux's st driver makes of a tape drive, as it was seen to in the tape bed (variable blocks only)."""

from __future__ import annotations

import errno
import struct

from ansible_collections.eternus.backup.plugins.module_utils._tape.st_ioctl import MTIOCGET, MTIOCPOS, MTIOCTOP, Op
from ansible_collections.eternus.backup.tests.tape_bed.drive import Drive
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check, Key

_EOF, _BOT, _EOT, _EOD, _PROTECTED, _ONLINE, _OPEN_DOOR = (1 << bit for bit in (31, 30, 29, 27, 26, 24, 18))
_FAR = 0x7FFFFF


def fails(number: int) -> OSError:
    return OSError(number, errno.errorcode[number])


class StDriver:
    """One device. It remembers whether a cartridge is ready from when it was opened, and does not look again.

    ``stranger``: the drive is as Debian's tgt has it: no READ POSITION, no LOCATE, no residues, zeros behind the end.
    """

    def __init__(self, unit: Drive) -> None:
        self.unit = unit
        self.stranger = False
        self.file = self.block = -1
        self.state = ""  # "fm": a read met a filemark; "eom", "eom told": the early warning; "eod", "eod told"
        self.writing = self.ready = False

    def scsi(self, code: int, number: int = 0, *, kind: int = 0, data: bytes = b"") -> bytes:
        """Send a command with a number in bytes 2 to 4."""
        command = bytes([code, kind]) + (number & 0xFFFFFF).to_bytes(3, "big") + b"\0"
        if code in (0x2B, 0x34):
            if self.stranger:
                raise fails(errno.EIO)
            command = bytes([code, 0, 0]) + number.to_bytes(4, "big") + bytes(3)
        return self.unit.execute(command, memoryview(data))

    def opened(self) -> None:
        """Look whether the drive is ready, as at every opening."""
        for _try in range(10):
            try:
                self.scsi(0x00)
            except Check as check:
                if check.sense[2] & 0x0F != Key.UNIT_ATTENTION:
                    self.ready, self.file, self.block = False, -1, -1
                    return
                self.file = self.block = 0
                self.ready = False
            else:
                if not self.ready:
                    self.file = self.block = 0
                    self.state = ""
                self.ready = True
                return

    def closed(self) -> None:
        """End what was written by a filemark, as the driver does."""
        if self.writing and self.ready:
            self.marks(1)

    def ioctl(self, request: int, argument: bytes) -> bytes:
        """Answer the three requests."""
        if request == MTIOCGET:
            return struct.pack("@lllllii", 0, 0, 0, self._flags(), 0, self.file, self.block)
        if not self.ready and request == MTIOCPOS:
            raise fails(errno.EIO)
        try:
            if request == MTIOCPOS:
                return struct.pack("@l", int.from_bytes(self.scsi(0x34)[4:8], "big"))
            assert request == MTIOCTOP
            op, count = struct.unpack("@hi", argument)
            self._do(Op(op), count)
        except Check as check:
            raise fails(errno.EIO) from check
        return argument

    def _flags(self) -> int:
        if not self.ready:
            return _OPEN_DOOR
        medium = self.unit.medium
        end = {"eom": _EOT, "eom told": _EOD, "eod": _EOD, "eod told": _EOD}.get(self.state, 0)
        begin = (_BOT if self.file == 0 else _EOF) if self.block == 0 else 0
        flags = end | begin | _ONLINE | (_PROTECTED if medium and medium.protected else 0)
        return flags - (1 << 64 if flags >> 63 else 0)

    def _do(self, op: Op, count: int) -> None:
        if not self.ready and op not in (Op.LOAD, Op.SETBLK, Op.SETDRVBUFFER):
            raise fails(errno.ENOMEDIUM)
        if self.writing and op in (Op.REW, Op.OFFL, Op.SEEK, Op.FSF, Op.BSFM, Op.EOM):
            self.marks(1)
        if op in (Op.WEOF, Op.WEOFI):
            self.marks(count)
        elif op in (Op.REW, Op.OFFL, Op.LOAD):
            self._begin(op)
        elif op is Op.FSF:
            self._forward(count)
        elif op is Op.BSFM:
            self._space(-count)
            self._space(1)
            self.block, self.state = 0, ""
        elif op is Op.EOM:
            if self.file >= 0:
                try:
                    self._forward(_FAR)
                except Check:
                    pass
            self.unit.execute(bytes([0x11, 3, 0, 0, 0, 0]), memoryview(b""))
            self.block, self.state = -1, "eod"
        elif op is Op.SEEK:
            self.file = self.block = -1
            self.state = ""
            self.scsi(0x2B, count)
            if count == 0:
                self.file = self.block = 0

    def _begin(self, op: Op) -> None:
        if op is Op.REW:
            self.scsi(0x01)
        else:
            self.unit.execute(bytes([0x1B, 0, 0, 0, op is Op.LOAD, 0]), memoryview(b""))
        self.ready = op is not Op.OFFL
        self.file, self.block, self.state = 0, 0, ""

    def _space(self, count: int) -> None:
        try:
            self.scsi(0x11, count, kind=1)
        except Check as check:
            residue = 0 if self.stranger else struct.unpack(">i", check.sense[3:7])[0]
            if self.file >= 0:
                self.file += count - residue if count > 0 else residue - count
            raise
        if self.file >= 0:
            self.file += count

    def _forward(self, count: int) -> None:
        try:
            self._space(count)
        except Check as check:
            ended = check.sense[2] & 0x0F == Key.BLANK_CHECK and not self.stranger
            self.block, self.state = -1, "eod" if ended else ""
            raise
        self.block, self.state = 0, ""

    def marks(self, count: int) -> None:
        """Write filemarks; the early warning is no error here."""
        try:
            self.scsi(0x10, count)
        except Check as check:
            if not check.sense[2] & 0x40:
                raise
        self.file += count if self.file >= 0 else 0
        self.block, self.state, self.writing = 0, "", False

    def write(self, data: bytes) -> int:
        """Write a block; behind the early warning every second one is refused."""
        if not self.ready:
            raise fails(errno.ENOMEDIUM)
        if self.state == "eom":
            self.state = "eom told"
            raise fails(errno.ENOSPC)
        self.state = ""
        try:
            self.scsi(0x0A, len(data), data=data)
        except Check as check:
            if check.sense[2] & 0x0F == Key.VOLUME_OVERFLOW:
                self.state = "eom"
                raise fails(errno.ENOSPC) from check
            if not check.sense[2] & 0x40:
                self.block = -1
                raise fails(errno.EIO) from check
            self.state = "eom"
        self.writing = True
        self.block += self.block >= 0
        return len(data)

    def read(self, into: memoryview) -> int:
        """Read a block."""
        if not self.ready:
            raise fails(errno.ENOMEDIUM)
        if self.state in ("eod", "eod told"):
            self.state = "eod told"
            raise fails(errno.EIO)
        try:
            data = self.scsi(0x08, len(into))
        except Check as check:
            return self._read_less(check, into)
        self.block += self.block >= 0
        self.state = ""
        into[: len(data)] = data
        return len(data)

    def _read_less(self, check: Check, into: memoryview) -> int:
        flags, key = check.sense[2] & 0xF0, check.sense[2] & 0x0F
        if flags & 0x80:
            self.file += self.file >= 0
            self.block, self.state = 0, "fm"
            return 0
        if flags & 0x20:
            self.block += self.block >= 0
            if struct.unpack(">i", check.sense[3:7])[0] < 0:
                raise fails(errno.ENOMEM) from check
            into[: len(check.data)] = check.data
            return len(check.data)
        if key == Key.BLANK_CHECK and self.stranger:
            self.state = "eod" if self.state == "fm" else "eom"
            into[:] = bytes(len(into))
            return len(into)
        if key == Key.BLANK_CHECK and self.state == "fm":
            self.block, self.state = -1, "eod"
            return 0
        self.block = -1
        raise fails(errno.EIO) from check
