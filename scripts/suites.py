# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that run the product: integration targets, unit tests, and what of the plugins these have covered."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor, as_completed

import targets
from coverage_gate import judge
from runner import BIN, BUILD, Step, environment, measured, report, run

WORKERS = 3  # on two cores: tests wait for copies, polls, and processes that begin and end


#: Targets that ``make test`` runs once more with every module as a process of its own, as on a host that is not this
#: one: a policy, reads, waits, and what a run leaves behind. ``IN_PROCESS=0`` runs all of them that way.
APART = ("secrets", "eternus_sync", "info", "eternus_policy")


def integration() -> Step:
    """Run every integration target (or those that TARGETS names), three at a time, the longest first.

    Modules run in forks of Ansible's workers; those of ``APART`` run a second time as modules, when all are run.
    """
    step = Step("integration")
    found = targets.discover()
    if not found:
        step.failures.append("tests/integration/targets holds no target")
    wanted = os.environ.get("TARGETS", "").split()
    for name in wanted:
        if name not in found:
            step.failures.append(f"{name}: no such target")
    forks = os.environ.get("IN_PROCESS") != "0"
    again = APART if forks and not wanted else ()
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {}
        for name in targets.longest_first([name for name in found if not wanted or name in wanted]):
            for here in (forks, False) if name in again else (forks,):
                env = environment() if here else environment(ETERNUS_IN_PROCESS="0")
                told = name if here else f"{name} (as modules)"
                running[pool.submit(targets.run_target, name, env, "" if here else "-as-modules")] = told
        for future in as_completed(running):
            name, done = running[future], future.result()
            report(f"target {name}", done, done.code == 0)
            step.count(name, done.code == 0)
    return step


def count_units(junit: str, code: int) -> Step:
    """Count pytest's tests from its JUnit file. A skipped test is a failure: nothing is skipped in silence."""
    step = Step("units")
    for case in ET.fromstring(junit).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            step.failures.append(f"{name}: skipped, {skipped.get('message')}")
        else:
            step.count(name, case.find("failure") is None and case.find("error") is None)
    if code != 0 and not step.failures:
        step.failures.append(f"pytest ended with {code}")
    return step


def units() -> Step:
    """Run pytest (all of tests/unit, or the paths that TESTS names) on three workers.

    Each works off tests that stand together, so that a file's fixtures are mostly set up once; at the end one steals.
    """
    junit = BUILD / "units.xml"
    junit.unlink(missing_ok=True)
    argv = [str(BIN / "pytest"), "-n", str(WORKERS), "--dist", "worksteal", "-q", "--junit-xml", str(junit)]
    argv += os.environ.get("TESTS", "").split()
    done = run("units", argv, measured(environment(), "units"))
    if junit.exists():
        step = count_units(junit.read_text(encoding="utf-8"), done.code)
    else:
        step = Step("units", failures=[f"pytest ended with {done.code}"])
    report(f"pytest: {step.passed} passed, {step.failed} not", done, not step.failures)
    return step


def coverage() -> Step:
    """Combine what was measured, and hold lines and branches of plugins/ to the threshold, each."""
    step = Step("coverage")
    verdict, done = judge()
    step.figures["coverage"] = verdict.figures
    for name, ok in verdict.checks.items():
        step.count(name, ok)
    report(verdict.line, done, not step.failures)
    return step
