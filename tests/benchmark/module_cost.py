# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module costs: it, or a script that it is compared with, in a new process that tells its CPU time and peak."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment, module_process

# The high water of the process's own memory: ru_maxrss begins with the peak of the process that started it.
_TELLS = """
import atexit, os, sys
def _tell():
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    spent = os.times()
    sys.stderr.write("\\ncost: %s kB %f s\\n" % (peak, spent.user + spent.system))
atexit.register(_tell)
"""
_TOLD = re.compile(r"^cost: (\d+) kB ([\d.]+) s$", re.MULTILINE)
_TIMEOUT = 900.0


@dataclass(frozen=True)
class Cost:
    """Seconds from start to end, CPU seconds, peak memory in MB (10^6 bytes), and what the module returned."""

    seconds: float
    cpu: float
    peak: float
    result: Mapping[str, Any]


def module_cost(name: str, args: Mapping[str, Any]) -> Cost:
    """Run a module of the collection, which must succeed, in a new process."""
    begun = time.perf_counter()
    code, out, err = module_process(name, args, prefix=("env",), prelude=_TELLS, timeout=_TIMEOUT)
    seconds = time.perf_counter() - begun
    if code:
        raise RuntimeError(f"{name} failed: {out[-2000:]} {err[-2000:]}")
    result = json.loads([line for line in out.splitlines() if line.startswith("{")][-1])
    return _cost(seconds, err, result)


def script_cost(text: str, given: Mapping[str, Any]) -> Cost:
    """Run a script with JSON on its standard input in a new process."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _TELLS + text],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env=module_environment(),
        timeout=_TIMEOUT,
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"the script failed: {done.stderr[-2000:]}")
    return _cost(seconds, done.stderr, json.loads(done.stdout))


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the medians of several runs, with the last one's result."""
    return Cost(
        median(one.seconds for one in costs),
        median(one.cpu for one in costs),
        median(one.peak for one in costs),
        costs[-1].result,
    )


def _cost(seconds: float, err: str, result: Mapping[str, Any]) -> Cost:
    told = _TOLD.search(err)
    if told is None:
        raise RuntimeError(f"a process did not tell its cost: {err[-2000:]}")
    return Cost(seconds, float(told.group(2)), int(told.group(1)) * 1024 / 1e6, result)
