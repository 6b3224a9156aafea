# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A media changer (SMC): storage, import/export and drive elements, barcodes, the drives' serial numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ansible_collections.eternus.backup.tests.tape_bed import sense
from ansible_collections.eternus.backup.tests.tape_bed.drive import Drive
from ansible_collections.eternus.backup.tests.tape_bed.medium import Medium
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check, Key, illegal
from ansible_collections.eternus.backup.tests.tape_bed.unit import Data, Unit

ROBOT, OUTSIDE, DRIVES, STORAGE = 1, 16, 256, 4096
_ROBOT_KIND, _STORAGE_KIND, _OUTSIDE_KIND, _DRIVE_KIND = 1, 2, 3, 4


class Changer(Unit):
    """A robot; ``drives`` in the order of their elements. ``places``: what lies in the slots, by address."""

    kind = 8
    vendor = "TAPEBED"
    product = "LIBRARY"

    def __init__(
        self, serial: str, drives: tuple[Drive, ...], storage: int, outside: int, before: Callable[[str, str], None]
    ) -> None:
        super().__init__("changer", serial, before)
        self.drives = drives
        self.storage = range(STORAGE, STORAGE + storage)
        self.outside = range(OUTSIDE, OUTSIDE + outside)
        self.places: dict[int, Medium] = {}
        self.homes: dict[int, int] = {}  # by drive element: the slot that its cartridge came from
        self.loads: list[tuple[str, str]] = []  # barcode and drive, in this order
        self.commands |= {
            0x07: ("initialize_elements", lambda _command, _data: b""),
            0x1A: ("mode_sense", self._mode_sense),
            0x1E: ("prevent", lambda _command, _data: b""),
            0x2B: ("position_to_element", lambda _command, _data: b""),
            0x37: ("initialize_elements", lambda _command, _data: b""),
            0xA5: ("move", self._move),
            0xB8: ("element_status", self._element_status),
        }

    def drive_at(self, address: int) -> Drive | None:
        """Return the drive of an element."""
        return self.drives[address - DRIVES] if 0 <= address - DRIVES < len(self.drives) else None

    def at(self, address: int) -> Medium | None:
        """Return what lies in an element."""
        drive = self.drive_at(address)
        return drive.medium if drive else self.places.get(address)

    def _move(self, command: bytes, _data: Data) -> bytes:
        source, target = struct.unpack(">HH", command[4:8])
        known = {*self.storage, *self.outside, *range(DRIVES, DRIVES + len(self.drives))}
        if source not in known or target not in known:
            raise illegal(sense.NO_SUCH_ELEMENT)
        if self.at(source) is None:
            raise illegal(sense.SOURCE_EMPTY)
        if self.at(target) is not None:
            raise illegal(sense.DESTINATION_FULL)
        from_drive, to_drive = self.drive_at(source), self.drive_at(target)
        if from_drive and (from_drive.loaded or not from_drive.online):
            raise illegal(sense.EJECT_FIRST)
        if to_drive and not to_drive.online:
            raise Check(Key.HARDWARE_ERROR, sense.OFFLINE)
        medium = from_drive.remove() if from_drive else self.places.pop(source)
        assert medium is not None
        self.homes.pop(source, None)
        if to_drive:
            self.homes[target] = source
            self.loads.append((medium.barcode, to_drive.name))
            to_drive.insert(medium)
        else:
            self.places[target] = medium
        return b""

    def _mode_sense(self, command: bytes, _data: Data) -> bytes:
        addresses = struct.pack(
            ">BB8H2x", 0x1D, 18, ROBOT, 1, STORAGE, len(self.storage), OUTSIDE, len(self.outside), DRIVES,
            len(self.drives),
        )  # fmt: skip
        geometry = bytes([0x1E, 2, 0, 0])
        # Slots, import/export slots and drives keep cartridges; each may be moved to each.
        capabilities = bytes([0x1F, 18, 0x0E, 0, 0, 0x0E, 0x0E, 0x0E]) + bytes(12)
        pages = {0x1D: addresses, 0x1E: geometry, 0x1F: capabilities, 0x3F: addresses + geometry + capabilities}
        if command[2] & 0x3F not in pages:
            raise illegal()
        page = pages[command[2] & 0x3F]
        return (bytes([3 + len(page), 0, 0, 0]) + page)[: command[4]]

    def _element_status(self, command: bytes, _data: Data) -> bytes:
        wanted, tags, identify = command[1] & 0x0F, bool(command[1] & 0x10), bool(command[6] & 1)
        start, limit = struct.unpack(">HH", command[2:6])
        length = int.from_bytes(command[7:10], "big")
        pages = b""
        found: list[int] = []
        for kind, addresses in self._kinds():
            if wanted not in (0, kind):
                continue
            shown = [one for one in addresses if one >= start][: max(0, limit - len(found))]
            if not shown:
                continue
            elements = [self._element(kind, one, tags=tags, identify=identify) for one in shown]
            body = b"".join(element.ljust(max(map(len, elements)), b"\0") for element in elements)
            pages += struct.pack(">BBHI", kind, 0x80 * tags, len(body) // len(elements), len(body)) + body
            found += shown
        return (struct.pack(">HHI", min(found, default=0), len(found), len(pages)) + pages)[:length]

    def _kinds(self) -> Iterator[tuple[int, range]]:
        yield _ROBOT_KIND, range(ROBOT, ROBOT + 1)
        yield _STORAGE_KIND, self.storage
        yield _OUTSIDE_KIND, self.outside
        yield _DRIVE_KIND, range(DRIVES, DRIVES + len(self.drives))

    def _element(self, kind: int, address: int, *, tags: bool, identify: bool) -> bytes:
        medium, drive, home = self.at(address), self.drive_at(address), self.homes.get(address)
        reachable = kind != _ROBOT_KIND and not (drive and drive.loaded)
        flags = bool(medium) | 8 * reachable | (0x30 if kind == _OUTSIDE_KIND else 0)
        known = home is not None and medium is not None
        element = struct.pack(">HBB5xBH", address, flags, 0, 0x80 * known, home or 0 if known else 0)
        if tags:
            element += (medium.barcode if medium else "").ljust(32).encode("ascii") + bytes(4)
        serial = drive.serial.encode("ascii") if drive and identify else b""
        return element + bytes([2 if serial else 0, 1 if serial else 0, 0, len(serial)]) + serial
