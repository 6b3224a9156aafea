# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make tape-test: the tape tests in the tape bed. Writes build/tape-test.json, ends with "N passed, N failed"."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import boot

BUILD = boot.ROOT / "build"
OUT = BUILD / "tape-test"
TAPE = "tests/unit/plugins/module_utils/tape"
PYTEST = (
    "cd $BED_ROOT && exec python -m pytest -q --color=no --tb=short --durations=5 -o cache_dir=/run/tmp/pytest "
    "--basetemp=/run/tmp/tests --junit-xml $BED_OUT/junit.xml"
)
#: The data path with threads and as a plain loop differ above the drive: once is enough here.
NOT_TWICE = "-k 'not (one and core)'"
TESTS = f"{TAPE}/test_any_library.py {TAPE}/test_write_and_read.py {TAPE}/test_crash.py"


@dataclass(frozen=True)
class Suite:
    """Tests and the target that they need. ``seconds``: after that long the guest is killed."""

    name: str
    target: str
    tests: str
    seconds: float = 420.0
    memory: int = 2048


SUITES = (
    Suite("playbook", "own", "tests/tape/test_playbook.py"),
    Suite("bed", "own", "tests/tape --ignore=tests/tape/test_playbook.py"),
    Suite("tgt", "tgt", f"{TESTS} {NOT_TWICE} -m 'not able'"),
    Suite("own", "own", f"{TESTS} {NOT_TWICE}"),
)


@dataclass
class Counted:
    """What a suite counted. ``unable``: tests of things that Debian's tgt cannot do, and why."""

    name: str
    target: str
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    unable: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def count(suite: Suite, junit: Path, status: int) -> Counted:
    """Count a suite's tests. What the own target skips is a failure: nothing is skipped in silence."""
    counted = Counted(suite.name, suite.target)
    cases = ET.parse(junit).iter("testcase") if junit.is_file() else iter(())
    for case in cases:
        name = f"{str(case.get('classname')).rpartition('.')[2]}::{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None and suite.target == "tgt":
            counted.unable[name] = str(skipped.get("message"))
        elif skipped is None and case.find("failure") is None and case.find("error") is None:
            counted.passed += 1
        else:
            counted.failures.append(name)
    if (status or not counted.passed) and not counted.failures:
        counted.failures.append(f"{suite.name}: the guest ended with {status}")
    return counted


def run(suite: Suite) -> Counted:
    """Run a suite in a guest of its own; all that its console showed goes to build/tape-test/NAME/console.log."""
    out = OUT / suite.name
    out.mkdir(parents=True, exist_ok=True)
    (out / "junit.xml").unlink(missing_ok=True)
    start = time.monotonic()
    ended = boot.run(
        boot.Boot(("bash", "-c", f"{PYTEST} {suite.tests}"), suite.target, suite.memory, suite.seconds, out)
    )
    (out / "console.log").write_text(ended.console + "\n", encoding="utf-8")
    counted = count(suite, out / "junit.xml", ended.status)
    counted.seconds = round(time.monotonic() - start, 1)
    word = "FAILED" if counted.failures else "ok    "
    print(
        f"{word} {suite.name}: {counted.passed} passed, {len(counted.failures)} not ({counted.seconds} s)", flush=True
    )
    if counted.failures:
        print("".join(f"  | {line}\n" for line in ended.output.splitlines()[-200:]), end="", flush=True)
    return counted


def main(names: list[str]) -> int:
    """Run the suites of these names, or all; return the exit status."""
    suites = [suite for suite in SUITES if not names or suite.name in names]
    if len(suites) < len(set(names)):
        print(f"There are {', '.join(suite.name for suite in SUITES)}.")
        return 2
    start = time.monotonic()
    print(f"packages: {boot.packages()}", flush=True)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        try:
            counted = list(pool.map(run, suites))
        except BaseException:  # interrupted, or terminated
            pool.shutdown(wait=False, cancel_futures=True)
            boot.end_all()
            raise
    passed, failed = sum(one.passed for one in counted), sum(len(one.failures) for one in counted)
    content = {
        "ok": not failed,
        "passed": passed,
        "failed": failed,
        "seconds": round(time.monotonic() - start, 1),
        "measured_on": "User-Mode-Linux, st, sg, ch, iscsi_tcp and mtx; no real drive",
        "suites": [asdict(one) for one in counted],
    }
    (BUILD / "tape-test.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for one in counted:
        for failure in one.failures:
            print(f"{one.name}: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
