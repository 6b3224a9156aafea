# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Look at the world: one transaction of the catalog, one session list an array, however many volumes are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Optional, TypeVar

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities, Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.near import everything, nearby
from ansible_collections.eternus.backup.plugins.module_utils._backup.refuse_names import (
    refuse_not_registered,
    refuse_wrong_role,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.side_by_side import asked
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, combined

T = TypeVar("T")
K = TypeVar("K")


def resolve(records: Records, names: Sequence[str]) -> tuple[VolumeRef, ...]:
    """Return the registered volumes of these names, each once; ``not_registered`` names every one that is missing."""
    found = records.find_volumes(names)
    missing = [name for name in names if name not in found]
    if missing:
        raise refuse_not_registered(missing)
    return tuple(dict.fromkeys(found[name].ref for name in names))


def transaction_volumes(records: Records, names: Sequence[str]) -> tuple[VolumeRef, ...]:
    """Return the TVs of these names, or every TV with a policy when no name is given; ``role_conflict`` for others."""
    if not names:
        return tuple(policy.tv for policy in records.policies())
    refs = resolve(records, names)
    registered = {volume.ref: volume for volume in records.volumes(refs)}
    world = World(now=next(iter(registered.values())).registered_at, volumes=registered)
    wrong = [
        refuse_wrong_role(world, ref, "transaction") for ref in refs if registered[ref].role is not Role.TRANSACTION
    ]
    if wrong:
        raise combined(wrong)
    return refs


def observe(
    ctx: Context,
    tvs: Optional[Collection[VolumeRef]] = None,
    *,
    beside: Collection[VolumeRef] = (),
    ids: Collection[str] = (),
) -> World:
    """Look at the arrays of these TVs and at what the catalog holds of them.

    :param tvs: whose history is wanted; None: everybody's.
    :param beside: other volumes that the request names.
    :param ids: backups that are wanted whether or not a plan could act upon them.
    """
    for tv in tvs or ():
        ctx.array_of(tv)
    answers = asked(ctx.arrays.values(), lambda array: (array.sessions(), array.capabilities()))
    sessions = _each_once(listed for listed, _offer in answers)
    capabilities = {**ctx.offers, **dict(zip(ctx.arrays, (offer for _listed, offer in answers)))}
    with ctx.catalog.read() as records:
        return read_world(ctx, records, sessions, capabilities, tvs, beside=beside, ids=ids)


def session_list(ctx: Context, tvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Session]:
    """Read the sessions of every array of this run, by one enumeration each; one seen from both ends counts once."""
    for tv in tvs or ():
        ctx.array_of(tv)
    return _each_once(asked(ctx.arrays.values(), lambda array: array.sessions()))


def _each_once(lists: Iterable[Iterable[Session]]) -> tuple[Session, ...]:
    """Return the sessions of several arrays; of one that is seen from both ends, what the later array says."""
    found = {session.key: session for listed in lists for session in listed}
    return tuple(found.values())


def read_world(
    ctx: Context,
    records: Records,
    sessions: Iterable[Session],
    capabilities: Mapping[str, Capabilities],
    tvs: Optional[Collection[VolumeRef]] = None,
    *,
    beside: Collection[VolumeRef] = (),
    wide: bool = False,
    ids: Collection[str] = (),
    whole: bool = False,
) -> World:
    """Join one catalog transaction with sessions that were read before.

    :param tvs: whose history is wanted; None: everybody's.
    :param beside: other volumes whose arrays are to be seen as well.
    :param wide: read the volumes of all arrays; else with ``tvs`` those alone that are near them (near.py).
    :param ids: backups that are wanted whether or not a plan could act upon them.
    :param whole: read the whole history; else what stands of it (``Records.standing``), however many years it is long.
    """
    seen = list(sessions)
    here = {*ctx.arrays, *(ref.array for ref in (*beside, *(tvs or ())))}
    known = everything(records) if wide or tvs is None else nearby(records, here, tvs, seen)
    history = records.backups(tvs=tvs) if whole else records.standing(tvs, ids=ids)
    return World(
        now=ctx.clock.now(),
        volumes={volume.ref: volume for volume in known.volumes},
        policies={policy.tv: policy for policy in known.policies},
        allocations={row.bv: row for row in known.allocations},
        backups=_grouped((backup.tv, backup) for backup in history),
        readers=_grouped((reader.bv, reader) for reader in records.readers()),
        sessions={session.key: session for session in seen},
        capabilities=capabilities,
        undefined={marker.volume: marker for marker in records.undefined_targets()},
        near=known.arrays,
    )


def refresh(
    ctx: Context,
    world: World,
    sessions: Optional[Iterable[Session]],
    tvs: Optional[Collection[VolumeRef]],
    *,
    wide: bool = False,
) -> World:
    """Read the catalog again, and take sessions that were read meanwhile; the array is not asked.

    What became of a backup that was seen before is seen again, also when it is on tape alone now.
    """
    seen = world.sessions.values() if sessions is None else sessions
    ids = [backup.id for history in world.backups.values() for backup in history]
    with ctx.catalog.read() as records:
        return read_world(ctx, records, seen, world.capabilities, tvs, wide=wide, ids=ids)


def _grouped(items: Iterable[tuple[K, T]]) -> dict[K, tuple[T, ...]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for key, value in items:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def raise_refusals(refusals: Sequence[BackupError]) -> None:
    """Refuse the whole request when any volume is refused: a refusal changes nothing (behaviour.md §4)."""
    if refusals:
        raise combined(refusals)
