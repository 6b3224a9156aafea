# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection of an initiator: login, commands, data both ways (RFC 7143). One command at a time."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from ansible_collections.eternus.backup.tests.tape_bed import pdu, sense
from ansible_collections.eternus.backup.tests.tape_bed.library import Library
from ansible_collections.eternus.backup.tests.tape_bed.login import Agreed
from ansible_collections.eternus.backup.tests.tape_bed.pdu import In, Out, Request
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check, illegal

_WINDOW = 31
_LARGEST = 64 << 20
_REPORT_LUNS, _INQUIRY = 0xA0, 0x12
Waiting = tuple[Request, memoryview]


class Session(threading.Thread):
    """A thread that serves a connection until the initiator leaves."""

    def __init__(self, connection: socket.socket, library: Library, name: str) -> None:
        super().__init__(daemon=True)
        self._socket = connection
        self._library = library
        self._name = name
        self._agreed = Agreed()
        self._status = 1  # StatSN, ExpCmdSN
        self._expected = 0
        self._waiting: list[Waiting] = []  # what came while a command's data was awaited

    def run(self) -> None:
        """Serve until the end."""
        handlers: dict[int, Callable[[Request, memoryview], None]] = {
            In.NOP: self._nop,
            In.COMMAND: self._command,
            In.TASK: lambda request, _data: self._send(Out.TASK, request),
            In.LOGIN: self._login,
            In.TEXT: self._text,
            In.LOGOUT: lambda request, _data: self._send(Out.LOGOUT, request),
        }
        try:
            with self._socket:
                while True:
                    request, data = self._waiting.pop(0) if self._waiting else self._next()
                    handlers[request.code](request, data)
                    if request.code == In.LOGOUT:
                        return
        except (ConnectionError, KeyError):
            return

    def _receive(self, length: int) -> memoryview:
        buffer = memoryview(bytearray(length))
        self._fill(buffer)
        return buffer

    def _fill(self, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            got = self._socket.recv_into(buffer[done:])
            if not got:
                raise ConnectionError
            done += got

    def _segment(self, request: Request, into: memoryview | None = None) -> memoryview:
        """Receive a request's data, and what fills it up to words."""
        data = memoryview(bytearray(request.length)) if into is None else into[: request.length]
        self._fill(data)
        if pdu.padding(request.length):
            self._receive(pdu.padding(request.length))
        return data

    def _next(self) -> Waiting:
        """Receive what comes next, with its data."""
        request = Request.decode(bytes(self._receive(pdu.HEADER)))
        return request, self._rest(request)

    def _rest(self, request: Request) -> memoryview:
        """Receive a request's data, and count it."""
        data = self._segment(request)
        if request.code != In.DATA:
            number = request.number(24)
            self._expected = number if request.immediate else (number + 1) & 0xFFFFFFFF
        return data

    def _numbers(self) -> bytes:
        return struct.pack(">III", self._status, self._expected, (self._expected + _WINDOW) & 0xFFFFFFFF)

    def _send(
        self, code: int, request: Request, data: bytes | memoryview = b"", *, flags: int = 0x80, third: int = 0,
        lun: bytes = bytes(8), transfer: int = 0, words: bytes = b"",
    ) -> None:  # fmt: skip
        """Send an answer that counts as one."""
        head = pdu.encode(
            code, flags=flags, third=third, length=len(data), lun=lun, tag=request.tag,
            words=struct.pack(">I", transfer) + self._numbers() + words,
        )  # fmt: skip
        self._status = (self._status + 1) & 0xFFFFFFFF
        self._socket.sendall(head + bytes(data) + bytes(pdu.padding(len(data))))

    def _nop(self, request: Request, data: memoryview) -> None:
        if request.tag != pdu.NO_TAG:
            self._send(Out.NOP, request, data, lun=request.lun, transfer=pdu.NO_TAG)

    def _text(self, request: Request, _data: memoryview) -> None:
        address = "%s:%d" % self._socket.getsockname()[:2]
        known = pdu.untext({"TargetName": self._name, "TargetAddress": f"{address},1"})
        self._send(Out.TEXT, request, known, lun=request.lun, transfer=pdu.NO_TAG)

    def _login(self, request: Request, data: memoryview) -> None:
        answer = pdu.untext(self._agreed.negotiate(pdu.text(bytes(data))))
        handle = request.lun[:6] + b"\0\1"  # the initiator's session id, and ours
        self._send(Out.LOGIN, request, answer, flags=request.flags, lun=handle)

    def _command(self, request: Request, data: memoryview) -> None:
        expected = request.number(20)
        if request.flags & 0x20:
            data = self._written(request, data, expected)
        out, problem = self._execute(request.unit, request.words[12:28], data)
        if request.flags & 0x40 and out and self._read(request, memoryview(out)[:expected], expected, problem):
            return
        residue = 0 if request.flags & 0x20 else max(0, expected - len(out))
        status = struct.pack(">H", len(problem)) + problem if problem else b""
        counts = struct.pack(">III", 0, 0, residue)
        flags = 0x80 | 2 * bool(residue)
        self._send(Out.RESPONSE, request, status, flags=flags, third=2 * bool(problem), words=counts)

    def _execute(self, unit: int, command: bytes, data: memoryview) -> tuple[bytes, bytes]:
        """Run a command; return what it sends, and sense data where it did not go as asked."""
        units = self._library.units
        if command[0] == _REPORT_LUNS:
            known = b"".join(struct.pack(">BB6x", 0, number) for number in range(len(units)))
            return (struct.pack(">I4x", len(known)) + known)[: int.from_bytes(command[6:10], "big")], b""
        if unit >= len(units):
            if command[0] == _INQUIRY:
                return bytes([0x7F, 0, 6, 2, 31]) + bytes(31), b""
            return b"", illegal(sense.NO_SUCH_UNIT).sense
        try:
            with self._library.lock:
                return units[unit].execute(command, data), b""
        except Check as problem:
            return problem.data, problem.sense
        except OSError as error:  # the host's own trouble: its disk is full
            print(f"{units[unit].name}: command {command[0]:#04x}: {error}", flush=True)
            return b"", Check(sense.Key.HARDWARE_ERROR, sense.INTERNAL).sense

    def _read(self, request: Request, out: memoryview, expected: int, problem: bytes) -> bool:
        """Send what was read; tell whether the status went with it."""
        step = self._agreed.segment
        for number, start in enumerate(range(0, len(out), step)):
            piece = out[start : start + step]
            last = start + len(piece) >= len(out)
            status = last and not problem
            residue = expected - len(out) if status else 0
            words = struct.pack(">I", pdu.NO_TAG) + self._numbers() + struct.pack(">III", number, start, residue)
            flags = 0x80 * last | status | 2 * bool(residue)
            head = pdu.encode(Out.DATA, flags=flags, length=len(piece), lun=request.lun, tag=request.tag, words=words)
            self._socket.sendall(head)
            self._socket.sendall(piece)
            self._socket.sendall(bytes(pdu.padding(len(piece))))
            if status:
                self._status = (self._status + 1) & 0xFFFFFFFF
        return not problem

    def _written(self, request: Request, immediate: memoryview, expected: int) -> memoryview:
        """Collect what a command writes: what came with it, what follows unasked, and the rest by asking."""
        if expected <= len(immediate):
            return immediate[:expected]
        if expected > _LARGEST:
            raise ConnectionError
        data = memoryview(bytearray(expected))
        data[: len(immediate)] = immediate
        got = len(immediate)
        if not request.final:
            got = self._burst(data, request.tag)
        asked = 0
        while got < expected:
            more = min(self._agreed.burst, expected - got)
            words = struct.pack(">I", request.tag) + self._numbers() + struct.pack(">III", asked, got, more)
            self._socket.sendall(pdu.encode(Out.READY, lun=request.lun, tag=request.tag, words=words))
            got, asked = self._burst(data, request.tag), asked + 1
        return data

    def _burst(self, data: memoryview, tag: int) -> int:
        """Receive a command's data up to the final unit; return where it ends. Other commands may come between."""
        while True:
            request, piece = self._piece(data, tag)
            offset = request.number(40)
            if piece is not None:
                data[offset : offset + len(piece)] = piece
            if request.final:
                return offset + request.length

    def _piece(self, data: memoryview, tag: int) -> tuple[Request, memoryview | None]:
        """Return the next data unit of a command, with its data where that is not yet in place."""
        for place, (request, piece) in enumerate(self._waiting):
            if (request.code, request.tag) == (In.DATA, tag):
                del self._waiting[place]
                return request, piece
        while True:
            request = Request.decode(bytes(self._receive(pdu.HEADER)))
            if (request.code, request.tag) == (In.DATA, tag):
                offset = request.number(40)
                if offset + request.length > len(data):
                    raise ConnectionError
                self._segment(request, data[offset:])
                return request, None
            self._waiting.append((request, self._rest(request)))
