# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The refusals of behaviour.md §4 that the engine decides, each in one sentence and with a next step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, Policy, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, BackupError, ErrorClass


def refuse_no_policy(world: World, tv: VolumeRef) -> BackupError:
    """A TV for which nothing is declared."""
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"No policy is declared for {world.name(tv)}.",
        next_step="Declare one with eternus_policy.",
        volume=world.name(tv),
    )


def refuse_method(world: World, policy: Policy, what: str) -> BackupError:
    """A named method refuses what does not fit it (behaviour.md §3)."""
    name = world.name(policy.tv)
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"{name} is backed up by method {policy.method.value}, which {what}.",
        next_step="Declare method: auto or synchronized with eternus_policy to synchronize it; or cancel what runs "
        "(eternus_sync, state: cancelled).",
        volume=name,
        method=policy.method.value,
    )


def refuse_resumed(world: World, session: Session, backup: Backup) -> BackupError:
    """A generation whose BV follows the TV again: it is no longer what it was at its point in time (DESIGN.md)."""
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"The session of {world.name(session.source)} onto {world.name(session.target)} was resumed by other hands, "
        f"and that volume carries backup {backup.id}, which is spoiled by it.",
        next_step="Run eternus_reconcile, and with repair: [resumed_generation] to strike that backup; then run again.",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
        backup=backup.id,
    )


def refuse_half_used_key(world: World, group: str, key: str, tvs: list[VolumeRef]) -> BackupError:
    """A key that made a backup of some members of a group: it makes no second one, and half a group is none (§3)."""
    names = ", ".join(world.name(tv) for tv in tvs)
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Key {key!r} made a backup of group {group} when {names} was not a member.",
        next_step="Give another key: a group is backed up as a whole.",
        group=group,
        volumes=[world.name(tv) for tv in tvs],
    )


def refuse_skewed(names: Sequence[str], took: timedelta, limit: timedelta) -> BackupError:
    """Members of a group that were not split at one instant, or nearly so (behaviour.md §3)."""
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"{', '.join(names)} were split within {took.total_seconds():.3f} s, more than max_skew "
        f"({limit.total_seconds():g} s).",
        unchanged="Nothing was recorded; what was split was resynchronized, what was copied was ended.",
        next_step="Give a larger max_skew, or stop the application meanwhile; an array that takes lists splits all at "
        "one instant.",
        volumes=list(names),
        skew_ms=round(took / timedelta(milliseconds=1)),
    )


def refuse_late(
    names: Sequence[str], deadline: datetime, at: datetime, *, sent: bool = True, lost: Sequence[str] = ()
) -> BackupError:
    """A split that ended after the file system was thawed (behaviour.md §7).

    :param sent: whether the array was asked before it was noticed.
    :param lost: the backups that had been overwritten by then.
    """
    left = "Nothing was recorded; what was split was resynchronized, what was copied was ended."
    if lost:
        left += f" What was overwritten for it has gone: {', '.join(lost)}."
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"The split of {', '.join(names)} {'ended' if sent else 'would begin'} at {at.isoformat()}, after its deadline "
        f"{deadline.isoformat()}: "
        "the file systems may have been thawed before.",
        unchanged=left if sent else NOTHING_CHANGED,
        changed=bool(lost),
        next_step="Give a larger freeze limit, or find out why the array is slow, and run again.",
        volumes=list(names),
    )


def refuse_still_copying(world: World, session: Session) -> BackupError:
    """A tracked session that cannot be resumed before its background copy has ended (behaviour.md §3)."""
    return BackupError(
        ErrorClass.BUSY,
        f"The {session.copy_type.value} copy of {world.name(session.source)} onto {world.name(session.target)} is "
        f"still {session.state.value} ({session.percent} %), and only its end lets the next differences be copied.",
        next_step="Wait until it has ended (eternus_backup_info, running), or keep more generations.",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
        holder=f"{session.copy_type.value} copy onto {world.name(session.target)}",
        percent=session.percent,
    )


def refuse_undefined(world: World, tv: VolumeRef) -> BackupError:
    """A volume whose content a broken restore left undefined (behaviour.md §6)."""
    marker = world.undefined[tv]
    return BackupError(
        ErrorClass.TARGET_UNDEFINED,
        f"The content of {world.name(tv)} is undefined since {marker.since.isoformat()}: {marker.reason}.",
        next_step="Restore it successfully first; a backup of it would push a good generation out.",
        volume=world.name(tv),
        since=marker.since.isoformat(),
    )


