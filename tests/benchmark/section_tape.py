# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tape path: what make bench-tape measures (our writer beside dd and others), repeated in this run.

It runs as a process of its own, since it takes a priority of its own. No real drive is measured: see docs/tape.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_tape" / "main.py"
#: MiB of the volume; at full size what keeps the section below four minutes.
SIZE, SMALL = "1024", "64"


def measure(bench: Bench) -> None:
    """Run it, and take over its figures that are numbers."""
    for name, row in _measured(bench).items():
        if isinstance(row, dict) and isinstance(row.get("value"), (int, float)):
            bench.figures.put(
                f"tape_{name}", row["value"], str(row["unit"]), versus=str(row.get("versus", "")), runs=int(row["runs"])
            )


def _measured(bench: Bench) -> dict[str, Any]:
    out = bench.directory / "tape.json"
    environment = {**os.environ, "OUT": str(out), "ROUNDS": str(bench.rounds), "SIZE": SMALL if bench.small else SIZE}
    if bench.small:
        environment["ST"] = "0"
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        raise SystemExit(f"{SCRIPT.name} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-4000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


#: The bounds of the tape path (make bench-tape): as quick as dd, which makes no checksum, and twice as quick as what
#: makes one in a pipe.
BOUNDS = (
    Bound("tape_write_400MBps_vs_dd", 0.95, least=True),
    Bound("tape_write_1000MBps_vs_dd", 0.95, least=True),
    Bound("tape_write_1000MBps_vs_dd_tee_sha256sum", 2.0, least=True),
    Bound("tape_write_unlimited_vs_dd_tee_sha256sum", 2.0, least=True),
)
