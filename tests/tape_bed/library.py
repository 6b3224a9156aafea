# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library: a changer, two drives, cartridges in directories, and what a test may do to them behind their backs."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.tape_bed.changer import Changer
from ansible_collections.eternus.backup.tests.tape_bed.drive import Drive
from ansible_collections.eternus.backup.tests.tape_bed.medium import Medium
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check
from ansible_collections.eternus.backup.tests.tape_bed.unit import Unit

MIB = 1 << 20


@dataclass
class Fault:
    """A command fails: after ``skip`` good ones, ``times`` times. ``unit`` and ``barcode``: empty for any."""

    command: str
    sense: tuple[int, int, int]
    unit: str = ""
    barcode: str = ""
    skip: int = 0
    times: int = 1

    def meets(self, unit: str, command: str, barcode: str) -> bool:
        """Count a command; tell whether it fails."""
        if command != self.command or self.unit not in ("", unit) or self.barcode not in ("", barcode):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


class Library:
    """Logical units 0: changer, 1 and 2: drives. The drives' elements are in the other order, so that only their
    serial numbers tell which is which.
    """

    def __init__(self, directory: Path, slots: int = 10, outside: int = 2) -> None:
        self.directory = directory
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.drives = tuple(Drive(f"drive{number}", f"BED{number:07d}", self._before) for number in (1, 2))
        self.changer = Changer("BEDLIB0001", tuple(reversed(self.drives)), slots, outside, self._before)
        self.units: tuple[Unit, ...] = (self.changer, *self.drives)
        directory.mkdir(parents=True, exist_ok=True)

    def _before(self, unit: str, command: str) -> None:
        medium = next((one.medium for one in self.drives if one.name == unit), None)
        for fault in self.faults:
            if fault.meets(unit, command, medium.barcode if medium else ""):
                key, code, qualifier = fault.sense
                raise Check(key, (code, qualifier))

    # What a test may ask for; all of it is called with the lock held.

    def reset(
        self,
        cartridges: Mapping[str, int],
        early_warning: int = 2 * MIB,
        outside: tuple[str, ...] = (),
        protected: tuple[str, ...] = (),
    ) -> None:
        """Begin anew: blank cartridges (bytes by barcode) in slots, those of ``outside`` in import/export slots."""
        self.faults.clear()
        for drive in self.drives:
            drive.remove()
            drive.online, drive.attentions = True, []
            drive.alerts.clear()
        for medium in self.changer.places.values():
            medium.close()
        self.changer.places.clear()
        self.changer.homes.clear()
        self.changer.loads.clear()
        for old in self.directory.iterdir():
            shutil.rmtree(old)
        for barcode, capacity in cartridges.items():
            self.insert(barcode, capacity, early_warning, outside=barcode in outside, protected=barcode in protected)

    def insert(
        self, barcode: str, capacity: int, early_warning: int = 2 * MIB, *, outside: bool = False,
        protected: bool = False,
    ) -> None:  # fmt: skip
        """Put a blank cartridge into a free slot."""
        slots = self.changer.outside if outside else self.changer.storage
        free = next((one for one in slots if one not in self.changer.places), None)
        if free is None or (self.directory / barcode).exists():
            raise ValueError(f"no room for {barcode}, or it is there")
        self.changer.places[free] = Medium.create(
            self.directory / barcode, capacity, early_warning, protected=protected
        )

    def fault(self, command: str, sense: list[int], **more: Any) -> None:
        """Let a command fail; see :class:`Fault`."""
        key, code, qualifier = sense
        self.faults.append(Fault(command, (key, code, qualifier), **more))

    def heal(self) -> None:
        """Forget the faults that were asked for."""
        self.faults.clear()

    def offline(self, drive: str) -> None:
        """Switch a drive off."""
        self._drive(drive).online = False

    def online(self, drive: str) -> None:
        """Switch it on again."""
        self._drive(drive).online = True

    def pull(self, barcode: str) -> None:
        """Take a cartridge out by hand, wherever it is."""
        for drive in self.drives:
            if drive.medium and drive.medium.barcode == barcode:
                drive.remove()
                return
        address, medium = self._place(barcode)
        medium.close()
        del self.changer.places[address]

    def swap(self, first: str, second: str) -> None:
        """Exchange the barcode labels of two cartridges that lie in slots."""
        (here, one), (there, other) = self._place(first), self._place(second)
        aside = self.directory / ".swapped"
        for medium in (one, other):
            medium.close()
        for source, target in ((first, aside.name), (second, first), (aside.name, second)):
            (self.directory / source).rename(self.directory / target)
        for address, barcode in ((here, first), (there, second)):
            medium = self.changer.places[address] = Medium(self.directory / barcode)
            medium.barcode = barcode
            medium.save()

    def protect(self, barcode: str, on: bool = True) -> None:
        """Set a cartridge's tab, or reset it."""
        medium = self._place(barcode)[1]
        medium.protected = on
        medium.save()

    def unlabel(self, barcode: str) -> None:
        """Take a cartridge's barcode label off: the changer reads nothing."""
        self._place(barcode)[1].barcode = ""

    def status(self) -> dict[str, Any]:
        """Tell what lies where, and what was loaded so far."""
        return {
            "drives": {one.name: one.medium.barcode if one.medium else "" for one in self.drives},
            "serials": {one.name: one.serial for one in self.drives},
            "slots": {str(address): one.barcode for address, one in sorted(self.changer.places.items())},
            "loads": [list(one) for one in self.changer.loads],
        }

    def _drive(self, name: str) -> Drive:
        return next(one for one in self.drives if one.name == name)

    def _place(self, barcode: str) -> tuple[int, Medium]:
        return next((address, one) for address, one in self.changer.places.items() if one.barcode == barcode)
