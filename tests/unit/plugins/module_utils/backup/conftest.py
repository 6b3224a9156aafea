# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small world for each test of the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> House:
    """An array with list support, a catalog, no volumes; ``MEMORY`` in a test's module asks for the model catalog."""
    return House(tmp_path, memory=getattr(request.module, "MEMORY", False))


@pytest.fixture
def refused(house: House) -> Callable[..., BackupError]:
    """Call something that must be refused with a class, and compare catalog and array before and after."""

    def call(error_class: str, act: Callable[..., Any], *args: Any, **kwargs: Any) -> BackupError:
        before, calls = house.everything(), list(house.array.calls)
        with pytest.raises(BackupError) as caught:
            act(*args, **kwargs)
        assert caught.value.error_class.value == error_class
        assert caught.value.next_step
        assert house.everything() == before
        assert house.array.calls == calls
        with house.catalog.read() as records:
            assert not records.open_entries()
            assert not records.leases()
        return caught.value

    return call
