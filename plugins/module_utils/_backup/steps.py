# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The steps that a plan is made of, and what each would make of the world. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """Stop the synchronization at a point in time; the BV becomes the planned backup's disk copy."""

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    backup: Backup


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
    """End a session. ``free``: the BV becomes unused, since it carries no generation and nobody reads it."""

    tv: VolumeRef
    bv: VolumeRef
    copy_type: CopyType
    free: bool


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


Step = Union[StartCopy, ResumeCopy, SplitCopy, DropGeneration, ReleaseCopy, FreeVolume, RestoreCopy]


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
        world = _without(world, step.tv, step.untaped.backup_id)
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
    if isinstance(step, DropGeneration):
        return _drop(world, step)
    if isinstance(step, ReleaseCopy):
        sessions = {key: session for key, session in world.sessions.items() if key != (step.tv, step.bv)}
        world = _suspended_at(replace(world, sessions=sessions), step.bv, None)
        return _free(world, step.bv) if step.free else world
    if isinstance(step, FreeVolume):
        undefined = {ref: marker for ref, marker in world.undefined.items() if ref != step.bv}
        return _free(replace(world, undefined=undefined), step.bv)
    session = Session(step.bv, step.target, step.copy_type, SessionState.EXECUTING)
    marker = UndefinedTarget(step.target, step.backup_id, world.now, "a restore runs")
    return _with_session(replace(world, undefined={**world.undefined, step.target: marker}), session)


def _with_session(world: World, session: Session) -> World:
    return replace(world, sessions={**world.sessions, session.key: session})


def _suspended_at(world: World, bv: VolumeRef, at: object) -> World:
    allocation = world.allocations.get(bv)
    if allocation is None:
        return world
    changed = replace(allocation, suspended_at=at)  # type: ignore[arg-type]
    return replace(world, allocations={**world.allocations, bv: changed})


def _free(world: World, bv: VolumeRef) -> World:
    return replace(world, allocations={ref: row for ref, row in world.allocations.items() if ref != bv})


def _drop(world: World, step: DropGeneration) -> World:
    history = []
    for backup in world.backups.get(step.tv, ()):
        if backup.id != step.backup_id or backup.disk is None:
            history.append(backup)
        elif step.wait:
            history.append(replace(backup, disk=replace(backup.disk, state=DiskState.LEAVING)))
        elif backup.tape:
            history.append(replace(backup, disk=None))
    world = replace(world, backups={**world.backups, step.tv: tuple(history)})
    return _free(world, step.bv) if step.free and not step.wait else world


def _without(world: World, tv: VolumeRef, backup_id: str) -> World:
    history = tuple(backup for backup in world.backups.get(tv, ()) if backup.id != backup_id)
    return replace(world, backups={**world.backups, tv: history})
