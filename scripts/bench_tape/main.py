# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench-tape: our tape writer beside dd, in one run, round by round. SIZE (MiB) and ROUNDS choose how much.

ST=0 leaves out the st driver; NICE=0 leaves the priority alone; OUT is where the figures go (build/bench-tape.json).
No real drive is measured: tapes of a given speed are simulated by pacing, and the st driver runs in User-Mode-Linux.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / ".cache" / "tree"))

from figures import CASES, figure, figures
from first import MARK, go_first, in_a_session, run_first
from source import source, speed
from ways import DRIVE_BUFFER, WAYS, Timed, timed, turns

ST_SIZE = 256 << 20


def main() -> int:
    """Measure, print, and write build/bench-tape.json."""
    priority = go_first()
    size, rounds = int(os.environ.get("SIZE", "1024")) << 20, int(os.environ.get("ROUNDS", "5"))
    found: dict[str, dict[str, object]] = {"sha256": figure(_sha256(), "MB/s", 1)}
    with tempfile.TemporaryDirectory(prefix="bench-tape-") as folder, source(size) as volume:
        found["source"] = figure(speed(volume), "MB/s", 1)
        load = os.getloadavg()[0]
        print(f"{volume.kind}, {size >> 20} MiB, {rounds} rounds, {_host()}, load {load:.1f}, priority {priority}")
        print(f"  source {found['source']['value']} MB/s, sha256 of hashlib {found['sha256']['value']} MB/s")
        for case in CASES:
            runs: dict[str, list[Timed]] = {way: [] for way in WAYS}
            for number in range(rounds):
                for way in turns(number):
                    runs[way].append(timed(way, volume, Path(folder), case.rate))
            found |= figures(case.name, runs, size)
            _show(found, case.name)
    if os.environ.get("ST", "1") != "0":
        found |= _st(rounds, priority)
        _show(found, "st_driver")
    whole = {
        "host": {
            "cores": os.cpu_count(),
            "machine": _host(),
            "source": volume.kind,
            "bytes": size,
            "drive": "simulated; no real drive was measured",
            "priority": priority,
            "load_before": round(load, 1),
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        },
        "drive_buffer": {"value": DRIVE_BUFFER, "unit": "bytes", "runs": 1},
        **found,
    }
    out = Path(os.environ.get("OUT", ROOT / "build" / "bench-tape.json"))
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"No real drive was measured. Figures: {out}")
    return 0


def _st(rounds: int, priority: str) -> dict[str, dict[str, object]]:
    """Measure against the kernel's st driver, in the tape bed."""
    with tempfile.TemporaryDirectory(prefix="bench-tape-st-") as out:
        command = ["python3", str(Path(__file__).with_name("in_bed.py")), str(ST_SIZE), str(rounds)]
        boot = [sys.executable, str(ROOT / "scripts" / "tape_bed" / "boot.py"), "--memory", "4096", "--out", out, "--"]
        log = Path(out) / "log"
        status = run_first([*boot, *command], priority, log)
        if status != 0:
            raise SystemExit(f"the tape bed ended with {status}:\n{log.read_text(errors='replace')[-4000:]}")
        found = json.loads((Path(out) / "st.json").read_text(encoding="utf-8"))
    print(f"st driver in User-Mode-Linux, one CPU, {found['source']}, {ST_SIZE >> 20} MiB")
    runs = {way: [Timed(*row) for row in rows] for way, rows in found["runs"].items()}
    return figures("st_driver", runs, ST_SIZE)


def _sha256() -> float:
    """Return how fast this host hashes, in MB/s."""
    data, digest, start = bytes(4 << 20), hashlib.sha256(), time.monotonic()
    for _piece in range(128):
        digest.update(data)
    return 128 * len(data) / (time.monotonic() - start) / 1_000_000


def _host() -> str:
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def _show(found: dict[str, dict[str, object]], case: str) -> None:
    for name, row in found.items():
        if f"_{case}_" in name:
            print(f"  {name:44} {row['value']:>10} {row['unit']}", flush=True)


if __name__ == "__main__":
    sys.exit(main() if MARK in sys.argv else in_a_session(__file__))
