# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the array did, counted: requests, bytes of copies, bytes of hosts, and each run of each session."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

RUNS_KEPT = 20_000


@dataclass
class Run:
    """One run of a session: a full copy, a differential one, or a restore. Sizes are bytes, extents are 64 KiB."""

    source_id: str
    target_id: str
    kind: str  # full, differential, restore
    extents: int  # extents that were to be moved when the run began
    bytes_moved: int = 0  # moved by the copy itself, copies before writes included
    bytes_mirrored: int = 0  # host writes that went to both sides, while the run went on or after it
    finished: bool = False


class Counters:
    """Counts since the start or the last reset. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._runs: deque[Run] = deque(maxlen=RUNS_KEPT)

    def count(self, request: str, number: int = 1) -> None:
        """Count a request by the name of its CIM operation or method."""
        with self._lock:
            self._requests[request] += number

    def add_bytes(self, name: str, number: int) -> None:
        """Add to copy_read, copy_written, host_read, host_written or mirrored."""
        with self._lock:
            self._bytes[name] += number

    def run(self, run: Run) -> Run:
        """Keep a run; its numbers go on growing while the session lives."""
        with self._lock:
            self._runs.append(run)
        return run

    def requests(self) -> dict[str, int]:
        """Return the requests by name."""
        with self._lock:
            return dict(self._requests)

    def reset(self) -> None:
        """Begin again at zero. Runs that have not finished stay."""
        with self._lock:
            self._requests.clear()
            self._bytes.clear()
            going = [run for run in self._runs if not run.finished]
            self._runs.clear()
            self._runs.extend(going)

    def as_dict(self) -> dict[str, Any]:
        """Return everything: ``requests`` and ``requests_total``, ``bytes``, ``runs`` (oldest first)."""
        with self._lock:
            return {
                "requests": dict(self._requests),
                "requests_total": sum(self._requests.values()),
                "bytes": dict(self._bytes),
                "runs": [asdict(run) for run in self._runs],
            }
