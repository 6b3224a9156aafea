# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From CIM values to ours: the state and kind of a session, a volume, what the array offers. No I/O, no pywbem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.cim import (
    Action,
    CopyState,
    Mode,
    Operation,
    Progress,
    ReplicationType,
    SessionType,
    SyncType,
)
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities, CopyType, SessionState

_TYPES: Mapping[CopyType, tuple[ReplicationType, ...]] = {
    # The one that is preferred comes first: a copy that need not hold up the source's writes.
    CopyType.EC: (ReplicationType.MIRROR_LOCAL_SYNC,),
    CopyType.REC: (ReplicationType.MIRROR_REMOTE_SYNC, ReplicationType.MIRROR_REMOTE_ASYNC),
    CopyType.OPC: (ReplicationType.CLONE_LOCAL_ASYNC, ReplicationType.CLONE_LOCAL_SYNC),
    CopyType.ROPC: (ReplicationType.CLONE_REMOTE_ASYNC, ReplicationType.CLONE_REMOTE_SYNC),
    CopyType.SNAP_OPC: (ReplicationType.SNAPSHOT_LOCAL_ASYNC, ReplicationType.SNAPSHOT_LOCAL_SYNC),
}

_ASYNCHRONOUS = frozenset(
    {
        ReplicationType.MIRROR_REMOTE_ASYNC,
        ReplicationType.SNAPSHOT_LOCAL_ASYNC,
        ReplicationType.CLONE_LOCAL_ASYNC,
        ReplicationType.CLONE_REMOTE_ASYNC,
    }
)

_FAILED = frozenset({CopyState.BROKEN, CopyState.ABORTED, CopyState.INVALID, CopyState.PARTITIONED})
_APART = frozenset({CopyState.FRACTURED, CopyState.SPLIT, CopyState.SKEWED, CopyState.RESTORED})
_UNDER_WAY = frozenset({CopyState.INITIALIZED, CopyState.UNSYNCHRONIZED})
_RUNNING = frozenset({Progress.SYNCHRONIZING, Progress.RESYNCING})


def sync_type(copy_type: CopyType) -> SyncType:
    """Return the SyncType by which a copy is asked for."""
    if copy_type.mirror:
        return SyncType.MIRROR
    return SyncType.SNAPSHOT if copy_type is CopyType.SNAP_OPC else SyncType.CLONE


def copy_type_of(session_type: int, *, remote: bool, tracked: bool) -> CopyType:
    """Return the kind of a session: CopyType 3 EC/REC, 4 SnapOPC, 5 OPC (array.md, Classes).

    QuickOPC is an OPC whose session stays, ROPC one whose target lies on another array.
    """
    if session_type == SessionType.EC_OR_REC:
        return CopyType.REC if remote else CopyType.EC
    if session_type == SessionType.SNAP_OPC:
        return CopyType.SNAP_OPC
    if remote:
        return CopyType.ROPC
    return CopyType.QUICK_OPC if tracked else CopyType.OPC


def state_of(copy_type: CopyType, copy_state: int, progress: int) -> SessionState:
    """Return a session's state in the field's words (behaviour.md §1, array.md: CopyState, ProgressStatus).

    A running restore or resync shows in ProgressStatus before CopyState follows. *Skewed* and *restored* are sides that
    go their own ways. *Partitioned* (the path to the other array is gone) counts as failed: nothing is copied.
    """
    if copy_state in _FAILED:
        return SessionState.FAILED
    if progress == Progress.RESTORING:
        return SessionState.RESTORING
    if copy_state == CopyState.SUSPENDED:
        return SessionState.PAUSED
    if copy_state in _UNDER_WAY or (copy_state in _APART and progress in _RUNNING):
        return SessionState.EXECUTING
    if copy_state == CopyState.SYNCHRONIZED or copy_state in _APART:
        return _alike_or_apart(copy_type, copy_state, progress)
    return SessionState.UNKNOWN


