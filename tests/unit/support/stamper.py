# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that writes n to the first volume, then n to the second, ..., then n + 1: it proves that a cut is consistent.

A write begins when the one before was acknowledged. So at any one instant every volume bears the counter of the one
before it, or one less: c1 >= c2 >= ... >= cn >= c1 - 1. Copies that were split at different instants bear anything.

As a program, for playbooks: ``stamper.py write --url http://HOST:PORT --user U --password-file P --until FILE TV...``
writes until FILE is there; ``stamper.py check DEVICE...`` reads devices in that order and says what they bear.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional
from urllib.parse import quote, urlsplit

OFFSET = 4096  # where the stamp lies, in bytes
LENGTH = 512
PATIENCE = 60.0
_MAGIC = b"eternus.backup stamp "

Write = Callable[[str, int, bytes], None]  # volume, offset, data


def stamp(counter: int) -> bytes:
    """Return the block that bears a counter."""
    return (_MAGIC + b"%020d\n" % counter).ljust(LENGTH, b".")


def counter_in(content: bytes) -> int:
    """Return the counter that a volume's content bears; ValueError where there is no whole stamp."""
    block = content[OFFSET : OFFSET + LENGTH]
    number = block[len(_MAGIC) : len(_MAGIC) + 20]
    if not number.isdigit() or block != stamp(int(number)):
        raise ValueError(f"no stamp: {block[:48]!r}")
    return int(number)


def consistent(counters: Sequence[int]) -> bool:
    """Tell whether counters, in the order of writing, are those of one instant."""
    return list(counters) == sorted(counters, reverse=True) and counters[0] - counters[-1] <= 1


@dataclass(frozen=True)
class Door:
    """Writes through the door of a simulated array, one kept-alive connection, http."""

    url: str
    user: str
    password: str = field(repr=False)

    def writer(self) -> Write:
        """Return a function that writes and comes back when the array has acknowledged."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

        def write(volume: str, offset: int, data: bytes) -> None:
            path = f"/door/volumes/{quote(volume)}?offset={offset}"
            connection.request("PUT", path, body=data, headers={"Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{volume}: {answer.status} {content.decode(errors='replace')}")

        return write


class Stamper:
    """The writer as a thread."""

    def __init__(self, write: Write, volumes: Sequence[str]) -> None:
        self.rounds = 0
        self._write = write
        self._volumes = list(volumes)
        self._stop = threading.Event()
        self._turned = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stamper", daemon=True)
        self._failed: Optional[BaseException] = None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.turn()
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            self._failed = error
            with self._turned:
                self._turned.notify_all()

    def turn(self) -> None:
        """Write the next counter to all volumes, in order."""
        for volume in self._volumes:
            self._write(volume, OFFSET, stamp(self.rounds + 1))
        with self._turned:
            self.rounds += 1
            self._turned.notify_all()

    def wait(self, rounds: int = 1) -> None:
        """Wait until that many further rounds are written."""
        with self._turned:
            wanted = self.rounds + rounds
            there = self._turned.wait_for(lambda: self.rounds >= wanted or self._failed is not None, PATIENCE)
        if self._failed is not None:
            raise RuntimeError("the writer failed") from self._failed
        if not there:
            raise RuntimeError("the writer does not get on")

    def start(self) -> None:
        """Begin, and return when the first round is written."""
        self._thread.start()
        self.wait()

    def stop(self) -> None:
        """End after a whole round; a write that failed is raised."""
        self._stop.set()
        self._thread.join()
        if self._failed is not None:
            raise RuntimeError("the writer failed") from self._failed


@contextmanager
def stamping(write: Write, volumes: Sequence[str]) -> Iterator[Stamper]:
    """Let a writer stamp volumes for as long as the block lasts; it has written once when the block begins."""
    writer = Stamper(write, volumes)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def main(words: Optional[Sequence[str]] = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    writes = verbs.add_parser("write")
    for name in ("--url", "--user"):
        writes.add_argument(name, required=True)
    for name in ("--password-file", "--until"):
        writes.add_argument(name, required=True, type=Path)
    writes.add_argument("volumes", nargs="+")
    checks = verbs.add_parser("check")
    checks.add_argument("devices", nargs="+", type=Path)
    given = parser.parse_args(words)
    if given.verb == "check":
        counters = []
        for device in given.devices:
            with device.open("rb") as file:
                counters.append(counter_in(file.read(OFFSET + LENGTH)))
        print(json.dumps({"counters": counters, "consistent": consistent(counters)}))
        return 0
    door = Door(given.url, given.user, given.password_file.read_text(encoding="utf-8").strip())
    writer = Stamper(door.writer(), given.volumes)
    writer.turn()
    while not given.until.exists():
        writer.turn()
    print(json.dumps({"rounds": writer.rounds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
