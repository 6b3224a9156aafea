# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Volumes, pools and sessions, each by one enumeration, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array import cim, mapping, paths, values
from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Pool,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)

_VOLUME = ("ElementName", "BlockSize", "NumberOfBlocks", "Purpose")
_POOL = ("ElementName", "TotalManagedSpace", "RemainingManagedSpace")
_SESSION = (
    "CopyType",
    "CopyState",
    "ProgressStatus",
    "PercentSynced",
    "WhenSynced",
    "WhenSuspended",
    "SyncMaintained",
)
_DEVICE = re.compile(r"(?:(?:/dev/disk/by-id/)?wwn-0x)?([0-9a-f]{32})", re.IGNORECASE)


def device_of(name: str) -> Optional[str]:
    """Return the DeviceID that a DeviceID or ``wwn-0x...`` means, in upper case; None for another kind of name."""
    found = _DEVICE.fullmatch(name)
    return found.group(1).upper() if found else None


def volumes(connection: Connection, serial: str) -> Sequence[Volume]:
    """Return every volume but the pools' own, by number."""
    instances = connection.enumerate(cim.VOLUME_CLASS, _VOLUME)
    with connection.understood():
        found = [_volume(instance, serial) for instance in instances]
    return sorted((volume for volume in found if volume is not None), key=lambda volume: volume.ref)


def volume(connection: Connection, serial: str, system: str, device: str) -> Optional[Volume]:
    """Return one volume by its DeviceID; None when it is not there."""
    instance = connection.get(paths.volume_path(system, device), _VOLUME)
    with connection.understood():
        return None if instance is None else _volume(instance, serial)


def _volume(instance: Any, serial: str) -> Optional[Volume]:
    purpose = values.text(instance, "Purpose")
    if mapping.is_hidden(purpose):
        return None
    return Volume(
        ref=VolumeRef(serial, paths.device_id(instance.path)),
        name=values.text(instance, "ElementName"),
        blocks=values.number(instance, "NumberOfBlocks"),
        block_size=values.number(instance, "BlockSize") or 512,
        thin=mapping.is_thin(purpose),
        path=paths.to_uri(instance.path),
    )


def pools(connection: Connection) -> Sequence[Pool]:
    """Return every pool, by one enumeration a kind."""
    with connection.understood():
        return [
            Pool(
                pool_id=values.key(instance.path, "InstanceID"),
                name=values.text(instance, "ElementName"),
                thin=class_name == cim.POOL_CLASSES[0],
                total=values.number(instance, "TotalManagedSpace"),
                remaining=values.number(instance, "RemainingManagedSpace"),
            )
            for class_name in cim.POOL_CLASSES
            for instance in connection.enumerate(class_name, _POOL)
        ]


def sessions(connection: Connection, array_of: Callable[[Any, Any], str]) -> Iterator[tuple[Session, Any]]:
    """Return every session with its path.

    :param array_of: the array of a volume's path, given the path on the other side of the session.
    """
    for instance in connection.enumerate(cim.SESSION_CLASS, _SESSION):
        with connection.understood():
            source, target = (values.element(instance.path, name) for name in ("SystemElement", "SyncedElement"))
            session = _session(
                instance,
                VolumeRef(array_of(source, target), paths.device_id(source)),
                VolumeRef(array_of(target, source), paths.device_id(target)),
            )
        yield session, instance.path


def _session(instance: Any, source: VolumeRef, target: VolumeRef) -> Session:
    kind, tracked = values.number(instance, "CopyType"), bool(instance.get("SyncMaintained"))
    copy_type = mapping.copy_type_of(kind, remote=source.array != target.array, tracked=tracked)
    state = mapping.state_of(copy_type, values.number(instance, "CopyState"), values.number(instance, "ProgressStatus"))
    return Session(
        source=source,
        target=target,
        copy_type=copy_type,
        # A kind of copy that this version does not know still counts against the limits, but says nothing more.
        state=state if kind in set(cim.SessionType) else SessionState.UNKNOWN,
        percent=values.number(instance, "PercentSynced"),
        synced_at=values.moment(instance, "WhenSynced"),
        suspended_at=values.moment(instance, "WhenSuspended"),
        tracked=tracked and not copy_type.mirror,
        path=paths.to_uri(instance.path),
    )
