# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: what the product costs, side by side with what it is compared with. Figures in build/bench.json.

SECTIONS="pairs catalog" measures only these and keeps the other figures that the file has; ROUNDS=n sets the rounds of
paired runs (3); SMALL=1 runs everything at a size that only shows that it works. Nothing is asserted: bounds are shown
beside what was measured. TMPDIR is where arrays and catalogs lie.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.benchmark.bounds import told
from ansible_collections.eternus.backup.tests.benchmark.figures import Figures

PACKAGE = "ansible_collections.eternus.backup.tests.benchmark"
#: In the order in which they run; the module section_NAME has ``measure(bench)`` and ``BOUNDS``.
SECTIONS = ("pairs", "beside", "info", "catalog", "policies", "resume", "polls", "arrays", "tape")


@dataclass(frozen=True)
class Bench:
    """What a section gets: where its figures go, a directory of its own, how many rounds, and whether only to try."""

    figures: Figures
    directory: Path
    rounds: int
    small: bool


def main() -> int:
    """Measure the sections that are asked for, and write the file."""
    wanted = os.environ.get("SECTIONS", "").split() or list(SECTIONS)
    unknown = sorted(set(wanted) - set(SECTIONS))
    if unknown:
        print(f"No such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}.", file=sys.stderr)
        return 2
    small = os.environ.get("SMALL", "") not in ("", "0")
    rounds = int(os.environ.get("ROUNDS") or (1 if small else 3))
    place = Path(os.environ.get("OUT") or "build/bench.json")
    kept = _kept(place)
    print(f"{_host()}, load {os.getloadavg()[0]:.1f}, {rounds} rounds{', small' if small else ''}")
    for name in wanted:
        figures = Figures()
        begun = time.monotonic()
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            _section(name).measure(Bench(figures, Path(folder), rounds, small))
        figures.put(f"{name}_section_seconds", time.monotonic() - begun, "s")
        kept = {key: row for key, row in kept.items() if not key.startswith(f"{name}_")} | figures.rows
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    bounds = [bound for name in SECTIONS for bound in _section(name).BOUNDS]
    print("\n".join(told(bounds, kept)))
    print(f"Figures: {place}")
    return 0


def _section(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.section_{name}")


def _kept(place: Path) -> dict[str, dict[str, object]]:
    try:
        found: dict[str, dict[str, object]] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _host() -> str:
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
