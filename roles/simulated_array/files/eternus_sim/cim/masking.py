# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts see which volumes: affinity groups, kept in the array's directory."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

INVALID_PARAMETER = 5
NO_SUCH_UNIT = 4097
NO_SUCH_TARGET = 4099
NUMBER_IN_USE = 4102


@dataclass
class Group:
    """An affinity group: hosts (initiators), ports (targets), and volumes by the number under which they are shown."""

    group_id: str
    initiators: list[str]
    targets: list[str]
    units: dict[str, int] = field(default_factory=dict)  # DeviceID -> number
    access: int = 2


class MaskRefused(Exception):
    """ExposePaths or HidePaths says no, with this return code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Masking:
    """The groups; every change is written before it is answered. Safe for threads."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "masking.json"
        self._lock = threading.Lock()
        self._groups: dict[str, Group] = {}
        self._next = 1
        if self._file.exists():
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self._next = int(kept["next"])
            self._groups = {item["group_id"]: Group(**item) for item in kept["groups"]}

    def groups(self) -> list[Group]:
        """All groups."""
        with self._lock:
            return list(self._groups.values())

    def get(self, group_id: str) -> Optional[Group]:
        """One group."""
        with self._lock:
            return self._groups.get(group_id)

    def expose(
        self,
        units: Sequence[str],
        initiators: Sequence[str],
        targets: Sequence[str],
        numbers: Sequence[str],
        access: int,
        group_ids: Sequence[str],
    ) -> list[Group]:
        """Adds volumes to the groups; without groups makes one for the hosts and ports. Raises MaskRefused."""
        with self._lock:
            if group_ids:
                groups = [self._groups[item] for item in group_ids if item in self._groups]
                if len(groups) < len(group_ids):
                    raise MaskRefused(INVALID_PARAMETER)
            elif initiators and targets:
                groups = [Group("AG%04X" % self._next, list(initiators), list(targets), access=access)]
            else:
                raise MaskRefused(INVALID_PARAMETER)
            for group in groups:
                if any(unit in group.units for unit in units) and group_ids:
                    raise MaskRefused(NUMBER_IN_USE)
            wanted = [int(number, 16) for number in numbers]
            for group in groups:
                if set(wanted) & set(group.units.values()):
                    raise MaskRefused(NUMBER_IN_USE)
                self._add(group, units, wanted)
                for name in initiators:
                    if name not in group.initiators:
                        group.initiators.append(name)
                if group.group_id not in self._groups:
                    self._groups[group.group_id] = group
                    self._next += 1
            self._write()
            return groups

    @staticmethod
    def _add(group: Group, units: Sequence[str], wanted: list[int]) -> None:
        for index, unit in enumerate(units):
            taken = set(group.units.values())
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            group.units[unit] = wanted[index] if index < len(wanted) else free

    def hide(self, units: Sequence[str], initiators: Sequence[str], group_ids: Sequence[str]) -> None:
        """Takes volumes from the groups, or from those of the hosts; a group without volumes vanishes."""
        with self._lock:
            groups = [
                group
                for group in self._groups.values()
                if (group.group_id in group_ids if group_ids else set(initiators) & set(group.initiators))
            ]
            if not groups:
                raise MaskRefused(INVALID_PARAMETER)
            if any(unit not in group.units for group in groups for unit in units):
                raise MaskRefused(NO_SUCH_UNIT)
            for group in groups:
                for unit in units:
                    del group.units[unit]
                if not group.units:
                    del self._groups[group.group_id]
            self._write()

    def forget(self, unit: str) -> None:
        """Takes a volume that is no more out of every group."""
        with self._lock:
            changed = [group for group in self._groups.values() if unit in group.units]
            for group in changed:
                del group.units[unit]
                if not group.units:
                    del self._groups[group.group_id]
            if changed:
                self._write()

    def _write(self) -> None:
        content = {"next": self._next, "groups": [asdict(group) for group in self._groups.values()]}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(self._file)
