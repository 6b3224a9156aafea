# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make fuzz: coverage-guided fuzzing of everything that reads what others wrote. Figures go to build/fuzz.json.

``main.py [seconds a fuzzer] [names ...]``. Findings lie in build/fuzz/findings, each with how it failed; the corpus
stays in build/fuzz/corpus, so that the next run goes on from there. The exit code is 1 when anything was found.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
TOOL = ROOT / ".cache" / "fuzz"
PACKAGE = "ansible_collections.eternus.backup.tests.fuzz"
TREE = ROOT / ".cache" / "tree"
_CRASHES = ("crash-", "timeout-", "oom-", "leak-")
_STATUS = re.compile(r"#(\d+)\s+\w+\s+.*?cov: (\d+) ft: (\d+) corp: (\d+)")


def install() -> None:
    """Get atheris as a wheel into a directory of its own; end with a plain word where there is none."""
    wanted = ROOT / "tests" / "fuzz" / "requirements.txt"
    if (TOOL / "atheris").is_dir():
        return
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(TOOL), "-r", str(wanted)]
    commands = (
        [str(ROOT / ".venv/bin/uv"), "pip", "install", "--system-certs", "--python", sys.executable, *options],
        [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options],
    )
    told = ""
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        told = done.stderr.strip()[-600:]
    shutil.rmtree(TOOL, ignore_errors=True)
    sys.exit(
        f"make fuzz: there is no wheel of atheris for Python {platform.python_version()} on {platform.machine()}, or "
        f"the registry cannot be reached. Nothing was fuzzed.\n{told}"
    )


def environment() -> dict[str, str]:
    """Return the environment of a fuzzer."""
    return {**os.environ, "PYTHONPATH": f"{TREE}{os.pathsep}{TOOL}", "PYTHONDONTWRITEBYTECODE": "1"}


def fuzz(name: str, seconds: int) -> dict[str, Any]:
    """Run one fuzzer; return its figures."""
    corpus, seeds, words, findings = (
        BUILD / part for part in (f"corpus/{name}", f"seeds/{name}", f"words/{name}", "findings")
    )
    shutil.rmtree(seeds, ignore_errors=True)
    for directory in (corpus, seeds, words.parent, findings):
        directory.mkdir(parents=True, exist_ok=True)
    for old in findings.glob(f"*{name}-*"):
        old.unlink()
    subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.seeds", name, str(seeds), str(words)],
        env=environment(),
        cwd=ROOT,
        check=True,
    )
    log = BUILD / f"{name}.log"
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-", dir=memory) as place, log.open("w") as output:
        ended = subprocess.run(
            [
                *("nice", "-n", "10", sys.executable, "-m", f"{PACKAGE}.child", name, place, str(findings)),
                *(str(corpus), str(seeds), f"-dict={words}", f"-max_total_time={seconds}"),
                *("-max_len=16384", "-len_control=0"),
                *("-print_final_stats=1", "-timeout=60", "-report_slow_units=600", "-rss_limit_mb=3072"),
                f"-artifact_prefix={findings}/{name}-",
            ],
            env=environment(), cwd=ROOT, stdout=output, stderr=output, check=False,
        ).returncode  # fmt: skip
    figures = read_log(log.read_text(errors="replace"))
    kept = sorted(
        file.name
        for file in findings.glob(f"{name}-*")
        if file.suffix == ".txt" or any(one in file.name for one in _CRASHES)
    )
    return {
        **figures,
        "seconds": round(time.monotonic() - began),
        "seeds": len(list(seeds.iterdir())),
        "findings": kept,
        "exit": ended,
    }


def read_log(text: str) -> dict[str, Any]:
    """Return executions, coverage (branches), features and corpus from what libFuzzer printed."""
    lines = _STATUS.findall(text)
    total = re.search(r"number_of_executed_units: (\d+)", text)
    execs, cov, features, corpus = (int(part) for part in lines[-1]) if lines else (0, 0, 0, 0)
    return {
        "execs": int(total.group(1)) if total else execs,
        "coverage": cov,
        "features": features,
        "corpus": corpus,
    }


def main() -> None:
    """Run the fuzzers, two at a time."""
    sys.path.insert(0, str(TREE))
    from ansible_collections.eternus.backup.tests.fuzz.targets import NAMES

    seconds = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else 60
    names = sys.argv[2:] or list(NAMES)
    install()
    BUILD.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        done = dict(zip(names, pool.map(lambda name: fuzz(name, seconds), names)))
    report = BUILD.parent / "fuzz.json"
    older = json.loads(report.read_text())["fuzzers"] if report.exists() and len(names) < len(NAMES) else {}
    found = {**older, **done}
    whole = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "execs": sum(one["execs"] for one in found.values()),
        "findings": sum(len(one["findings"]) for one in found.values()),
        "fuzzers": found,
    }
    report.write_text(json.dumps(whole, indent=1) + "\n")
    for name, one in done.items():
        print(
            f"{name}: {one['execs']} executions in {one['seconds']} s, {one['coverage']} branches, "
            f"{len(one['findings'])} findings"
        )
        for finding in one["findings"]:
            print(f"  build/fuzz/findings/{finding}")
    broken = [name for name, one in done.items() if one["exit"] or not one["execs"]]
    if broken:
        print(f"Ended early, see build/fuzz/NAME.log: {', '.join(broken)}")
    sys.exit(1 if broken or any(one["findings"] for one in done.values()) else 0)


if __name__ == "__main__":
    main()
