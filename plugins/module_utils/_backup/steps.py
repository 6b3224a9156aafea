# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The steps that a plan is made of, and what each would make of the world. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskState,
    TapeCopy,
    TapeState,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


@dataclass(frozen=True)
class Untaped:
    """A generation that waits to be dropped, and the queued tape copies that are given up for its BV (drop_untaped).

    It goes only when the array has accepted the copy that overwrites it; a refusal leaves it whole.
    """

    backup_id: str
    copies: tuple[TapeCopy, ...]


@dataclass(frozen=True)
class StartCopy:
    """Start EC/REC onto a BV, a full copy: an unused one, which is allocated, or one that gives up its tape leg."""

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    untaped: Optional[Untaped] = None


@dataclass(frozen=True)
class ResumeCopy:
    """Resume the suspended session of a BV: only the differences are copied."""

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    untaped: Optional[Untaped] = None


@dataclass(frozen=True)
class SplitCopy:
    """Stop the synchronization at a point in time; the BV becomes the planned backup's disk copy.

    ``certain``: who finds it done and not recorded may record it. It is not where several splits must have been one
    instant and no list request makes them so, or where a file system had to be frozen meanwhile (§3, §7).
    """

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    backup: Backup
    certain: bool = True


@dataclass(frozen=True)
class SnapCopy:
    """Copy a TV onto a BV by OPC, ROPC or QuickOPC: logically at once, the BV becomes the backup's disk copy (§3).

    ``resume``: the tracked session of that BV copies the differences. ``replaces``: the backup whose disk copy is
    overwritten; it is leaving until the array has accepted, and whole again when the array refuses. ``untaped``: its
    queued tape copies, which are given up. ``spoiled``: the end of an old session has made it worthless before.
    ``before``: what its disk copy was. ``synced_at``: when the tracked session was last copied, as the array told
    before; a change of it shows that it was copied again. ``certain``: as for :class:`SplitCopy`.
    """

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    backup: Backup
    resume: bool = False
    replaces: str = ""
    untaped: tuple[TapeCopy, ...] = ()
    certain: bool = True
    spoiled: bool = False
    before: DiskState = DiskState.VALID
    synced_at: Optional[datetime] = None

    @property
    def fresh(self) -> bool:
        """Tell whether the BV was unused, and is allocated by this."""
        return not self.resume and not self.replaces


@dataclass(frozen=True)
class DropGeneration:
    """Strike a disk generation. ``wait``: a reader needs the BV, it is only marked. ``free``: the BV becomes unused."""

    tv: VolumeRef
    bv: VolumeRef
    backup_id: str
    wait: bool
    free: bool


@dataclass(frozen=True)
class ReleaseCopy:
    """End a session. ``free``: the BV becomes unused, since it carries no generation and nobody reads it.

    ``strikes``: the backup whose disk copy is worth nothing then, since the copy onto it had not ended.
    """

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    free: bool
    strikes: str = ""


@dataclass(frozen=True)
class FreeVolume:
    """Let a BV be unused that nothing uses: its session was ended by other hands, or a restore had reserved it (§6)."""

    tv: VolumeRef
    bv: VolumeRef


@dataclass(frozen=True)
class RestoreCopy:
    """Copy a generation from its BV onto a target (OPC); the target is undefined until the copy has ended."""

    tv: VolumeRef
    bv: VolumeRef
    target: VolumeRef
    copy_type: CopyType
    backup_id: str
    key: str = ""


Step = Union[StartCopy, ResumeCopy, SplitCopy, SnapCopy, DropGeneration, ReleaseCopy, FreeVolume, RestoreCopy]
#: The steps that make a backup.
Taking = Union[SplitCopy, SnapCopy]