def refuse_broken(world: World, session: Session) -> BackupError:
    """A session that the array reports as failed."""
    return BackupError(
        ErrorClass.COPY_FAILED,
        f"The {session.copy_type.value} session of {world.name(session.source)} onto {world.name(session.target)} "
        f"is {session.state.value} on the array.",
        next_step="Find the cause on the array, cancel the session (eternus_sync, state: cancelled), and start again.",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
    )


def refuse_being_restored(world: World, session: Session) -> BackupError:
    """A TV that a restore is writing."""
    return BackupError(
        ErrorClass.BUSY,
        f"{world.name(session.target)} is being written by a {session.copy_type.value} copy from "
        f"{world.name(session.source)} ({session.percent} %).",
        next_step="Wait until the restore has ended.",
        volume=world.name(session.target),
        holder=f"{session.copy_type.value} copy from {world.name(session.source)}",
    )


def refuse_session_limit(world: World, tv: VolumeRef, used: int, limit: int) -> BackupError:
    """A source that carries as many sessions as it may; one is kept free for a restore (behaviour.md §3).

    A generation that waits for tape is kept beyond the policy's number, and its session with it.
    """
    waiting = sum(
        backup.disk is not None and any(copy.state is not TapeState.WRITTEN for copy in backup.tape)
        for backup in world.backups.get(tv, ())
    )
    steps = [
        f"Write to tape what waits for it ({waiting} of its generations: tape_copy), or give that up with drop_untaped:"
        " true."
        if waiting
        else "Keep fewer generations.",
        "A suspended session is cancelled by naming its backup volume.",
    ]
    return BackupError(
        ErrorClass.SESSION_LIMIT,
        f"{world.name(tv)} takes part in {used} copy sessions and may take part in {limit}, one of them kept free for "
        "a restore.",
        next_step=" ".join(steps),
        volume=world.name(tv),
        sessions=used,
        limit=limit,
    )


def refuse_no_copy_type(world: World, tv: VolumeRef, bv: VolumeRef, wanted: CopyType) -> BackupError:
    """A copy that an array does not offer; says which ones each does (array.md). QuickOPC stays in one cabinet (§3)."""
    offered = {}
    for array in dict.fromkeys((tv.array, bv.array)):
        capabilities = world.capabilities.get(array)
        offered[array] = sorted(copy.value for copy in capabilities.copies) if capabilities else []
    listed = "; ".join(f"array {array} offers {', '.join(names) or 'no copies'}" for array, names in offered.items())
    anew = " A task that is connected to both arrays (peers) asks them anew." if tv.array != bv.array else ""
    return BackupError(
        ErrorClass.UNSUPPORTED_COPY,
        f"{wanted.value} from {world.name(tv)} to {world.name(bv)} is not offered; {listed}.",
        next_step=f"Check the array's Advanced Copy licence and settings, or use a method that it offers.{anew}",
        volume=world.name(tv),
        offered=offered.get(tv.array, []),
    )


def refuse_no_unused(world: World, tv: VolumeRef, policy: Policy, seen: World) -> BackupError:
    """No BV that may be taken: says the size and what each registered BV is doing (behaviour.md §2.1, §4).

    :param seen: the world as it is, without what this request would take for other volumes.
    """
    source = world.volume(tv)
    volumes = []
    for bv in world.backup_volumes():
        doing = seen.doing(bv)
        if bv.ref in world.allocations and bv.ref not in seen.allocations:
            doing += f", would be taken for {world.name(world.allocations[bv.ref].tv)}"
        same_size = (bv.volume.blocks, bv.volume.block_size) == (source.blocks, source.block_size)
        if policy.pinned and bv.ref not in policy.pinned:
            doing += ", not pinned by this policy"
        elif any(bv.ref in other.pinned for other in world.policies.values() if other.tv != tv):
            doing += ", pinned by another policy"
        volumes.append({"name": bv.name, "blocks": bv.volume.blocks, "same_size": same_size, "doing": doing})
    listed = "; ".join(f"{v['name']}: {v['doing']}" + ("" if v["same_size"] else " (other size)") for v in volumes)
    return BackupError(
        ErrorClass.NO_UNUSED_VOLUME,
        f"No unused backup volume of exactly {source.blocks} blocks ({source.size} bytes) for {world.name(tv)}: "
        f"{listed or 'no backup volume is registered'}.",
        next_step="Register another backup volume of exactly that size, or declare fewer generations.",
        volume=world.name(tv),
        blocks=source.blocks,
        size=source.size,
        backup_volumes=volumes,
    )


