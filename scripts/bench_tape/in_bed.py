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

from ways import write_ours

from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.control import tell

BARCODE = "BENCH1L8"


def main() -> None:
    """Measure, and leave the seconds in $BED_OUT/st.json."""
    size, rounds = int(sys.argv[1]), int(sys.argv[2])
    tell(os.environ["BED_CONTROL"], "reset", cartridges={BARCODE: 2 * size}, early_warning=2 << 20, outside=[])
    volume = Path("/run/volume")
    with volume.open("wb") as out:
        for _piece in range(size >> 20):
            out.write(os.urandom(1 << 20))
    library = ScsiLibrary(os.environ["ETERNUS_TAPE_BED"], lock_dir="/run/lock/bench")
    runs: dict[str, list[tuple[float, float]]] = {"ours": [], "dd": []}
    for number in range(rounds):
        for way in ("ours", "dd") if number % 2 else ("dd", "ours"):
            with library.load(BARCODE, "bench") as drive:
                drive.position_file(1 if number else 0)
                before, start = _cpu(), time.monotonic()
                if way == "ours":
                    descriptor = os.open(volume, os.O_RDONLY)
                    write_ours(Device(str(volume), descriptor, size, block=False), drive, size)
                    os.close(descriptor)
                    runs[way].append((time.monotonic() - start, _cpu() - before))
            if way == "dd":  # the device is for one process at a time; the cartridge stays in the drive
                device = next(one.device for one in library.inventory().drives if one.barcode == BARCODE)
                before, start = _cpu(), time.monotonic()
                subprocess.run(["dd", f"if={volume}", f"of={device}", "bs=512k", "status=none"], check=True)
                runs[way].append((time.monotonic() - start, _cpu() - before))
    (Path(os.environ["BED_OUT"]) / "st.json").write_text(json.dumps(runs), encoding="utf-8")


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
