# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Drift of what the catalog keeps beside sessions: registrations, pins, the journal, readers, leases, markers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    Drift,
    DriftKind,
    DropLease,
    EndReading,
    Evidence,
    Settle,
    TakeVolume,
    by_repair,
    operator,
    touched_by,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import lease_name
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_registry import holds
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import RUNNING, restore_owner
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import SETTLED
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Reader,
    ReaderPurpose,
    RegisteredVolume,
    Role,
)


def volume_drift(look: Evidence) -> Iterator[Drift]:
    """Compare registrations with the volumes on the arrays, and policies with the backup volumes that they pin."""
    for one in sorted(look.world.volumes.values(), key=lambda one: one.ref):
        if one.ref.array not in look.connected:
            continue
        there = look.found.get(one.ref)
        if there is None:
            yield _missing(look, one)
        elif (there.name, there.blocks, there.block_size) != (one.name, one.volume.blocks, one.volume.block_size):
            yield _changed(look, one, there)
    for one in look.world.backup_volumes():
        if one.unknown:
            yield _unknown(one)
    yield from _pinned(look)


def _missing(look: Evidence, one: RegisteredVolume) -> Drift:
    uses = holds(look.world, one.ref)
    other = next((v for v in look.found.values() if v.name == one.name and v.ref.array == one.ref.array), None)
    also = f" Another volume bears its name now ({other.ref.device_id})." if other is not None else ""
    if uses:
        step = f"it {', and '.join(uses)}; delete its disk generations with eternus_generation, then unregister it."
    else:
        step = "unregister it with eternus_volume, state: absent."
    return Drift(
        DriftKind.MISSING_VOLUME,
        one.name,
        f"{one.name} is registered and is not on array {one.ref.array} any more.{also}",
        operator(step),
        before=_volume_shown(one.volume),
        after={},
        volumes=(one.ref,),
        loud=bool(uses),
    )


def _changed(look: Evidence, one: RegisteredVolume, there: Volume) -> Drift:
    kind = DriftKind.CHANGED_VOLUME
    uses = holds(look.world, one.ref) if there.size != one.volume.size or there.blocks != one.volume.blocks else []
    step = by_repair(kind, "takes over what the array says.")
    if uses:
        step = operator(f"it {', and '.join(uses)}; cancel its sessions and delete its disk generations, then {step}")
    return Drift(
        kind,
        one.name,
        f"{one.name} is {there.name} with {there.blocks} blocks on the array, and was registered with "
        f"{one.volume.blocks} blocks.",
        step,
        before=_volume_shown(one.volume),
        after=_volume_shown(there),
        volumes=(one.ref,),
        mends=() if uses else (TakeVolume(replace(one, volume=there)),),
    )


def _volume_shown(volume: Volume) -> dict[str, Any]:
    return {"name": volume.name, "blocks": volume.blocks, "block_size": volume.block_size}


def _unknown(one: RegisteredVolume) -> Drift:
    return Drift(
        DriftKind.UNKNOWN_VOLUME,
        one.name,
        f"Nothing explains what is on {one.name}: it is never allocated.",
        f"accept: [{one.name}] if it may be overwritten, or adopt its session.",
        before={"unknown": True},
        after={"unknown": True},
        volumes=(one.ref,),
    )


def _pinned(look: Evidence) -> Iterator[Drift]:
    for policy in sorted(look.world.policies.values(), key=lambda policy: policy.tv):
        gone = []
        for ref in policy.pinned:
            registered = look.world.volumes.get(ref)
            if registered is None or registered.role is not Role.BACKUP:
                gone.append((ref, "is not registered as a backup volume"))
            elif ref.array in look.connected and ref not in look.found:
                gone.append((ref, "is not on its array any more"))
        name = look.world.name(policy.tv)
        listed = ", and ".join(f"{look.world.name(ref)}, which {what}" for ref, what in gone)
        if gone:
            yield Drift(
                DriftKind.PINNED_VOLUME,
                name,
                f"The policy of {name} pins {listed}.",
                operator("declare the policy again with eternus_policy, with other backup volumes."),
                before={"pinned": [look.world.name(ref) for ref in policy.pinned]},
                after={"pinned": [look.world.name(ref) for ref in policy.pinned if ref not in dict(gone)]},
                volumes=(policy.tv,),
            )


