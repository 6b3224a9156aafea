# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What waits cost in looks, and when they see the end: copies, restores, tape copies, confirmations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.moving import sessions_moving, tapes_moving
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._backup.wait_tape import wait_for_tape
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

HOUR = 3600.0
GIB = 1 << 30
PATIENT = Wait(interval=5.0, timeout=2 * HOUR)
#: A fixed interval of 5 seconds would be 720 looks.
FEW = 90


def lasting(house: House, seconds: float) -> float:
    """Let copies that begin now take so long; return when they end."""
    house.fabric.copy_seconds = seconds
    return house.clock.seconds + seconds


def test_a_synchronization_of_an_hour_is_looked_at_rarely_and_its_end_is_seen_soon(house: House) -> None:
    house.tv("oradata", 1)
    end = lasting(house, HOUR)
    result = house.start("oradata", wait=PATIENT)
    assert result.values["equivalent"]
    assert result.values["looks"] <= FEW
    assert house.clock.seconds - end <= PATIENT.interval


def test_however_many_pairs_copy_the_looks_are_those_of_one(house: House) -> None:
    names = [f"tv{number}" for number in range(20)]
    for name in names:
        house.tv(name, 1)
    lasting(house, 600)
    alone = house.start(names[0], wait=PATIENT).values["looks"]
    assert house.start(*names[1:], wait=PATIENT).values["looks"] == alone


def test_a_restore_of_an_hour_is_looked_at_rarely_and_its_end_is_seen_soon(house: House) -> None:
    house.tv("oradata", 1)
    house.cycle("oradata")
    end = lasting(house, HOUR)
    before = house.array.round_trips
    assert house.restore("oradata", wait=PATIENT).values["finished"]
    assert house.array.round_trips - before <= FEW
    assert house.clock.seconds - end <= PATIENT.interval


def test_a_copy_that_breaks_is_seen_within_twelve_intervals(house: House) -> None:
    tv = house.tv("oradata", 1)
    lasting(house, HOUR)
    house.start("oradata")
    broken_at = house.clock.seconds + HOUR / 3

    def break_it(_seconds: float) -> None:
        if house.clock.seconds >= broken_at:
            house.fabric.set_state(tv, house.by_name["bv1"].ref, SessionState.FAILED)

    house.clock.listeners.append(break_it)
    with pytest.raises(Exception, match="bv1"):
        house.start("oradata", wait=PATIENT)
    assert house.clock.seconds - broken_at <= 12 * PATIENT.interval


def test_a_tape_copy_of_an_hour_is_looked_at_rarely_and_its_end_is_seen_soon(house: House) -> None:
    house.tv("oradata", 1, media="both", tape_pool="pool")
    house.cycle("oradata", key="night")
    ident = house.history("oradata")[0].id
    house.begin_leg(ident)
    begun, looks = house.clock.seconds, 0

    def write(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        part = min(1.0, (house.clock.seconds - begun) / HOUR)
        with house.catalog.begin() as records:
            copy = house.history("oradata")[0].tape[0]
            state = TapeState.WRITTEN if part == 1.0 else copy.state
            done = int(part * GIB)
            records.put_tape_copy(ident, replace(copy, state=state, bytes_done=done, bytes_total=GIB))

    house.clock.listeners.append(write)
    ctx = house.context()
    result = wait_for_tape(ctx, take_backup(ctx, ["oradata"], BackupRequest("night")), PATIENT)
    assert result.values["tape_written"]
    assert looks <= FEW
    assert house.clock.seconds - begun - HOUR <= PATIENT.interval


def test_a_wait_for_what_an_earlier_task_began_looks_no_more_often_than_at_a_fixed_interval(house: House) -> None:
    house.tv("oradata", 1)
    lasting(house, HOUR)
    house.start("oradata")
    for _slice in range(20):
        assert house.start("oradata", wait=Wait(interval=5.0, timeout=30.0)).values["looks"] <= 7


@pytest.mark.parametrize("stale", [0.0, 0.04, 0.3, 2.0])
def test_a_request_is_confirmed_soon_after_the_list_shows_it(house: House, stale: float) -> None:
    house.tv("oradata", 1)
    house.fabric.stale = stale
    before = house.clock.seconds
    house.start("oradata")
    assert house.clock.seconds - before <= 2 * stale + 0.06


def test_what_is_paused_tells_no_progress_and_what_is_equivalent_needs_none(house: House) -> None:
    tv = house.tv("oradata", 1)
    house.start("oradata")
    bv = house.by_name["bv1"].ref
    for state, told in [
        (SessionState.PAUSED, {(tv, bv): None}),
        (SessionState.UNKNOWN, {(tv, bv): None}),
        (SessionState.EXECUTING, {(tv, bv): 0.0}),
        (SessionState.EQUIVALENT, {}),
        (SessionState.TRACKING, {}),
    ]:
        house.fabric.set_state(tv, bv, state)
        assert sessions_moving(house.array.sessions()) == told


def test_a_tape_copy_of_unknown_size_tells_no_progress_and_a_written_one_needs_none(house: House) -> None:
    house.tv("oradata", 1, media="both", tape_pool="pool")
    house.cycle("oradata")
    (backup,) = house.history("oradata")
    (copy,) = backup.tape
    for changed, told in [
        (replace(copy, bytes_done=512, bytes_total=2048), {(backup.id, 1): 0.25}),
        (replace(copy, bytes_done=0, bytes_total=0), {(backup.id, 1): None}),
        (replace(copy, state=TapeState.WRITTEN), {}),
    ]:
        assert tapes_moving([replace(backup, tape=(changed,))]) == told
