# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog whose process may die at any commit: nothing of it is written from then on, its leases stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Catalog, Records
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fabric, Killed


@dataclass
class Death:
    """The commit (from 0) at which the next process dies, and whether that commit is still written."""

    commit: int
    written: bool
    struck: bool = False


class MortalCatalog:
    """The catalog of one process. Once it has died, at a commit or at an array's request, it does nothing more."""

    def __init__(self, catalog: Catalog, fabric: Fabric, death: Optional[Death]) -> None:
        self._catalog = catalog
        self._fabric = fabric
        self._death = death
        self._commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def read(self) -> Any:
        self._alive()
        return self._catalog.read()

    @contextmanager
    def begin(self) -> Iterator[Records]:
        self._alive()
        dies = self._death is not None and self._death.commit == self._commits
        self._commits += 1
        with self._catalog.begin() as records:
            yield records
            if dies and not self._death.written:
                self._die()
        if dies:
            self._die()

    def _alive(self) -> None:
        if self._fabric.dead:
            raise Killed("this process is dead")

    def _die(self) -> None:
        self._death.struck = True
        self._fabric.dead = True
        raise Killed("at a commit")
