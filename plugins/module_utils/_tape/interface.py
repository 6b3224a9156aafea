# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the tape side asks of a library and of a drive; behind it a directory (virtual.py) or the st driver."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional, Protocol, Union

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

Block = Union[bytes, memoryview]


class WriteOutcome(Enum):
    """How a write ended. Only ``WRITTEN`` put the block on tape (tape.md, How the real st driver behaves)."""

    WRITTEN = "written"
    EARLY_WARNING = "early_warning"  # told once a load; a trailer and filemarks still fit
    END_OF_MEDIUM = "end_of_medium"  # nothing fits any more


class EndOfData(Exception):
    """Read or positioned past what is recorded."""


class MediumError(Exception):
    """The drive could not read or write the medium (EIO); the cartridge is suspect."""


@dataclass(frozen=True)
class Position:
    """Where a drive stands: tape file and logical block from the beginning (MTIOCPOS; filemarks count as one)."""

    file: int
    block: int


@dataclass(frozen=True)
class Slot:
    """A cartridge in the library. ``drive``: where it is loaded. Bytes; 0 when not known."""

    barcode: str
    drive: str = ""
    capacity: int = 0
    written: int = 0


@dataclass(frozen=True)
class DriveStatus:
    """A drive as the inventory shows it; ``owner`` and ``since`` only while somebody uses it."""

    name: str
    barcode: str = ""
    owner: str = ""
    since: str = ""


@dataclass(frozen=True)
class Inventory:
    """What is in the library."""

    slots: tuple[Slot, ...]
    drives: tuple[DriveStatus, ...]

    def slot(self, barcode: str) -> Optional[Slot]:
        """Return the slot of a cartridge, None when it is not in the library."""
        return next((slot for slot in self.slots if slot.barcode == barcode), None)


class Drive(Protocol):
    """A loaded drive in variable block mode, one user at a time. Files and blocks count from 0; sizes in bytes."""

    @property
    def barcode(self) -> str:
        """Return the barcode of the loaded cartridge, as the library reads it."""

    @property
    def capacity(self) -> int:
        """Return the cartridge's capacity, 0 when not known."""

    def write_block(self, data: Block) -> WriteOutcome:
        """Write one block here; whatever was recorded behind it is gone."""

    def read_block(self, into: memoryview) -> int:
        """Read one block; 0 at a filemark, which is passed. Raises :class:`EndOfData` behind the last record."""

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:
        """End the file. Immediate ones may still lie in the drive's buffer; a synchronous one flushes: seconds."""

    def position_file(self, number: int) -> None:
        """Go to the first block of a tape file; :class:`EndOfData` when fewer filemarks are recorded."""

    def end_of_data(self) -> Position:
        """Go behind the last record. ``file`` counts the filemarks in front of it."""

    def position(self) -> Position:
        """Tell where the drive stands."""

    def seek_block(self, block: int) -> None:
        """Go to a logical block (a fast locate); :class:`EndOfData` when it is not recorded."""


class Library(Protocol):
    """A library: slots and drives. Cartridges are named by barcode, drives are never chosen by index."""

    def inventory(self) -> Inventory:
        """Return what is in it; changes nothing."""

    def load(self, barcode: str, owner: str) -> AbstractContextManager[Drive]:
        """Load a cartridge into a free drive for a ``with`` block.

        ``busy``, ``no_cartridge``, ``suspect_cartridge`` and ``tape_unavailable`` are its errors.
        """


def suspect(barcode: str, why: str, **details: Any) -> BackupError:
    """Return the error for a cartridge whose content is not what it should be."""
    return BackupError(
        ErrorClass.SUSPECT_CARTRIDGE,
        f"Cartridge {barcode} is suspect: {why}.",
        next_step="Set it aside; the disk generation, or another tape copy, still serves.",
        barcode=barcode,
        **details,
    )
