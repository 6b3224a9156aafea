# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An array as a model: a few extents a volume, time that tests turn, faults on demand; by the rules of array.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Capabilities,
    CopyType,
    Outcome,
    Pair,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

EXTENTS = 3
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Killed(BaseException):
    """The process dies here."""


class ModelClock:
    """Time that passes only when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.listeners: list[Callable[[float], None]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for listener in self.listeners:
            listener(seconds)


@dataclass
class Copying:
    """A session with the seconds that its copy still takes, and how many extents each of its copies moved."""

    session: Session
    left: float
    moved: list[int] = field(default_factory=list)


@dataclass
class Fabric:
    """Every volume and session of all arrays; contents are tuples of small numbers, one an extent."""

    clock: ModelClock
    copy_seconds: float = 4.0
    stale: float = 0.0
    dead: bool = False  # the process that was at work has died
    volumes: dict[VolumeRef, Volume] = field(default_factory=dict)
    content: dict[VolumeRef, list[int]] = field(default_factory=dict)
    copies: dict[tuple[VolumeRef, VolumeRef], Copying] = field(default_factory=dict)
    changes: list[tuple[float, dict[tuple[VolumeRef, VolumeRef], Session]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.listeners.append(self.pass_time)

    def add(self, array: str, number: int, name: str, blocks: int = 2048) -> Volume:
        """Make a volume with content of its own."""
        device_id = f"600000E00D2A0000002A0115{number:04X}0000"
        volume = Volume(VolumeRef(array, device_id), name, blocks)
        self.volumes[volume.ref] = volume
        self.content[volume.ref] = [number * 1000 + extent for extent in range(EXTENTS)]
        return volume

    def write(self, ref: VolumeRef, extent: int, value: int) -> None:
        """Write as a host (or a restore copy) does: equivalent pairs follow at once, a logical copy keeps its bytes."""
        self.content[ref][extent] = value
        for copying in self.copies.values():
            if copying.session.source == ref and copying.session.state is SessionState.EQUIVALENT:
                self.content[copying.session.target][extent] = value

    def pass_time(self, seconds: float) -> None:
        """Let copies go on."""
        for key, copying in list(self.copies.items()):
            if copying.session.state is not SessionState.EXECUTING:
                continue
            copying.left -= seconds
            total = self.copy_seconds or 1.0
            percent = max(0, min(99, int(100 * (1 - copying.left / total))))
            copying.session = replace(copying.session, percent=percent)
            if copying.left <= 0:
                self.finish(key)

    def finish(self, key: tuple[VolumeRef, VolumeRef]) -> None:
        """End a copy: a mirror becomes equivalent, an OPC session disappears, a QuickOPC session tracks changes."""
        copying = self.copies[key]
        if copying.session.tracked:
            copying.session = replace(copying.session, state=SessionState.TRACKING, percent=100)
            return
        if not copying.session.copy_type.mirror:
            del self.copies[key]
            return
        self.content[key[1]] = list(self.content[key[0]])
        copying.session = replace(copying.session, state=SessionState.EQUIVALENT, percent=100)

    def copy_at_once(self, key: tuple[VolumeRef, VolumeRef]) -> int:
        """Make the logical copy that OPC makes when it starts; return how many extents differed."""
        moved = 0
        for extent, value in enumerate(list(self.content[key[0]])):
            if self.content[key[1]][extent] != value:
                moved += 1
                self.write(key[1], extent, value)
        return moved

    def end(self, key: tuple[VolumeRef, VolumeRef]) -> None:
        """End a session, as the array or other hands do: a copy that still ran leaves its target unusable."""
        copying = self.copies.pop(key)
        if copying.session.state in (SessionState.EXECUTING, SessionState.FAILED, SessionState.PAUSED):
            self.content[key[1]] = [-1] * EXTENTS

    def shown(self) -> dict[tuple[VolumeRef, VolumeRef], Session]:
        """Return the session list as it is now."""
        return {key: copying.session for key, copying in self.copies.items()}

    def changed(self) -> None:
        """Keep the list as it was before a change, for readers that get a stale one."""
        self.changes.append((self.clock.seconds, self.shown()))

    def listed(self) -> dict[tuple[VolumeRef, VolumeRef], Session]:
        """Return the list that a reader gets: as it was ``stale`` seconds ago when it changed since."""
        recent = [before for at, before in self.changes if at > self.clock.seconds - self.stale]
        return recent[0] if recent and self.stale else self.shown()

    def set_state(self, tv: VolumeRef, bv: VolumeRef, state: SessionState) -> None:
        """Force the state of a session, as trouble on the array would."""
        copying = self.copies[(tv, bv)]
        copying.session = replace(copying.session, state=state)


@dataclass
class Fault:
    """What goes wrong at a call: ``refuse``, ``lost`` (after the act), ``unreachable`` (before it), or a kill.

    ``pair``: at this pair of the request (from 0) only; where the array takes lists the whole request shares it.
    """

    method: str
    kind: str
    code: int = 4
    skip: int = 0
    pair: Optional[int] = None


class ModelArray:
    """One array of the fabric.

    :ivar seconds_per_call: what every pair's request takes where the array takes no lists: there cuts are skewed.
    :ivar between: called between two pairs of such a request, so that a host may write meanwhile.
    """

    def __init__(
        self, fabric: Fabric, serial: str = "ET1", *, lists: bool = True, copies: str = "EC REC OPC ROPC QuickOPC"
    ) -> None:
        self.fabric = fabric
        self.serial = serial
        self.round_trips = 0
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, int]] = []
        self.reads_only = False
        self.seconds_per_call = 0.0
        self.between: Optional[Callable[[], None]] = None
        self._capabilities = Capabilities(
            frozenset(CopyType(word) for word in copies.split()), create_list=lists, modify_list=lists
        )

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def limit(self, sessions: int) -> None:
        """Let the array announce its limit of sessions a source."""
        self._capabilities = replace(self._capabilities, max_sessions_per_source=sessions)

    def volumes(self) -> Sequence[Volume]:
        self.round_trips += 1
        return [volume for ref, volume in self.fabric.volumes.items() if ref.array == self.serial]

    def find_volumes(self, names: Sequence[str]) -> dict[str, Volume]:
        found = {volume.name: volume for volume in self.volumes()}
        return {name: found[name] for name in names if name in found}

    def sessions(self) -> Sequence[Session]:
        self.round_trips += 1
        self._strike("sessions", "before")
        return [
            session
            for session in self.fabric.listed().values()
            if self.serial in (session.source.array, session.target.array)
        ]

    @contextmanager
    def guarded(self, around: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        with around():
            yield

    def start(self, copy_type: CopyType, pairs: Sequence[Pair], *, track: bool = False) -> Sequence[Outcome]:
        if track and copy_type is CopyType.OPC:
            copy_type = CopyType.QUICK_OPC
        return self._each(
            "start", pairs, lambda pair: self._no_start(copy_type, pair), lambda pair: self._start(copy_type, pair)
        )

    def suspend(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        wanted = (SessionState.EQUIVALENT,)
        return self._each("suspend", pairs, lambda pair: self._not_in(pair, wanted), self._suspend)

    def resume(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        wanted = (SessionState.SUSPENDED, SessionState.TRACKING)
        return self._each("resume", pairs, lambda pair: self._not_in(pair, wanted), self._resume)

    def release(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        return self._each("release", pairs, lambda pair: None, self._release)

    def _each(
        self,
        method: str,
        pairs: Sequence[Pair],
        hindrance: Callable[[Pair], Optional[BackupError]],
        act: Callable[[Pair], Optional[BackupError]],
    ) -> list[Outcome]:
        """Carry a request out: with lists at one instant, all or nothing; else pair by pair."""
        if self.reads_only:
            raise AssertionError(f"{method} was called on an array that refuses writes")
        self.calls.append((method, len(pairs)))
        if self._capabilities.create_list:
            return self._as_list(method, pairs, hindrance, act)
        self.round_trips += len(pairs)
        refused = self._strike(method, "before")
        outcomes = []
        for position, pair in enumerate(pairs):
            error = refused or self._strike(method, "before", position) or hindrance(pair)
            outcomes.append(Outcome(pair, error or act(pair)))
            self._strike(method, "after", position)
            if self.seconds_per_call:
                self.fabric.clock.sleep(self.seconds_per_call)
            if self.between is not None and position + 1 < len(pairs):
                self.between()
        self._strike(method, "after")
        return outcomes

    def _as_list(
        self,
        method: str,
        pairs: Sequence[Pair],
        hindrance: Callable[[Pair], Optional[BackupError]],
        act: Callable[[Pair], Optional[BackupError]],
    ) -> list[Outcome]:
        self.round_trips += 1
        positions = (None, *range(len(pairs)))
        refused = [self._strike(method, "before", position) for position in positions]
        refused += [hindrance(pair) for pair in pairs]
        error = next((one for one in refused if one is not None), None)
        outcomes = [Outcome(pair, error or act(pair)) for pair in pairs]
        for position in positions:
            self._strike(method, "after", position)
        return outcomes

    def _strike(self, method: str, when: str, position: Optional[int] = None) -> Optional[BackupError]:
        for fault in list(self.faults):
            if fault.method != method or (fault.kind in ("lost", "killed_after")) != (when == "after"):
                continue
            if fault.pair != position:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            self.faults.remove(fault)
            if fault.kind in ("killed_before", "killed_after"):
                self.fabric.dead = True
                raise Killed(f"{fault.kind} {method}")
            if fault.kind == "refuse":
                return array_error(fault.code)
            raise BackupError(ErrorClass.ARRAY_UNREACHABLE, "The answer was lost.", next_step="Run again.")
        return None

    def _no_start(self, copy_type: CopyType, pair: Pair) -> Optional[BackupError]:
        """Return why a copy cannot start, by array.md's return codes."""
        copies = self.fabric.copies
        if copy_type not in self._capabilities.copies:
            return BackupError(ErrorClass.UNSUPPORTED_COPY, f"No {copy_type.value} here.", next_step="See the array.")
        if copy_type.remote == (pair.source.ref.array == pair.target.ref.array):
            return array_error(5)
        if (pair.source.blocks, pair.source.block_size) != (pair.target.blocks, pair.target.block_size):
            return array_error(4097)
        if pair.key in copies or any(one.session.target == pair.target.ref for one in copies.values()):
            return array_error(35334)
        limit = self._capabilities.max_sessions_per_source or 8
        if sum(1 for one in copies.values() if pair.source.ref == one.session.source) >= limit:
            return array_error(35333)
        return None

    def _start(self, copy_type: CopyType, pair: Pair) -> Optional[BackupError]:
        fabric, tracked = self.fabric, copy_type is CopyType.QUICK_OPC
        error = self._no_start(copy_type, pair)
        if error is not None:
            return error
        fabric.changed()
        at = None if copy_type.mirror else fabric.clock.now()
        session = Session(*pair.key, copy_type, SessionState.EXECUTING, synced_at=at, tracked=tracked)
        fabric.copies[pair.key] = Copying(session, fabric.copy_seconds, [EXTENTS])
        if copy_type.mirror:
            fabric.content[pair.target.ref] = [-1] * EXTENTS
        else:
            fabric.copy_at_once(pair.key)
        return None

    def _not_in(self, pair: Pair, states: Sequence[SessionState]) -> Optional[BackupError]:
        copying = self.fabric.copies.get(pair.key)
        if copying is None:
            return array_error(32793)
        return None if copying.session.state in states else array_error(32794)

    def _suspend(self, pair: Pair) -> Optional[BackupError]:
        self.fabric.changed()
        copying = self.fabric.copies[pair.key]
        now = self.fabric.clock.now()
        copying.session = replace(copying.session, state=SessionState.SUSPENDED, suspended_at=now)
        return None

    def _resume(self, pair: Pair) -> Optional[BackupError]:
        fabric = self.fabric
        fabric.changed()
        copying = fabric.copies[pair.key]
        running = replace(copying.session, state=SessionState.EXECUTING, percent=0, suspended_at=None)
        copying.left = fabric.copy_seconds / 4
        if running.tracked:
            copying.moved.append(fabric.copy_at_once(pair.key))
            running = replace(running, synced_at=fabric.clock.now())
        else:
            source, target = fabric.content[pair.source.ref], fabric.content[pair.target.ref]
            copying.moved.append(sum(1 for one, other in zip(source, target) if one != other))
            fabric.content[pair.target.ref] = [-1] * EXTENTS
        copying.session = running
        return None

    def _release(self, pair: Pair) -> Optional[BackupError]:
        if pair.key in self.fabric.copies:
            self.fabric.changed()
            self.fabric.end(pair.key)
        return None


def array_error(code: int) -> BackupError:
    """Return what the client makes of a return code."""
    return BackupError(ErrorClass.ARRAY_ERROR, f"The array answered {code}.", next_step="See the array.", code=code)
