# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same tape server over a SCSI library, where the tests run in the tape bed (docs/testing_tape.md)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.control import tell
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, Bed

#: The changer's device, which the bed sets; without it a library is a directory.
BED = "ETERNUS_TAPE_BED"
_BLOCK = 512 * 1024


def _early_warning(capacity: int) -> int:
    """Return what a library in a directory takes."""
    return min(64 << 20, max(capacity // 50, 4 * _BLOCK), capacity // 2)


class OwnStock(ScsiLibrary):
    """The library of the tests' own target, to which cartridges are added as a test wants them."""

    def __init__(self, lock_dir: str) -> None:
        super().__init__(os.environ[BED], lock_dir=lock_dir)
        self.lock_dir = lock_dir
        tell(os.environ["BED_CONTROL"], "reset", cartridges={})

    def create(self, barcodes: dict[str, int]) -> None:
        """Put blank cartridges in (bytes); what is there stays."""
        there = {slot.barcode for slot in self.inventory().slots}
        for barcode, capacity in barcodes.items():
            if barcode not in there:
                warning = _early_warning(capacity)
                tell(os.environ["BED_CONTROL"], "insert", barcode=barcode, capacity=capacity, early_warning=warning)


class StrangersStock(ScsiLibrary):
    """The library of Debian's tgt: A1 to A6 are always there; a test gets blank ones of the size that it wants."""

    def __init__(self, lock_dir: str) -> None:
        super().__init__(os.environ[BED], lock_dir=lock_dir)
        self.lock_dir = lock_dir
        self._sizes: dict[str, int] = {}
        for drive in self.inventory().drives:
            if drive.barcode:
                home = int(drive.barcode[1:])
                subprocess.run(["mt-st", "-f", drive.device, "eject"], check=True, capture_output=True)
                words = ["mtx", "-f", self.path, "unload", str(home), drive.name.removeprefix("drive")]
                subprocess.run(words, check=True, capture_output=True)

    def create(self, barcodes: dict[str, int]) -> None:
        """Write their images anew; what this test had already stays."""
        for barcode, capacity in barcodes.items():
            if barcode not in self._sizes:
                self._sizes[barcode] = capacity
                image = Path(os.environ["BED_CARTRIDGES"], barcode)
                image.unlink()
                subprocess.run(
                    ["tgtimg", "--op", "new", "--device-type", "tape", "--barcode", barcode, "--type", "data",
                     "--size", str(capacity // MIB), "--file", str(image)],
                    check=True, capture_output=True,
                )  # fmt: skip


class ScsiBed(Bed):
    """Volumes that are files, and a SCSI library."""

    closing_marks = True

    def __init__(self, path: Path, threads: bool = True) -> None:
        super().__init__(path, threads)
        stock = StrangersStock if os.environ["BED_TARGET"] == "tgt" else OwnStock
        self.library = stock(str(path / "locks"))

    def file(self, barcode: str, number: int) -> Path:
        """Return a tape file as the own target keeps it: to be read, and damaged, by plain file tools."""
        if os.environ["BED_TARGET"] == "tgt":
            pytest.skip("tgt keeps a cartridge in one image")
        return Path(os.environ["BED_CARTRIDGES"], barcode, f"{number:05d}")


def bed_of(path: Path, threads: bool = True) -> Bed:
    """Return the tape server of the library that the tests run on."""
    return ScsiBed(path, threads) if BED in os.environ else Bed(path, threads)
