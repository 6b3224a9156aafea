# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What was observed, as one value: the catalog's history and the array's sessions side by side. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Optional, TypeVar

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Capabilities,
    CopyType,
    Pair,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskState,
    Policy,
    Reader,
    RegisteredVolume,
    Role,
    TapeState,
    UndefinedTarget,
)

T = TypeVar("T")
R = TypeVar("R")

#: Sessions of one source where the array does not tell (behaviour.md §3).
DEFAULT_SESSION_LIMIT = 8

#: A session list may lag behind a change (array.md); it is believed after this long.
SETTLED = timedelta(seconds=10)

_ACTIVE = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED)


class Kept:
    """What was worked out of a part of a world: it serves every world that has this very part.

    A plan looks once a TV, and makes a new world at each step: with hundreds of pairs nothing may go through all of
    them at each look.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found: dict[str, list[tuple[Any, Any]]] = {}

    def of(self, name: str, part: T, work: Callable[[T], R]) -> R:
        """Return what ``work`` makes of this part; parts are never changed, hence told apart by identity."""
        for before, found in self._found.get(name, ()):
            if before is part:
                result: R = found
                return result
        return self.put(name, part, work(part))

    def put(self, name: str, part: Any, found: R) -> R:
        """Keep it for the newest parts: a plan goes on from the last one, and looks back at the first."""
        self._found[name] = [(part, found), *self._found.get(name, ())[:2]]
        return found


@dataclass(frozen=True)
class World:
    """One look at everything that a plan needs. ``backups`` are oldest first.

    ``lost_races`` is how often a plan of this run came too late for a BV. ``near``: the arrays whose volumes were all
    read, of others only what concerns them (near.py); None: everything was read.
    """

    now: datetime
    volumes: Mapping[VolumeRef, RegisteredVolume] = field(default_factory=dict)
    policies: Mapping[VolumeRef, Policy] = field(default_factory=dict)
    allocations: Mapping[VolumeRef, Allocation] = field(default_factory=dict)
    backups: Mapping[VolumeRef, tuple[Backup, ...]] = field(default_factory=dict)
    readers: Mapping[VolumeRef, tuple[Reader, ...]] = field(default_factory=dict)
    sessions: Mapping[tuple[VolumeRef, VolumeRef], Session] = field(default_factory=dict)
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    undefined: Mapping[VolumeRef, UndefinedTarget] = field(default_factory=dict)
    lost_races: int = 0
    near: Optional[frozenset[str]] = None
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @cached_property
    def _disks(self) -> dict[VolumeRef, tuple[Backup, ...]]:
        return {}

    def _on_disk(self, tv: VolumeRef) -> tuple[Backup, ...]:
        """Return a TV's backups with a disk copy, which are few: its history is gone through once, not at each look."""
        found = self._disks.get(tv)
        if found is None:
            found = self._disks[tv] = tuple(one for one in self.backups.get(tv, ()) if one.disk is not None)
        return found

    def name(self, ref: VolumeRef) -> str:
        """Return the name a person knows the volume by."""
        volume = self.volumes.get(ref)
        return volume.name if volume else ref.device_id

    def volume(self, ref: VolumeRef) -> Volume:
        """Return a registered volume."""
        return self.volumes[ref].volume

    def pair(self, tv: VolumeRef, bv: VolumeRef) -> Pair:
        """Return the two volumes of a session."""
        return Pair(self.volume(tv), self.volume(bv))

    def touching(self, ref: VolumeRef) -> tuple[Session, ...]:
        """Return every session with this volume as source or target."""
        return self.kept.of("ends", self.sessions, _by_end).get(ref, ())

    def with_session(self, session: Session) -> World:
        """Return the world with a session more, or with another state of one."""
        ends = self.kept.of("ends", self.sessions, _by_end)
        sessions = {**self.sessions, session.key: session}
        changed = {}
        for end in session.key:
            before = ends.get(end, ())
            known = session.key in self.sessions
            changed[end] = tuple(session if one.key == session.key else one for one in before)
            changed[end] += () if known else (session,)
        self.kept.put("ends", sessions, {**ends, **changed})
        return replace(self, sessions=sessions)

    def mirrors_of(self, tv: VolumeRef) -> tuple[Session, ...]:
        """Return the EC/REC sessions whose source is this TV."""
        return tuple(one for one in self.touching(tv) if one.source == tv and one.copy_type.mirror)

    def active_mirror(self, tv: VolumeRef) -> Optional[Session]:
        """Return the TV's executing or equivalent session, if it has one: ours before one by other hands."""
        active = [session for session in self.mirrors_of(tv) if session.state in _ACTIVE]
        return min(active, key=lambda session: not self.ours(session), default=None)

    def ours(self, session: Session) -> bool:
        """Tell whether the catalog knows that a session's target serves its source."""
        allocation = self.allocations.get(session.target)
        return allocation is not None and allocation.tv == session.source and session.target in self.volumes

    def broken_mirror(self, tv: VolumeRef) -> Optional[Session]:
        """Return a failed session of the TV whose BV carries no generation."""
        broken = (SessionState.FAILED, SessionState.UNKNOWN)
        return next(
            (s for s in self.mirrors_of(tv) if s.state in broken and self.backup_on(s.target, tv) is None), None
        )

    def tracked_of(self, tv: VolumeRef) -> tuple[Session, ...]:
        """Return the QuickOPC sessions whose source is this TV and which the catalog knows."""
        found = (s for s in self.touching(tv) if s.source == tv and s.copy_type is CopyType.QUICK_OPC)
        return tuple(session for session in found if self.ours(session))

    def offers(self, copy_type: CopyType, ends: Collection[VolumeRef]) -> bool:
        """Tell whether the arrays of all these volumes offer a copy type (behaviour.md §2.7)."""
        known = [self.capabilities.get(end.array) for end in ends]
        return all(one is not None and copy_type in one.copies for one in known)

    def generations(self, tv: VolumeRef) -> tuple[Backup, ...]:
        """Return the TV's valid disk generations, newest first: index 0 is relative generation 1."""
        return tuple(backup for backup in reversed(self._on_disk(tv)) if backup.good_on_disk)

    def spoiled(self, backup: Backup) -> bool:
        """Tell whether a disk copy never became whole: the snapshot onto its BV failed before all was copied."""
        session = self.sessions.get((backup.tv, backup.disk.bv)) if backup.disk is not None else None
        broken = (SessionState.FAILED, SessionState.UNKNOWN)
        if session is None or session.copy_type.mirror or session.state not in broken:
            return False
        return session.percent < 100

    def resumed(self, session: Session) -> Optional[Backup]:
        """Return the generation on a BV that follows its TV again, since other hands resumed its session."""
        running = session.copy_type.mirror and session.state in _ACTIVE
        return self.backup_on(session.target, session.source) if running else None

    def backup_on(self, bv: VolumeRef, tv: VolumeRef) -> Optional[Backup]:
        """Return the backup of this TV whose disk copy (valid or leaving) sits on a BV."""
        return next((b for b in self._on_disk(tv) if b.bv == bv), None)

    def needed_by_tape(self, bv: VolumeRef, tv: VolumeRef) -> bool:
        """Tell whether a BV is read, or its tape leg queued or writing (§5).

        A failed leg protects nothing, unless the BV is only borrowed for it: there is no disk generation then (§3).
        """
        if self.readers.get(bv):
            return True
        backup = self.backup_on(bv, tv)
        if backup is None:
            return False
        if backup.disk is not None and backup.disk.state is DiskState.BORROWED:
            return any(copy.state is not TapeState.WRITTEN for copy in backup.tape)
        waiting = (TapeState.QUEUED, TapeState.WRITING)
        return any(copy.state in waiting for copy in backup.tape)

    def session_limit(self, array: str) -> int:
        """Return how many sessions one source may carry on this array."""
        capabilities = self.capabilities.get(array)
        return (capabilities.max_sessions_per_source if capabilities else None) or DEFAULT_SESSION_LIMIT

    def backup_volumes(self) -> tuple[RegisteredVolume, ...]:
        """Return the registered BVs, by array and volume number."""
        return self.kept.of("bvs", self.volumes, _bvs)

    def backup_volumes_like(self, ref: VolumeRef) -> Sequence[RegisteredVolume]:
        """Return the registered BVs of exactly this volume's size in blocks (§4), by array and volume number."""
        return self.kept.of("sizes", self.volumes, _bvs_by_size).get(_size(self.volume(ref)), ())

    def pinned_by(self, bv: VolumeRef) -> frozenset[VolumeRef]:
        """Return the TVs whose policies pin a BV."""
        return self.kept.of("pins", self.policies, _pins).get(bv, frozenset())

    def unused(self, bv: RegisteredVolume) -> bool:
        """Tell whether a BV may be allocated: nothing uses it, in the catalog or on the array, and it is explained."""
        return not (
            bv.unknown
            or bv.ref in self.allocations
            or self.readers.get(bv.ref)
            or bv.ref in self.undefined
            or self.touching(bv.ref)
        )

    def doing(self, bv: RegisteredVolume) -> str:
        """Say in a few words what a BV is doing."""
        if bv.unknown:
            return "unknown content"
        allocation = self.allocations.get(bv.ref)
        sessions = self.touching(bv.ref)
        words = []
        if allocation is not None:
            words.append(f"bound to {self.name(allocation.tv)}")
            backup = self.backup_on(bv.ref, allocation.tv)
            if backup is not None:
                words.append(self._generation_words(backup))
            elif allocation.copy_type is None:
                words.append("reserved as the target of a restore")
        elif sessions:
            words.append("used by a session that the catalog does not know")
        words.extend(f"{session.copy_type.value} {session.state.value}" for session in sessions)
        if bv.ref in self.undefined:
            words.append("content undefined by a broken restore")
        words.extend(f"read for {reader.purpose.value}" for reader in self.readers.get(bv.ref, ()))
        return ", ".join(words) or "unused"

    def _generation_words(self, backup: Backup) -> str:
        generations = self.generations(backup.tv)
        if backup in generations:
            return f"generation {generations.index(backup) + 1}"
        if backup.disk is not None and backup.disk.state is DiskState.BORROWED:
            return "borrowed until its tape copy is written"
        return "a generation that waits to be dropped"