def journal_drift(look: Evidence) -> Iterator[Drift]:
    """Find the TVs with steps that somebody began and nobody settled."""
    for tv in sorted({entry.tv for entry in look.journal}):
        entries = [entry for entry in look.journal if entry.tv == tv]
        steps = ", ".join(dict.fromkeys(entry.kind for entry in entries))
        yield Drift(
            DriftKind.JOURNAL,
            look.world.name(tv),
            f"An operation on {look.world.name(tv)} was interrupted at {steps}, {entries[0].written_at.isoformat()}.",
            by_repair(DriftKind.JOURNAL, "finishes or undoes it, as the next run would; it may end sessions."),
            before={"open_steps": [entry.kind for entry in entries]},
            after={"open_steps": []},
            volumes=tuple(sorted({ref for entry in entries for ref in touched_by(entry)})),
            mends=(Settle(tv),),
        )


def reader_drift(look: Evidence) -> Iterator[Drift]:
    """Find those who are said to read a BV and do not any more: nobody would drop what they read (behaviour.md §5)."""
    for reader in (one for bv in sorted(look.world.readers) for one in look.world.readers[bv]):
        row = look.world.allocations.get(reader.bv)
        if reader.since + SETTLED > look.world.now or row is None:
            continue
        why, target = (
            _restored(look, reader) if reader.purpose is ReaderPurpose.RESTORE else (_taped(look, reader), None)
        )
        if why:
            name = look.world.name(reader.bv)
            yield Drift(
                DriftKind.STALE_READER,
                f"{name} read by {reader.owner}",
                f"{name} is said to be read for {reader.purpose.value} by {reader.owner}, and {why}.",
                by_repair(DriftKind.STALE_READER, "takes the reader away; a drop that waited for it is carried out."),
                before={"reader": reader.owner, "since": reader.since.isoformat()},
                after={"reader": None},
                volumes=tuple(dict.fromkeys((row.tv, reader.bv, *([target] if target is not None else ())))),
                mends=(EndReading(reader, target),),
            )


def _taped(look: Evidence, reader: Reader) -> str:
    """Say why a tape leg reads no more: who writes a leg holds its lease."""
    leg = f"tape:{reader.backup_id}:"
    writes = any(one.name.startswith(leg) and one.owner == reader.owner and look.lives(one) for one in look.leases)
    return "" if writes else "that process has ended or lost its lease"


def _restored(look: Evidence, reader: Reader) -> tuple[str, Optional[VolumeRef]]:
    """Say why a restore reads no more, and which target is whole then."""
    if any(one.name == reader.owner and look.lives(one) for one in look.leases):  # a restore test under its lease
        return "", None
    marker = next((one for ref, one in look.world.undefined.items() if restore_owner(ref) == reader.owner), None)
    if marker is None:
        return "no restore or restore test under that name is known any more", None
    if look.journalled(reader.bv, marker.volume):
        return "", None
    ends = (reader.bv, marker.volume)
    if marker.reason != RUNNING:
        return (f"{marker.reason}", None) if ends not in look.world.sessions else ("", None)
    seen = all(end.array in look.connected for end in ends)
    if not seen or ends in look.world.sessions or marker.since + SETTLED > look.world.now:
        return "", None
    return f"the restore onto {look.world.name(marker.volume)} has ended", marker.volume


def lease_drift(look: Evidence) -> Iterator[Drift]:
    """Find leases whose owner is dead, or did not renew them in time: nobody waits for them."""
    refs = {*look.world.volumes, *(entry.tv for entry in look.journal)}
    by_lease = {lease_name(ref): ref for ref in refs}
    for lease in sorted(look.leases, key=lambda lease: lease.name):
        if look.lives(lease) or lease.owner == look.owner:
            continue
        ref = by_lease.get(lease.name)
        what = look.world.name(ref) if ref is not None else lease.name
        end = "is dead" if lease.owner in look.dead else f"did not renew it before {lease.expires_at.isoformat()}"
        yield Drift(
            DriftKind.DEAD_LEASE,
            what,
            f"{lease.owner} holds the lease of {what} since {lease.acquired_at.isoformat()}, and {end}.",
            by_repair(DriftKind.DEAD_LEASE, "takes it away; the next operation would take it over as well."),
            before={"owner": lease.owner},
            after={"owner": None},
            volumes=() if ref is None else (ref,),
            mends=(DropLease(lease),),
        )


def marker_drift(look: Evidence) -> Iterator[Drift]:
    """Name the volumes that a broken restore left undefined; only a restore mends that."""
    for ref, marker in sorted(look.world.undefined.items()):
        if marker.reason != RUNNING:
            name = look.world.name(ref)
            yield Drift(
                DriftKind.UNDEFINED_TARGET,
                name,
                f"The content of {name} is undefined since {marker.since.isoformat()}: {marker.reason}.",
                operator("restore it successfully with eternus_restore."),
                before={"undefined": True},
                after={"undefined": True},
                volumes=(ref,),
                info=True,
            )
