# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one background thread of an array: moves extents at the set rate, in turns, and ends what has been moved."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from .model import EXTENT, CopyState, CopyType, JobState, Progress, Refused, now
from .operate import resume, stop
from .replica import Replica

if TYPE_CHECKING:
    from .array import SimArray

_CHUNK = 16  # extents of one turn, when the rate allows it
_IDLE = 0.5  # seconds between two looks when nothing is to be done
_SLICE = 0.02  # seconds between two looks while the rate holds everything back


class Copier:
    """The copies and the jobs of one array."""

    def __init__(self, array: SimArray) -> None:
        self._array = array
        self._stop = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._turn = 0
        self._credit = 0.0
        self._paid = time.monotonic()

    def start(self) -> None:
        """Begin, unless it runs already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name=f"copier-{self._array.serial}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread between two moves. What was to be copied stays to be copied."""
        self._stop.set()
        with self._array.domain.lock:
            self._array.domain.changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._stop.is_set():
            domain = self._array.domain
            with domain.lock:
                if self._array.domain is not domain:
                    continue  # linked with another array meanwhile
                pause = self._step()
                if pause >= _SLICE and not self._stop.is_set():
                    domain.changed.wait(pause)
                    continue
            self._stop.wait(pause or 0.0001)  # whoever waits for the lock comes first

    def _step(self) -> float:
        """Do one turn; return how long to wait for the next, in seconds."""
        due = self._jobs()
        running = self._running()
        if not running:
            self._paid, self._credit = time.monotonic(), 0.0
            return due
        self._turn += 1
        replica = running[self._turn % len(running)]
        point = self._array.failpoints.take(
            "copy",
            actions=("break_session",),
            source=replica.view.source_id,
            target=replica.view.target_id,
            percent=replica.snapshot().percent,
        )
        if point is not None:
            before = replica.snapshot()
            stop(replica, CopyState.BROKEN)
            self._tell(replica, before)
            return 0.0
        leg = replica.next_leg()
        if leg is None:
            self._finish(replica)
            return min(due, _SLICE) if replica.running else 0.0
        most = self._allowance()
        if not most:
            return _SLICE
        span = leg.pending.first_run(min(replica.cursor, replica.extents), most)
        self._credit -= (span[1] - span[0]) * EXTENT
        self._array.traffic.move(leg, span)
        replica.cursor = span[1]
        if replica.next_leg() is None:
            self._finish(replica)
        self._array.domain.changed.notify_all()
        return 0.0

    def _allowance(self) -> int:
        """Return how many extents may be moved now."""
        rate = self._array.knobs.copy_rate
        present = time.monotonic()
        elapsed, self._paid = present - self._paid, present
        if rate <= 0:
            self._credit = float(_CHUNK * EXTENT)
            return _CHUNK
        self._credit = min(self._credit + elapsed * rate, max(EXTENT, 0.1 * rate))
        return min(_CHUNK, int(self._credit // EXTENT))

    def _running(self) -> list[Replica]:
        domain = self._array.domain
        found = []
        for replica in domain.replicas.values():
            if replica.home is not self._array:
                continue
            if replica.view.copy_state == CopyState.PARTITIONED and domain.reachable(replica):
                before = replica.snapshot()
                resume(self._array, replica)
                self._tell(replica, before)
            elif replica.running and not domain.reachable(replica):
                self._array.cut_off(replica)
            if replica.running:
                found.append(replica)
        return found

    def _finish(self, replica: Replica) -> None:
        """End a run that has nothing left to move, unless a write past the door shows up, or a cascade holds it."""
        array, view = self._array, replica.view
        for device_id in replica.key:
            array.traffic.notice(device_id)
        if replica.next_leg() is not None or (replica.mirror and self._cascade_holds(replica)):
            return
        before = replica.snapshot()
        restored = view.progress_status == Progress.RESTORING
        if replica.run is not None:
            replica.run.finished = True
        if not replica.mirror and view.copy_type == CopyType.OPC and not view.sync_maintained:
            array.drop(replica)
            self._tell(replica, before)
            return
        state = CopyState.RESTORED if restored else CopyState.SYNCHRONIZED
        replica.view = replace(view, copy_state=state, progress_status=Progress.COMPLETED)
        if replica.mirror and not restored:
            replica.view.when_synced = now()
        replica.synced_once = True
        self._tell(replica, before)

    def _cascade_holds(self, replica: Replica) -> bool:
        """A mirror of a copy's target becomes equivalent only when that copy is physically complete (array.md)."""
        source = replica.view.source_id
        return any(
            (other.view.target_id == source and other.copying and not self._equivalent(other))
            or (other.view.source_id == source and other.restoring)
            for other in self._array.domain.of_volume(source)
            if other is not replica
        )

    @staticmethod
    def _equivalent(replica: Replica) -> bool:
        return replica.mirror and replica.view.copy_state == CopyState.SYNCHRONIZED

    def _tell(self, replica: Replica, before: object) -> None:
        self._array.note_change(replica.key, before)
        self._array.remember(replica)
        self._array.domain.changed.notify_all()

    def _jobs(self) -> float:
        """Run the jobs that are due; return when to look again, in seconds."""
        wait = _IDLE
        for pending in list(self._array.pending_jobs):
            left = pending.due - time.monotonic()
            if left > 0:
                wait = min(wait, max(left, _SLICE))
                continue
            self._array.pending_jobs.remove(pending)
            job = pending.job
            try:
                job.result = list(pending.action())
                job.state = JobState.COMPLETED
            except Refused as refused:
                job.state, job.error_code, job.error_text = JobState.EXCEPTION, refused.code, refused.text
            job.percent = 100
            self._array.domain.changed.notify_all()
        return wait
