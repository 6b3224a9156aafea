# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A fuse for the moment between the last look at a lease and the request: an array knows no fencing tokens."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fuse(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer than its lease still lasts.

    A process that is stopped inside the block (SIGSTOP, a frozen container) and woken after that time dies of SIGALRM
    before it does anything else: the kernel delivers a signal that is waiting before it goes on with the program, so
    that not even a request which was about to be written goes out. The next run finishes or undoes what is journalled.

    The signal and the timer are left alone where somebody else in this process uses them.

    :param seconds: how long the lease still lasts.
    """
    if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