def _alike_or_apart(copy_type: CopyType, copy_state: int, progress: int) -> SessionState:
    if copy_type.mirror:
        return SessionState.EQUIVALENT if copy_state == CopyState.SYNCHRONIZED else SessionState.SUSPENDED
    if copy_type is CopyType.SNAP_OPC:  # copies on write, and is of use from the first moment
        return SessionState.TRACKING
    if copy_type is CopyType.QUICK_OPC:
        return SessionState.EXECUTING if progress in _RUNNING else SessionState.TRACKING
    return SessionState.EXECUTING  # a plain OPC vanishes when its background copy has ended


def utc(value: Optional[datetime]) -> Optional[datetime]:
    """Return a time in UTC; one without a zone is UTC."""
    if value is None:
        return None
    return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


def is_thin(purpose: str) -> bool:
    """Tell whether a volume is thin: ``Purpose[8:10]`` is 6 (array.md, Classes)."""
    return _kind(purpose) == 6


def is_hidden(purpose: str) -> bool:
    """Tell whether a volume is a pool's own: its ``Purpose[8:10]`` is there, and neither standard nor thin."""
    return _kind(purpose) not in (None, 0, 6)


def _kind(purpose: str) -> Optional[int]:
    try:
        return int(purpose[8:10], 16)
    except ValueError:
        return None


_SETS = ("types", "actions", "clone_operations", "mirror_operations")


@dataclass(frozen=True)
class Offer:
    """What the array said about itself, as it said it; kept between runs so that it need not be asked again.

    :param types: SupportedReplicationTypes.
    :param actions: synchronous and asynchronous actions.
    :param clone_operations: GetSupportedOperations of a local clone.
    :param mirror_operations: GetSupportedOperations of a mirror, empty when not told.
    :param maximum: targets per source, 0 when not told.
    """

    types: frozenset[int]
    actions: frozenset[int]
    clone_operations: frozenset[int] = frozenset()
    mirror_operations: frozenset[int] = frozenset()
    maximum: int = 0

    def replication_type(self, copy_type: CopyType) -> Optional[ReplicationType]:
        """Return the offered kind of copy by which one is made; None where it is not offered."""
        base = CopyType.OPC if copy_type is CopyType.QUICK_OPC else copy_type
        return next((kind for kind in _TYPES[base] if kind in self.types), None)

    def mode(self, copy_type: CopyType) -> Mode:
        """Return the Mode by which a copy is asked for."""
        return Mode.ASYNCHRONOUS if self.replication_type(copy_type) in _ASYNCHRONOUS else Mode.SYNCHRONOUS

    def suspend_operation(self, *, many: bool) -> Operation:
        """Return how pairs are suspended: split, which is consistent, for many; fracture for one; what is offered."""
        first, second = (Operation.SPLIT, Operation.FRACTURE) if many else (Operation.FRACTURE, Operation.SPLIT)
        return second if second in self.mirror_operations and first not in self.mirror_operations else first

    def capabilities(self) -> Capabilities:
        """Return it in the model's words. QuickOPC: a clone that can be resynced [assumed] (array.md, Operations)."""
        copies = {copy_type for copy_type in _TYPES if self.replication_type(copy_type) is not None}
        if CopyType.OPC in copies and Operation.RESYNC in self.clone_operations:
            copies.add(CopyType.QUICK_OPC)
        return Capabilities(
            copies=frozenset(copies),
            create_list=Action.CREATE_LIST in self.actions,
            modify_list=Action.MODIFY_LIST in self.actions,
            max_sessions_per_source=self.maximum or None,
        )

    def as_json(self) -> str:
        """Return it as text for a cache."""
        sets = {name: sorted(getattr(self, name)) for name in _SETS}
        return json.dumps({**sets, "maximum": self.maximum})

    @classmethod
    def from_json(cls, text: str) -> Optional[Offer]:
        """Return what was kept; None when it is not of this version's form."""
        try:
            kept: dict[str, Any] = json.loads(text)
            sets = {name: frozenset(map(int, kept[name])) for name in _SETS}
            return cls(**sets, maximum=int(kept["maximum"]))
        except (ValueError, TypeError, KeyError):
            return None
