# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated array: what the CIM server, the door and tests call. Every public method is safe for threads."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from .config import ArrayConfig, Knobs
from .copier import Copier
from .counters import Counters
from .domain import Domain
from .failpoints import FailPoints
from .media import Fingerprint
from .model import Code, CopyState, Job, JobState, Key, Progress, Refused, Session, SyncType, Volume
from .operate import operate, stop
from .replica import Replica
from .start import Wish, start
from .statelog import Record, StateLog
from .traffic import Traffic
from .volumes import Volumes

_JOBS_KEPT = 10_000
Write = tuple[str, int, bytes]  # DeviceID, offset in bytes, data


@dataclass
class PendingJob:
    """A job that has not acted yet. ``due`` is on the monotonic clock."""

    job: Job
    due: float
    action: Callable[[], Iterable[object]]


class SimArray:
    """One array in one directory. Everything in it outlives the process, a killed one too."""

    def __init__(self, directory: Path, config: Optional[ArrayConfig] = None) -> None:
        self.config = config or ArrayConfig()
        self.directory = Path(directory)
        self.maps_directory = self.directory / "maps"
        for path in (self.directory, self.maps_directory):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        self.model = self.config.model
        self.serial = self.config.serial or self.model[-10:]
        self.name = self.config.name
        self.knobs: Knobs = self.config.knobs
        self.counters = Counters()
        self.failpoints = FailPoints()
        self.pending_jobs: list[PendingJob] = []
        self.jobs: OrderedDict[str, Job] = OrderedDict()
        self._history: deque[tuple[float, Key, Optional[Session]]] = deque()
        self.log = StateLog(self.directory / "state.jsonl")
        self.domain = Domain()
        self.domain.add_array(self)
        self.traffic = Traffic(self.domain)
        self._volumes = Volumes(self)
        self.volumes: dict[str, Volume] = self._volumes.by_id
        self.pools = self._volumes.pools
        self._copier = Copier(self)
        self._load_sessions()
        self._copier.start()

    # volumes

    def volume(self, name_or_id: str) -> Volume:
        """Return a volume by DeviceID or name, or refuse with 32807."""
        with self.domain.lock:
            return self._volumes.find(name_or_id)

    def volume_by_number(self, number: int) -> Volume:
        """Return a volume by the array's own number, or refuse with 32807."""
        with self.domain.lock:
            return self._volumes.by_number(number)

    def create_volume(self, name: str, size_bytes: int, pool_id: str, *, hidden: bool = False) -> Volume:
        """Make a volume of zeros. Refused: 32788 name in use, 4097 size, 5 unknown pool."""
        return self.create_volumes([(name, size_bytes)], pool_id, hidden=hidden)[0]

    def create_volumes(self, wanted: Sequence[tuple[str, int]], pool_id: str, *, hidden: bool = False) -> list[Volume]:
        """Make many volumes of (name, size in bytes), all or none."""
        with self.domain.lock:
            self._check("create_volume", names=[name for name, _size in wanted])
            return self._volumes.create(wanted, pool_id, hidden)

    def extend_volume(self, device_id: str, size_bytes: int) -> Volume:
        """Make a volume larger. Refused: 32807, 32786 while it has a session, 4097."""
        with self.domain.lock:
            self._check("extend_volume", source=device_id)
            return self._volumes.extend(device_id, size_bytes)

    def delete_volume(self, device_id: str) -> None:
        """Remove a volume and its bytes. Refused: 32807, 32786 while it has a session."""
        with self.domain.lock:
            self._check("delete_volume", source=device_id)
            self._volumes.delete(device_id)

    # bytes

    def write(self, device_id: str, offset: int, data: bytes) -> None:
        """Write as a host does, in bytes. It is on the mirror, or in the maps, when the call returns."""
        self.write_many([(device_id, offset, data)])

    def write_many(self, writes: Sequence[Write]) -> None:
        """Write in this order; a split may come between two of them, never out of order."""
        for device_id, offset, data in writes:
            with self.domain.lock:
                self.traffic.host_write(device_id, offset, data)

    def read(self, device_id: str, offset: int, length: int) -> bytes:
        """Read as a host does, in bytes."""
        with self.domain.lock:
            return self.traffic.host_read(device_id, offset, length)

    def trim(self, device_id: str, offset: int, length: int) -> None:
        """Make a range zeros, as a host does."""
        step = 1 << 20
        for first in range(offset, offset + length, step):
            self.write(device_id, first, bytes(min(step, offset + length - first)))

    # sessions

    def sees(self, replica: Replica) -> bool:
        """Tell whether a session shows on this array: it has one of the volumes."""
        return replica.home is self or any(device_id in self.volumes for device_id in replica.key)

    def sessions(self, stale: bool = True) -> list[Session]:
        """Return the sessions, copies. With ``stale`` as they were ``knobs.stale_seconds`` ago."""
        with self.domain.lock:
            shown = {r.key: r.snapshot() for r in self.domain.replicas.values() if self.sees(r)}
            if stale and self.knobs.stale_seconds > 0:
                since = time.monotonic() - self.knobs.stale_seconds
                for when, key, before in reversed(self._history):
                    if when < since:
                        break
                    if before is None:
                        shown.pop(key, None)
                    else:
                        shown[key] = before
            return list(shown.values())

    def session(self, source_id: str, target_id: str) -> Session:
        """Return a session as it is now, or refuse with 32793."""
        with self.domain.lock:
            replica = self.domain.replicas.get((source_id, target_id))
            if replica is None or not self.sees(replica):
                raise Refused(Code.NO_SESSION, f"no session from {source_id} to {target_id}")
            return replica.snapshot()

    def start_sessions(
        self, pairs: Sequence[Key], sync_type: int, mode: int = 2, *, sync_maintained: bool = False
    ) -> list[Session]:
        """Start copies of (source, target), all or none. ``sync_maintained`` with a clone makes it differential."""
        try:
            wish = Wish(SyncType(sync_type), mode, sync_maintained)
        except ValueError as error:
            raise Refused(Code.INVALID_PARAMETER, f"no SyncType {sync_type}") from error
        if mode not in {2, 3}:
            raise Refused(Code.INVALID_PARAMETER, f"no Mode {mode}")
        with self.domain.lock:
            for source_id, target_id in pairs:
                self._check("start_sessions", source=source_id, target=target_id)
            return start(self, pairs, wish)

    def operate(self, pairs: Sequence[Key], operation: int, force: bool = False) -> list[Session]:
        """Carry out an operation of array.md on all sessions at one instant, or refuse it for all."""
        with self.domain.lock:
            for source_id, target_id in pairs:
                for name in ("operate", f"operate:{int(operation)}"):
                    self._check(name, source=source_id, target=target_id, operation=int(operation))
            return operate(self, list(pairs), operation, force)

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until the predicate holds, at most ``timeout`` seconds; tell whether it does."""
        with self.domain.lock:
            return self.domain.changed.wait_for(predicate, timeout)

    def break_session(self, source_id: str, target_id: str) -> None:
        """Break a session now (CopyState 5)."""
        with self.domain.lock:
            self.session(source_id, target_id)
            replica = self.domain.replicas[source_id, target_id]
            replica.home.note_change(replica.key, replica.snapshot())
            stop(replica, CopyState.BROKEN)
            replica.home.remember(replica)
            self.wake()

    # jobs

    def submit(self, name: str, action: Callable[[], Iterable[object]]) -> Job:
        """Begin a job that acts ``knobs.job_seconds`` from now. A refusal becomes its error code (JobState 10)."""
        with self.domain.lock:
            job = Job(uuid.uuid4().hex, name, JobState.RUNNING)
            self.jobs[job.job_id] = job
            while len(self.jobs) > _JOBS_KEPT:
                self.jobs.popitem(last=False)
            self.pending_jobs.append(PendingJob(job, time.monotonic() + self.knobs.job_seconds, action))
            self.wake()
            return job

    # other arrays

    def link(self, peer: SimArray) -> None:
        """Join another array, for REC and ROPC. Before either serves anyone."""
        old = peer.domain
        with self.domain.lock, old.lock:
            if old is self.domain:
                return
            for array in old.arrays:
                self.domain.add_array(array)
            for replica in list(old.replicas.values()):
                self.domain.add(replica)
            for array in old.arrays:
                self.traffic.fingerprints.update(array.traffic.fingerprints)
            for array in list(old.arrays):
                array.domain, array.traffic = self.domain, self.traffic
            self._fill_the_rest()
            old.changed.notify_all()
            self.wake()

    # for the other files of the core; callers hold the lock

    def _check(self, name: str, **facts: Any) -> None:
        point = self.failpoints.take(name, actions=("refuse",), **facts)
        if point is not None:
            raise Refused(point.code, point.text or f"failpoint on {name}")

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self.domain.changed.notify_all()

    def new_map_name(self) -> str:
        """Return a name for the maps of a new session."""
        return uuid.uuid4().hex + ".map"

    def note_change(self, key: Key, before: Optional[Session]) -> None:
        """Keep what a session was before a change, for lists that lag."""
        for array in self.domain.arrays:
            lag = array.knobs.stale_seconds
            if lag > 0:
                array._history.append((time.monotonic(), key, before))
                while array._history and array._history[0][0] < time.monotonic() - lag:
                    array._history.popleft()

    def remember(self, *replicas: Replica) -> None:
        """Write sessions to the log, all in one line, with how their volumes' files look; ended ones leave it."""
        ours = [replica for replica in replicas if replica.home is self]
        ended = [replica for replica in ours if self.domain.replicas.get(replica.key) is not replica]
        records = [self._session_record(replica, None if replica in ended else replica.to_record()) for replica in ours]
        ids = {device_id for replica in replicas for device_id in replica.key if device_id in self.volumes}
        self.log.put([*records, *self._file_records(ids)])
        for replica in ended:
            replica.map_path.unlink(missing_ok=True)
        for replica in ours:
            self.traffic.spoil(replica)

    @staticmethod
    def _session_record(replica: Replica, value: Optional[dict[str, Any]]) -> Record:
        return ("session", "/".join(replica.key), value)

    def _file_records(self, ids: Iterable[str]) -> list[Record]:
        prints = self.traffic.fingerprints
        return [("file", key, {"seen": list(prints[key] or ())} if prints.get(key) else None) for key in ids]

    def fill(self, replicas: Iterable[Replica]) -> None:
        """Lay down the points in time of sessions that have just begun, in their order.

        The log has the session before its target is touched, and each target is whole before the next is begun: a
        killed array lays down the rest when it is there again, and nobody has written meanwhile.
        """
        for replica in replicas:
            leg = replica.unfilled_leg()
            if leg is None or None in map(self.domain.owner, replica.key):
                continue
            self.traffic.fill(leg)
            replica.unfilled = ""
            replica.home.remember(replica)

    def drop(self, replica: Replica) -> None:
        """End a session for good; ``remember`` takes it out of the log."""
        replica.give_up()
        self.domain.remove(replica)
        if replica.run is not None:
            replica.run.finished = True

    def reverse(self, replica: Replica) -> None:
        """Exchange source and target of a suspended session; its home is where the new source lies."""
        old_home, old, old_map = replica.home, self._session_record(replica, None), replica.map_path
        new_home = self.domain.owner(replica.view.target_id) or old_home
        bits = (replica.todo, replica.back, replica.tgt, replica.src)
        self.domain.remove(replica)
        replica.view.source_id, replica.view.target_id = replica.view.target_id, replica.view.source_id
        replica.home = new_home
        replica.place(self.new_map_name())
        for fresh, before in zip((replica.todo, replica.back, replica.src, replica.tgt), bits):
            fresh.unite(before)
        self.domain.add(replica)
        new = self._session_record(replica, replica.to_record())
        if new_home is old_home:
            old_home.log.put([new, old])
        else:
            new_home.log.put([new])
            old_home.log.put([old])
        old_map.unlink(missing_ok=True)

    def cut_off(self, replica: Replica) -> None:
        """The other array cannot be reached: hold a mirror or a remote clone until it can."""
        before = replica.snapshot()
        replica.resume_to = Progress.RESYNCING if replica.synced_once else Progress.SYNCHRONIZING
        replica.view.copy_state = CopyState.PARTITIONED
        replica.view.progress_status = Progress.DORMANT
        replica.home.note_change(replica.key, before)
        replica.home.remember(replica)
        self.wake()

    def _load_sessions(self) -> None:
        seen = self.log.all("file")
        for device_id in self.volumes:
            found: Optional[Fingerprint] = None
            if device_id in seen:
                mtime, ctime, size, inode = seen[device_id]["seen"]
                found = (mtime, ctime, size, inode)
            self.traffic.fingerprints[device_id] = found
        for record in self.log.all("session").values():
            self.domain.add(Replica.from_record(self, record))
        self._fill_the_rest()

    def _fill_the_rest(self) -> None:
        """Go on where a killed array was laying down points in time."""
        begun = [replica for replica in self.domain.replicas.values() if replica.unfilled]
        self.fill(sorted(begun, key=lambda one: one.back_seq if one.unfilled == "back" else one.seq))

    def close(self) -> None:
        """End the thread and write what a next start can be spared."""
        self._copier.stop()
        with self.domain.lock:
            involved = {device_id for replica in self.domain.replicas.values() for device_id in replica.key}
            self.log.put(self._file_records(device_id for device_id in involved if device_id in self.volumes))
            self.log.close()
