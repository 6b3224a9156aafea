# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole small world for the engine's tests: arrays as a model, a real catalog in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup import policies, restore, synchronize, take
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore import RestoreRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Media,
    PoolKind,
    Reader,
    ReaderPurpose,
    RegisteredVolume,
    Role,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import (
    START,
    Fabric,
    Killed,
    ModelArray,
    ModelClock,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_catalog import MemoryCatalog
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.mortal import Death, MortalCatalog

PATIENCE = Wait(interval=1.0, timeout=120.0)
NO_PATIENCE = Wait(interval=1.0, timeout=0.0)
DRIVE = "drive-1"
#: What differs between a plan and what was done: ids that are made then, and times.
_OWN = ("id", "group_id", "point_in_time", "written_at", "queued_at", "suspended_at", "percent", "skew_ms")


class House:
    """One array ``ET1`` (and ``ET2`` when asked for), one catalog, volumes and policies by name.

    ``memory``: the catalog is a model too, for tests of thousands of histories.
    """

    def __init__(
        self,
        directory: Path,
        *,
        lists: bool = True,
        arrays: Sequence[str] = ("ET1",),
        memory: bool = False,
        **array: Any,
    ) -> None:
        self.clock = ModelClock()
        self.fabric = Fabric(self.clock)
        self.arrays = {serial: ModelArray(self.fabric, serial, lists=lists, **array) for serial in arrays}
        self.catalog: Any = (
            MemoryCatalog() if memory else open_catalog(f"sqlite:///{directory}/catalog.db", create=True)
        )
        self.by_name: dict[str, Volume] = {}
        self.owner = 0
        self.stamp = 100
        self.death: Optional[Death] = None
        with self.catalog.begin() as records:
            records.put_pool(TapePool("pool", PoolKind.PRIVATE, START))

    @property
    def array(self) -> ModelArray:
        """The first array."""
        return next(iter(self.arrays.values()))

    def context(self, *, check: bool = False, owner: str = "") -> Context:
        """Return the context of a new process, which dies as ``self.death`` says."""
        self.owner += 1
        self.fabric.dead = False
        return Context(
            catalog=MortalCatalog(self.catalog, self.fabric, self.death),
            arrays=self.arrays,
            clock=self.clock,
            owner=owner or f"process-{self.owner}",
            check_mode=check,
        )

    def dying(self, commit: int, written: bool, act: Callable[[], Any]) -> bool:
        """Run something in a process that dies at a commit (from 0); tell whether it came so far. Its lease ends."""
        self.death = death = Death(commit, written)
        try:
            act()
        except Killed:
            assert death.struck
        finally:
            self.death = None
        self.clock.sleep(300)
        return death.struck

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

    def group(self, *names: str, bvs: int = 0, group: str = "app", **policy: Any) -> list[VolumeRef]:
        """Make the transaction volumes of one consistency group, and so many backup volumes for all of them."""
        return [self.tv(name, 0 if number else bvs, group=group, **policy) for number, name in enumerate(names)]

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

    def foreseen(self, *names: str, **request: Any) -> Result:
        """Return what check mode says of a backup."""
        return take.take_backup(self.context(check=True), names, BackupRequest(**request))

    def nights(self, name: str, count: int, **request: Any) -> list[str]:
        """Back up night after night, each with a stamp in the TV's first extent; return the ids, newest first."""
        ids = []
        for _night in range(count):
            self.clock.sleep(3600)
            self.stamp += 1
            self.fabric.write(self.by_name[name].ref, 0, self.stamp)
            ids.insert(0, self.backup(name, **request).values["backups"][0]["id"])
        return ids

    def cancel(self, *names: str, **options: Any) -> Result:
        """Cancel synchronization."""
        return synchronize.cancel(self.context(), names, **options)

    def forget(self, name: str, *ids: str) -> None:
        """Delete disk generations by hand."""
        wanted = GenerationRequest(Wanted.ABSENT, Selection(ids=ids), Media.DISK, confirm=frozenset([name]))
        change(self.context(), wanted)

    def delete(self, *ids: str, media: Media = Media.BOTH, confirm: Collection[str] = ()) -> Result:
        """Delete copies of backups; the names of TVs confirm that their last good backup may go."""
        wanted = GenerationRequest(Wanted.ABSENT, Selection(ids=ids), media, confirm=frozenset(confirm))
        return change(self.context(), wanted)

    def hold(self, backup_id: str, hold: bool = True) -> None:
        """Keep a backup whatever the rules say, or no longer."""
        with self.catalog.begin() as records:
            records.set_hold([backup_id], hold)

    def restore(self, name: str, target: str = "", *, wait: Wait = PATIENCE, **request: Any) -> Result:
        """Restore onto the TV, or onto another volume."""
        wanted = {"volume": name, "target": target, "confirm": target or name, **request}
        return restore.restore(self.context(), RestoreRequest(**wanted), wait)

    def cancel_restore(self, name: str, target: str = "") -> Result:
        """Cancel a restore."""
        return restore.cancel_restore(self.context(), RestoreRequest(name, target=target))

    def backup_of(self, backup_id: str) -> Optional[Backup]:
        """Return a backup as the catalog knows it."""
        with self.catalog.read() as records:
            return next(iter(records.backups(ids=[backup_id])), None)

    def begin_leg(self, backup_id: str, number: int = 1) -> None:
        """Take a queued or failed tape copy as a tape server does: it is writing, and its BV is read."""
        owner = f"{DRIVE}:{backup_id}:{number}"
        with self.catalog.begin() as records:
            backup = next(iter(records.backups(ids=[backup_id])))
            assert backup.disk is not None
            records.claim_tape_copy(backup_id, number, owner, self.clock.now(), 1e9)
            records.add_reader(Reader(backup.disk.bv, backup_id, ReaderPurpose.TAPE, owner, self.clock.now()))

    def end_leg(self, backup_id: str, *, ok: bool = True, number: int = 1) -> None:
        """Let a tape copy that is being written be written, or fail, with all that the tape server does then."""
        owner = f"{DRIVE}:{backup_id}:{number}"
        with self.catalog.begin() as records:
            backup = next(iter(records.backups(ids=[backup_id])))
            assert backup.disk is not None
            copy = next(copy for copy in backup.tape if copy.number == number)
            state = TapeState.WRITTEN if ok else TapeState.FAILED
            records.put_tape_copy(backup_id, replace(copy, state=state, written_at=self.clock.now() if ok else None))
            records.remove_reader(backup.disk.bv, owner)
            finish_leaving(records, backup.disk.bv)
            records.drop_leases([lease for lease in records.leases() if lease.owner == owner])

    def tape(self, backup_id: str, *, ok: bool = True, number: int = 1) -> None:
        """Write a tape copy from beginning to end, or let it fail."""
        self.begin_leg(backup_id, number)
        self.end_leg(backup_id, ok=ok, number=number)

    def tape_all(self, name: str) -> None:
        """Write every queued tape copy of a TV."""
        for backup in self.history(name):
            for copy in backup.tape:
                if copy.state is TapeState.QUEUED:
                    self.tape(backup.id, number=copy.number)

    def history(self, name: str) -> list[Backup]:
        """Return every backup of a TV, oldest first."""
        with self.catalog.read() as records:
            return list(records.backups(tvs=[self.by_name[name].ref]))

    def look(self) -> World:
        """Look at everything."""
        return observe(self.context())

    def bv_of(self, ref: VolumeRef) -> str:
        """Return the name of a volume."""
        return self.fabric.volumes[ref].name

    def content(self, name: str) -> list[int]:
        """Return the bytes of a volume."""
        return list(self.fabric.content[self.by_name[name].ref])

    def session(self, tv: str, bv: str) -> Optional[Session]:
        """Return the session between two volumes as the array has it."""
        copying = self.fabric.copies.get((self.by_name[tv].ref, self.by_name[bv].ref))
        return copying.session if copying else None

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

    @staticmethod
    def alike(result: Result) -> Any:
        """Return what a plan and what was done have in common."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: "*" if key in _OWN else plain(found) for key, found in value.items()}
            return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

        return plain([result.changed, result.values, result.before, result.after, result.warnings])

    def everything(self) -> World:
        """Return the world without its time: equal before and after a refusal."""
        return replace(self.look(), now=START)
