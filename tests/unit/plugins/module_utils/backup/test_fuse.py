# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fuse burns for the block alone, and leaves other people's timers and signals alone.

What it does to a process that sleeps too long is shown in tests/unit/concurrency/test_fencing.py.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.fuse import fuse
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import Operation, lease_name
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def left() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


def test_it_burns_within_the_block_also_where_the_block_fails() -> None:
    with fuse(600):
        assert 0 < left() <= 600
    assert left() == 0
    with pytest.raises(ValueError, match="no"), fuse(600):
        raise ValueError("no")
    assert left() == 0


def test_a_timer_or_a_handler_of_somebody_else_is_left_alone() -> None:
    signal.setitimer(signal.ITIMER_REAL, 6000)
    with fuse(600):
        assert left() > 600
    assert left() > 600
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    with fuse(600):
        assert left() == 0


@pytest.mark.parametrize("taken", [True, False])
def test_a_process_that_was_stopped_before_the_fuse_is_lit_looks_again(house: House, taken: bool) -> None:
    ctx, now = house.context(), house.clock.now
    name = lease_name(house.tv("tv"))
    stops = [lambda: None, lambda: house.clock.sleep(ctx.lease_seconds + 1)]

    class Stopped(Operation):
        def before_act(self) -> float:
            left = super().before_act()
            stops.pop()()
            return left

    with house.catalog.begin() as records:
        work = Stopped(ctx, "op", records.take_leases([name], ctx.owner, now(), ctx.lease_seconds))
    if not taken:
        with work.acting():
            assert min(one.expires_at for one in work.leases) > now() + timedelta(seconds=left())
        return
    stops[-1] = lambda: (house.clock.sleep(ctx.lease_seconds + 1), _take(house, name))
    with pytest.raises(BackupError, match="is held by another"), work.acting():
        pytest.fail("The request was sent.")
    assert not work.sent
    assert left() == 0


def _take(house: House, name: str) -> None:
    with house.catalog.begin() as records:
        records.take_leases([name], "another", house.clock.now(), 120)
