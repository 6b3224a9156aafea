# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library: what lies where, and its logical units. LUN 0 is the robot."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from threading import Lock

from .cartridge import Cartridge
from .changer import Changer
from .control import Control
from .drive import Drive
from .unit import Unit

_MIB = 1 << 20


class Library:
    """A robot, two drives and their cartridges.

    The robot counts its drives the other way round than the LUNs do: whoever matches them by index takes the wrong one.
    """

    ARM, OUTSIDE, DRIVE, SLOT = 1, 16, 256, 4096

    def __init__(
        self, folder: Path, *, slots: int = 10, outsides: int = 2, tapes: int = 6, capacity: int = 64 * _MIB
    ) -> None:
        self.folder, self.slots, self.outsides = folder, slots, outsides
        self.early_warning = 2 * _MIB
        self.lock = Lock()
        self.control = Control(folder)
        self.robot = Changer(self, "robot", "TBLIB0001")
        self.drives = [Drive(self, f"drive{number}", f"TBDRV{number:04d}") for number in range(2)]
        self.units: list[Unit] = [self.robot, *reversed(self.drives)]
        self.held: dict[int, str] = {self.ARM: ""}
        for addresses in self.elements().values():
            self.held.update(dict.fromkeys(addresses, ""))
        self.came_from: dict[int, int] = {}
        barcodes = [f"TAP{number:03d}L8" for number in range(1, tapes + 1)] + ["CLN001L1"]
        for number, barcode in enumerate(barcodes):
            self.held[self.SLOT + number] = barcode
            Cartridge(folder / barcode, capacity).close()
        self._save()

    def elements(self) -> dict[int, list[int]]:
        """Return the addresses of each kind of element: arm, slots, import/export, drives."""
        return {
            1: [self.ARM],
            2: [self.SLOT + number for number in range(self.slots)],
            3: [self.OUTSIDE + number for number in range(self.outsides)],
            4: [self.DRIVE + number for number in range(len(self.drives))],
        }

    def drive_at(self, address: int) -> Drive | None:
        """Return the drive of an element."""
        number = address - self.DRIVE
        return self.drives[number] if 0 <= number < len(self.drives) else None

    def tag(self, barcode: str) -> str:
        """Return what the robot reads on a cartridge: another's barcode when somebody has swapped the stickers."""
        path = self.folder / "stickers.json"
        return str(json.loads(path.read_text(encoding="utf-8")).get(barcode, barcode)) if path.exists() else barcode

    def move(self, source: int, target: int) -> None:
        """Carry a cartridge."""
        barcode = self.held[source]
        origin, destination = self.drive_at(source), self.drive_at(target)
        if origin is not None:
            origin.remove()
        self.held[source], self.held[target] = "", barcode
        self.came_from[target] = source
        if destination is not None:
            destination.insert(Cartridge(self.folder / barcode))
        self._save()

    def _save(self) -> None:
        """Write down what lies where, for tests to look at."""
        held = {str(address): barcode for address, barcode in self.held.items() if barcode}
        (self.folder / "held.json").write_text(json.dumps(held), encoding="utf-8")

    def luns(self) -> bytes:
        """Answer REPORT LUNS."""
        count = len(self.units)
        return struct.pack(">I4x", 8 * count) + b"".join(struct.pack(">BB6x", 0, lun) for lun in range(count))
