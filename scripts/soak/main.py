# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make soak: randomized cycles over 20 volumes under faults; every invariant and checksum at the end. Not in CI.

``main.py [cycles] [seed]``. Figures go to build/soak.json, violations with what led to them to build/soak/. The exit
code is 1 when there are any.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CYCLES = 2000


def main() -> None:
    """Run it."""
    sys.path.insert(0, str(ROOT))
    importlib.import_module("conftest")  # makes the tree below .cache, and puts it on sys.path
    from ansible_collections.eternus.backup.tests.soak.driver import Soak
    from ansible_collections.eternus.backup.tests.soak.site import build

    given = [*sys.argv[1:], "", ""]
    cycles = int(given[0] or CYCLES)
    seed = int(given[1] or random.SystemRandom().randrange(10**6))
    build_directory = ROOT / "build"
    kept = build_directory / "soak"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    print(f"SEED={seed} CYCLES={cycles}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave nothing behind
    began = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="soak-", dir=memory) as place:
        world, ledger = build(Path(place) / "world")
        soak = Soak(world, ledger, seed, lambda line: print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True))
        try:
            soak.run(cycles)
        finally:
            world.stop()
            for file in Path(place).glob("violation-*.txt"):
                shutil.copy(file, kept)
            figures = soak.figures(seed, began)
            (build_directory / "soak.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps({key: value for key, value in figures.items() if key != "violations"}))
    sys.exit(1 if figures["violations"] else 0)


if __name__ == "__main__":
    main()
