# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting copies: all rules are looked at for the whole list, then all of it begins at one instant, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .counters import Run
from .model import Code, CopyState, CopyType, Key, Progress, Refused, Session, SyncType, Volume, now
from .replica import Replica

if TYPE_CHECKING:
    from .array import SimArray

_TYPES = {SyncType.MIRROR: CopyType.EC, SyncType.SNAPSHOT: CopyType.SNAP, SyncType.CLONE: CopyType.OPC}
# SupportedReplicationTypes (array.md) that allow a copy: by SyncType, local and remote.
_NEEDS = {
    (SyncType.MIRROR, False): (2, 3),
    (SyncType.MIRROR, True): (4, 5),
    (SyncType.SNAPSHOT, False): (6, 7),
    (SyncType.SNAPSHOT, True): (8, 9),
    (SyncType.CLONE, False): (10, 11),
    (SyncType.CLONE, True): (12, 13),
}


@dataclass(frozen=True)
class Wish:
    """What is asked for, but for the pairs."""

    sync_type: SyncType
    mode: int
    sync_maintained: bool


def start(array: SimArray, pairs: Sequence[Key], wish: Wish) -> list[Session]:
    """Start a copy for each (source, target), or refuse them all. The caller holds the lock."""
    if not pairs:
        raise Refused(Code.INVALID_PARAMETER, "no pair was given")
    sources: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    for pair in pairs:
        _check_pair(array, pair, wish)
        sources[pair[0]] += 1
        targets[pair[1]] += 1
    _check_limits(array, sources, targets)
    for device_id in {device_id for pair in pairs for device_id in pair}:
        array.traffic.notice(device_id)
    replicas = [_begin(array, pair, wish) for pair in pairs]
    array.remember(*replicas)
    array.fill(replicas)
    array.wake()
    return [replica.snapshot() for replica in replicas]


def is_remote(array: SimArray, pair: Key) -> bool:
    """Tell whether a pair lies on two arrays."""
    domain = array.domain
    return domain.owner(pair[0]) is not domain.owner(pair[1])


def _check_pair(array: SimArray, pair: Key, wish: Wish) -> None:
    domain = array.domain
    source, target = (domain.volume(device_id) for device_id in pair)
    if pair[0] not in array.volumes:
        raise Refused(Code.UNKNOWN_VOLUME, f"source {pair[0]} is not a volume of this array")
    if pair[0] == pair[1]:
        raise Refused(Code.INVALID_PARAMETER, f"{pair[0]} cannot be copied to itself")
    remote = is_remote(array, pair)
    for end in {one.serial: one for one in map(domain.owner, pair) if one is not None}.values():
        if not set(_NEEDS[wish.sync_type, remote]) & set(end.knobs.replication_types):
            where = "remote" if remote else "local"
            raise Refused(Code.NOT_SUPPORTED, f"no {where} copy of SyncType {int(wish.sync_type)} on {end.serial}")
    if wish.sync_maintained and wish.sync_type is SyncType.CLONE and (remote or not array.knobs.quick_opc):
        raise Refused(Code.NOT_SUPPORTED, "no differential clone (QuickOPC) here")
    if remote and not all(end is not None and end.knobs.peer_reachable for end in map(domain.owner, pair)):
        raise Refused(Code.REC_PATH, f"the array of {pair[1]} cannot be reached")
    check_sizes(source, target, wish.sync_type)
    check_cascade(array, pair, mirror=wish.sync_type is SyncType.MIRROR)


def check_sizes(source: Volume, target: Volume, sync_type: int) -> None:
    """Refuse (4097) a mirror of another size, a clone or snapshot to a smaller volume."""
    if target.size < source.size or (sync_type == SyncType.MIRROR and target.size != source.size):
        raise Refused(Code.SIZE, f"{source.device_id} has {source.size} bytes, {target.device_id} has {target.size}")


def check_cascade(array: SimArray, pair: Key, *, mirror: bool) -> None:
    """Refuse what other sessions of both volumes forbid: 32822, 32821, 32786."""
    domain = array.domain
    source_id, target_id = pair
    for other in domain.of_volume(target_id):
        if other.key == pair or other.view.source_id != target_id:
            continue
        if other.active_mirror:
            raise Refused(Code.CASCADE_NOT_SUSPENDED, f"{target_id} is the source of a mirror that is not suspended")
        if other.restoring:
            raise Refused(Code.VOLUME_BUSY, f"{target_id} is being restored from {other.view.target_id}")
        if mirror and other.frozen_legs():
            raise Refused(Code.CASCADE_LOCAL, f"{target_id} is being copied to {other.view.target_id}")
    if mirror:
        return
    for other in domain.of_volume(source_id):
        if other.key != pair and other.view.target_id == source_id and other.active_mirror:
            raise Refused(Code.CASCADE_NOT_SUSPENDED, f"{source_id} is the target of a mirror that is not suspended")


def _check_limits(array: SimArray, sources: Counter[str], targets: Counter[str]) -> None:
    domain = array.domain
    for device_id, wanted in targets.items():
        there = sum(1 for other in domain.of_volume(device_id) if other.view.target_id == device_id)
        if there + wanted > 1:
            raise Refused(Code.TARGET_SESSIONS, f"{device_id} is a target already")
    for device_id, wanted in sources.items():
        there = sum(1 for other in domain.of_volume(device_id) if other.view.source_id == device_id)
        if there + wanted > array.knobs.max_sessions_per_source:
            raise Refused(Code.SOURCE_SESSIONS, f"{device_id} has {there} copy sessions as source")
    here = sum(1 for other in domain.replicas.values() if other.home is array)
    if here + sum(sources.values()) > array.knobs.max_sessions_device:
        raise Refused(Code.DEVICE_SESSIONS, f"the array has {here} copy sessions")


def _begin(array: SimArray, pair: Key, wish: Wish) -> Replica:
    domain = array.domain
    snapshot = wish.sync_type is SyncType.SNAPSHOT
    view = Session(
        source_id=pair[0],
        target_id=pair[1],
        copy_type=_TYPES[wish.sync_type],
        sync_type=wish.sync_type,
        mode=wish.mode,
        copy_state=CopyState.SYNCHRONIZED if snapshot else CopyState.UNSYNCHRONIZED,
        progress_status=Progress.COMPLETED if snapshot else Progress.SYNCHRONIZING,
        when_started=now(),
        when_synced=now() if wish.sync_type is not SyncType.MIRROR else None,
        sync_maintained=wish.sync_maintained or wish.sync_type is not SyncType.CLONE,
        remote=is_remote(array, pair),
    )
    replica = Replica(array, view, array.volumes[pair[0]].blocks, array.new_map_name(), domain.next_seq())
    replica.todo.fill()
    domain.add(replica)
    begin_run(replica, "full", replica.extents)
    if not replica.mirror:
        replica.unfilled = "todo"
        array.traffic.overwritten(pair[1], replica, [(0, replica.extents)])
    array.note_change(replica.key, None)
    return replica


def begin_run(replica: Replica, kind: str, extents: int) -> None:
    """Count a new run of a session."""
    if replica.run is not None:
        replica.run.finished = True
    replica.run = replica.home.counters.run(Run(replica.view.source_id, replica.view.target_id, kind, extents))
