# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape leg keeps its lease however long a cartridge takes to be loaded (behaviour.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Callable

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Drive
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.plugins.module_utils._tape_copy_entry import copy_tapes
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.tape_house import NOTHING, TapeHouse


class SlowLibrary(VirtualLibrary):
    """A library that takes its time to load: until somebody has seen what it waits for."""

    def __init__(self, path: str, seen: Callable[[], bool]) -> None:
        super().__init__(path)
        self.seen = seen
        self.waited = False

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[Drive]:
        with super().load(barcode, owner) as drive:
            pause = Event()
            for _try in range(400):
                self.waited = self.waited or self.seen()
                if self.waited:
                    break
                pause.wait(0.05)
            yield drive


@pytest.mark.rule("R10.13")
@pytest.mark.parametrize("verify", [False, True])
def test_the_lease_is_renewed_while_a_cartridge_is_loaded(tmp_path: Path, verify: bool) -> None:
    house = TapeHouse(tmp_path)
    house.cartridges("A1")
    house.backup("B1", 11)
    if verify:
        house.copy()
    ends = []

    def renewed() -> bool:
        with house.catalog.read() as records:
            ends.extend(lease.expires_at for lease in records.leases())
        return len(set(ends)) > 1

    library = SlowLibrary(house.bed.library.path, renewed)
    ctx = Context(house.catalog, clock=SystemClock(), owner="slow", lease_seconds=2.0)
    copy_tapes(ctx, replace(house.desk, library=library), {**NOTHING, "verify": verify})
    assert library.waited
    assert house.tape("B1").state is TapeState.WRITTEN
    with house.catalog.read() as records:
        assert not records.leases()
