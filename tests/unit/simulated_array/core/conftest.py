# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An array in a temporary directory, and words for what the tests do with it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[4] / "roles" / "simulated_array" / "files"
if str(FILES) not in sys.path:
    sys.path.insert(0, str(FILES))

from eternus_sim.core.array import SimArray
from eternus_sim.core.config import ArrayConfig
from eternus_sim.core.model import CopyState, Progress, Session

EXTENT = 64 * 1024
SIZE = 16 * EXTENT
PATIENCE = 30.0


class Bench:
    """An array and short words."""

    def __init__(self, array: SimArray) -> None:
        self.array = array

    def make(self, *names: str, size: int = SIZE) -> list[str]:
        return [volume.device_id for volume in self.array.create_volumes([(name, size) for name in names], "TPP0004")]

    def hold(self) -> None:
        """No extent moves from now on."""
        self.array.knobs.copy_rate = 1

    def go(self) -> None:
        self.array.knobs.copy_rate = 0

    def fill(self, device_id: str, seed: int, size: int = SIZE) -> bytes:
        data = hashlib.shake_128(str(seed).encode()).digest(size)
        self.array.write(device_id, 0, data)
        return data

    def bytes(self, device_id: str) -> bytes:
        return self.array.volumes[device_id].path.read_bytes()

    def sha(self, device_id: str) -> str:
        return hashlib.sha256(self.bytes(device_id)).hexdigest()

    def wait(self, source: str, target: str, test: Callable[[Session], bool]) -> Session:
        assert self.array.wait_for(lambda: test(self.array.session(source, target)), PATIENCE)
        return self.array.session(source, target)

    def mirror(self, source: str, target: str) -> Session:
        self.array.start_sessions([(source, target)], 6)
        return self.equivalent(source, target)

    def equivalent(self, source: str, target: str) -> Session:
        return self.wait(
            source,
            target,
            lambda s: s.copy_state == CopyState.SYNCHRONIZED and s.progress_status == Progress.COMPLETED,
        )

    def gone(self, source: str, target: str) -> None:
        assert self.array.wait_for(
            lambda: all(s.key != (source, target) for s in self.array.sessions(stale=False)), PATIENCE
        )

    def run(self, source: str, target: str) -> dict[str, object]:
        """The newest run between the two."""
        runs = self.array.counters.as_dict()["runs"]
        return [run for run in runs if (run["source_id"], run["target_id"]) == (source, target)][-1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    array = SimArray(tmp_path / "array", ArrayConfig())
    yield Bench(array)
    array.close()
