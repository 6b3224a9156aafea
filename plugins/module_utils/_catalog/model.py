# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the catalog remembers, as values. All times are UTC and aware. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef


class Role(str, Enum):
    """What a registered volume is for (behaviour.md §1)."""

    TRANSACTION = "transaction"
    BACKUP = "backup"


class Method(str, Enum):
    """How a backup is made (behaviour.md §3)."""

    AUTO = "auto"
    SYNCHRONIZED = "synchronized"
    SNAPSHOT = "snapshot"
    DIFFERENTIAL = "differential"
    TAPE_ONLY = "tape_only"


class Media(str, Enum):
    """Where a policy's backups live (behaviour.md §3)."""

    DISK = "disk"
    TAPE = "tape"
    BOTH = "both"

    @property
    def tape(self) -> bool:
        """Tell whether a tape copy is wanted."""
        return self is not Media.DISK


class DiskState(str, Enum):
    """The state of a disk copy.

    ``LEAVING``: struck from the generations, its drop waits for a reader (§5), or for the copy that overwrites it (§3).
    ``BORROWED``: media *tape*; it never was a generation, and its BV is kept until the tape copies are written (§3).
    """

    VALID = "valid"
    LEAVING = "leaving"
    BORROWED = "borrowed"


class TapeState(str, Enum):
    """The state of a tape leg (behaviour.md §5)."""

    NONE = "none"
    QUEUED = "queued"
    WRITING = "writing"
    WRITTEN = "written"
    FAILED = "failed"


class ReaderPurpose(str, Enum):
    """Who reads a backup volume."""

    TAPE = "tape"
    RESTORE = "restore"


class StepState(str, Enum):
    """The state of a journalled step (DESIGN.md: intent before act)."""

    INTENDED = "intended"
    DONE = "done"
    UNDONE = "undone"


class PoolKind(str, Enum):
    """The kind of a tape storage pool (behaviour.md §1)."""

    PRIVATE = "private"
    SCRATCH = "scratch"


@dataclass(frozen=True)
class ArrayRecord:
    """An array that was seen. ``known`` keeps what the client need not ask again (service path, capabilities)."""

    serial: str
    model: str
    seen_at: datetime
    known: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RegisteredVolume:
    """A registered volume. ``unknown``: nothing explains its content; never allocated (behaviour.md §4)."""

    volume: Volume
    role: Role
    registered_at: datetime
    unknown: bool = False

    @property
    def ref(self) -> VolumeRef:
        """Return its identity."""
        return self.volume.ref

    @property
    def name(self) -> str:
        """Return its name on the array."""
        return self.volume.name


@dataclass(frozen=True)
class Policy:
    """What is declared for a transaction volume (behaviour.md §1, §3–§5). Days are whole days; 0 means not set."""

    tv: VolumeRef
    generations: int
    method: Method = Method.SYNCHRONIZED
    suspend: bool = False
    media: Media = Media.BOTH
    tape_pool: str = ""
    tape_generations: int = 0
    tape_days: int = 0
    tape_copies: int = 1
    interval_days: int = 0
    sync_slot: str = ""
    safe_rotation: bool = False
    group: str = ""
    pinned: tuple[VolumeRef, ...] = ()
    mounted_on: str = ""
    mount_point: str = ""

    @property
    def staged(self) -> bool:
        """Tell whether its backups only borrow a BV, until tape has them (behaviour.md §3)."""
        return self.media is Media.TAPE or self.method is Method.TAPE_ONLY


@dataclass(frozen=True)
class Allocation:
    """A backup volume that serves a TV: from the moment it is picked until it is unused again.

    It exists while the BV is the target of a session, carries a generation, or is reserved: one row a BV, so that two
    processes can never pick the same one. ``suspended_at`` orders resumable BVs (behaviour.md §2: the one suspended
    last).
    """

    bv: VolumeRef
    tv: VolumeRef
    copy_type: Optional[CopyType]
    allocated_at: datetime
    suspended_at: Optional[datetime] = None


@dataclass(frozen=True)
class DiskCopy:
    """The disk copy of a backup."""

    bv: VolumeRef
    state: DiskState
    written_at: datetime


@dataclass(frozen=True)
class TapePart:
    """A piece of a tape copy on one cartridge. Offset and size: bytes of the image; ``data_file``: tape file number."""

    sequence: int
    barcode: str
    data_file: int
    offset: int
    size: int
    sha256: str
    data_block: int = -1


