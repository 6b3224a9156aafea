# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session of docs/tape.md for a drive: mtx, mt, dd and sha256sum, on Linux's own st driver (make tape-test)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.eternus.backup.tests.unit.support.docs_session import session
from ansible_collections.eternus.backup.tests.unit.support.scsi_bed import bed_of
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, noise

SIZE = 9 * MIB + 12345
FIRST, SECOND = "BED001L8", "BED002L8"


def test_a_backup_over_two_cartridges_comes_back_by_mtx_mt_and_dd(tmp_path: Path) -> None:
    bed = bed_of(tmp_path, threads=False)
    bed.cartridges(FIRST, SECOND, capacity=16 * MIB)
    old, new = noise(SIZE, 1), noise(SIZE, 2)
    bed.volume(SOURCE, old)
    bed.write(SIZE, FIRST, backup_id="OLD")
    bed.volume(SOURCE, new)
    _sha256, parts = bed.write(SIZE, FIRST, SECOND, backup_id="NEW")
    assert len(parts) == 2
    target = tmp_path / "restored"
    for barcode in (FIRST, SECOND):  # out of the drives, into slots
        bed.library.export_cartridge(barcode, "test")
        bed.library.import_cartridge(barcode, "test")
    drive = bed.library.inventory().drives[0]
    for backup, data in (("NEW", new), ("OLD", old)):
        target.write_bytes(bytes(SIZE))
        env = {
            **os.environ,
            "CHANGER": bed.library.path,
            "DRIVE": drive.device,
            "ELEMENT": drive.name[len("drive") :],
            "TARGET": str(target),
            "BACKUP": backup,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", session("drive")], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert target.read_bytes() == data
        assert f"{target}: OK" in done.stdout
