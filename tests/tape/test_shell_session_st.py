# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions of docs/tape.md for a drive: mtx, mt, dd and sha256sum, on Linux's own st driver (make tape-test)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.unit.support.docs_session import session
from ansible_collections.eternus.backup.tests.unit.support.scsi_bed import bed_of
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, Bed, noise

SIZE = 9 * MIB + 12345
FIRST, SECOND = "BED001L8", "BED002L8"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return bed_of(tmp_path, threads=False)


def run(bed: Bed, name: str, **more: str) -> str:
    """Run a session as it stands in the page, with the bed's changer and its first drive."""
    drive = bed.library.inventory().drives[0]
    env = {**os.environ, "CHANGER": bed.library.path, "DRIVE": drive.device, "ELEMENT": drive.name[len("drive") :]}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session(name)],
        env={**env, **more}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def into_slots(bed: Bed, *barcodes: str) -> None:
    """Take cartridges out of the drives."""
    for barcode in barcodes:
        bed.library.export_cartridge(barcode, "test")
        bed.library.import_cartridge(barcode, "test")


def test_a_backup_over_two_cartridges_comes_back_by_mtx_mt_and_dd(bed: Bed, tmp_path: Path) -> None:
    bed.cartridges(FIRST, SECOND, capacity=16 * MIB)
    old, new = noise(SIZE, 1), noise(SIZE, 2)
    bed.volume(SOURCE, old)
    bed.write(SIZE, FIRST, backup_id="OLD")
    bed.volume(SOURCE, new)
    _sha256, parts = bed.write(SIZE, FIRST, SECOND, backup_id="NEW")
    assert len(parts) == 2
    into_slots(bed, FIRST, SECOND)
    target = tmp_path / "restored"
    for backup, data in (("NEW", new), ("OLD", old)):
        target.write_bytes(bytes(SIZE))
        told = run(bed, "drive", TARGET=str(target), BACKUP=backup)
        assert target.read_bytes() == data
        assert f"{target}: OK" in told


@pytest.mark.parametrize("left", [4, 5, 6])
def test_what_was_broken_off_hides_nothing_and_headers_tell_of_every_part(bed: Bed, tmp_path: Path, left: int) -> None:
    bed.cartridges(FIRST, capacity=32 * MIB)
    old = noise(SIZE, 1)
    bed.volume(SOURCE, old)
    bed.write(SIZE, FIRST, backup_id="OLD")
    bed.write(SIZE, FIRST, backup_id="CUT")
    with bed.library.load(FIRST, "test") as drive:
        drive.position_file(left)
        drive.write_block(b"ETERNUS-BACKUP TAPE TRAILER 1\n{" if left == 6 else bytes(1000))
        drive.write_filemark(synchronous=True)
    if left > 4:  # it lies idle in its drive
        device = next(one.device for one in bed.library.inventory().drives if one.barcode == FIRST)
        told = run(bed, "headers", DRIVE=device)
        assert told.count('"backup_id"') == 2
        assert '"dd": "mt -f /dev/nst0 asf 5; dd ' in told
    into_slots(bed, FIRST)
    target = tmp_path / "restored"
    target.write_bytes(bytes(SIZE))
    assert f"{target}: OK" in run(bed, "drive", TARGET=str(target))
    assert target.read_bytes() == old
