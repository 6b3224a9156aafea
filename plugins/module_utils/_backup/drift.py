# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What drift is: where catalog, array and tapes do not say the same, and what would mend it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import ScannedCartridge
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import lease_name
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    Cartridge,
    JournalEntry,
    Lease,
    Reader,
    RegisteredVolume,
    TapeCopy,
)


class DriftKind(str, Enum):
    """What kind of drift it is; the word that ``repair`` takes."""

    FOREIGN_SESSION = "foreign_session"
    LOST_SESSION = "lost_session"
    SESSION_STATE = "session_state"
    BROKEN_SESSION = "broken_session"
    BROKEN_GENERATION = "broken_generation"
    RESUMED_GENERATION = "resumed_generation"
    YOUNGER_GENERATION = "younger_generation"
    OVERWRITTEN_GENERATION = "overwritten_generation"
    IDLE_VOLUME = "idle_volume"
    UNKNOWN_VOLUME = "unknown_volume"
    UNEXPLAINED_VOLUME = "unexplained_volume"
    MISSING_VOLUME = "missing_volume"
    CHANGED_VOLUME = "changed_volume"
    PINNED_VOLUME = "pinned_volume"
    UNDEFINED_TARGET = "undefined_target"
    JOURNAL = "journal"
    STALE_READER = "stale_reader"
    DEAD_LEASE = "dead_lease"
    UNKNOWN_CARTRIDGE = "unknown_cartridge"
    OTHER_CARTRIDGE = "other_cartridge"
    UNKNOWN_TAPE_COPY = "unknown_tape_copy"
    PARTIAL_TAPE_COPY = "partial_tape_copy"
    MISSING_TAPE_COPY = "missing_tape_copy"
    DIFFERENT_TAPE_COPY = "different_tape_copy"


#: What ``repair`` takes: the catalog can be brought in line without a decision that only a person can make.
REPAIRABLE = (
    DriftKind.LOST_SESSION,
    DriftKind.SESSION_STATE,
    DriftKind.BROKEN_GENERATION,
    DriftKind.RESUMED_GENERATION,
    DriftKind.YOUNGER_GENERATION,
    DriftKind.OVERWRITTEN_GENERATION,
    DriftKind.IDLE_VOLUME,
    DriftKind.UNEXPLAINED_VOLUME,
    DriftKind.CHANGED_VOLUME,
    DriftKind.JOURNAL,
    DriftKind.STALE_READER,
    DriftKind.DEAD_LEASE,
    DriftKind.UNKNOWN_CARTRIDGE,
    DriftKind.UNKNOWN_TAPE_COPY,
    DriftKind.MISSING_TAPE_COPY,
)


@dataclass(frozen=True)
class NoteSuspended:
    """Write down since when a BV's session is suspended (UTC), or that it is not."""

    bv: VolumeRef
    at: Optional[datetime]


@dataclass(frozen=True)
class StrikeDisk:
    """Strike a disk copy that is not what the catalog says; a tape leg that was not written goes with it."""

    backup_id: str


@dataclass(frozen=True)
class FreeBv:
    """Let a BV be unused."""

    bv: VolumeRef


@dataclass(frozen=True)
class TakeVolume:
    """Register a volume otherwise: as the array shows it now, as *unknown*, or as known again."""

    volume: RegisteredVolume


@dataclass(frozen=True)
class Bind:
    """Bind a BV to the TV whose session it is the target of."""

    allocation: Allocation


@dataclass(frozen=True)
class Settle:
    """Let recovery finish or undo the journalled steps of a TV; it may end sessions on the array."""

    tv: VolumeRef


@dataclass(frozen=True)
class EndReading:
    """Take a reader away. ``ended``: its restore has come to its end, and this target is whole."""

    reader: Reader
    ended: Optional[VolumeRef] = None


@dataclass(frozen=True)
class DropLease:
    """Take away the lease of somebody who is dead."""

    lease: Lease


