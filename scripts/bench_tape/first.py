# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the benchmark before the host's other work, every way of it alike: what is compared is code, not neighbours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

MARK = "--in-a-session-of-its-own"
NORMAL = "normal"
_FIRST = -20


def in_a_session(script: str) -> int:
    """Run the script again in a new session (the kernel schedules by session), and hand on what should end it."""
    child = subprocess.Popen([sys.executable, script, MARK], start_new_session=True)

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    return child.wait()


def go_first() -> str:
    """Raise the priority of this session where that is allowed (root; NICE=0: not wanted); say what was done."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # what was made for the run is taken away
    if os.environ.get("NICE") == "0":
        return NORMAL
    done = NORMAL
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
        done = f"nice {_FIRST}"
        Path("/proc/self/autogroup").write_text(str(_FIRST), encoding="ascii")
    return done


def run_first(command: list[str], priority: str, log: Path) -> int:
    """Run a command; what it starts in sessions of their own gets the priority of this one too."""
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(0.2)
            if priority != NORMAL:
                with suppress(OSError):
                    for started in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text("ascii").split():
                        Path(f"/proc/{started}/autogroup").write_text(str(_FIRST), encoding="ascii")
    finally:
        child.terminate()
        child.wait()
