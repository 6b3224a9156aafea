# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The data path: a ring of aligned buffers, filled by one thread, used by the caller, digested by others (tape.md).

hashlib and the system calls release the GIL, so the three run side by side; on one core everything is a plain loop.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import DriveLost, EndOfData, MediumError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock

BUFFER_SIZE = 4 << 20
GIB = 1 << 30


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class StreamOptions:
    """How to move bytes. ``rate``: bytes per second, 0 is no limit. ``buffers`` of 4 MiB make the ring."""

    rate: int = 0
    buffers: int = 16
    threads: bool = field(default_factory=lambda: cores() > 1)
    clock: Clock = field(default_factory=SystemClock)


class Buffer:
    """A part of the ring: ``data`` is valid until every holder has released it."""

    def __init__(self, memory: memoryview, free: SimpleQueue[Optional[Buffer]]) -> None:
        self._memory = memory
        self._free = free
        self._holders = 0
        self._lock = Lock()
        self.length = 0

    @property
    def data(self) -> memoryview:
        """Return the valid bytes."""
        return self._memory[: self.length]

    def fill(self, source: Callable[[memoryview], int]) -> bool:
        """Fill it; the caller is the first holder. False when there is nothing more."""
        self.length = source(self._memory)
        self._holders = 1
        return self.length > 0

    def hold(self) -> None:
        """Keep it for one more."""
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        """Give it back; the last one puts it into the ring again."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._free.put(self)


class _Filler(Thread):
    """Reads ahead into free buffers until the source ends, fails, or the consumer stops it with None."""

    def __init__(
        self,
        source: Callable[[memoryview], int],
        free: SimpleQueue[Optional[Buffer]],
        full: SimpleQueue[Optional[Buffer]],
    ) -> None:
        super().__init__(name="tape-reader", daemon=True)
        self._source, self._free, self._full = source, free, full
        # What a thread cannot tell otherwise; overwritten when the end is a known one.
        self.error: Optional[Exception] = RuntimeError("the reading thread ended early")

    def run(self) -> None:
        """Read ahead; what the source raises is raised again in the consumer."""
        try:
            for buffer in iter(self._free.get, None):
                if not buffer.fill(self._source):
                    break
                self._full.put(buffer)
            self.error = None
        except (BackupError, MediumError, DriveLost, EndOfData) as error:
            self.error = error
        finally:
            self._full.put(None)


def _ring(size: int) -> mmap.mmap:
    """Return memory for direct I/O: private and in huge pages, where pinning and faulting cost a tenth (measured)."""
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


@contextmanager
def read_ahead(source: Callable[[memoryview], int], options: StreamOptions) -> Iterator[Iterator[Buffer]]:
    """Give an iterator of filled buffers; every one must be released. ``source`` fills a buffer, 0 at the end."""
    count = options.buffers if options.threads else 1
    view = memoryview(_ring(BUFFER_SIZE * count))
    free: SimpleQueue[Optional[Buffer]] = SimpleQueue()
    full: SimpleQueue[Optional[Buffer]] = SimpleQueue()
    for number in range(count):
        free.put(Buffer(view[number * BUFFER_SIZE : (number + 1) * BUFFER_SIZE], free))
    if not options.threads:
        yield _plain(source, free)
        return
    filler = _Filler(source, free, full)
    filler.start()

    def buffers() -> Iterator[Buffer]:
        yield from iter(full.get, None)
        if filler.error is not None:
            raise filler.error

    try:
        yield buffers()
    finally:
        free.put(None)
        filler.join()


def _plain(source: Callable[[memoryview], int], free: SimpleQueue[Optional[Buffer]]) -> Iterator[Buffer]:
    for buffer in iter(free.get, None):
        if not buffer.fill(source):
            return
        yield buffer


class _Lane(Thread):
    """One digest in a thread of its own: it may lag behind by as many buffers as the ring has."""

    def __init__(self, update: Callable[[memoryview], None]) -> None:
        super().__init__(name="tape-digest", daemon=True)
        self._update = update
        self.jobs: SimpleQueue[Optional[tuple[Buffer, int, int]]] = SimpleQueue()

    def run(self) -> None:
        """Digest slice after slice; None ends it."""
        for buffer, start, end in iter(self.jobs.get, None):
            self._update(buffer.data[start:end])
            buffer.release()


class _Running:
    """A part's sha256, and what it was after each GiB: one pass over the bytes serves both."""

    def __init__(self, digest: Any) -> None:
        self._hash = digest
        self._size = 0
        self._digests: list[str] = []

    def update(self, data: memoryview) -> None:
        """Add bytes."""
        while data:
            piece = data[: GIB - self._size % GIB]
            self._hash.update(piece)
            self._size += len(piece)
            data = data[len(piece) :]
            if self._size % GIB == 0:
                self._digests.append(self._hash.hexdigest())

    def finish(self) -> tuple[str, tuple[str, ...]]:
        """Return the sha256 of everything, and the running ones: of the first GiB, of the first two, ..., of all."""
        whole = str(self._hash.hexdigest())
        return whole, (*self._digests, whole) if self._size % GIB else tuple(self._digests)


class PartDigest:
    """The digests of one part, beside the volume's: what was handed in is digested behind the caller's back.

    Only what really reached tape (or the target) is handed in, so a part may end anywhere. The first part's sha256 is
    the volume's so far, so that its bytes are digested once; those of any other part twice.
    """

    def __init__(self, volume: Any, options: StreamOptions, *, first: bool) -> None:
        self._part = _Running(volume if first else hashlib.sha256())
        self._updates: list[Callable[[memoryview], None]] = [self._part.update]
        if not first:
            self._updates.append(volume.update)
        self._lanes = [_Lane(update) for update in self._updates] if options.threads else []
        for lane in self._lanes:
            lane.start()

    def add(self, buffer: Buffer, start: int, end: int) -> None:
        """Digest a slice; the buffer is held until that is done."""
        for lane in self._lanes:
            buffer.hold()
            lane.jobs.put((buffer, start, end))
        if not self._lanes:
            for update in self._updates:
                update(buffer.data[start:end])

    def finish(self) -> tuple[str, tuple[str, ...]]:
        """Wait for the rest; return the part's sha256 and its running digests."""
        self.close()
        return self._part.finish()

    def close(self) -> None:
        """End the threads."""
        for lane in self._lanes:
            lane.jobs.put(None)
            lane.join()
        self._lanes = []


class Pace:
    """Holds the stream to a rate (bytes per second)."""

    def __init__(self, options: StreamOptions) -> None:
        self._rate, self._clock = options.rate, options.clock
        self._start = self._clock.monotonic()
        self._done = 0

    def add(self, size: int) -> None:
        """Count bytes, and wait until they may have passed."""
        if self._rate:
            self._done += size
            ahead = self._done / self._rate - (self._clock.monotonic() - self._start)
            if ahead > 0:
                self._clock.sleep(ahead)
