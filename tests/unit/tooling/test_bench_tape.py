# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench-tape` counts with; no time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "bench_tape"))

from figures import figures, paired, ratio
from sink import drain
from source import Source
from ways import WAYS, Timed, timed

MIB = 1 << 20


def test_runs_are_compared_round_by_round_and_the_median_counts() -> None:
    mine = [Timed(1.0, 0.5), Timed(2.0, 0.5), Timed(10.0, 0.5)]
    theirs = [Timed(2.0, 0.1), Timed(2.0, 0.1), Timed(10.0, 0.1)]
    assert paired(mine, theirs) == [2.0, 1.0, 1.0]
    assert ratio([2.0, 1.0, 1.5], "dd") == {
        "value": 1.5, "unit": "ratio", "versus": "dd", "runs": 3, "lowest": 1.0, "highest": 2.0
    }  # fmt: skip


def test_rounds_that_lack_their_pair_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([Timed(1.0, 0.5)], [])


def test_figures_bear_unit_runs_and_what_they_are_compared_with() -> None:
    rounds = {"ours": [Timed(1.0, 0.5)] * 5, "dd": [Timed(0.9, 0.1)] * 5}
    found = figures("400MBps", rounds, 400_000_000)
    assert found["write_400MBps_vs_dd"] == ratio([0.9] * 5, "dd")
    assert found["write_400MBps_ours"] == {"value": 400.0, "unit": "MB/s", "runs": 5}
    assert found["write_400MBps_ours_cpu"] == {"value": 1.25, "unit": "s/GB", "runs": 5}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_every_way_brings_the_whole_volume_to_the_tape(way: str, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.write_bytes(bytes(3 * MIB))
    done = timed(way, Source(volume, 3 * MIB, "file in memory"), tmp_path, 0)
    assert done.seconds > 0


def test_a_tape_takes_no_more_than_its_buffer_at_once_and_then_its_rate() -> None:
    reading, writing = os.pipe()
    os.write(writing, bytes(4096))
    os.close(writing)
    naps: list[float] = []
    with Path(os.devnull).open("wb") as nowhere:
        assert drain(reading, nowhere.fileno(), 1024, 2048, lambda: 0.0, naps.append) == 4096
    os.close(reading)
    assert naps == [2.0, 4.0]  # 2 KiB are beyond the buffer; the last byte is on tape after 4 s


def test_a_tape_that_had_to_wait_does_not_catch_up() -> None:
    reading, writing = os.pipe()
    os.write(writing, bytes(1024))
    times = iter([0.0, 10.0, 10.0])

    def clock() -> float:
        now = next(times)
        if now == 0.0:  # the second block comes when the first has long been on tape
            os.write(writing, bytes(1024))
            os.close(writing)
        return now

    naps: list[float] = []
    with Path(os.devnull).open("wb") as nowhere:
        assert drain(reading, nowhere.fileno(), 1024, 2048, clock, naps.append) == 2048
    os.close(reading)
    assert naps == [1.0]


def test_a_run_leaves_its_figures_with_what_was_measured(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "bench_tape" / "main.py"
    small = {"SIZE": "4", "ROUNDS": "1", "ST": "0", "NICE": "0", "OUT": str(tmp_path / "bench.json")}
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, **small}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "No real drive was measured." in done.stdout
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    for case in ("400MBps", "1000MBps", "unlimited"):
        for other in ("dd", "dd_tee_sha256sum"):
            assert found[f"write_{case}_vs_{other}"]["runs"] == 1
            assert found[f"write_{case}_vs_{other}"]["versus"] == other
    assert found["host"]["drive"] == "simulated; no real drive was measured"
    assert found["sha256"]["unit"] == found["source"]["unit"] == "MB/s"
