# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that the catalog's tests share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskCopy,
    DiskState,
    Method,
    RegisteredVolume,
    Role,
    TapeCopy,
    TapeState,
)

NOW = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=timezone.utc)
ARRAY = "ET603SA4621302115"


def ref(number: int, array: str = ARRAY) -> VolumeRef:
    return VolumeRef(array, f"600000E00D2A0000002A0115{number:04X}0000")


def registered(number: int, role: Role = Role.BACKUP, array: str = ARRAY, name: str = "") -> RegisteredVolume:
    volume = Volume(ref(number, array), name or f"vol{number}", 131072, 512, False, f"root/eternus:V.DeviceID={number}")
    return RegisteredVolume(volume, role, NOW + timedelta(seconds=number))


def allocation(bv: int, tv: int = 1) -> Allocation:
    return Allocation(ref(bv), ref(tv), CopyType.EC, NOW)


def backup(name: str, bv: int | None = None, tv: int = 1, *, key: str = "", age: int = 0, tape: tuple = ()) -> Backup:
    at = NOW - timedelta(seconds=age)
    disk = None if bv is None else DiskCopy(ref(bv), DiskState.VALID, at)
    return Backup(name, ref(tv), at, Method.SYNCHRONIZED, CopyType.EC, True, 67108864, key, disk=disk, tape=tape)


def copy(number: int = 1, state: TapeState = TapeState.QUEUED, **more: object) -> TapeCopy:
    return TapeCopy(number, state, "weekly", NOW, **more)
