# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Drift between the array's sessions and what the catalog says of backup volumes (behaviour.md §2, §4). Pure.

What cannot be seen: the array does not say when, or from what state, a tracked (QuickOPC) or plain OPC session began,
so a generation that others copied over from its own transaction volume by OPC looks as it did before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    Drift,
    DriftKind,
    Evidence,
    FreeBv,
    Mend,
    NoteSuspended,
    StrikeDisk,
    TakeVolume,
    by_repair,
    operator,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_adopt import why_not
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import restore_owner
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import idle_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED, World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, Backup, TapeState

#: So far the clocks of array and managed host may be apart: a false strike costs a backup, and a volume that is
#: overwritten carries a generation that is hours old.
_CLOCKS_APART = timedelta(minutes=5)

_ACTIVE = (SessionState.EXECUTING, SessionState.EQUIVALENT, SessionState.PAUSED)
_BROKEN = (SessionState.FAILED, SessionState.UNKNOWN)


def session_drift(look: Evidence) -> Iterator[Drift]:
    """Compare the array's sessions with generations and allocations, backup volume by backup volume."""
    spoilt = dict(_overwritten(look))
    yield from spoilt.values()
    idle = {step.bv for row in look.world.allocations.values() for step in idle_volumes(look.world, row.tv)}
    for row in sorted(look.world.allocations.values(), key=lambda row: row.bv):
        if row.bv in spoilt or row.copy_type is None or look.journalled(row.tv, row.bv):
            continue
        if row.bv in idle:
            yield _idle(look.world, row)
            continue
        backup = look.world.backup_on(row.bv, row.tv)
        if settled(
            look, row.allocated_at, row.suspended_at, backup.disk.written_at if backup and backup.disk else None
        ):
            session = look.world.sessions.get((row.tv, row.bv))
            yield from _gone(look, row, backup) if session is None else _there(look, row, backup, session)
    for session in sorted(look.world.sessions.values(), key=lambda session: session.key):
        if session.target not in spoilt and not explained(look, session) and _ours_to_tell(look, session):
            yield _foreign(look, session)


def settled(look: Evidence, *moments: Optional[datetime]) -> bool:
    """Tell whether the session list is younger than all that was done: it may lag behind (array.md)."""
    return all(at is None or at + SETTLED <= look.world.now for at in moments)


def explained(look: Evidence, session: Session) -> bool:
    """Tell whether the catalog knows a session: as a backup's, as a restore's, or as a step that is journalled."""
    world = look.world
    if world.ours(session) or look.journalled(*session.key):
        return True
    marked = session.target in world.undefined and not session.copy_type.mirror and session.source in world.volumes
    owner = restore_owner(session.target)
    return marked or any(reader.owner == owner for reader in world.readers.get(session.source, ()))


def pair_name(world: World, source: VolumeRef, target: VolumeRef) -> str:
    """Return a pair as it is written in results."""
    return f"{world.name(source)} -> {world.name(target)}"


def _ours_to_tell(look: Evidence, session: Session) -> bool:
    return session.source in look.world.volumes or session.target in look.world.volumes


def _overwritten(look: Evidence) -> Iterator[tuple[VolumeRef, Drift]]:
    """Find generations whose BV is the target of a copy that did not make them."""
    for backup in (one for history in look.world.backups.values() for one in history):
        bv = backup.disk.bv if backup.disk is not None else None
        if bv is None:
            continue
        for session in look.world.touching(bv):
            mine = session.source == backup.tv and session.copy_type.mirror == backup.copy_type.mirror
            if session.target == bv and not mine and not look.journalled(*session.key):
                yield bv, _spoilt(look, backup, session)


def _spoilt(look: Evidence, backup: Backup, session: Session) -> Drift:
    world, bv = look.world, session.target
    more: tuple[Mend, ...] = ()
    if session.source != backup.tv:
        more = (FreeBv(bv), TakeVolume(replace(world.volumes[bv], unknown=True)))
    return _strike(
        look,
        backup,
        DriftKind.OVERWRITTEN_GENERATION,
        f"{world.name(bv)} carries a generation of {world.name(backup.tv)} by the catalog, and is the target of a "
        f"{session.copy_type.value} session from {world.name(session.source)}, which did not make it: the generation "
        "is lost.",
        "strikes it; the backup volume is unknown then, since nothing of ours explains what is on it.",
        {"session": _shown(world, session)},
        more,
    )


