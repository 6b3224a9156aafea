# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to bring a volume to a tape: ours, with sha256; plain dd, without; dd with tee and sha256sum.

Each runs in a process of its own, and is timed until the tape has everything.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from source import Source

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import BLOCK_SIZE, Header, Label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Block, Position, WriteOutcome
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.plugins.module_utils._tape.writer import Image, Mounted, Told, write_image

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 1, 5, tzinfo=timezone.utc)
#: What a drive takes at once before it must wait for the tape, in bytes.
DRIVE_BUFFER = 64 << 20
_SET_PIPE_SIZE = 1031


@dataclass(frozen=True)
class Timed:
    """One run: wall seconds, and CPU seconds of what reads, hashes and writes."""

    seconds: float
    cpu: float


class PipeDrive:
    """A drive whose tape is a pipe; only what writing needs."""

    name, barcode, capacity = "pipe", "BENCH1L8", 0

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_block(self, data: Block) -> WriteOutcome:
        """Write a block."""
        done = os.write(self._descriptor, data)
        while done < len(data):
            done += os.write(self._descriptor, data[done:])
        return WriteOutcome.WRITTEN

    def write_filemark(self, *, synchronous: bool) -> WriteOutcome:  # noqa: ARG002
        """A pipe has none."""
        return WriteOutcome.WRITTEN

    def position_file(self, number: int) -> None:
        """A pipe cannot be positioned."""

    def position(self) -> Position:
        """A pipe does not tell."""
        return Position(2, -1)


def write_ours(device: Device, drive: object, size: int) -> str:
    """Write a volume by the product's own code, sha256 on; return the digest."""
    label = Label("BENCH1L8", "bench", "bench", NOW)
    header = Header("BENCH", "", "ET1", "bench", "0" * 32, NOW, 1, size, 1, "", 0, 0, "", 0)
    mounted = Mounted(drive, Contents(label, (), 1))  # type: ignore[arg-type]
    told = Told(lambda _part: None, lambda _barcode: None, lambda _error: None, lambda _done: None)
    return write_image(Image(header, device), lambda: nullcontext(mounted), told, StreamOptions())


def ours(source: Source, target: Path) -> None:
    """Write to a pipe."""
    reading = os.open(source.path, os.O_RDONLY)
    writing = os.open(target, os.O_WRONLY)
    write_ours(Device(str(source.path), reading, source.size, block=True), PipeDrive(writing), source.size)


def dd(source: Source, target: Path) -> list[str]:
    """Plain dd: nothing is hashed."""
    flags = ["iflag=direct"] if source.direct else []
    return ["dd", f"if={source.path}", f"of={target}", f"bs={BLOCK_SIZE}", "status=none", *flags]


def dd_tee(source: Source, target: Path) -> list[str]:
    """What a careful administrator types; it is done when the checksum is known, as ours is."""
    flags = "iflag=direct" if source.direct else ""
    line = (
        f"dd if={source.path} bs={BLOCK_SIZE} {flags} status=none | {{ tee >(sha256sum > /dev/null); wait $!; }}"
        f" | dd of={target} bs={BLOCK_SIZE} iflag=fullblock status=none"
    )
    return ["bash", "-c", line]


#: What ours is compared with: the commands.
OTHERS: dict[str, Callable[[Source, Path], list[str]]] = {"dd": dd, "dd_tee_sha256sum": dd_tee}
WAYS = ("ours", *OTHERS)


def turns(number: int) -> list[str]:
    """Return the ways in the order of a round: nobody is always first."""
    first = number % len(WAYS)
    return [*WAYS[first:], *WAYS[:first]]


def _run(way: str, source: Source, target: Path) -> None:
    if way == "ours":
        ours(source, target)
        return
    command = OTHERS[way](source, target)
    os.execvp(command[0], command)


def timed(way: str, source: Source, folder: Path, rate: int) -> Timed:
    """Run one way against a tape of that rate (bytes per second, 0: no limit)."""
    fifo = folder / "tape"
    os.mkfifo(fifo)
    try:
        sink = subprocess.Popen(
            [sys.executable, str(HERE / "sink.py"), str(fifo), str(rate), str(DRIVE_BUFFER)],
            stdout=subprocess.PIPE,
            text=True,
        )
        held = os.open(fifo, os.O_WRONLY)  # the tape is there
        try:
            fcntl.fcntl(held, _SET_PIPE_SIZE, 1 << 20)
        except OSError:
            pass  # a smaller pipe for everybody
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(held)
                _run(way, source, fifo)
                status = 0
            except (OSError, ValueError, BackupError) as error:
                print(f"{way}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        _pid, status, usage = os.wait4(pid, 0)
        os.close(held)  # not before: the tape must not end while nobody writes yet
        taken, _nothing = sink.communicate()
        seconds = time.monotonic() - start
        if status != 0 or int(taken) < source.size:
            raise RuntimeError(
                f"{way} ended with {status}, and {taken.strip()} of {source.size} bytes reached the tape"
            )
        return Timed(seconds, usage.ru_utime + usage.ru_stime)
    finally:
        fifo.unlink()
