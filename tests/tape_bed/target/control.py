# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made to go wrong: a file that tests write, read anew whenever it changes.

``control.json`` in the library's folder::

    {"offline": ["drive0"],          the drive does not get ready any more
     "pulled": ["drive1"],           its cartridge is not there any more
     "protected": ["TAP001L8"],      the cartridge's tab is set
     "faults": [{"unit": "drive0", "command": "write", "skip": 5, "times": 1, "sense": [3, 12, 0]}]}

A fault's ``command`` is write, read, locate, space, mark, rewind or move; ``skip`` lets so many pass first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .sense import MEDIUM_ERROR, Check

COMMANDS = {
    0x08: "read", 0x0A: "write", 0x10: "mark", 0x11: "space", 0x01: "rewind", 0x2B: "locate", 0x92: "locate", 0xA5: "move",
}  # fmt: skip


class Control:
    """The faults that are wished now."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.json"
        self._seen: tuple[int, int] | None = None
        self._wish: dict[str, Any] = {}

    def _look(self) -> dict[str, Any]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._wish = None, {}
            return self._wish
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._seen, self._wish = seen, json.loads(self._path.read_text(encoding="utf-8"))
        return self._wish

    def has(self, what: str, name: str) -> bool:
        """Tell whether a drive is offline or pulled, or a cartridge protected."""
        return name in self._look().get(what, [])

    def fault(self, unit: str, opcode: int) -> None:
        """Raise what this command shall fail with."""
        for fault in self._look().get("faults", []):
            if fault["unit"] == unit and fault["command"] == COMMANDS.get(opcode) and fault.get("times", 1) > 0:
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] = fault.get("times", 1) - 1
                raise Check(*fault.get("sense", (MEDIUM_ERROR, 0x0C, 0)))
