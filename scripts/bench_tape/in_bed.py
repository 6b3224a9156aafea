# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the tape bed: our writer and dd, alternating, through the real st driver. Usage: in_bed.py BYTES ROUNDS."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / ".cache" / "tree"))

from source import Source, source
from ways import OTHERS, WAYS, turns, write_ours

from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.control import tell

BARCODE = "BENCH1L8"


def main() -> None:
    """Measure, and leave the seconds in $BED_OUT/st.json."""
    size, rounds = int(sys.argv[1]), int(sys.argv[2])
    tell(os.environ["BED_CONTROL"], "reset", cartridges={BARCODE: 2 * size}, early_warning=2 << 20, outside=[])
    library = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], lock_dir="/run/lock/bench")
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with source(size) as volume:
        for number in range(rounds):
            for way in turns(number):
                runs[way].append(_run(way, volume, library))
    found = {"source": volume.kind, "runs": runs}
    (Path(os.environ["BED_OUT"]) / "st.json").write_text(json.dumps(found), encoding="utf-8")


def _run(way: str, volume: Source, library: ScsiLibrary) -> tuple[float, float]:
    """Write the volume from the beginning of the tape; return wall and CPU seconds until it is on tape."""
    with library.load(BARCODE, "bench") as drive:
        if way == "ours":
            drive.position_file(0)
            drive.write_block(b"label")
            drive.write_filemark(synchronous=False)
            before, start = _cpu(), time.monotonic()
            descriptor = os.open(volume.path, os.O_RDONLY)
            write_ours(Device(str(volume.path), descriptor, volume.size, block=volume.direct), drive, volume.size)
            os.close(descriptor)
            return time.monotonic() - start, _cpu() - before
    # The device is for one process at a time; the cartridge stays in the drive, rewound. Its close writes a filemark.
    device = next(one.device for one in library.inventory().drives if one.barcode == BARCODE)
    before, start = _cpu(), time.monotonic()
    subprocess.run(OTHERS[way](volume, Path(device)), check=True)
    return time.monotonic() - start, _cpu() - before


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
