# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""All drift in one look, and what was left out of it (DESIGN.md: each can be lost and found again). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    Drift,
    DriftKind,
    Evidence,
    TakeVolume,
    by_repair,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_adopt import why_not
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_array import explained, session_drift
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_catalog import (
    journal_drift,
    lease_drift,
    marker_drift,
    reader_drift,
    volume_drift,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_tape import tape_drift
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import lease_name
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume

#: What can only be judged by looking at the arrays of all volumes concerned.
_SEEN = frozenset(
    {
        DriftKind.LOST_SESSION,
        DriftKind.SESSION_STATE,
        DriftKind.BROKEN_GENERATION,
        DriftKind.IDLE_VOLUME,
        DriftKind.JOURNAL,
        DriftKind.UNEXPLAINED_VOLUME,
    }
)


def find_drift(look: Evidence) -> tuple[Drift, ...]:
    """Return all drift, without what another operation works on now, and what lies on arrays that were not asked."""
    held = look.held()
    return tuple(one for one in _all(look) if _judged(look, one) and held.isdisjoint(one.leases))


def left_out(look: Evidence) -> tuple[str, ...]:
    """Return sentences on what was not judged."""
    world, told = look.world, []
    apart = sorted(one.name for one in world.volumes.values() if one.ref.array not in look.connected)
    if apart:
        told.append(f"Left out, since this task is not connected to their array: {', '.join(apart)}.")
    held = look.held()
    working = sorted(world.name(ref) for ref in _volumes(look) if lease_name(ref) in held)
    if working:
        told.append(f"Left out, since another operation works on them now: {', '.join(working)}.")
    return tuple(told)


def _volumes(look: Evidence) -> Iterable[VolumeRef]:
    return {*look.world.volumes, *look.world.backups}


def _judged(look: Evidence, one: Drift) -> bool:
    return one.kind not in _SEEN or all(ref.array in look.connected for ref in one.volumes)


def _all(look: Evidence) -> Iterator[Drift]:
    yield from journal_drift(look)
    sessions = tuple(session_drift(look))
    yield from sessions
    yield from volume_drift(look)
    yield from marker_drift(look)
    yield from reader_drift(look)
    yield from lease_drift(look)
    tapes = tuple(tape_drift(look))
    yield from tapes
    yield from _unexplained(look, tapes)


def _unexplained(look: Evidence, tapes: Iterable[Drift]) -> Iterator[Drift]:
    """Name the BVs that seem unused to a catalog which was lost: one may carry a generation that nothing tells of.

    A lost catalog is seen by what others remember: sessions that could be adopted while it knows no backup at all, or a
    tape copy that is younger than all that it knows.
    """
    world = look.world
    history = [backup for backups in world.backups.values() for backup in backups]
    strangers = [s for s in world.sessions.values() if not explained(look, s) and why_not(world, s) is None]
    younger = [one for one in tapes if one.kind is DriftKind.UNKNOWN_TAPE_COPY and not one.info and _newest(look, one)]
    if younger:
        sign = "the tapes bear backups that are younger than all that the catalog knows"
    elif strangers and not history:
        sign = "the catalog knows no backup, and the array has sessions that it does not know"
    else:
        return
    for volume in world.backup_volumes():
        if world.unused(volume):
            yield _may_carry(volume, sign)


def _newest(look: Evidence, one: Drift) -> bool:
    """Tell whether a copy on tape is younger than every backup that the catalog knows of its volume."""
    known = {backup.id for ref in one.volumes for backup in look.world.backups.get(ref, ())}
    youngest = max((b.point_in_time for ref in one.volumes for b in look.world.backups.get(ref, ())), default=None)
    found = [c for cartridge in look.scan for c in cartridge.copies if one.what == f"backup {c.backup_id}"]
    return any(c.backup_id not in known and (youngest is None or c.point_in_time > youngest) for c in found)


def _may_carry(volume: RegisteredVolume, sign: str) -> Drift:
    kind = DriftKind.UNEXPLAINED_VOLUME
    return Drift(
        kind,
        volume.name,
        f"{volume.name} counts as unused, and {sign}: it may carry a generation that nothing tells of.",
        by_repair(kind, "makes it unknown, so that it is not allocated before it is accepted by name."),
        before={"unknown": False},
        after={"unknown": True},
        volumes=(volume.ref,),
        mends=(TakeVolume(replace(volume, unknown=True)),),
        loud=True,
    )
