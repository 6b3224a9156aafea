# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make fault: the crash matrix. Figures in build/fault.json; ends with 1 unless every point was survived.

SEED draws points and pauses; WORKFLOWS="a b" runs only these; POINTS=n strikes n points (0: all); PLAYBOOKS=0 leaves
out whole playbooks; WORKERS=n processes; TMPDIR is where the worlds lie.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.fault.crash import Case, events_of, strike, template
from ansible_collections.eternus.backup.tests.fault.points import Point, all_points, chosen
from ansible_collections.eternus.backup.tests.fault.workflows import WORKFLOWS
from ansible_collections.eternus.backup.tests.unit.support.simulated import certificates

PLAYBOOKS = "ansible_collections.eternus.backup.tests.fault.playbook_points"

#: Every fourth relaunch is killed as well.
TWICE = 0.25


def main() -> int:
    """Run it, print what was found, write build/fault.json."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1_000_000))
    names = os.environ.get("WORKFLOWS", "").split() or list(WORKFLOWS)
    unknown = sorted({*names} - {*WORKFLOWS})
    if unknown:
        print(f"No such workflow: {', '.join(unknown)}; there are {', '.join(WORKFLOWS)}.", file=sys.stderr)
        return 2
    started = time.monotonic()
    print(f"SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        directory = Path(folder)
        certificates(directory / "tls")  # before two workers make them at once
        with _pool() as pool:
            events = dict(zip(names, pool.map(_template, names, [directory] * len(names))))
            points = chosen(all_points(events), int(os.environ.get("POINTS") or 0), seed)
            print(f"{sum(map(len, events.values()))} events, {len(points)} points", flush=True)
            jobs = [(point, directory, seed) for point in random.Random(seed).sample(points, len(points))]
            cases = list(_told(pool.map(_strike, jobs), len(jobs)))
        if os.environ.get("PLAYBOOKS", "1") != "0":
            cases += _told(_playbooks(seed, directory), 0)
    figures = summary(cases, events, seed, time.monotonic() - started)
    place = Path(os.environ.get("OUT") or "build/fault.json")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print({key: value for key, value in figures.items() if key not in ("cases", "workflows")})
    return 0 if figures["survived"] == figures["points"] else 1


def summary(cases: Sequence[Case], events: Mapping[str, Sequence[str]], seed: int, seconds: float) -> dict[str, Any]:
    """Return what build/fault.json holds."""
    points = Counter(case.workflow for case in cases)
    kinds = Counter(kind for case in cases for kind in case.kinds)
    return {
        "points": len(cases),
        "survived": sum(case.survived for case in cases),
        "lost_generations": kinds["lost_generation"],
        "leaked_volumes": kinds["leaked_volume"],
        "violations": dict(kinds),
        "playbook_points": sum(case.by == "playbook" for case in cases),
        "seconds": round(seconds, 1),
        "seed": seed,
        "workflows": {
            name: {"events": len(events.get(name, ())), "points": points[name]} for name in sorted({*events, *points})
        },
        "cases": [case.as_json() for case in cases],
    }


def _pool() -> ProcessPoolExecutor:
    """Return two workers, each with a nursery of its own."""
    return ProcessPoolExecutor(int(os.environ.get("WORKERS") or 2), mp_context=get_context("spawn"))


def _template(name: str, directory: Path) -> list[str]:
    template(WORKFLOWS[name], directory / name, directory / "tls")
    return events_of(directory / name)


def _strike(job: tuple[Point, Path, int]) -> Case:
    point, directory, seed = job
    place = directory / f"{point.workflow}-{point.crash.at}-{point.crash.when}"
    own = random.Random(f"{seed} {point}").randrange(1 << 30)
    return strike(WORKFLOWS[point.workflow], directory / point.workflow, place, point.crash, own, TWICE)


def _playbooks(seed: int, directory: Path) -> Iterable[Case]:
    """Return the points that whole playbooks are struck at."""
    found: Iterable[Case] = importlib.import_module(PLAYBOOKS).cases(seed, directory)
    return found


def _told(cases: Iterable[Case], count: int) -> Iterator[Case]:
    """Say at once what was not survived, and now and then how far it is."""
    for number, case in enumerate(cases, 1):
        if not case.survived:
            print(f"{case.workflow} {case.by} {case.number} {case.when} {case.event}", flush=True)
            for text in case.violations:
                print(f"    {text}", flush=True)
        if number % 50 == 0:
            print(f"  {number} of {count or '?'} points", flush=True)
        yield case


if __name__ == "__main__":
    sys.exit(main())