def refuse_reserved(world: World, tv: VolumeRef, bv: VolumeRef) -> BackupError:
    """A pinned BV that serves another TV: suspended or tracked for it, or carrying its generation (behaviour.md §2)."""
    return BackupError(
        ErrorClass.VOLUME_RESERVED,
        f"Backup volume {world.name(bv)} is pinned for {world.name(tv)} and is {world.doing(world.volumes[bv])}.",
        next_step="Pin another backup volume, or wait until that one is unused.",
        volume=world.name(tv),
        backup_volume=world.name(bv),
    )


def refuse_serves_another(world: World, tv: VolumeRef, bv: VolumeRef) -> BackupError:
    """A BV that is named for one TV and serves another."""
    return BackupError(
        ErrorClass.VOLUME_RESERVED,
        f"Backup volume {world.name(bv)} serves {world.name(tv)}, which this task does not name.",
        next_step=f"Name {world.name(tv)} among the volumes, or leave that backup volume out.",
        volume=world.name(tv),
        backup_volume=world.name(bv),
    )


def refuse_foreign(world: World, session: Session) -> BackupError:
    """A session that the catalog does not know (DESIGN.md): it is neither used nor ended."""
    return BackupError(
        ErrorClass.VOLUME_RESERVED,
        f"The {session.copy_type.value} session of {world.name(session.source)} onto {world.name(session.target)} was "
        "not made by this catalog.",
        next_step="End it where it was started, or by eternus_sync, state: cancelled, with that backup volume by name; "
        "if the catalog was lost or another one is meant, check catalog_url first.",
        volume=world.name(session.source),
        backup_volume=world.name(session.target),
    )


def refuse_slot_taken(world: World, policy: Policy, session: Session) -> BackupError:
    """Policies that share a ``sync_slot`` take turns (behaviour.md §4)."""
    other = world.name(session.source)
    return BackupError(
        ErrorClass.BUSY,
        f"{world.name(policy.tv)} shares sync_slot {policy.sync_slot} with {other}, which is "
        f"{session.state.value} now.",
        next_step=f"Back up {other} or cancel its synchronization first, or give each a slot of its own.",
        volume=world.name(policy.tv),
        holder=other,
    )


def refuse_in_use_by_tape(world: World, tv: VolumeRef, bv: VolumeRef) -> BackupError:
    """The BV that is needed is read, or its tape leg waits (behaviour.md §5)."""
    return BackupError(
        ErrorClass.VOLUME_IN_USE_BY_TAPE,
        f"Backup volume {world.name(bv)} is needed for {world.name(tv)}, but its generation is still being read, or "
        "waits to be written to tape.",
        next_step="Run tape_copy first; or give drop_untaped: true to give up a queued tape leg.",
        volume=world.name(tv),
        backup_volume=world.name(bv),
    )


def refuse_borrowed(world: World, tv: VolumeRef, bv: VolumeRef) -> BackupError:
    """The one BV that a backup to tape only borrows is still borrowed (behaviour.md §3, §5)."""
    return BackupError(
        ErrorClass.VOLUME_IN_USE_BY_TAPE,
        f"Backup volume {world.name(bv)} is still borrowed for the backup of {world.name(tv)} before, whose tape copy "
        "is not written yet; a policy with media tape borrows one at a time.",
        next_step="Run tape_copy first, or delete that backup with eternus_generation.",
        volume=world.name(tv),
        backup_volume=world.name(bv),
    )


def refuse_not_equivalent(world: World, tv: VolumeRef) -> BackupError:
    """A synchronized backup before the pair is equivalent (behaviour.md §2.3)."""
    session = world.active_mirror(tv)
    if session is None:
        return BackupError(
            ErrorClass.NOT_EQUIVALENT,
            f"No synchronization of {world.name(tv)} runs.",
            next_step="Start it with eternus_sync, state: equivalent, and back up then.",
            volume=world.name(tv),
            state="none",
        )
    return BackupError(
        ErrorClass.NOT_EQUIVALENT,
        f"{world.name(tv)} and {world.name(session.target)} are {session.state.value} ({session.percent} %), "
        "not equivalent.",
        unchanged="Nothing was changed; the pair goes on copying and nothing was recorded.",
        next_step="Wait with eternus_sync, state: equivalent, and back up then.",
        volume=world.name(tv),
        backup_volume=world.name(session.target),
        state=session.state.value,
        percent=session.percent,
    )
