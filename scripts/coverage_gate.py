# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combine the coverage of all processes of the unit tests and compare it with ``fail_under`` of pyproject.toml."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageException

from runner import BUILD, COVERAGE, LOGS, ROOT, Finished

SHOWN_FILES = 15


@dataclass(frozen=True)
class Verdict:
    """Lines and branches of plugins/ against the threshold; percentages of all that exist."""

    line: str
    checks: dict[str, bool]
    figures: dict[str, object]


def _sources() -> list[Path]:
    found = (ROOT / "plugins").rglob("*.py")
    return sorted(path for path in found if "doc_fragments" not in path.parts and path.stat().st_size)


def _percent(covered: int, total: int) -> float:
    return 100.0 * covered / total if total else 100.0


def _measure() -> tuple[dict[str, object], str]:
    """Write build/coverage.json and return its content, with the report for people."""
    cov = Coverage(data_file=str(BUILD / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    cov.erase()
    cov.combine([str(path) for path in sorted(COVERAGE.glob("*.*"))], keep=True)
    if not cov.get_data().measured_files():
        raise CoverageException("no test has run anything of plugins/")
    # A file that no test ever imported was not measured; it counts as not covered.
    cov.get_data().touch_files([str(path) for path in _sources()])
    cov.save()
    text = io.StringIO()
    cov.report(file=text)
    cov.json_report(outfile=str(BUILD / "coverage.json"))
    return json.loads((BUILD / "coverage.json").read_text(encoding="utf-8")), text.getvalue()


def judge() -> tuple[Verdict, Finished]:
    """Measure and judge; with no sources or nothing measured there is nothing to divide by."""
    start = time.monotonic()
    threshold = float(Coverage(config_file=str(ROOT / "pyproject.toml")).get_option("report:fail_under") or 0)
    if not _sources():
        return Verdict("coverage: plugins/ is empty", {"lines": True, "branches": True}, {}), Finished(0, "", 0.0)
    try:
        content, text = _measure()
    except CoverageException as error:
        verdict = Verdict(f"coverage: {error}", {"measured data": False}, {})
        return verdict, Finished(1, str(error), time.monotonic() - start)
    totals = content["totals"]
    lines = _percent(totals["covered_lines"], totals["num_statements"])
    branches = _percent(totals["covered_branches"], totals["num_branches"])
    files = {name: round(entry["summary"]["percent_covered"], 1) for name, entry in content["files"].items()}
    lowest = sorted(files.items(), key=lambda item: item[1])[:SHOWN_FILES]
    LOGS.mkdir(parents=True, exist_ok=True)
    text += "\nlowest:\n" + "".join(f"{value:6.1f} % {name}\n" for name, value in lowest)
    (LOGS / "coverage.log").write_text(text, encoding="utf-8")
    verdict = Verdict(
        f"coverage of plugins/: lines {lines:.1f} %, branches {branches:.1f} % (threshold {threshold:.0f} %)",
        {f"lines {lines:.1f} %": lines >= threshold, f"branches {branches:.1f} %": branches >= threshold},
        {"lines": round(lines, 2), "branches": round(branches, 2), "threshold": threshold, "files": files},
    )
    return verdict, Finished(0, text, time.monotonic() - start)
