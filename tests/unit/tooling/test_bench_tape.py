# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench-tape` counts with; no time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "bench_tape"))

from figures import figures, paired
from source import Source
from ways import WAYS, Timed, timed

MIB = 1 << 20


def test_runs_are_compared_round_by_round_and_the_median_counts() -> None:
    mine = [Timed(1.0, 0.5), Timed(2.0, 0.5), Timed(10.0, 0.5)]
    theirs = [Timed(2.0, 0.1), Timed(2.0, 0.1), Timed(10.0, 0.1)]
    assert paired(mine, theirs) == 1.0
    assert paired(mine[:1], theirs[:1]) == 2.0


def test_figures_bear_unit_runs_and_what_they_are_compared_with() -> None:
    rounds = {"ours": [Timed(1.0, 0.5)] * 5, "dd": [Timed(0.9, 0.1)] * 5}
    found = figures("400MBps", rounds, 400_000_000)
    assert found["write_400MBps_vs_dd"] == {"value": 0.9, "unit": "ratio", "versus": "dd", "runs": 5}
    assert found["write_400MBps_ours"] == {"value": 400.0, "unit": "MB/s", "runs": 5}
    assert found["write_400MBps_ours_cpu"] == {"value": 1.25, "unit": "s/GB", "runs": 5}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_every_way_brings_the_whole_volume_to_the_tape(way: str, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.write_bytes(bytes(3 * MIB))
    done = timed(way, Source(volume, 3 * MIB, "file in memory"), tmp_path, 0)
    assert done.seconds > 0
