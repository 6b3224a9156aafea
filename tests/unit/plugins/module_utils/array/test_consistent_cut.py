# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list is one instant of the array for a host that writes meanwhile; one by one is not (behaviour.md §3, groups)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated
from ansible_collections.eternus.backup.tests.unit.support.stamper import (
    LENGTH,
    OFFSET,
    Door,
    Stamper,
    consistent,
    counter_in,
    main,
    stamp,
    stamping,
)

TVS = ["tv1", "tv2", "tv3"]
BVS = ["bv1", "bv2", "bv3"]


@pytest.fixture
def array(simulated_array: Simulated) -> WbemArray:
    simulated_array.create_volumes(*TVS, *BVS, size=MIB // 4)
    return simulated_array.connect()


@pytest.fixture
def pairs(array: WbemArray) -> list[Pair]:
    found = array.find_volumes(TVS + BVS)
    return [Pair(found[tv], found[bv]) for tv, bv in zip(TVS, BVS)]


@pytest.fixture
def writer(simulated_array: Simulated, pairs: list[Pair]) -> Iterator[Stamper]:
    """A host that stamps all TVs in order, all the time."""
    url = f"http://{simulated_array.endpoint['host']}:{simulated_array.endpoint['http_port']}"
    door = Door(url, simulated_array.user, simulated_array.password)
    with stamping(door.writer(), TVS) as stamper:
        yield stamper


def equivalent(array: WbemArray, count: int) -> None:
    def done(found: list[SessionState]) -> bool:
        return found == [SessionState.EQUIVALENT] * count

    assert wait_until(lambda: [s.state for s in array.sessions()], done, Wait(0.01, 30), SystemClock()).satisfied


def on_devices(simulated: Simulated, pairs: list[Pair]) -> list[int]:
    """What a host finds in the BVs' devices."""
    return [counter_in((simulated.device_dir / pair.target.device_name).read_bytes()) for pair in pairs]


def test_a_list_of_mirrors_is_split_at_one_instant(
    simulated_array: Simulated, array: WbemArray, pairs: list[Pair], writer: Stamper
) -> None:
    array.start(CopyType.EC, pairs)
    last = 0
    for _turn in range(10):
        equivalent(array, 3)
        assert all(outcome.error is None for outcome in array.suspend(CopyType.EC, pairs))
        found = on_devices(simulated_array, pairs)
        writer.wait()
        assert consistent(found), found
        assert on_devices(simulated_array, pairs) == found
        assert found[0] > last
        last = found[0]
        assert all(outcome.error is None for outcome in array.resume(CopyType.EC, pairs))


def test_a_list_of_clones_is_started_at_one_instant(
    simulated_array: Simulated, array: WbemArray, pairs: list[Pair], writer: Stamper
) -> None:
    simulated_array.knobs(copy_rate=1)
    for _turn in range(10):
        assert all(outcome.error is None for outcome in array.start(CopyType.OPC, pairs))
        found = on_devices(simulated_array, pairs)
        writer.wait()
        assert consistent(found), found
        assert on_devices(simulated_array, pairs) == found
        array.release(CopyType.OPC, pairs)


def test_mirrors_split_one_by_one_bear_no_single_instant(
    simulated_array: Simulated, array: WbemArray, pairs: list[Pair], writer: Stamper
) -> None:
    array.start(CopyType.EC, pairs)
    equivalent(array, 3)
    for pair in pairs:
        array.suspend(CopyType.EC, [pair])
        writer.wait(2)
    found = on_devices(simulated_array, pairs)
    assert found == sorted(found) and not consistent(found)


def test_clones_started_one_by_one_bear_no_single_instant(
    simulated_array: Simulated, array: WbemArray, pairs: list[Pair], writer: Stamper
) -> None:
    for pair in pairs:
        array.start(CopyType.OPC, [pair])
        writer.wait(2)
    assert not consistent(on_devices(simulated_array, pairs))


def test_the_check_knows_a_cut_through_ordered_writes() -> None:
    assert consistent([7, 7, 7]) and consistent([8, 8, 7]) and consistent([8, 7, 7])
    assert not consistent([7, 8, 8]) and not consistent([9, 8, 7]) and not consistent([8, 7, 8])
    content = bytes(OFFSET) + stamp(12)
    assert counter_in(content) == 12
    for spoilt in (bytes(len(content)), content[:-1] + b"x", content[: OFFSET + LENGTH - 1]):
        with pytest.raises(ValueError, match="no stamp"):
            counter_in(spoilt)


def test_the_program_writes_until_told_and_checks_devices(
    simulated_array: Simulated, pairs: list[Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text(simulated_array.password)
    (tmp_path / "enough").touch()
    url = f"http://{simulated_array.endpoint['host']}:{simulated_array.endpoint['http_port']}"
    words = ["--url", url, "--user", simulated_array.user, "--password-file", str(tmp_path / "password")]
    assert main(["write", *words, "--until", str(tmp_path / "enough"), *TVS]) == 0
    assert capsys.readouterr().out == '{"rounds": 1}\n'
    assert main(["check", *[str(simulated_array.device_dir / pair.source.device_name) for pair in pairs]]) == 0
    assert capsys.readouterr().out == '{"counters": [1, 1, 1], "consistent": true}\n'
