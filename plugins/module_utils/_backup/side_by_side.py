# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Questions to several arrays at a time: a thread and a connection for each, and only for what changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Threads at most: what waits is the arrays, but what they answer is held in memory.
_THREADS = 16


def asked(arrays: Iterable[T], question: Callable[[T], R]) -> list[R]:
    """Return what each array answers, in their order, whichever answered first.

    Every answer is there, and no thread left, when this returns or raises; of several errors the first by the order of
    the arrays counts, so that a task says the same each time. One array is asked in this thread. The question must
    only read, and use nothing that arrays share (array.md, Connection: one connection per thread).
    """
    several = list(arrays)
    if len(several) < 2:
        return [question(one) for one in several]
    with ThreadPoolExecutor(min(len(several), _THREADS), thread_name_prefix="array") as pool:
        futures = [pool.submit(question, one) for one in several]
    return [future.result() for future in futures]
