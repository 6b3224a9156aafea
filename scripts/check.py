# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run steps of the checks in the order given, write build/test.json, and end with "N passed, N failed".

Usage: check.py [lint|types|package|sanity|integration|units|trace|coverage ...]; without arguments all of them, and
then those that only read the sources run one after the other beside the integration targets, which often wait.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import lint
import suites
import trace_run
from runner import BUILD, Step, held, say

STEPS = {
    "lint": lint.lint,
    "types": lint.types,
    "package": lint.package,
    "sanity": lint.sanity,
    "integration": suites.integration,
    "units": suites.units,
    "trace": trace_run.trace,
    "coverage": suites.coverage,
}
#: In ``make test`` these run beside the one that starts with them.
BESIDE = ("lint", "types", "package", "sanity", "trace")
LONGEST = "integration"


def _one(name: str) -> Step:
    say(f"--- {name}")
    start = time.monotonic()
    step = STEPS[name]()
    step.seconds = round(time.monotonic() - start, 1)
    return step


def _beside() -> list[Step]:
    done = []
    for name in BESIDE:
        with held():
            done.append(_one(name))
    return done


def run_steps(names: list[str]) -> list[Step]:
    """Run the steps that are named in their order, or all; return them in the order of ``STEPS``."""
    if names:
        return [_one(name) for name in names]
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(_beside)
        done = [_one(LONGEST)]
        done += beside.result()
    done += [_one(name) for name in STEPS if name not in (*BESIDE, LONGEST)]
    order = list(STEPS)
    return sorted(done, key=lambda step: order.index(step.name))


def main(names: list[str]) -> int:
    """Run the steps and return the exit code: 0 when all passed, 1 when any failed, 2 for an unknown step."""
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        say(f"Unknown step {', '.join(unknown)}; there are {', '.join(STEPS)}.")
        return 2
    begin = time.monotonic()
    done = run_steps(names)
    passed, failed = sum(step.passed for step in done), sum(step.failed for step in done)
    if failed:
        say("--- failed")
        for step in done:
            for failure in step.failures:
                say(f"{step.name}: {failure}")
    _write(done, passed, failed, round(time.monotonic() - begin, 1))
    say(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def _write(done: list[Step], passed: int, failed: int, seconds: float) -> None:
    BUILD.mkdir(exist_ok=True)
    steps = [
        {
            "name": step.name,
            "passed": step.passed,
            "failed": step.failed,
            "failures": step.failures,
            "seconds": step.seconds,
            **step.figures,
        }
        for step in done
    ]
    content = {"ok": not failed, "passed": passed, "failed": failed, "seconds": seconds, "steps": steps}
    (BUILD / "test.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
