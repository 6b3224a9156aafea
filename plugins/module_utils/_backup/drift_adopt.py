# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an operator says by name: adopt a session, accept or distrust what is on a backup volume (DESIGN.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    Bind,
    Drift,
    DriftKind,
    Mend,
    TakeVolume,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_broken
from ansible_collections.eternus.backup.plugins.module_utils._backup.refuse_names import (
    refuse_not_registered,
    refuse_wrong_role,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

_ACTIVE = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED)


@dataclass(frozen=True)
class Adoption:
    """A session that is to be bound, by its target, and by its source where that is named."""

    target: VolumeRef
    source: Optional[VolumeRef] = None


@dataclass(frozen=True)
class Said:
    """What becomes of things said by name. What is so already, or not there, is no change."""

    drift: tuple[Drift, ...] = ()
    refusals: tuple[BackupError, ...] = ()
    warnings: tuple[str, ...] = ()


def why_not(world: World, session: Session) -> Optional[BackupError]:
    """Return why a session that the catalog does not know cannot be adopted, None when it can.

    Both ends are registered, each in its role, and of one size; the BV serves nobody and nobody restores onto it; the
    session is a mirror or a tracked copy that is not broken; a TV has one running synchronization at most.
    """
    missing = [world.name(ref) for ref in session.key if ref not in world.volumes]
    if missing:
        return refuse_not_registered(missing)
    for ref, role in zip(session.key, (Role.TRANSACTION, Role.BACKUP)):
        if world.volumes[ref].role is not role:
            return refuse_wrong_role(world, ref, role.value)
    source, target = world.volume(session.source), world.volume(session.target)
    what = f"The {session.copy_type.value} session of {source.name} onto {target.name}"
    if (source.blocks, source.block_size) != (target.blocks, target.block_size):
        return _refuse(ErrorClass.SIZE_MISMATCH, f"{target.name} is not of the size of {source.name}.", "End it.")
    row = world.allocations.get(session.target)
    if row is not None or world.readers.get(session.target) or session.target in world.undefined:
        doing = world.doing(world.volumes[session.target])
        return _refuse(ErrorClass.VOLUME_RESERVED, f"{target.name} is {doing}.", "Free that backup volume, or end it.")
    if not session.copy_type.mirror and session.copy_type is not CopyType.QUICK_OPC:
        message = f"{what} is no mirror and is not tracked: it ends by itself."
        return _refuse(ErrorClass.UNSUPPORTED_COPY, message, "Wait until it has ended.")
    if session.state in (SessionState.FAILED, SessionState.UNKNOWN):
        return refuse_broken(world, session)
    if session.state is SessionState.RESTORING:
        return _refuse(ErrorClass.BUSY, f"{what} is being restored from.", "Wait until that has ended.")
    current = world.active_mirror(session.source)
    if session.copy_type.mirror and session.state in _ACTIVE and current not in (None, session):
        other = world.name(current.target) if current is not None else ""
        message = f"{what} is {session.state.value}, and {source.name} is synchronized onto {other}."
        return _refuse(ErrorClass.POLICY_VIOLATION, message, "A volume has one running session: end one of them.")
    return None


def plan_adoptions(world: World, wanted: Sequence[Adoption]) -> Said:
    """Plan the binding of sessions by name; one that is bound so already, or is not there, is no change."""
    drift: list[Drift] = []
    refusals: list[BackupError] = []
    warnings: list[str] = []
    for one in wanted:
        found = [session for session in world.touching(one.target) if session.target == one.target]
        session = next((session for session in found if one.source in (None, session.source)), None)
        if session is None:
            onto = f"from {world.name(one.source)} " if one.source is not None else ""
            warnings.append(f"There is no session {onto}onto {world.name(one.target)} to adopt.")
        elif not world.ours(session):
            hindrance = why_not(world, session)
            if hindrance is not None:
                refusals.append(hindrance)
            else:
                world, bound = _bind(world, session)
                drift.append(bound)
    return Said(tuple(drift), tuple(refusals), tuple(warnings))


def _bind(world: World, session: Session) -> tuple[World, Drift]:
    apart = session.state is SessionState.SUSPENDED
    at = (session.suspended_at or world.now) if apart else None
    row = Allocation(session.target, session.source, session.copy_type, world.now, at)
    registered = world.volumes[session.target]
    # The session explains what is on the BV.
    known: tuple[Mend, ...] = (TakeVolume(replace(registered, unknown=False)),) if registered.unknown else ()
    source, target = world.name(session.source), world.name(session.target)
    tracked = apart or session.state is SessionState.TRACKING
    becomes = "the next copy onto it copies the differences" if tracked else "it is its current synchronization"
    drift = Drift(
        DriftKind.FOREIGN_SESSION,
        f"{source} -> {target}",
        f"The {session.copy_type.value} session of {source} onto {target}, {session.state.value}, is adopted: "
        f"{becomes}. It carries no generation.",
        f"adopt: [{{source: {source}, target: {target}}}] binds it.",
        before={"bound_to": None},
        after={"bound_to": source, "copy_type": session.copy_type.value, "state": session.state.value},
        volumes=session.key,
        mends=(*known, Bind(row)),
    )
    return replace(world, allocations={**world.allocations, row.bv: row}), drift


def plan_marks(world: World, accept: Sequence[VolumeRef], distrust: Sequence[VolumeRef]) -> Said:
    """Plan which BVs may be overwritten although nothing explains what is on them, and which must not be."""
    refusals = [
        refuse_wrong_role(world, ref, "backup")
        for ref in (*accept, *distrust)
        if world.volumes[ref].role is not Role.BACKUP
    ]
    for ref in distrust:
        if ref in accept:
            message = f"{world.name(ref)} is named in accept and in distrust."
            refusals.append(_refuse(ErrorClass.INVALID_OPTION, message, "Name it in one of them."))
        elif ref in world.allocations:
            message = f"{world.name(ref)} is in use: {world.doing(world.volumes[ref])}."
            step = "Delete its generation with eternus_generation, or cancel its session, first."
            refusals.append(_refuse(ErrorClass.VOLUME_RESERVED, message, step))
    if refusals:
        return Said(refusals=tuple(refusals))
    drift = [_mark(world, ref, unknown=False) for ref in accept if world.volumes[ref].unknown]
    drift += [_mark(world, ref, unknown=True) for ref in distrust if not world.volumes[ref].unknown]
    return Said(tuple(drift))


def _mark(world: World, ref: VolumeRef, *, unknown: bool) -> Drift:
    volume = world.volumes[ref]
    option, becomes = ("distrust", "is never allocated") if unknown else ("accept", "may be overwritten")
    return Drift(
        DriftKind.UNEXPLAINED_VOLUME if unknown else DriftKind.UNKNOWN_VOLUME,
        volume.name,
        f"What is on {volume.name} is {'not ' if unknown else ''}given up: it {becomes}.",
        f"{option}: [{volume.name}]",
        before={"unknown": volume.unknown},
        after={"unknown": unknown},
        volumes=(ref,),
        mends=(TakeVolume(replace(volume, unknown=unknown)),),
    )


def _refuse(error_class: ErrorClass, message: str, next_step: str) -> BackupError:
    return BackupError(error_class, message, next_step=next_step)
