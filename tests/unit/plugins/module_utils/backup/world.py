# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole small world for the engine's tests: arrays as a model, a real catalog in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup import policies, synchronize, take
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    PoolKind,
    RegisteredVolume,
    Role,
    TapePool,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import (
    START,
    Fabric,
    ModelArray,
    ModelClock,
)

PATIENCE = Wait(interval=1.0, timeout=120.0)


class House:
    """One array ``ET1`` (and ``ET2`` when asked for), one catalog, volumes and policies by name."""

    def __init__(self, directory: Path, *, lists: bool = True, arrays: Sequence[str] = ("ET1",), **array: Any) -> None:
        self.clock = ModelClock()
        self.fabric = Fabric(self.clock)
        self.arrays = {serial: ModelArray(self.fabric, serial, lists=lists, **array) for serial in arrays}
        self.catalog = open_catalog(f"sqlite:///{directory}/catalog.db", create=True)
        self.by_name: dict[str, Volume] = {}
        self.owner = 0
        with self.catalog.begin() as records:
            records.put_pool(TapePool("pool", PoolKind.PRIVATE, START))

    @property
    def array(self) -> ModelArray:
        """The first array."""
        return next(iter(self.arrays.values()))

    def context(self, *, check: bool = False, owner: str = "") -> Context:
        """Return the context of a new process."""
        self.owner += 1
        return Context(
            catalog=self.catalog,
            arrays=self.arrays,
            clock=self.clock,
            owner=owner or f"process-{self.owner}",
            check_mode=check,
        )

    def volume(self, name: str, role: Optional[Role], *, blocks: int = 2048, array: str = "ET1") -> Volume:
        """Make a volume, and register it unless its role is None."""
        volume = self.fabric.add(array, len(self.by_name) + 1, name, blocks)
        self.by_name[name] = volume
        if role is not None:
            with self.catalog.begin() as records:
                records.put_volumes([RegisteredVolume(volume, role, START)])
        return volume

    def tv(self, name: str, bvs: int = 0, *, blocks: int = 2048, **policy: Any) -> VolumeRef:
        """Make a transaction volume with its policy, and so many backup volumes of its size."""
        volume = self.volume(name, Role.TRANSACTION, blocks=blocks)
        have = sum(1 for known in self.by_name if known.startswith("bv"))
        for number in range(have, have + bvs):
            self.volume(f"bv{number + 1}", Role.BACKUP, blocks=blocks)
        self.declare(name, **policy)
        return volume.ref

    def declare(self, name: str, *, strict: bool = False, **policy: Any) -> Result:
        """Declare a policy; disk only unless said."""
        wanted = {"volume": name, "generations": 2, "media": "disk", **policy}
        return policies.declare(self.context(), [wanted], strict=strict)

    def start(self, *names: str, wait: Optional[Wait] = None, **options: Any) -> Result:
        """Start synchronization; without a wait it only starts."""
        return synchronize.start(self.context(), names, wait=wait, **options)

    def equivalent(self, *names: str) -> Result:
        """Start and wait until equivalent."""
        return self.start(*names, wait=PATIENCE)

    def backup(self, *names: str, **request: Any) -> Result:
        """Take a backup."""
        return take.take_backup(self.context(), names, BackupRequest(**request))

    def cycle(self, *names: str, **request: Any) -> Result:
        """Synchronize and back up."""
        self.equivalent(*names)
        self.clock.sleep(60)
        return self.backup(*names, **request)

    def cancel(self, *names: str, **options: Any) -> Result:
        """Cancel synchronization."""
        return synchronize.cancel(self.context(), names, **options)

    def look(self) -> World:
        """Look at everything."""
        return observe(self.context())

    def bv_of(self, ref: VolumeRef) -> str:
        """Return the name of a volume."""
        return self.fabric.volumes[ref].name

    def generations(self, name: str) -> list[Backup]:
        """Return a TV's generations, newest first."""
        return list(self.look().generations(self.by_name[name].ref))

    def on(self, name: str) -> list[str]:
        """Return the BVs of a TV's generations, newest first."""
        return [self.bv_of(backup.disk.bv) for backup in self.generations(name) if backup.disk]

    def unused(self) -> list[str]:
        """Return the names of the unused BVs."""
        world = self.look()
        return [bv.name for bv in world.backup_volumes() if world.unused(bv)]

    def everything(self) -> World:
        """Return the world without its time: equal before and after a refusal."""
        return replace(self.look(), now=START)
