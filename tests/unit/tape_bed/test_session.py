# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tape bed's iSCSI: units on the wire, login, and data both ways, with an initiator of a few lines."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.tests.tape_bed import control, pdu
from ansible_collections.eternus.backup.tests.tape_bed.changer import DRIVES, STORAGE
from ansible_collections.eternus.backup.tests.tape_bed.library import MIB, Library
from ansible_collections.eternus.backup.tests.tape_bed.login import Agreed
from ansible_collections.eternus.backup.tests.tape_bed.pdu import In, Out
from ansible_collections.eternus.backup.tests.tape_bed.session import Session

DRIVE = 1
READ, WRITE = 0x40, 0x20


class Initiator:
    """Sends commands and collects what comes back."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.number = 1

    def send(self, code: int, *, flags: int, lun: int = 0, tag: int, words: bytes = b"", data: bytes = b"") -> None:
        head = pdu.encode(code, flags=flags, length=len(data), lun=bytes([0, lun]) + bytes(6), tag=tag, words=words)
        self.socket.sendall(head + data + bytes(pdu.padding(len(data))))

    def receive(self) -> tuple[pdu.Request, bytes, bytes]:
        head = self._exactly(pdu.HEADER)
        answer = pdu.Request.decode(head)
        data = self._exactly(answer.length + pdu.padding(answer.length))
        return answer, head, data[: answer.length]

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            assert piece
            data += piece
        return data

    def login(self, **keys: str) -> dict[str, str]:
        words = struct.pack(">III", 1 << 16, self.number, 0)
        self.send(In.LOGIN | 0x40, flags=0x87, tag=0, words=words, data=pdu.untext(keys))
        answer, head, data = self.receive()
        assert (answer.code, head[36]) == (Out.LOGIN, 0)
        return pdu.text(data)

    def start(
        self, lun: int, command: bytes, *, expected: int = 0, data: bytes = b"", way: int = 0, final: bool = True
    ) -> int:
        tag = self.number
        words = struct.pack(">III", expected, self.number, 0) + command.ljust(16, b"\0")
        self.send(In.COMMAND, flags=way | 0x80 * final, lun=lun, tag=tag, words=words, data=data)
        self.number += 1
        return tag

    def give(self, tag: int, data: bytes, offset: int, transfer: int, *, final: bool = True) -> None:
        words = struct.pack(">I", transfer) + bytes(12) + struct.pack(">II", 0, offset)
        self.send(In.DATA, flags=0x80 * final, tag=tag, words=words.ljust(28, b"\0"), data=data)

    def status(self) -> tuple[int, bytes, bytes]:
        """Return the status of the command, what was read, and sense data."""
        out = b""
        while True:
            answer, head, data = self.receive()
            if answer.code == Out.DATA:
                assert answer.number(40) == len(out)
                out += data
                if head[1] & 1:
                    return head[3], out, b""
            else:
                assert answer.code == Out.RESPONSE
                return head[3], out, data[2:]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path / "cartridges")
    library.reset({"A1": 16 * MIB})
    for unit in library.units:
        unit.attentions.clear()
    return library


@pytest.fixture
def initiator(library: Library) -> Iterator[Initiator]:
    ours, theirs = socket.socketpair()
    Session(theirs, library, "iqn.test").start()
    with ours:
        one = Initiator(ours)
        one.login(
            InitiatorName="iqn.me", TargetName="iqn.test", HeaderDigest="CRC32C,None",
            MaxRecvDataSegmentLength="65536", MaxBurstLength="262144",
        )  # fmt: skip
        yield one


def load(initiator: Initiator, library: Library) -> None:
    initiator.start(0, struct.pack(">BxHHH4x", 0xA5, 1, STORAGE, DRIVES + 1))
    assert initiator.status() == (0, b"", b"")
    library.drives[0].attentions.clear()


@given(
    code=st.integers(0, 63), flags=st.integers(0, 255), length=st.integers(0, (1 << 24) - 1),
    lun=st.binary(min_size=8, max_size=8), tag=st.integers(0, pdu.NO_TAG), words=st.binary(min_size=28, max_size=28),
)  # fmt: skip
def test_a_header_is_read_as_it_was_written(**fields) -> None:
    head = pdu.encode(**fields)
    assert len(head) == pdu.HEADER
    read = pdu.Request.decode(head)
    assert {name: getattr(read, name) for name in fields} == fields


def test_login_agrees_on_sizes_and_on_nothing_that_it_does_not_do() -> None:
    agreed = Agreed()
    answers = agreed.negotiate({
        "InitiatorName": "iqn.me", "TargetName": "iqn.it", "HeaderDigest": "CRC32C,None", "InitialR2T": "Yes",
        "MaxRecvDataSegmentLength": "262144", "MaxBurstLength": "16776192", "X-vendor": "1",
    })  # fmt: skip
    assert answers["TargetPortalGroupTag"] == "1"
    assert answers["HeaderDigest"] == "None"
    assert answers["InitialR2T"] == "Yes"
    assert answers["X-vendor"] == "NotUnderstood"
    assert "InitiatorName" not in answers
    assert (agreed.segment, agreed.burst) == (262144, 16776192)


def test_units_are_reported_and_an_unknown_one_is_refused(initiator: Initiator) -> None:
    initiator.start(0, bytes([0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), expected=256, way=READ)
    status, out, _sense = initiator.status()
    assert status == 0
    assert out[:4] == (24).to_bytes(4, "big")
    initiator.start(7, bytes(6))
    status, _out, sense = initiator.status()
    assert (status, sense[2], sense[12]) == (2, 5, 0x25)


def test_a_block_goes_out_in_pieces_and_comes_back(initiator: Initiator, library: Library) -> None:
    load(initiator, library)
    block = bytes(range(256)) * 2000  # not a whole number of anything
    size = len(block).to_bytes(3, "big")
    tag = initiator.start(DRIVE, b"\x0a\0" + size, expected=len(block), data=block[:8192], way=WRITE, final=False)
    initiator.give(tag, block[8192:65536], 8192, pdu.NO_TAG)  # unasked
    got = 65536
    while got < len(block):
        answer, head, _data = initiator.receive()
        offset, length = struct.unpack(">II", head[40:48])
        assert (answer.code, answer.tag, offset) == (Out.READY, tag, got)
        assert length <= 262144
        initiator.give(tag, block[got : got + length], got, tag)
        got += length
    assert initiator.status() == (0, b"", b"")
    initiator.start(DRIVE, b"\x01")
    assert initiator.status()[0] == 0
    initiator.start(DRIVE, b"\x08\0" + size, expected=len(block), way=READ)
    assert initiator.status() == (0, block, b"")


def test_a_command_may_come_while_anothers_data_is_awaited(initiator: Initiator, library: Library) -> None:
    load(initiator, library)
    tag = initiator.start(DRIVE, b"\x0a\0\0\0\x08", expected=8, way=WRITE)
    answer, _head, _data = initiator.receive()
    assert (answer.code, answer.tag) == (Out.READY, tag)
    other = initiator.start(0, bytes(6))
    initiator.give(tag, b"12345678", 0, tag)
    first, _head, _data = initiator.receive()
    second, _head, _data = initiator.receive()
    assert [first.tag, second.tag] == [tag, other]
    assert (library.directory / "A1" / "00000").read_bytes() == b"12345678"


def test_the_target_is_told_what_to_do_over_its_socket(tmp_path: Path, library: Library) -> None:
    path = str(tmp_path / "control")
    control.serve(library, path)
    control.tell(path, "insert", barcode="A2", capacity=MIB, outside=True)
    assert control.main([path, "offline", "drive=drive1"]) == 0
    assert not library.drives[0].online
    assert "A2" in control.tell(path, "status")["slots"].values()
    with pytest.raises(RuntimeError, match="no command"):
        control.tell(path, "explode")
    with pytest.raises(RuntimeError, match="A2"):
        control.tell(path, "insert", barcode="A2", capacity=MIB)
    assert control.main([path, "swap", "first=A1"]) == 1
