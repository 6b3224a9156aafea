# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""freeze.sh of the role host_volume: its watchdog thaws whatever happens, and lets go of the file system (§7).

The programs that it calls are stand-ins; a watchdog sleeps until the test lets it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

FREEZE = Path(__file__).resolve().parents[3] / "roles" / "host_volume" / "files" / "freeze.sh"

_PROGRAMS = {
    "mountpoint": "exit 0",
    "sleep": 'until [ -f "$HERE/later" ]; do /bin/sleep 0.05; done',
    "fsfreeze": """
echo "$1" >> "$HERE/log"
if [ "$1" = -u ]; then rmdir "$HERE/frozen"; exit; fi
until [ "$(grep -c -e -u "$HERE/log")" -ge "$SLOW" ]; do /bin/sleep 0.05; done
mkdir "$HERE/frozen"
""",
}

Freezing = Callable[[int], "subprocess.Popen[bytes]"]


@pytest.fixture
def freezing(tmp_path: Path) -> Freezing:
    """Start freeze.sh in a session of its own; its freeze ends only after so many attempts to thaw."""
    (tmp_path / "mnt").mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in _PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)

    def start(slow: int) -> subprocess.Popen[bytes]:
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "HERE": str(tmp_path), "SLOW": str(slow)}
        argv = ["sh", str(FREEZE), "10", "fsfreeze", str(tmp_path / "mnt")]
        return subprocess.Popen(
            argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    return start


def asked(here: Path, what: str) -> int:
    """Return how often it was asked to freeze (-f) or to thaw (-u)."""
    log = here / "log"
    return log.read_text(encoding="utf-8").split().count(what) if log.exists() else 0


def until_free(here: Path) -> None:
    """Wait until no watchdog holds the file system any more."""
    subprocess.run(["flock", str(here / "mnt"), "true"], check=True, timeout=60)


def kill(job: subprocess.Popen[bytes]) -> None:
    """Kill a job with all its processes, until nothing is left of them; the watchdog has a session of its own."""
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    with suppress(ProcessLookupError):
        while True:
            os.killpg(job.pid, 0)
            time.sleep(0.02)


def test_what_was_frozen_by_a_run_that_was_killed_is_thawed_when_the_limit_has_passed(
    freezing: Freezing, tmp_path: Path
) -> None:
    freezing(0).communicate()
    assert (tmp_path / "frozen").exists()
    (tmp_path / "later").touch()
    until_free(tmp_path)
    assert not (tmp_path / "frozen").exists()
    assert asked(tmp_path, "-u") == 1


def test_a_run_that_was_killed_before_it_had_frozen_does_not_keep_the_file_system_from_the_next_one(
    freezing: Freezing, tmp_path: Path
) -> None:
    job = freezing(1000)
    while not asked(tmp_path, "-f"):
        time.sleep(0.02)
    kill(job)
    (tmp_path / "later").touch()
    until_free(tmp_path)
    assert asked(tmp_path, "-u") == 4


def test_what_is_frozen_after_the_limit_is_thawed_all_the_same(freezing: Freezing, tmp_path: Path) -> None:
    job = freezing(10)
    (tmp_path / "later").touch()
    job.communicate()
    until_free(tmp_path)
    assert asked(tmp_path, "-u") > 10
    assert not (tmp_path / "frozen").exists()
