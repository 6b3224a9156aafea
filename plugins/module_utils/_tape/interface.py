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


class WriteProtected(MediumError):
    """The cartridge must not be written: its tab is set. It can be read; nothing is said about the drive."""

    def __init__(self) -> None:
        super().__init__("it is write-protected")


class DriveLost(Exception):
    """The drive went offline, or its cartridge was pulled, while in use; nothing is said about the cartridge."""


@dataclass(frozen=True)
class Position:
    """Where a drive stands: tape file and logical block from the beginning (MTIOCPOS; filemarks count as one)."""

    file: int
    block: int


@dataclass(frozen=True)
class Slot:
    """A cartridge in the library. Bytes; 0 when not known.

    ``drive``: where it is loaded; it may lie there idle. ``element``: where it is at home, as the library calls it.
    ``outside``: it lies in an import/export slot, and must be imported before it can be loaded.
    """

    barcode: str
    drive: str = ""
    capacity: int = 0
    written: int = 0
    element: str = ""
    outside: bool = False
    cleaning: bool = False


@dataclass(frozen=True)
class DriveStatus:
    """A drive as the inventory shows it; ``owner`` and ``since`` only while somebody uses it.

    ``device``: its name on this host. ``problem``: why it cannot be used now; empty when it can.
    """

    name: str
    barcode: str = ""
    owner: str = ""
    since: str = ""
    serial: str = ""
    device: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Inventory:
    """What is in the library. ``unreadable`` counts the full slots whose barcode could not be read."""

    slots: tuple[Slot, ...]
    drives: tuple[DriveStatus, ...]
    unreadable: int = 0

    def slot(self, barcode: str) -> Optional[Slot]:
        """Return the slot of a cartridge, None when it is not in the library."""
        return next((slot for slot in self.slots if slot.barcode == barcode), None)

    @property
    def in_use(self) -> frozenset[str]:
        """Return the barcodes in drives that somebody uses."""
        return frozenset(drive.barcode for drive in self.drives if drive.owner and drive.barcode)


class Drive(Protocol):
    """A loaded drive in variable block mode, one user at a time. Files and blocks count from 0; sizes in bytes.

    Every method may raise :class:`MediumError` and :class:`DriveLost`.
    """

    @property
    def name(self) -> str:
        """Return the drive's name, as the inventory shows it."""

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

    def seek_block(self, block: int, file: int = -1) -> None:
        """Go to a logical block (a fast locate); :class:`EndOfData` when it is not recorded.

        :param file: the tape file that it is in, where the caller knows; drives do not tell.
        """


class Library(Protocol):
    """A library: slots and drives. Cartridges are named by barcode, drives are never chosen by index."""

    def inventory(self) -> Inventory:
        """Return what is in it; changes nothing."""

    def load(self, barcode: str, owner: str) -> AbstractContextManager[Drive]:
        """Load a cartridge into a free drive for a ``with`` block.

        ``busy``, ``no_cartridge``, ``suspect_cartridge`` and ``tape_unavailable`` are its errors. Afterwards it may
        stay in the drive, rewound.
        """

    def export_cartridge(self, barcode: str, owner: str) -> str:
        """Move a cartridge into a free import/export slot; return that element. One that is outside stays there."""

    def import_cartridge(self, barcode: str, owner: str) -> str:
        """Move a cartridge from an import/export slot into a storage slot; return that element."""


def is_cleaning(barcode: str) -> bool:
    """Tell whether a barcode is that of a cleaning cartridge (LTO: it begins with CLN, or its medium is CU)."""
    return barcode.upper().startswith("CLN") or (len(barcode) == 8 and barcode.upper().endswith("CU"))


def cleaning(barcode: str) -> BackupError:
    """Return the error for a cleaning cartridge, which is left to the library."""
    return BackupError(
        ErrorClass.NO_CARTRIDGE,
        f"Cartridge {barcode} is a cleaning cartridge: it holds no data, and is left to the library.",
        next_step="Name a data cartridge.",
        barcode=barcode,
    )


def outside(barcode: str, element: str) -> BackupError:
    """Return the error for a cartridge that lies in an import/export slot."""
    return BackupError(
        ErrorClass.NO_CARTRIDGE,
        f"Cartridge {barcode} lies in {element or 'an import/export slot'}.",
        next_step="Import it (tape_cartridge, state: imported), then run it again.",
        barcode=barcode,
    )


def lost(drive: Drive, error: DriveLost) -> BackupError:
    """Return the error for a drive that went away with its cartridge in it, or without it."""
    return BackupError(
        ErrorClass.TAPE_UNAVAILABLE,
        f"Drive {drive.name} was lost with cartridge {drive.barcode} in use: {error or 'it went offline'}.",
        next_step="See tape_info for the drive's state; when it is back, or another drive is free, run it again.",
        drive=drive.name,
        cartridge=drive.barcode,
    )


def suspect(barcode: str, why: str, **details: Any) -> BackupError:
    """Return the error for a cartridge whose content is not what it should be."""
    return BackupError(
        ErrorClass.SUSPECT_CARTRIDGE,
        f"Cartridge {barcode} is suspect: {why}.",
        next_step="Set it aside. eternus_backup_info shows which backups lie on it, and what other copies they have.",
        barcode=barcode,
        **details,
    )