def _strike(
    look: Evidence,
    backup: Backup,
    kind: DriftKind,
    message: str,
    does: str,
    after: dict[str, object],
    more: tuple[Mend, ...] = (),
) -> Drift:
    """Return the drift of a generation that is not what the catalog says; held or read ones are not struck."""
    world = look.world
    bv = backup.disk.bv if backup.disk is not None else backup.tv
    mends: tuple[Mend, ...] = (StrikeDisk(backup.id), *more)
    step = by_repair(kind, does)
    reading = world.readers.get(bv) or any(copy.state is TapeState.WRITING for copy in backup.tape)
    if backup.hold:
        mends, step = (), operator(f"backup {backup.id} is held; release it with eternus_generation, then {step}")
    elif reading:
        mends, step = (), operator(f"somebody reads {world.name(bv)}; let that end, then {step}")
    return Drift(
        kind,
        pair_name(world, backup.tv, bv),
        message,
        step,
        before={"backup_id": backup.id, "point_in_time": backup.point_in_time.isoformat(), "on_disk": True},
        after={"backup_id": backup.id, "on_disk": False, **after},
        volumes=(backup.tv, bv),
        mends=mends,
        loud=True,
    )


def _idle(world: World, row: Allocation) -> Drift:
    name = world.name(row.bv)
    return Drift(
        DriftKind.IDLE_VOLUME,
        pair_name(world, row.tv, row.bv),
        f"{name} is bound to {world.name(row.tv)}, and has neither a session nor a generation.",
        by_repair(DriftKind.IDLE_VOLUME, "makes it unused."),
        before={"bound_to": world.name(row.tv)},
        after={"bound_to": None},
        volumes=(row.tv, row.bv),
        mends=(FreeBv(row.bv),),
    )


def _gone(look: Evidence, row: Allocation, backup: Optional[Backup]) -> Iterator[Drift]:
    """Judge an allocation without a session: only a suspended or tracked one should have had it."""
    world, kind = look.world, DriftKind.LOST_SESSION
    tracked = row.copy_type is CopyType.QUICK_OPC
    if backup is None or (row.suspended_at is None and not tracked):
        return
    name = world.name(row.bv)
    what = f"The session of {world.name(row.tv)} onto {name} is gone. The generation on {name} stays"
    if row.suspended_at is None:
        yield Drift(
            kind,
            pair_name(world, row.tv, row.bv),
            f"{what}; the next copy onto it is a full one.",
            "Nothing needs to be mended: it was cancelled, or ended by other hands.",
            volumes=(row.tv, row.bv),
            info=True,
        )
        return
    yield Drift(
        kind,
        pair_name(world, row.tv, row.bv),
        f"{what}; the next copy is a full one.",
        by_repair(kind, "writes down that there is no session any more."),
        before={"session": "suspended since " + row.suspended_at.isoformat()},
        after={"session": None},
        volumes=(row.tv, row.bv),
        mends=(NoteSuspended(row.bv, None),),
    )


def _there(look: Evidence, row: Allocation, backup: Optional[Backup], session: Session) -> Iterator[Drift]:
    world, name = look.world, look.world.name(row.bv)
    if session.state in _BROKEN:
        yield _broken(look, backup, session)
    elif backup is not None and _made_at(session) > _written_at(backup) + SETTLED + _CLOCKS_APART:
        yield _younger(look, row, backup, session)
    elif not session.copy_type.mirror:
        return
    elif session.state in _ACTIVE and backup is not None:
        yield _strike(
            look,
            backup,
            DriftKind.RESUMED_GENERATION,
            f"The session of {world.name(row.tv)} onto {name} was resumed by other hands and is "
            f"{session.state.value}: the generation on {name} is no longer at its point in time.",
            f"strikes it; {name} goes on as the current synchronization of {world.name(row.tv)}.",
            {"session": _shown(world, session)},
            (NoteSuspended(row.bv, None),),
        )
    elif session.state in _ACTIVE and row.suspended_at is not None:
        yield _state(world, row, session, None)
    elif session.state is SessionState.SUSPENDED and row.suspended_at is None:
        yield _state(world, row, session, session.suspended_at or world.now)


