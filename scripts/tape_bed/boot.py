#!/usr/bin/env python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot User-Mode-Linux with a tape library and run a command in it; the exit status is that command's.

Usage: boot.py [--target own|tgt|none] [--memory MiB] [--seconds N] [--out DIR] [--log FILE] -- COMMAND [ARGUMENT ...]

The guest sees the host's files, read-only, and writes to /run; what it writes to $BED_OUT lies in --out afterwards.
96: the guest did not come up, 97: it ended without a word, 124: it was killed at the time limit. No root, no KVM.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NOT_UP, NO_WORD, TIME_LIMIT = 96, 97, 124
_BEGIN, _END = "TAPE-BED-BEGIN", "TAPE-BED-END "


_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Boot:
    """What to run. ``memory``: MiB; ``seconds``: after that long it is killed."""

    command: tuple[str, ...]
    target: str = "own"
    memory: int = 2048
    seconds: float = 300.0
    out: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How it ended, what the command printed, and all that the console showed."""

    status: int
    output: str
    console: str


def packages() -> Path:
    """Return the directory below which the bed's programs lie; fetches them at the first call."""
    done = subprocess.run([str(HERE / "packages.sh")], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def _memory_directory(megabytes: int) -> str:
    """Return where the guest's memory may lie: a file system that allows mapped code, in RAM if there is one."""
    places = ["/dev/shm", os.environ.get("TMPDIR", "/tmp"), "/var/tmp", str(ROOT / "build")]
    for place in places:
        with suppress(OSError):
            found = os.statvfs(place)
            roomy = found.f_bavail * found.f_frsize > megabytes << 20
            if roomy and not found.f_flag & os.ST_NOEXEC and os.access(place, os.W_OK):
                return place
    raise SystemExit(f"None of {', '.join(places)} has {megabytes} MiB for the guest, without noexec.")


def _prepare(boot: Boot, prefix: Path, work: Path) -> None:
    """Write down for the guest's init what it needs to know."""
    below = str(prefix).rstrip("/")
    (work / "kernel/lib").mkdir(parents=True)
    (work / "kernel/lib/modules").symlink_to(f"{below}/usr/lib/uml/modules")
    (work / "out").mkdir() if boot.out is None else (work / "out").symlink_to(boot.out.resolve())
    shared = re.compile(r".*\.so(\.\d+)*")
    found = (file for file in prefix.rglob("*.so*") if shared.fullmatch(file.name)) if below else ()
    libraries = sorted({str(file.parent) for file in found})
    folders = [f"{below}/{name}" for name in ("usr/sbin", "sbin", "usr/bin", "bin")] if below else []
    path = [str(ROOT / ".venv/bin"), *folders, "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    words = {
        "BED_ROOT": str(ROOT),
        "BED_TARGET": boot.target,
        "BED_SHARED": str((work / "out").resolve()),
        "BED_PYTHON": str(ROOT / ".venv/bin/python"),
        "BED_PATH": ":".join(path),
        "BED_LIBRARIES": ":".join(libraries),
        "BED_MODULES": str(work / "kernel"),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in words.items()]
    (work / "environment").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "command").write_text(shlex.join(boot.command) + "\n", encoding="utf-8")


def _end(guest: subprocess.Popen[bytes]) -> None:
    """End the guest and the processes that it left; all of them are in its own group."""
    for _turn in range(50):
        try:
            os.killpg(guest.pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        guest.poll()
        time.sleep(0.02)
    guest.wait()


def end_all() -> None:
    """End the guests that other threads wait for."""
    for guest in tuple(_running):
        _end(guest)


def _ended(console: str, killed: bool) -> Ended:
    lines = console.replace("\r", "").replace("\0", "").splitlines()
    begin = next((at for at, line in enumerate(lines) if line == _BEGIN), None)
    if begin is None:
        return Ended(TIME_LIMIT if killed else NOT_UP, "", "\n".join(lines))
    end = next((at for at, line in enumerate(lines) if re.fullmatch(rf"{_END}\d+", line)), None)
    output = "\n".join(lines[begin + 1 : end])
    status = int(lines[end][len(_END) :]) if end is not None else TIME_LIMIT if killed else NO_WORD
    return Ended(status, output, "\n".join(lines))


def run(boot: Boot) -> Ended:
    """Boot, run, and leave nothing behind: neither files nor processes."""
    prefix = packages()
    if boot.out is not None:
        boot.out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="tape-bed-"))
    killed = False
    try:
        _prepare(boot, prefix, work)
        argv = [
            f"{str(prefix).rstrip('/')}/usr/bin/linux.uml",
            "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"mem={boot.memory}M", "quiet", "loglevel=3",
            f"init={HERE / 'init.sh'}", f"BED={work}", "con=null", "con0=fd:0,fd:1", "ssl=null",
        ]  # fmt: skip
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(work), "TMPDIR": _memory_directory(boot.memory)}
        with (work / "console").open("wb") as console:
            guest = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=env,
                cwd="/",
                start_new_session=True,
            )
            _running.add(guest)
            try:
                guest.wait(boot.seconds)
            except subprocess.TimeoutExpired:
                killed = True
            finally:
                _end(guest)
                _running.discard(guest)
        return _ended((work / "console").read_text(encoding="utf-8", errors="replace"), killed)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description="Run a command in the tape bed.")
    parser.add_argument("--target", choices=("own", "tgt", "none"), default="own")
    parser.add_argument("--memory", type=int, default=Boot.memory, help="MiB")
    parser.add_argument("--seconds", type=float, default=Boot.seconds)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--log", type=Path, help="where to write all that the console showed")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    ended = run(Boot(tuple(asked.command), asked.target, asked.memory, asked.seconds, asked.out))
    if asked.log:
        asked.log.write_text(ended.console + "\n", encoding="utf-8")
    print(ended.output)
    if ended.status in (NOT_UP, NO_WORD, TIME_LIMIT):
        print("\n".join(ended.console.splitlines()[-30:]), file=sys.stderr)
    return ended.status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    sys.exit(main())
