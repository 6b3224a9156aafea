# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The methods of the storage configuration service: volumes made, made larger, removed, shown at a time."""

from __future__ import annotations

from typing import Any

from ..core.model import Refused, SyncType
from .jobs import Jobs
from .masking import Masking
from .methods import Args, Methods, Result
from .storage import Storage
from .values import Path

SERVICE = "FUJITSU_StorageConfigurationService"
INVALID_PARAMETER = 5
UNKNOWN_VOLUME = 32807
FROM_RAID, FROM_THIN = 2, 5
SNAPSHOT = 4

Made = tuple[dict[str, Any], str]


class Volumes:
    """What clients of the array do with volumes."""

    def __init__(self, storage: Storage, jobs: Jobs, masking: Masking) -> None:
        self._storage = storage
        self._jobs = jobs
        self._masking = masking

    def _volume_id(self, path: Any) -> str:
        volume = self._storage.volume_of(path) if isinstance(path, Path) else None
        if volume is None:
            raise Refused(UNKNOWN_VOLUME, "there is no such volume")
        return volume.device_id

    def _create_or_modify(self, _service: Path, args: Args) -> Result:
        return self._jobs.run_now("CreateOrModifyElementFromStoragePool", SERVICE, lambda: self._make(args))

    def _make(self, args: Args) -> Made:
        array = self._storage.array
        size, name = args.get("size"), args.get("elementname")
        if not size:
            raise Refused(INVALID_PARAMETER, "no size was given")
        if args.get("theelement") is not None:
            device_id = self._volume_id(args["theelement"])
            volume = array.extend_volume(device_id, size)
        else:
            pool = self._storage.pool_of(args.get("inpool"))
            if pool is None or not name:
                raise Refused(INVALID_PARAMETER, "a name and a pool must be given")
            if args.get("elementtype") != (FROM_THIN if pool.kind == "thin" else FROM_RAID):
                raise Refused(INVALID_PARAMETER, "ElementType is not that of the pool")
            volume = array.create_volume(name, size, pool.pool_id)
        return {"TheElement": self._storage.volume_path(volume.device_id), "Size": volume.size}, volume.device_id

    def _return(self, _service: Path, args: Args) -> Result:
        device_id = self._volume_id(args.get("theelement"))

        def act() -> Made:
            self._storage.array.delete_volume(device_id)
            self._masking.forget(device_id)
            return {}, device_id

        return self._jobs.run_now("ReturnToStoragePool", SERVICE, act)

    def _replica(self, _service: Path, args: Args) -> Result:
        return self._jobs.run_now("CreateReplica", SERVICE, lambda: self._snapshot(args))

    def _snapshot(self, args: Args) -> Made:
        array = self._storage.array
        pool, name = self._storage.pool_of(args.get("targetpool")), args.get("elementname")
        source = self._volume_id(args.get("sourceelement"))
        if args.get("copytype") != SNAPSHOT or pool is None or not name:
            raise Refused(INVALID_PARAMETER, "CopyType 4, a name and a pool must be given")
        made = array.create_volume(name, array.volumes[source].size, pool.pool_id)
        try:
            array.start_sessions([(source, made.device_id)], SyncType.SNAPSHOT)
        except Refused:
            array.delete_volume(made.device_id)
            raise
        return {"TargetElement": self._storage.volume_path(made.device_id)}, made.device_id

    def offer(self, methods: Methods) -> None:
        """Offers the methods."""
        methods.add(SERVICE, "CreateOrModifyElementFromStoragePool", self._create_or_modify)
        methods.add(SERVICE, "ReturnToStoragePool", self._return)
        methods.add(SERVICE, "CreateReplica", self._replica)