def _made_at(session: Session) -> datetime:
    """Return since when a BV's content is what it is: the split of a mirror, the last copy of a clone (array.md)."""
    apart = session.state is SessionState.SUSPENDED
    at = (session.suspended_at if apart else None) if session.copy_type.mirror else session.synced_at
    return at or datetime.min.replace(tzinfo=timezone.utc)


def _written_at(backup: Backup) -> datetime:
    return backup.disk.written_at if backup.disk is not None else backup.point_in_time


def _younger(look: Evidence, row: Allocation, backup: Backup, session: Session) -> Drift:
    """Judge a BV that was written again since: the catalog is an old one, or other hands did it."""
    world, name, at = look.world, look.world.name(row.bv), _made_at(session)
    word = "suspended" if session.copy_type.mirror else "copied again"
    return _strike(
        look,
        backup,
        DriftKind.YOUNGER_GENERATION,
        f"The session of {world.name(row.tv)} onto {name} was {word} at {at.isoformat()}, and the generation on {name} "
        f"is of {_written_at(backup).isoformat()} by the catalog: what is on it is younger.",
        f"strikes it; {name} stays bound to {world.name(row.tv)}, for a later copy.",
        {"session": {**_shown(world, session), "since": at.isoformat()}},
        (NoteSuspended(row.bv, at),) if session.copy_type.mirror else (),
    )


def _state(world: World, row: Allocation, session: Session, at: Optional[datetime]) -> Drift:
    by_us = "suspended" if row.suspended_at is not None else "running, or ended"
    return Drift(
        DriftKind.SESSION_STATE,
        pair_name(world, row.tv, row.bv),
        f"The session of {world.name(row.tv)} onto {world.name(row.bv)} is {session.state.value} on the array, and "
        f"{by_us} by the catalog.",
        by_repair(DriftKind.SESSION_STATE, "takes over what the array says."),
        before={"session": by_us},
        after={"session": session.state.value},
        volumes=(row.tv, row.bv),
        mends=(NoteSuspended(row.bv, at),),
    )


def _broken(look: Evidence, backup: Optional[Backup], session: Session) -> Drift:
    """Judge a broken session: a mirror's generation is a side of its own; a clone's is whole once it was copied."""
    world = look.world
    name, tv = world.name(session.target), world.name(session.source)
    what = f"The {session.copy_type.value} session of {tv} onto {name} is {session.state.value} on the array"
    whole = session.copy_type.mirror or (session.copy_type is CopyType.QUICK_OPC and session.percent >= 100)
    if backup is not None and not whole:
        return _strike(
            look,
            backup,
            DriftKind.BROKEN_GENERATION,
            f"{what}, and its background copy had not ended: the generation on {name} is not whole.",
            "strikes it; then cancel the session with eternus_sync, state: cancelled, and its backup volume by name.",
            {"session": _shown(world, session)},
        )
    stays = f"; the generation on {name} is whole" if backup is not None else ""
    step = f"then cancel it: eternus_sync, state: cancelled, backup_volumes: [{name}]."
    if backup is not None and not session.copy_type.mirror:
        step = (
            f"the next copy onto {name} ends it; to end it before, delete that generation first (eternus_generation)."
        )
    return Drift(
        DriftKind.BROKEN_SESSION,
        pair_name(world, *session.key),
        f"{what}{stays}.",
        operator(f"find the cause on the array; {step}"),
        after={"session": _shown(world, session)},
        volumes=session.key,
    )


def _foreign(look: Evidence, session: Session) -> Drift:
    world = look.world
    hindrance = why_not(world, session)
    source, target = world.name(session.source), world.name(session.target)
    if hindrance is None:
        step = f"adopt: [{{source: {source}, target: {target}}}] binds it; or end it where it was started."
    else:
        step = operator(f"it cannot be adopted. {hindrance.message} {hindrance.next_step}")
    return Drift(
        DriftKind.FOREIGN_SESSION,
        pair_name(world, *session.key),
        f"The array has a {session.copy_type.value} session of {source} onto {target}, {session.state.value}, that the "
        "catalog does not know.",
        step,
        before={"session": None},
        after={"session": _shown(world, session)},
        volumes=session.key,
    )


def _shown(world: World, session: Session) -> dict[str, str]:
    return {
        "source": world.name(session.source),
        "copy_type": session.copy_type.value,
        "state": session.state.value,
    }
