# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One iSCSI session (RFC 7143): login without authentication, SCSI commands, R2T, Data-In and Data-Out."""

from __future__ import annotations

import socket
import struct
from threading import Thread

from .library import Library
from .sense import ILLEGAL_REQUEST, Check
from .unit import Unit

_WINDOW = 31
_HEADER = 48
_NO_TAG = 0xFFFFFFFF
#: What the target settles on, whatever it is offered.
_FIXED = {
    "HeaderDigest": "None", "DataDigest": "None", "AuthMethod": "None", "ImmediateData": "Yes", "DataPDUInOrder": "Yes",
    "DataSequenceInOrder": "Yes", "MaxConnections": "1", "MaxOutstandingR2T": "1", "ErrorRecoveryLevel": "0",
    "DefaultTime2Wait": "2", "DefaultTime2Retain": "0", "IFMarker": "No", "OFMarker": "No",
}  # fmt: skip
_SILENT = ("InitiatorName", "TargetName", "SessionType", "InitiatorAlias")


class Session(Thread):
    """Serves one connection until it ends."""

    def __init__(self, connection: socket.socket, library: Library, name: str) -> None:
        super().__init__(daemon=True)
        self._socket, self._library, self._name = connection, library, name
        self._status = 1
        self._expected = 0
        self._send_most, self._burst = 8192, 1 << 20

    def run(self) -> None:
        """Serve."""
        try:
            while self._serve():
                pass
        except OSError:
            pass  # the initiator went away
        finally:
            self._socket.close()

    def _serve(self) -> bool:
        header, data = self._receive()
        opcode, immediate = header[0] & 0x3F, header[0] & 0x40
        tag = struct.unpack(">I", header[16:20])[0]
        if opcode in (0, 1, 2, 3, 4, 6):
            number = struct.unpack(">I", header[24:28])[0]
            if opcode == 3 and not self._expected:
                self._expected = number
            if not immediate:
                self._expected = (number + 1) & 0xFFFFFFFF
        if opcode == 1:
            self._scsi(header, data, tag)
        elif opcode == 3:
            self._login(header, bytes(data), tag)
        elif opcode == 0 and tag != _NO_TAG:
            self._send(self._header(0x20, 0x80, tag, length=len(data), lun=header[8:16], transfer=_NO_TAG), bytes(data))
        elif opcode == 2:
            self._send(self._header(0x22, 0x80, tag))
        elif opcode == 4:
            self._send(self._header(0x24, 0x80, tag, transfer=_NO_TAG))
        elif opcode == 6:
            self._send(self._header(0x26, 0x80, tag))
            return False
        return True

    def _read(self, into: memoryview) -> None:
        done = 0
        while done < len(into):
            got = self._socket.recv_into(into[done:])
            if not got:
                raise ConnectionError("closed")
            done += got

    def _receive(self, into: memoryview | None = None) -> tuple[bytes, memoryview]:
        """Receive a PDU; its data goes to ``into`` at the offset that a Data-Out names."""
        head = bytearray(_HEADER)
        self._read(memoryview(head))
        size = int.from_bytes(head[5:8], "big")
        if into is not None:
            offset = int.from_bytes(head[40:44], "big")
            data = into[offset : offset + size]
        else:
            data = memoryview(bytearray(size))
        self._read(data)
        if size % 4:
            self._read(memoryview(bytearray(-size % 4)))
        return bytes(head), data

    def _send(self, header: bytes, data: bytes | memoryview = b"") -> None:
        self._socket.sendall(header)
        if data:
            self._socket.sendall(data)
            self._socket.sendall(bytes(-len(data) % 4))

    def _header(
        self,
        opcode: int,
        flags: int,
        tag: int,
        *,
        length: int = 0,
        lun: bytes = bytes(8),
        transfer: int = 0,
        response: tuple[int, int] = (0, 0),
        rest: bytes = b"",
        counts: bool = True,
    ) -> bytes:
        head = struct.pack(
            ">BBBBB3s8sIIIII",
            opcode, flags, *response, 0, length.to_bytes(3, "big"), lun, tag, transfer, self._status, self._expected,
            self._expected + _WINDOW,
        )  # fmt: skip
        if counts:
            self._status = (self._status + 1) & 0xFFFFFFFF
        return (head + rest).ljust(_HEADER, b"\0")

    def _login(self, header: bytes, data: bytes, tag: int) -> None:
        asked = dict(item.decode().split("=", 1) for item in data.split(b"\0") if b"=" in item)
        answer = {"TargetPortalGroupTag": "1"} if "TargetName" in asked else {}
        for key, value in asked.items():
            if key in _FIXED:
                answer[key] = _FIXED[key]
            elif key == "InitialR2T":
                answer[key] = value
            elif key == "MaxRecvDataSegmentLength":
                self._send_most = int(value)
                answer[key] = str(1 << 20)
            elif key in ("FirstBurstLength", "MaxBurstLength"):
                most = min(int(value), (1 if key == "FirstBurstLength" else 16) << 20)
                self._burst = most if key == "MaxBurstLength" else self._burst
                answer[key] = str(most)
            elif key not in _SILENT:
                answer[key] = "NotUnderstood"
        body = b"".join(f"{key}={value}\0".encode() for key, value in answer.items())
        stages = (header[1] >> 2) & 3, header[1] & 3
        reply = struct.pack(
            ">BBBBB3s6sHIIIIIBB10x",
            0x23, (header[1] & 0x80) | stages[0] << 2 | stages[1], 0, 0, 0, len(body).to_bytes(3, "big"), header[8:14], 1,
            tag, 0, self._status, self._expected, self._expected + _WINDOW, 0, 0,
        )  # fmt: skip
        self._status += 1
        self._send(reply, body)

    def _scsi(self, header: bytes, data: memoryview, tag: int) -> None:
        length, lun, cdb = struct.unpack(">I", header[20:24])[0], header[8:16], header[32:48]
        reads, writes = bool(header[1] & 0x40), bool(header[1] & 0x20)
        if writes and length > len(data):
            data = self._rest(header, data, length, lun, tag)
        answer, sense = self._carry_out(lun[1], cdb, data)
        if reads and answer:
            self._data_in(memoryview(answer)[:length], length, lun, tag, final=not sense)
            if not sense:
                return
        residue = length - len(answer) if reads and not writes else 0
        body = struct.pack(">H", len(sense)) + sense if sense else b""
        rest = struct.pack(">III", 0, 0, max(residue, 0))
        flags, response = 0x80 | (2 if residue > 0 else 0), (0, 2 if sense else 0)
        self._send(self._header(0x21, flags, tag, length=len(body), response=response, rest=rest), body)

    def _carry_out(self, lun: int, cdb: bytes, data: memoryview) -> tuple[bytes, bytes]:
        with self._library.lock:
            units: list[Unit] = self._library.units
            try:
                if lun >= len(units):
                    if cdb[0] == 0x12:
                        return bytes([0x7F, 0, 6, 2, 31]) + bytes(31), b""
                    raise Check(ILLEGAL_REQUEST, 0x25)
                return units[lun].command(cdb, data), b""
            except Check as error:
                return error.data, error.sense

    def _rest(self, header: bytes, first: memoryview, length: int, lun: bytes, tag: int) -> memoryview:
        """Receive what did not come with the command: unsolicited first, then what is asked for by R2T."""
        whole = memoryview(bytearray(length))
        whole[: len(first)] = first
        done = len(first)
        if not header[1] & 0x80:
            done = self._data_out(whole, done)
        number = 0
        while done < length:
            size = min(self._burst, length - done)
            rest = struct.pack(">III", number, done, size)
            self._send(self._header(0x31, 0x80, tag, lun=lun, transfer=tag, rest=rest, counts=False))
            number += 1
            done = self._data_out(whole, done)
        return whole

    def _data_out(self, whole: memoryview, done: int) -> int:
        while True:
            head, data = self._receive(whole)
            done = int.from_bytes(head[40:44], "big") + len(data)
            if head[1] & 0x80:
                return done

    def _data_in(self, data: memoryview, length: int, lun: bytes, tag: int, *, final: bool) -> None:
        offset = number = 0
        residue = length - len(data)
        while offset < len(data):
            size = min(self._send_most, len(data) - offset)
            last = offset + size >= len(data)
            done = last and final
            flags = 0x80 * last | 1 * done | (2 if done and residue else 0)
            head = struct.pack(
                ">BBBBB3s8sIIIIIIII",
                0x25, flags, 0, 0, 0, size.to_bytes(3, "big"), lun, tag, _NO_TAG, self._status if done else 0,
                self._expected, self._expected + _WINDOW, number, offset, residue if done else 0,
            )  # fmt: skip
            self._send(head, data[offset : offset + size])
            offset, number = offset + size, number + 1
            self._status += done