@dataclass(frozen=True)
class Plan:
    """What is to be done, volume by volume, or why it is refused. A plan with refusals is never applied as a whole."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[BackupError, ...] = ()
    warnings: tuple[str, ...] = ()


def project(world: World, steps: Sequence[Step]) -> World:
    """Return the world as it would be once the array has accepted every step; check and diff mode show this."""
    for step in steps:
        world = _project_one(world, step)
    return world


def _project_one(world: World, step: Step) -> World:
    if isinstance(step, (StartCopy, ResumeCopy)) and step.untaped is not None:
        world = without_disk(world, step.tv, step.untaped.backup_id)
    if isinstance(step, StartCopy):
        allocation = Allocation(step.bv, step.tv, step.copy_type, world.now)
        world = replace(world, allocations={**world.allocations, step.bv: allocation})
        return _with_session(world, Session(step.tv, step.bv, step.copy_type, SessionState.EXECUTING))
    if isinstance(step, ResumeCopy):
        world = _suspended_at(world, step.bv, None)
        session = world.sessions[(step.tv, step.bv)]
        return _with_session(world, replace(session, state=SessionState.EXECUTING, percent=0))
    if isinstance(step, SplitCopy):
        history = world.backups.get(step.tv, ()) + (step.backup,)
        world = replace(world, backups={**world.backups, step.tv: history})
        world = _suspended_at(world, step.bv, world.now)
        session = world.sessions[(step.tv, step.bv)]
        return _with_session(world, replace(session, state=SessionState.SUSPENDED, suspended_at=world.now))
    if isinstance(step, SnapCopy):
        return _snap(world, step)
    if isinstance(step, DropGeneration):
        return _drop(world, step)
    if isinstance(step, ReleaseCopy):
        sessions = {key: session for key, session in world.sessions.items() if key != (step.tv, step.bv)}
        world = _suspended_at(replace(world, sessions=sessions), step.bv, None)
        world = without_disk(world, step.tv, step.strikes)
        return _free(world, step.bv) if step.free else world
    if isinstance(step, FreeVolume):
        undefined = {ref: marker for ref, marker in world.undefined.items() if ref != step.bv}
        return _free(replace(world, undefined=undefined), step.bv)
    session = Session(step.bv, step.target, step.copy_type, SessionState.EXECUTING)
    marker = UndefinedTarget(step.target, step.backup_id, world.now, "a restore runs")
    return _with_session(replace(world, undefined={**world.undefined, step.target: marker}), session)


def _snap(world: World, step: SnapCopy) -> World:
    world = without_disk(world, step.tv, step.replaces)
    allocation = Allocation(step.bv, step.tv, step.copy_type, world.now)
    if not step.fresh:
        allocation = replace(world.allocations.get(step.bv, allocation), copy_type=step.copy_type, suspended_at=None)
    history = world.backups.get(step.tv, ()) + (step.backup,)
    world = replace(
        world,
        allocations={**world.allocations, step.bv: allocation},
        backups={**world.backups, step.tv: history},
    )
    tracked = step.copy_type is CopyType.QUICK_OPC
    return _with_session(world, Session(step.tv, step.bv, step.copy_type, SessionState.EXECUTING, tracked=tracked))


def _with_session(world: World, session: Session) -> World:
    return world.with_session(session)


def _suspended_at(world: World, bv: VolumeRef, at: object) -> World:
    allocation = world.allocations.get(bv)
    if allocation is None:
        return world
    changed = replace(allocation, suspended_at=at)  # type: ignore[arg-type]
    return replace(world, allocations={**world.allocations, bv: changed})


def _free(world: World, bv: VolumeRef) -> World:
    return replace(world, allocations={ref: row for ref, row in world.allocations.items() if ref != bv})


def _drop(world: World, step: DropGeneration) -> World:
    if not step.wait:
        world = without_disk(world, step.tv, step.backup_id)
        return _free(world, step.bv) if step.free else world
    history = tuple(
        replace(backup, disk=replace(backup.disk, state=DiskState.LEAVING))
        if backup.id == step.backup_id and backup.disk is not None
        else backup
        for backup in world.backups.get(step.tv, ())
    )
    return replace(world, backups={**world.backups, step.tv: history})


def without_disk(world: World, tv: VolumeRef, backup_id: str) -> World:
    """Return the world without a backup's disk copy; without the backup where no written tape copy is left."""
    if not backup_id:
        return world
    history = []
    for backup in world.backups.get(tv, ()):
        written = tuple(copy for copy in backup.tape if copy.state is TapeState.WRITTEN)
        if backup.id != backup_id:
            history.append(backup)
        elif written:
            history.append(replace(backup, disk=None, tape=written))
    return replace(world, backups={**world.backups, tv: tuple(history)})