def _by_end(sessions: Mapping[tuple[VolumeRef, VolumeRef], Session]) -> dict[VolumeRef, tuple[Session, ...]]:
    ends: dict[VolumeRef, list[Session]] = defaultdict(list)
    for key, session in sessions.items():
        for end in dict.fromkeys(key):
            ends[end].append(session)
    return {end: tuple(found) for end, found in ends.items()}


def _bvs(volumes: Mapping[VolumeRef, RegisteredVolume]) -> tuple[RegisteredVolume, ...]:
    found = [volume for volume in volumes.values() if volume.role is Role.BACKUP]
    return tuple(sorted(found, key=lambda volume: volume.ref))


def _size(volume: Volume) -> tuple[int, int]:
    return volume.blocks, volume.block_size


def _bvs_by_size(volumes: Mapping[VolumeRef, RegisteredVolume]) -> dict[tuple[int, int], list[RegisteredVolume]]:
    sizes: dict[tuple[int, int], list[RegisteredVolume]] = defaultdict(list)
    for bv in _bvs(volumes):
        sizes[_size(bv.volume)].append(bv)
    return dict(sizes)


def _pins(policies: Mapping[VolumeRef, Policy]) -> dict[VolumeRef, frozenset[VolumeRef]]:
    pins: dict[VolumeRef, set[VolumeRef]] = defaultdict(set)
    for policy in policies.values():
        for bv in policy.pinned:
            pins[bv].add(policy.tv)
    return {bv: frozenset(tvs) for bv, tvs in pins.items()}
