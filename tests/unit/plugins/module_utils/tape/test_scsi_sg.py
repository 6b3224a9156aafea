# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What drives, changers and cartridges tell of themselves, in bytes that were recorded (tape.md, Two backends)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_sg import (
    DriveId,
    ask,
    cartridge_capacity,
    is_ready,
    parse_capacity,
    parse_elements,
    serial_number,
    serial_of,
)

#: READ ELEMENT STATUS of type 4 with DVCID: of the tests' own target, and of Debian's tgt, which sends 8 bytes too few.
OWN = bytes.fromhex(
    "010000020000003c 0400001a00000034 0100010000000000008010000201000a42454430303030303032"
    "01010800000000000000000002 01000a42454430303030303031".replace(" ", "")
)
TGT = bytes.fromhex(
    "010000020000006c 0400003200000064 01000000000000000000000002010022 53544b20202020205439393430412020"
    "20202020202020205447544452563030 30310101000000000000000000000201 002253544b2020202020543939343041"
    "202020202020202020205447".replace(" ", "")
)
#: READ ATTRIBUTE of a loaded cartridge of 128 MiB.
ATTRIBUTES = bytes.fromhex(
    "0000006400008000080000000000000040000180000800000000000000800401810020"
    "56544c3030314c38202020202020202020202020202020202020202020202020"
    "080601002056544c3030314c38202020202020202020202020202020202020202020202020"
)


def test_a_changer_names_its_drives_by_serial_number() -> None:
    assert list(parse_elements(OWN)) == [(256, DriveId("BED0000002")), (257, DriveId("BED0000001"))]


def test_an_answer_that_ends_within_a_serial_number_is_known_to_be_cut_off() -> None:
    whole, cut = (identifier for _address, identifier in parse_elements(TGT))
    assert whole.text == "STK     T9940A          TGTDRV0001"
    assert whole.means("TGTDRV0001")
    assert not whole.means("TGTDRV0002")
    assert (cut.text, cut.whole) == ("STK     T9940A          TG", False)
    assert not cut.means("TG")
    assert cut.may_mean("TGTDRV0002")
    assert not cut.may_mean("HU1234")


@pytest.mark.rule("R10.10")
@pytest.mark.parametrize("serial", ["", "1", "0001", "DRV0001", "XTGTDRV0001", "STK"])
def test_a_part_of_a_serial_number_is_no_serial_number(serial: str) -> None:
    assert not DriveId("STK     T9940A          TGTDRV0001").means(serial)
    assert not DriveId("TGTDRV0001").means(serial)


def test_barcodes_in_the_answer_are_passed_over() -> None:
    element = bytes.fromhex("010009000000000000801000") + b"A1".ljust(36) + bytes([2, 0, 0, 4]) + b"SN42"
    page = bytes([4, 0x80, 0, len(element), 0, 0, 0, len(element)]) + element
    answer = bytes([1, 0, 0, 1, 0, 0, 0, len(page)]) + page
    assert list(parse_elements(answer)) == [(256, DriveId("SN42"))]


@given(st.binary(max_size=200))
def test_no_answer_whatever_it_is_breaks_the_decoding(answer: bytes) -> None:
    assert all(isinstance(identifier.text, str) for _address, identifier in parse_elements(answer))
    assert parse_capacity(answer) >= 0
    serial_of(answer)


@given(st.integers(0, len(OWN)))
def test_a_shorter_answer_names_no_drive_that_the_whole_one_does_not(length: int) -> None:
    whole = dict(parse_elements(OWN))
    for address, identifier in parse_elements(OWN[:length]):
        assert identifier == whole[address] or not identifier.whole


def test_a_serial_number_is_read_without_its_padding() -> None:
    assert serial_of(bytes.fromhex("0180000a") + b"VTLDRV0000") == "VTLDRV0000"
    assert serial_of(bytes.fromhex("01800024") + b"TGTDRV0001".rjust(36)) == "TGTDRV0001"
    assert serial_of(b"\x01\x83\x00\x02ab") == ""
    assert serial_of(b"") == ""


def test_a_capacity_is_read_in_bytes_and_0_where_it_is_not_told() -> None:
    assert parse_capacity(ATTRIBUTES) == 128 << 20
    assert parse_capacity(ATTRIBUTES[:20]) == 0
    assert parse_capacity(b"") == 0


def test_what_is_no_scsi_device_tells_nothing(tmp_path) -> None:
    with pytest.raises(OSError, match="ioctl"):
        ask("/dev/null", bytes(6), 0)
    assert serial_number("/dev/null") == ""
    assert cartridge_capacity(str(tmp_path / "none")) == 0
    assert not is_ready("/dev/null")
