# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An array as a model: a few extents a volume, time that tests turn, faults on demand; by the rules of array.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """A session with the seconds that its copy still takes, and the extents that still differ."""

    session: Session
    left: float
    born: float = 0.0


@dataclass
class Fabric:
    """Every volume and session of all arrays; contents are tuples of small numbers, one an extent."""

    clock: ModelClock
    copy_seconds: float = 4.0
    stale: float = 0.0
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
        """Write as a host does: equivalent pairs follow at once."""
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
        """End a copy: a mirror becomes equivalent, an OPC session disappears."""
        copying = self.copies[key]
        if not copying.session.copy_type.mirror:
            del self.copies[key]
            return
        self.content[key[1]] = list(self.content[key[0]])
        copying.session = replace(copying.session, state=SessionState.EQUIVALENT, percent=100)

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
    """What goes wrong at a call: ``refuse``, ``lost`` (after the act), ``unreachable`` (before it), or a kill."""

    method: str
    kind: str
    code: int = 4
    skip: int = 0


class ModelArray:
    """One array of the fabric."""

    def __init__(
        self, fabric: Fabric, serial: str = "ET1", *, lists: bool = True, copies: str = "EC REC OPC ROPC"
    ) -> None:
        self.fabric = fabric
        self.serial = serial
        self.round_trips = 0
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, int]] = []
        self.reads_only = False
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

    def start(self, copy_type: CopyType, pairs: Sequence[Pair], *, track: bool = False) -> Sequence[Outcome]:
        return self._each("start", pairs, lambda pair: self._start(copy_type, pair))

    def suspend(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        return self._each("suspend", pairs, self._suspend)

    def resume(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        return self._each("resume", pairs, self._resume)

    def release(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        return self._each("release", pairs, self._release)

    def _each(self, method: str, pairs: Sequence[Pair], act: Callable[[Pair], Optional[BackupError]]) -> list[Outcome]:
        if self.reads_only:
            raise AssertionError(f"{method} was called on an array that refuses writes")
        self.calls.append((method, len(pairs)))
        self.round_trips += 1 if self._capabilities.create_list else len(pairs)
        refused = self._strike(method, "before")
        outcomes = []
        for pair in pairs:
            error = refused or act(pair)
            outcomes.append(Outcome(pair, error))
        self._strike(method, "after")
        return outcomes

    def _strike(self, method: str, when: str) -> Optional[BackupError]:
        for fault in list(self.faults):
            if fault.method != method or (fault.kind in ("lost", "killed_after")) != (when == "after"):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            self.faults.remove(fault)
            if fault.kind in ("killed_before", "killed_after"):
                raise Killed(f"{fault.kind} {method}")
            if fault.kind == "refuse":
                return array_error(fault.code)
            raise BackupError(ErrorClass.ARRAY_UNREACHABLE, "The answer was lost.", next_step="Run again.")
        return None

    def _start(self, copy_type: CopyType, pair: Pair) -> Optional[BackupError]:
        fabric = self.fabric
        if pair.key in fabric.copies or any(c.session.target == pair.target.ref for c in fabric.copies.values()):
            return array_error(35334)
        if sum(1 for c in fabric.copies.values() if pair.source.ref == c.session.source) >= 8:
            return array_error(35333)
        fabric.changed()
        seconds = fabric.copy_seconds
        session = Session(*pair.key, copy_type, SessionState.EXECUTING)
        if not copy_type.mirror:
            fabric.content[pair.target.ref] = list(fabric.content[pair.source.ref])
        else:
            fabric.content[pair.target.ref] = [-1] * EXTENTS
        fabric.copies[pair.key] = Copying(session, seconds)
        return None

    def _suspend(self, pair: Pair) -> Optional[BackupError]:
        copying = self.fabric.copies.get(pair.key)
        if copying is None:
            return array_error(32793)
        if copying.session.state is not SessionState.EQUIVALENT:
            return array_error(32794)
        self.fabric.changed()
        now = self.fabric.clock.now()
        copying.session = replace(copying.session, state=SessionState.SUSPENDED, suspended_at=now)
        return None

    def _resume(self, pair: Pair) -> Optional[BackupError]:
        copying = self.fabric.copies.get(pair.key)
        if copying is None:
            return array_error(32793)
        if copying.session.state is not SessionState.SUSPENDED:
            return array_error(32794)
        self.fabric.changed()
        copying.session = replace(copying.session, state=SessionState.EXECUTING, percent=0, suspended_at=None)
        copying.left = self.fabric.copy_seconds / 4
        self.fabric.content[pair.target.ref] = [-1] * EXTENTS
        return None

    def _release(self, pair: Pair) -> Optional[BackupError]:
        self.fabric.changed()
        self.fabric.copies.pop(pair.key, None)
        return None


def array_error(code: int) -> BackupError:
    """Return what the client makes of a return code."""
    return BackupError(ErrorClass.ARRAY_ERROR, f"The array answered {code}.", next_step="See the array.", code=code)
