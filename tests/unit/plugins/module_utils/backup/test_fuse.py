# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fuse burns for the block alone, and leaves other people's timers and signals alone.

What it does to a process that sleeps too long is shown in tests/unit/concurrency/test_fencing.py.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.fuse import fuse


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
