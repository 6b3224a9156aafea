# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated array is made of, as values (array.md "Classes", "Operations", "Return codes")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import IntEnum
from pathlib import Path
from typing import Optional

BLOCK = 512  # bytes of a block
EXTENT = 64 * 1024  # bytes of an extent: the grain in which copies move and changes are tracked

Key = tuple[str, str]  # (source DeviceID, target DeviceID): what identifies a session


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(timezone.utc)


class Code(IntEnum):
    """Return codes of array.md, under names of our own."""

    NOT_SUPPORTED = 1
    FAILED = 4
    INVALID_PARAMETER = 5
    JOB_STARTED = 4096
    SIZE = 4097
    VOLUME_BUSY = 32786
    DEVICE_BUSY = 32787
    NAME_IN_USE = 32788
    MAX_SESSIONS = 32791
    NO_LICENSE = 32792
    NO_SESSION = 32793
    PHASE = 32794
    NOT_OPERATIVE = 32804
    UNKNOWN_VOLUME = 32807
    REC_PATH = 32818
    CASCADE_LOCAL = 32821
    CASCADE_NOT_SUSPENDED = 32822
    INVALID_ELEMENT = 35302
    DEVICE_SESSIONS = 35331
    SOURCE_SESSIONS = 35333
    TARGET_SESSIONS = 35334


class Refused(Exception):
    """The array says no, and nothing has changed. ``code`` is a return code of array.md."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{int(code)}: {text}")
        self.code = int(code)
        self.text = text


class CopyType(IntEnum):
    """The property CopyType of a session."""

    EC = 3  # EC and REC
    SNAP = 4  # SnapOPC
    OPC = 5  # OPC, QuickOPC, ROPC


class SyncType(IntEnum):
    """The argument SyncType of CreateElementReplica."""

    MIRROR = 6
    SNAPSHOT = 7
    CLONE = 8


class CopyState(IntEnum):
    """The property CopyState of a session."""

    INITIALIZED = 2
    UNSYNCHRONIZED = 3
    SYNCHRONIZED = 4
    BROKEN = 5
    FRACTURED = 6
    SPLIT = 7
    SUSPENDED = 9
    ABORTED = 12
    PARTITIONED = 16
    RESTORED = 18


class Progress(IntEnum):
    """The property ProgressStatus of a session."""

    COMPLETED = 2
    DORMANT = 3
    SYNCHRONIZING = 6
    RESYNCING = 7
    RESTORING = 8
    FRACTURING = 9
    DETACHING = 21


class Operation(IntEnum):
    """The argument Operation of ModifyReplicaSynchronization."""

    ABORT = 2
    DETACH = 8
    FRACTURE = 12
    RESYNC = 14
    RESTORE = 15
    RESUME = 16
    RETURN = 19
    REVERSE = 20
    SPLIT = 21
    SUSPEND = 22


class JobState(IntEnum):
    """The property JobState of a job."""

    NEW = 2
    STARTING = 3
    RUNNING = 4
    COMPLETED = 7
    TERMINATED = 8
    KILLED = 9
    EXCEPTION = 10


@dataclass
class Volume:
    """A volume. ``path`` is the sparse file that holds its bytes; digits 24..27 of ``device_id`` are ``number``."""

    device_id: str
    number: int
    name: str
    blocks: int
    pool_id: str
    path: Path
    thin: bool = False
    hidden: bool = False
    block_size: int = BLOCK

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self.blocks * self.block_size


@dataclass
class Pool:
    """A pool: ``kind`` is thin or raid, sizes are bytes, ``used`` the sum of its volumes' sizes."""

    pool_id: str
    kind: str
    name: str
    total: int
    used: int = 0

    @property
    def remaining(self) -> int:
        """Return the bytes that volumes have not taken yet."""
        return max(0, self.total - self.used)


@dataclass
class Session:
    """A copy session as the array shows it. Times are UTC; ``target_id`` may lie on the linked array (REC)."""

    source_id: str
    target_id: str
    copy_type: int
    sync_type: int
    mode: int
    copy_state: int
    progress_status: int
    percent: int = 0
    when_started: Optional[datetime] = None
    when_synced: Optional[datetime] = None
    when_suspended: Optional[datetime] = None
    sync_maintained: bool = False
    remote: bool = False

    @property
    def key(self) -> Key:
        """Return what identifies it."""
        return (self.source_id, self.target_id)


@dataclass
class Job:
    """A job. ``state`` is a JobState, ``result`` the sessions (or, for volumes, the DeviceIDs) that it made."""

    job_id: str
    name: str
    state: int = JobState.NEW
    percent: int = 0
    error_code: int = 0
    error_text: str = ""
    started: datetime = field(default_factory=now)
    result: list[object] = field(default_factory=list)
