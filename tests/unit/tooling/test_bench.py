# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: how it compares, what it writes, and that a section of it works. No figure is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound, told
from ansible_collections.eternus.backup.tests.benchmark.figures import paired

PROGRAM = Path(__file__).resolve().parents[3] / "scripts" / "bench" / "main.py"


def bench(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAM], env={**os.environ, **settings}, text=True, capture_output=True, check=False
    )


def test_a_section_replaces_its_own_figures_and_keeps_the_others(tmp_path: Path) -> None:
    place = tmp_path / "bench.json"
    kept = {"value": 4, "unit": "requests", "versus": None, "runs": 1}
    place.write_text(json.dumps({"pairs_start": kept, "arrays_of_yore": kept}))
    done = bench(SECTIONS="arrays", SMALL="1", OUT=str(place))
    assert done.returncode == 0, done.stderr
    rows = json.loads(place.read_text())
    assert rows.pop("pairs_start") == kept
    assert "arrays_of_yore" not in rows and len(rows) > 1
    assert all(name.startswith("arrays_") and sorted(row) == sorted(kept) for name, row in rows.items())
    assert "not measured  info_peak_memory (at most 150" in done.stdout


def test_a_section_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = bench(SECTIONS="arrays nonsense", OUT=str(tmp_path / "bench.json"))
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert done.stderr.startswith("No such section: nonsense; there are ")


def test_each_round_begins_with_another_way_and_is_compared_with_itself() -> None:
    turns: list[str] = []
    clock = {"one": iter([2.0, 9.0, 4.0]), "other": iter([1.0, 3.0, 4.0])}

    def way(name: str) -> float:
        turns.append(name)
        return next(clock[name])

    found = paired({"one": lambda: way("one"), "other": lambda: way("other")}, 3)
    assert turns == ["one", "other", "other", "one", "one", "other"]
    assert (found.median("one"), found.ratio("one", "other")) == (4.0, 2.0)


def test_a_bound_is_met_up_to_its_limit_or_from_it_on() -> None:
    rows = {"most": {"value": 20.0, "unit": "ms"}, "least": {"value": 19.9, "unit": "times"}}
    lines = list(told([Bound("most", 20), Bound("least", 20, least=True), Bound("none", 1)], rows))
    assert [line[:12].rstrip() for line in lines] == ["met", "NOT MET", "not measured"]
