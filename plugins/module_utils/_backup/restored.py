# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The end of a restore, whoever notices it: a finished OPC session disappears (array.md, behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import (
    COMPARES,
    RUNNING,
    restore_owner,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Reader, UndefinedTarget


def running_restores(
    records: Records, tvs: Collection[VolumeRef], targets: Collection[VolumeRef]
) -> list[tuple[UndefinedTarget, Reader]]:
    """Return the restores that run as far as the catalog knows: from generations of these TVs, or onto these targets.

    One whose start is journalled and not settled is left to whoever settles it.
    """
    markers = [marker for marker in records.undefined_targets() if marker.reason == RUNNING]
    if not markers:
        return []
    readers = {reader.owner: reader for reader in records.readers()}
    found = []
    for marker in markers:
        reader = readers.get(restore_owner(marker.volume))
        if reader is None:
            continue
        rows = records.allocations(bvs=[reader.bv])
        if marker.volume in targets or any(row.tv in tvs for row in rows):
            found.append((marker, reader))
    open_targets = [entry.payload.get("target") for entry in records.open_entries()] if found else []
    return [
        (marker, reader)
        for marker, reader in found
        if [marker.volume.array, marker.volume.device_id] not in open_targets
    ]


def settle_restores(
    ctx: Context,
    sessions: Mapping[tuple[VolumeRef, VolumeRef], Session],
    *,
    tvs: Collection[VolumeRef] = (),
    targets: Collection[VolumeRef] = (),
) -> list[VolumeRef]:
    """Clear the markers of restores that have ended; their generations are read no more, and go if they had to wait.

    :param sessions: what the array shows.
    """
    with ctx.catalog.read() as records:
        if not running_restores(records, tvs, targets):
            return []
    ended = []
    with ctx.catalog.begin() as records:
        for marker, reader in running_restores(records, tvs, targets):
            young = marker.since + SETTLED > ctx.clock.now()
            if young or (reader.bv, marker.volume) in sessions:
                continue
            records.clear_undefined(marker.volume)
            end_reading(records, marker.volume, reader.bv)
            ended.append(marker.volume)
    return ended


def settle_seen(ctx: Context, bv: VolumeRef, target: VolumeRef) -> Optional[UndefinedTarget]:
    """Settle the restore whose session the caller has seen go; return the marker that stays.

    One stays where the copy has not ended but was cancelled or broke, or where another restore writes the target now.
    """
    with ctx.catalog.begin() as records:
        for marker, reader in running_restores(records, (), [target]):
            if (reader.bv, marker.volume) == (bv, target):
                records.clear_undefined(target)
                end_reading(records, target, bv)
        return next(iter(records.undefined_targets([target])), None)


def end_reading(records: Records, target: VolumeRef, bv: VolumeRef) -> None:
    """Let a restore's generation go its way: nobody reads it for this target any more."""
    records.remove_reader(bv, restore_owner(target))
    finish_leaving(records, bv)


def end_comparison(records: Records, bv: VolumeRef, owner: str) -> None:
    """Let a BV go its way: no restore test of this name reads it any more."""
    records.remove_reader(bv, owner)
    finish_leaving(records, bv)


def dead_comparisons(records: Records, now: datetime, *, ours: str = "") -> list[Reader]:
    """Return what restore tests read that died: each holds a lease of the same name while it lives.

    :param ours: the lease that the caller has just taken; whoever read under that name before lives no more.
    """
    reading = [reader for reader in records.readers() if reader.owner.startswith(COMPARES)]
    if not reading:
        return []
    living = {one.name for one in records.leases() if one.expires_at > now and not is_dead(one.owner)} - {ours}
    return [reader for reader in reading if reader.owner not in living]


def end_comparisons(records: Records, readers: Iterable[Reader]) -> None:
    """Let the BVs of these restore tests go their way."""
    for reader in readers:
        end_comparison(records, reader.bv, reader.owner)