@dataclass(frozen=True)
class AddHistory:
    """Add a backup that is only on tape."""

    backup: Backup


@dataclass(frozen=True)
class PutTape:
    """Write down what became of a tape copy."""

    backup_id: str
    copy: TapeCopy


@dataclass(frozen=True)
class StrikeTape:
    """Strike a tape copy."""

    backup_id: str
    number: int


@dataclass(frozen=True)
class AddCartridge:
    """Add a cartridge, and its pool as a private one where that is not declared."""

    cartridge: Cartridge


Mend = Union[
    NoteSuspended,
    StrikeDisk,
    FreeBv,
    TakeVolume,
    Bind,
    Settle,
    EndReading,
    DropLease,
    AddHistory,
    PutTape,
    StrikeTape,
    AddCartridge,
]


@dataclass(frozen=True)
class Drift:
    """One thing that the three do not agree upon.

    :param what: the volume, pair (``source -> target``), backup or cartridge, by name.
    :param message: one sentence.
    :param next_step: what mends it: the repair by name, or ``Needs an operator: ...``.
    :param before: what the catalog says; plain JSON types.
    :param after: what was found, and what the catalog would say once it is mended.
    :param volumes: the volumes that it concerns: they are leased while it is mended, and ``volumes`` narrows by them.
    :param more_leases: further leases that must be free, such as that of a tape copy.
    :param mends: changes to the catalog that mend it; none where an operator has to decide.
    :param info: worth knowing, and no contradiction.
    :param loud: told as a warning too.
    """

    kind: DriftKind
    what: str
    message: str
    next_step: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[VolumeRef, ...] = ()
    more_leases: tuple[str, ...] = ()
    mends: tuple[Mend, ...] = ()
    info: bool = False
    loud: bool = False

    @property
    def key(self) -> tuple[DriftKind, str]:
        """Return what it is known by from one look to the next."""
        return (self.kind, self.what)

    @property
    def leases(self) -> frozenset[str]:
        """Return the names of the leases that must not be anybody else's while it is judged or mended."""
        return frozenset({*map(lease_name, self.volumes), *self.more_leases})


@dataclass(frozen=True)
class Evidence:
    """One look at everything that drift is found in.

    :param found: the volumes on the arrays of this run.
    :param connected: the serials of those arrays.
    :param dead: owners of leases that certainly live no more.
    :param owner: who looks; its own leases hinder nothing.
    """

    world: World
    found: Mapping[VolumeRef, Volume] = field(default_factory=dict)
    connected: frozenset[str] = frozenset()
    journal: tuple[JournalEntry, ...] = ()
    leases: tuple[Lease, ...] = ()
    dead: frozenset[str] = frozenset()
    owner: str = ""
    cartridges: Mapping[str, Cartridge] = field(default_factory=dict)
    scan: tuple[ScannedCartridge, ...] = ()

    def lives(self, lease: Lease) -> bool:
        """Tell whether a lease is held by somebody who lives, as far as can be told."""
        return lease.expires_at > self.world.now and lease.owner not in self.dead

    def held(self) -> frozenset[str]:
        """Return the names of the leases that others hold."""
        return frozenset(one.name for one in self.leases if self.lives(one) and one.owner != self.owner)

    def journalled(self, *ends: VolumeRef) -> bool:
        """Tell whether a step that is open in the journal touches all of these volumes."""
        return any(set(ends) <= touched_by(entry) for entry in self.journal)


def touched_by(entry: JournalEntry) -> set[VolumeRef]:
    """Return the volumes that a journalled step is about."""
    named = [entry.payload.get("bv"), entry.payload.get("target")]
    return {entry.tv, *(VolumeRef(one[0], one[1]) for one in named if one)}


def operator(what: str) -> str:
    """Return the next step where no repair can decide."""
    return f"Needs an operator: {what}"


def by_repair(kind: DriftKind, what: str) -> str:
    """Return the next step where a repair mends it."""
    return f"repair: [{kind.value}] {what}"
