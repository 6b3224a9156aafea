# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library whose media and drives fail at a given step; behind it a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Union

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    Block,
    Drive,
    DriveLost,
    Inventory,
    Library,
    MediumError,
    Position,
    WriteOutcome,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary

Failure = Union[Exception, WriteOutcome, Callable[[], None]]

BAD = MediumError("Input/output error")
LOST = DriveLost("the drive is offline")


@dataclass
class Fault:
    """What happens at the n-th step of a kind, counted over all loads of ``barcode`` (empty: of any cartridge).

    ``on``: "write" (a block), "mark" (a filemark), "read", "move" (positioning), "put" (a block or a filemark), "any".
    ``failure``: raised, or returned by a write that puts nothing on tape, or called before the step is done.
    ``offline``: the drive stays away, with the cartridge in it, until :meth:`FaultyLibrary.repair`.
    """

    on: str
    at: int
    failure: Failure
    barcode: str = ""
    offline: bool = False
    count: int = 0
    happened: bool = False

    def meets(self, kind: str, barcode: str) -> bool:
        """Count a step; tell whether it is the one."""
        group = {"any": ("write", "mark", "read", "move"), "put": ("write", "mark")}.get(self.on, (self.on,))
        if kind not in group or self.barcode not in ("", barcode):
            return False
        self.count += 1
        self.happened = self.happened or self.count == self.at
        return self.count == self.at


@dataclass
class FaultyDrive:
    """A drive that fails where its faults say so. One that was lost stays lost until it is loaded again."""

    drive: Drive
    faults: list[Fault]
    lost: bool = False
    offline: bool = False

    @property
    def name(self) -> str:
        return self.drive.name

    @property
    def barcode(self) -> str:
        return self.drive.barcode

    @property
    def capacity(self) -> int:
        return self.drive.capacity

    def _step(self, kind: str) -> WriteOutcome | None:
        if self.lost:
            raise LOST
        for fault in [one for one in self.faults if one.meets(kind, self.barcode)]:
            if isinstance(fault.failure, WriteOutcome):
                return fault.failure
            try:
                if isinstance(fault.failure, Exception):
                    raise fault.failure
                fault.failure()
            except DriveLost:
                self.lost, self.offline = True, fault.offline
                raise
        return None

    def write_block(self, data: Block) -> WriteOutcome:
        return self._step("write") or self.drive.write_block(data)

    def read_block(self, into: memoryview) -> int:
        self._step("read")
        return self.drive.read_block(into)

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:
        return self._step("mark") or self.drive.write_filemark(synchronous=synchronous)

    def position_file(self, number: int) -> None:
        self._step("move")
        self.drive.position_file(number)

    def end_of_data(self) -> Position:
        self._step("move")
        return self.drive.end_of_data()

    def position(self) -> Position:
        if self.lost:
            raise LOST
        return self.drive.position()

    def seek_block(self, block: int, file: int = -1) -> None:
        self._step("move")
        self.drive.seek_block(block, file)


class FaultyLibrary:
    """A library that meets faults. ``refuse``: what ``load`` raises for a cartridge that the inventory still shows."""

    def __init__(self, library: str | Library, *faults: Fault) -> None:
        self.inner: Library = VirtualLibrary(library) if isinstance(library, str) else library
        self.faults = list(faults)
        self.refuse: dict[str, BackupError] = {}
        self.after: dict[str, Callable[[], object]] = {}  # what happens when a cartridge has been given back
        self.drives: list[tuple[str, str]] = []  # what was loaded where, in this order
        self._offline: dict[str, ExitStack] = {}

    def inventory(self) -> Inventory:
        found = self.inner.inventory()
        drives = [
            replace(one, owner="", since="", problem="offline") if one.name in self._offline else one
            for one in found.drives
        ]
        return replace(found, drives=tuple(drives))

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[Drive]:
        if barcode in self.refuse:
            raise self.refuse[barcode]
        stuck = next((one for one in self.inventory().drives if one.problem and one.barcode == barcode), None)
        if stuck is not None or len(self._offline) == len(self.inner.inventory().drives):
            raise BackupError(
                ErrorClass.TAPE_UNAVAILABLE, "The drive is offline.", next_step="Repair it.", drive="drive0"
            )
        with self._then(barcode), ExitStack() as stack:
            drive = FaultyDrive(stack.enter_context(self.inner.load(barcode, owner)), self.faults)
            self.drives.append((barcode, drive.name))
            try:
                yield drive
            finally:
                if drive.offline:
                    self._offline[drive.name] = stack.pop_all()

    @contextmanager
    def _then(self, barcode: str) -> Iterator[None]:
        try:
            yield
        finally:
            self.after.get(barcode, lambda: None)()

    def repair(self) -> None:
        """Bring the drives back."""
        for stack in self._offline.values():
            stack.close()
        self._offline = {}

    def export_cartridge(self, barcode: str, owner: str) -> str:
        return self.inner.export_cartridge(barcode, owner)

    def import_cartridge(self, barcode: str, owner: str) -> str:
        return self.inner.import_cartridge(barcode, owner)


def pull(path: str, barcode: str) -> Callable[[], None]:
    """Return what takes a cartridge out of the library, whoever uses it, as a hand would."""

    def take() -> None:
        vault = Path(path).parent / "vault"
        vault.mkdir(exist_ok=True)
        (Path(path) / barcode).rename(vault / barcode)
        raise DriveLost("no cartridge is in the drive")

    return take