@dataclass(frozen=True)
class TapeCopy:
    """One tape copy of a backup and the state of its leg. Sizes in bytes."""

    number: int
    state: TapeState
    pool: str
    queued_at: datetime
    started_at: Optional[datetime] = None
    written_at: Optional[datetime] = None
    bytes_done: int = 0
    bytes_total: int = 0
    sha256: str = ""
    error: str = ""
    verified_at: Optional[datetime] = None
    verified_ok: Optional[bool] = None
    owner: str = ""
    parts: tuple[TapePart, ...] = ()


@dataclass(frozen=True)
class Backup:
    """One immutable id and point in time for one TV; disk and tape copies are attributes (behaviour.md §1).

    ``group_id``: the same for all members of a consistency group; ``consistent`` and ``skew_ms`` (milliseconds between
    the first and the last member, at most) say how they were split, None outside a group (§3).
    """

    id: str
    tv: VolumeRef
    point_in_time: datetime
    method: Method
    copy_type: CopyType
    suspend: bool
    size: int
    key: str = ""
    group_id: str = ""
    hold: bool = False
    consistent: Optional[bool] = None
    skew_ms: Optional[int] = None
    disk: Optional[DiskCopy] = None
    tape: tuple[TapeCopy, ...] = ()

    @property
    def bv(self) -> VolumeRef:
        """Return the BV of its disk copy; ValueError without one, which the caller has ruled out."""
        if self.disk is None:
            raise ValueError(f"backup {self.id} has no disk copy")
        return self.disk.bv

    @property
    def good_on_disk(self) -> bool:
        """Tell whether its disk copy counts as a generation."""
        return self.disk is not None and self.disk.state is DiskState.VALID

    @property
    def whole_on_disk(self) -> bool:
        """Tell whether its disk copy may be read: a generation, or one that was only borrowed for tape (§3)."""
        return self.disk is not None and self.disk.state in (DiskState.VALID, DiskState.BORROWED)

    @property
    def good_on_tape(self) -> bool:
        """Tell whether a tape copy of it is written."""
        return any(copy.state is TapeState.WRITTEN for copy in self.tape)


@dataclass(frozen=True)
class UsedKey:
    """A key that made a backup of a TV, or (``restore:KEY``) restored one onto a volume: never a second time.

    It stays used after that backup has gone.
    """

    tv: VolumeRef
    key: str
    backup_id: str


@dataclass(frozen=True)
class Reader:
    """Somebody reads this BV: it is not resumed, dropped, overwritten or freed meanwhile (behaviour.md §5)."""

    bv: VolumeRef
    backup_id: str
    purpose: ReaderPurpose
    owner: str
    since: datetime


@dataclass(frozen=True)
class Lease:
    """The right to work on something (a TV, a cartridge). ``token`` grows with every owner: it fences sleepers."""

    name: str
    owner: str
    token: int
    acquired_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class JournalEntry:
    """A step that is about to happen, or what became of it. ``payload`` holds plain JSON types."""

    id: str
    operation_id: str
    kind: str
    tv: VolumeRef
    payload: dict[str, Any]
    state: StepState
    written_at: datetime


@dataclass(frozen=True)
class UndefinedTarget:
    """A volume that a cancelled or failed restore left undefined (behaviour.md §6)."""

    volume: VolumeRef
    backup_id: str
    since: datetime
    reason: str


@dataclass(frozen=True)
class RestoreTest:
    """What became of a restore test: a backup was brought back and compared (behaviour.md §6). It outlives the backup.

    ``source``: ``disk`` or ``tape``; ``copy``: the number of the tape copy, 0 for disk; ``size`` in bytes.
    """

    id: str
    backup_id: str
    tv: VolumeRef
    target: VolumeRef
    source: str
    copy: int
    tested_at: datetime
    ok: bool
    size: int
    sha256: str
    message: str = ""


@dataclass(frozen=True)
class TapePool:
    """A set of cartridges (behaviour.md §1). ``append``: copies go behind others; else each begins an empty one."""

    name: str
    kind: PoolKind
    created_at: datetime
    append: bool = True


@dataclass(frozen=True)
class Cartridge:
    """A cartridge as the catalog knows it; the tape knows what is on it. ``capacity`` in bytes, 0: not known.

    ``protected_until``: it is never written over before, whatever became of what is on it. ``location``: where one
    that was taken out of the library at ``exported_at`` is kept, in the operator's words. ``unknown``: it bears
    backups that no history explains; it is never written over unless an operator names its label.
    """

    barcode: str
    uuid: str
    pool: str
    labelled_at: Optional[datetime] = None
    capacity: int = 0
    bytes_written: int = 0
    files: int = 0
    full: bool = False
    suspect: str = ""
    retired: bool = False
    protected_until: Optional[datetime] = None
    location: str = ""
    exported_at: Optional[datetime] = None
    unknown: bool = False
