# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A killed array (SIGKILL) keeps its word: what it acknowledged is on the mirror or in the maps."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eternus_sim.core.array import SimArray
from eternus_sim.core.config import ArrayConfig, Knobs
from eternus_sim.core.model import Operation
from eternus_sim.core.statelog import StateLog

EXTENT = 64 * 1024
SIZE = 64 * EXTENT

CHILD = """
import random, sys
from pathlib import Path
from eternus_sim.core.array import SimArray
array = SimArray(Path(sys.argv[1]))
kind, rate = sys.argv[2], int(sys.argv[3])
tv, bv = (array.volume(name).device_id for name in ("tv", "bv"))
array.knobs.copy_rate = rate
if kind == "clone":
    array.start_sessions([(tv, bv)], 8, sync_maintained=True)
elif kind == "executing":
    array.start_sessions([(tv, bv)], 6)
chance = random.Random(7)
print("ready", flush=True)
while True:
    offset = chance.randrange(0, 64 * 65536 - 4096)
    array.write(tv, offset, bytes([chance.randrange(256)]) * 4096)
    print(offset, flush=True)
"""


def array_at(path: Path, rate: int = 0) -> SimArray:
    return SimArray(path, ArrayConfig(knobs=Knobs(copy_rate=rate)))


def prepare(path: Path, kind: str) -> tuple[str, str]:
    array = array_at(path)
    tv, bv = (v.device_id for v in array.create_volumes([("tv", SIZE), ("bv", SIZE)], "TPP0004"))
    array.write(tv, 0, bytes(range(256)) * (SIZE // 256))
    if kind in {"suspended", "equivalent"}:
        array.start_sessions([(tv, bv)], 6)
        assert array.wait_for(lambda: array.session(tv, bv).copy_state == 4, 30)
        if kind == "suspended":
            array.operate([(tv, bv)], Operation.SPLIT)
    array.close()
    return tv, bv


def kill_while_writing(path: Path, kind: str, writes: int, rate: int) -> None:
    """Let a child write, and kill it after that many acknowledged writes."""
    root = Path(sys.modules[SimArray.__module__].__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), kind, str(rate)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(root)},
    )
    assert child.stdout.readline() == "ready\n"
    for _turn in range(writes):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()


@pytest.mark.parametrize("writes", [1, 37, 150])
@pytest.mark.parametrize("kind", ["suspended", "equivalent", "executing"])
def test_after_a_kill_the_pair_becomes_equal_again(tmp_path, kind, writes):
    tv, bv = prepare(tmp_path / "a", kind)
    kill_while_writing(tmp_path / "a", kind, writes, rate=32 * EXTENT)
    array = array_at(tmp_path / "a")
    if kind == "suspended":
        array.operate([(tv, bv)], Operation.RESYNC)
    assert array.wait_for(lambda: array.session(tv, bv).progress_status == 2, 30)
    array.operate([(tv, bv)], Operation.SPLIT)
    assert array.volumes[tv].path.read_bytes() == array.volumes[bv].path.read_bytes()
    array.close()


@pytest.mark.parametrize("rate", [1, 32 * EXTENT])
def test_after_a_kill_a_clone_is_still_its_point_in_time(tmp_path, rate):
    tv, bv = prepare(tmp_path / "a", "clone")
    kill_while_writing(tmp_path / "a", "clone", 60, rate)
    array = array_at(tmp_path / "a")
    assert array.wait_for(lambda: array.session(tv, bv).progress_status == 2, 30)
    assert array.volumes[bv].path.read_bytes() == bytes(range(256)) * (SIZE // 256)
    array.operate([(tv, bv)], Operation.RESYNC)
    assert array.wait_for(lambda: array.session(tv, bv).progress_status == 2, 30)
    assert array.volumes[tv].path.read_bytes() == array.volumes[bv].path.read_bytes()
    array.close()


def test_a_line_that_was_not_finished_counts_for_nothing(tmp_path):
    path = tmp_path / "state.jsonl"
    log = StateLog(path)
    log.put([("volume", "a", {"n": 1}), ("volume", "b", {"n": 2})])
    log.close()
    with path.open("a") as file:
        file.write('[["volume", "a", null], ["volume", "c", {"n"')
    assert StateLog(path).all("volume") == {"a": {"n": 1}, "b": {"n": 2}}
    assert StateLog(path).all("volume") == {"a": {"n": 1}, "b": {"n": 2}}


def test_the_log_is_made_small_again(tmp_path):
    log = StateLog(tmp_path / "state.jsonl")
    for n in range(10_500):
        log.put([("session", "only", {"n": n})])
    assert (tmp_path / "state.jsonl").read_text().count("\n") < 1000
    log.put([("session", "gone", {}), ("session", "gone", None)])
    log.close()
    assert StateLog(tmp_path / "state.jsonl").all("session") == {"only": {"n": 10_499}}
