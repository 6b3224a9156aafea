# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The array's memory: a log of records, each line whole or not there at all, made small again when it is opened."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Optional

Record = tuple[str, str, Optional[dict[str, Any]]]  # kind, key, value; None removes


class StateLog:
    """Records by kind and key. One line is one change of several records: after a crash all of it counts, or none.

    A log instead of one state file: with 10,000 volumes every change would otherwise write all of them again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, dict[str, dict[str, Any]]] = {}
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for line in file:
                    if not line.endswith("\n"):
                        break  # the process died while it wrote this line: nobody was told of it
                    self._take(json.loads(line))
        self._lines = 0
        self._fd = -1
        self._compact()

    def _take(self, records: list[list[Any]]) -> None:
        for kind, key, value in records:
            if value is None:
                self._records.get(kind, {}).pop(key, None)
            else:
                self._records.setdefault(kind, {})[key] = value

    def _compact(self) -> None:
        fresh = self._path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            for kind, records in self._records.items():
                for key, value in records.items():
                    file.write(json.dumps([[kind, key, value]]) + "\n")
        fresh.replace(self._path)
        self.close()
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._lines = 0

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the records of a kind by key."""
        return self._records.get(kind, {})

    def put(self, records: list[Record]) -> None:
        """Write records; when this returns they outlive the process."""
        if not records:
            return
        plain = [list(record) for record in records]
        line = (json.dumps(plain) + "\n").encode()
        while line:
            line = line[os.write(self._fd, line) :]
        self._take(plain)
        self._lines += 1
        if self._lines > 10_000 + 4 * sum(len(kind) for kind in self._records.values()):
            self._compact()

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
