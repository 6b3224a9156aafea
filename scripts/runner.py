# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run commands into log files, and count what passed and what failed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
COVERAGE = BUILD / "coverage"
TREE = ROOT / ".cache" / "tree"
BIN = ROOT / ".venv" / "bin"
COLLECTION = Path("ansible_collections", "eternus", "backup")
SHOWN_LINES = 300


@dataclass(frozen=True)
class Finished:
    """A command that has ended: its exit code, all its output, and how long it took in seconds."""

    code: int
    output: str
    seconds: float


@dataclass
class Step:
    """What one step of the checks counted. ``failures`` names each failure; ``figures`` goes into build/test.json."""

    name: str
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """The number of failures."""
        return len(self.failures)

    def count(self, name: str, ok: bool) -> None:
        """Count one thing under its name."""
        if ok:
            self.passed += 1
        else:
            self.failures.append(name)


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which every command runs: ours first on PATH, nothing of the caller's Ansible."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "COVERAGE_", "ETERNUS_"))}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        env.pop(name, None)
    env.update(
        PATH=f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        VIRTUAL_ENV=str(BIN.parent),
        LC_ALL="C.UTF-8",
        ANSIBLE_COLLECTIONS_PATH=str(TREE),
        ANSIBLE_NOCOLOR="1",
        NO_COLOR="1",
    )
    env.update(more)
    return env


def measured(env: dict[str, str], name: str) -> dict[str, str]:
    """Return ``env`` with every Python process below it measured; data goes to build/coverage/NAME.*.

    coverage's own .pth file starts it, so that a module which runs out of AnsiballZ's archive is measured too.
    """
    COVERAGE.mkdir(parents=True, exist_ok=True)
    for old in COVERAGE.glob(f"{name}.*"):
        old.unlink()
    return {**env, "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_FILE": str(COVERAGE / name)}


def run(log: str, argv: list[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> Finished:
    """Run one command without stdin; its output goes to build/logs/LOG.log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    start = time.monotonic()
    with path.open("wb") as out:
        try:
            code = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env if env is not None else environment(),
                cwd=cwd,
                check=False,
            ).returncode
        except OSError as error:  # a tool that is missing is a failure with its name
            out.write(f"{argv[0]}: {error.strerror}\n".encode())
            code = 127
    return Finished(code, path.read_text(encoding="utf-8", errors="replace"), time.monotonic() - start)


_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


def _put(text: str) -> None:
    """Print at once, in one piece, or keep it for the end of ``held``."""
    kept = _held.get()
    if kept is None:
        sys.stdout.write(text)  # one piece: a step that runs beside this one prints before or after it
        sys.stdout.flush()
    else:
        kept.append(text)


@contextmanager
def held() -> Iterator[None]:
    """Print what this thread says in one piece at the end, so that steps that run side by side can be read."""
    kept: list[str] = []
    token = _held.set(kept)
    try:
        yield
    finally:
        _held.reset(token)
        _put("".join(kept))


def say(text: str) -> None:
    """Print one line at once."""
    _put(f"{text}\n")


def report(name: str, done: Finished, ok: bool) -> None:
    """Print how a command ended, with what it said when it failed."""
    text = f"{'ok    ' if ok else 'FAILED'} {name} ({done.seconds:.1f} s)\n"
    if not ok:
        lines = done.output.splitlines()
        if len(lines) > SHOWN_LINES:
            text += f"  [the last {SHOWN_LINES} of {len(lines)} lines; all are in build/logs/]\n"
        text += "".join(f"  | {line}\n" for line in lines[-SHOWN_LINES:])
    _put(text)
