# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at processes while a job runs: no command line may bear a secret, and no environment but by plan."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scan import Hit, Scanner

#: Seconds between two looks; short enough for what lives as long as a module does.
STEP = 0.03
#: How often a process is looked at: first it is its parent's fork, a moment later what it was made for.
LOOKS = 6


class Sampler:
    """A thread that looks. ``given``: names of the secrets that this job's environment bears, as the documents say."""

    def __init__(self, scanner: Scanner, given: Collection[str] = ()) -> None:
        self._scanner = scanner
        self._given = set(given)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._looks: dict[str, int] = {}
        self._seen: set[tuple[str, bytes]] = set()
        self.hits: list[Hit] = []
        self.commands: set[str] = set()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look until the block ends."""
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(STEP):
            there = {name for name in os.listdir("/proc") if name.isdigit()}
            self._looks = {name: self._looks.get(name, 0) + 1 for name in there}
            for name in there:
                if self._looks[name] <= LOOKS:
                    with suppress(OSError):
                        self._look(Path("/proc", name))

    def _look(self, entry: Path) -> None:
        command = (entry / "cmdline").read_bytes()
        if (entry.name, command) in self._seen:
            return
        self._seen.add((entry.name, command))
        said = command.replace(b"\0", b" ").decode(errors="replace")
        self.commands.add(said)
        self.hits += self._scanner.look(f"command line: {said.split(' ')[0]}", command)
        found = self._scanner.look(f"environment of: {said[:200]}", (entry / "environ").read_bytes())
        self.hits += [hit for hit in found if hit.secret not in self._given]
