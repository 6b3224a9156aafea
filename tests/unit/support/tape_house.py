# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape server with a catalog: transaction and backup volumes that are files, backups on disk, pools, cartridges."""

from __future__ import annotations

import shutil
import zlib
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import ensure_present
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskCopy,
    DiskState,
    Method,
    Policy,
    PoolKind,
    RegisteredVolume,
    Role,
    TapeCopy,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape_copy_entry import copy_tapes
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, Bed, noise

START = datetime(2026, 1, 5, 20, 0, tzinfo=timezone.utc)
SIZE = 3 * MIB
NOTHING: dict[str, Any] = {
    "backups": None,
    "volumes": None,
    "pool": None,
    "verify": False,
    "limit": 0,
    "retry_failed": True,
}


class HandClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class TapeHouse:
    """One array ``ET1`` as its volumes' files, one catalog, one library. TV 1 has the BVs 11 to 14; pool ``weekly``."""

    def __init__(self, path: Path) -> None:
        self.contents: dict[str, bytes] = {}
        self.runs = 0
        self._open(path)
        with self.catalog.begin() as records:
            records.put_pool(TapePool("weekly", PoolKind.PRIVATE, START))
            records.put_pool(TapePool("spare", PoolKind.SCRATCH, START))
        self.volume(1, Role.TRANSACTION, "oradata")
        for number in (11, 12, 13, 14):
            self.volume(number, Role.BACKUP, f"bv{number}")
        with self.catalog.begin() as records:
            records.put_policies([Policy(self.ref(1), 2, suspend=True, tape_pool="weekly")])

    def _open(self, path: Path) -> None:
        self.path = path
        self.bed = Bed(path, threads=False)
        self.clock = HandClock()
        self.url = f"sqlite:///{path}/catalog.db"
        self.catalog = open_catalog(self.url)
        self.desk = TapeDesk(self.bed.library, str(self.bed.devices), self.bed.options)

    def clone(self, path: Path) -> TapeHouse:
        """Return a house of its own that looks as this one does: quicker than to build it again."""
        self.catalog.close()
        shutil.copytree(self.path, path, symlinks=True, dirs_exist_ok=True)
        for link in (path / "by-id").iterdir():
            file = path / link.readlink().name
            link.unlink()
            link.symlink_to(file)
        other = copy(self)
        other._open(path)
        other.contents = dict(self.contents)
        return other

    def ref(self, number: int) -> VolumeRef:
        return VolumeRef("ET1", f"600000E00D2A0000002A0115{number:04X}0000")

    def volume(self, number: int, role: Role | None, name: str, size: int = SIZE) -> VolumeRef:
        ref = self.ref(number)
        self.bed.volume(ref.device_id, noise(size, number))
        if role is not None:
            with self.catalog.begin() as records:
                records.put_volumes([RegisteredVolume(Volume(ref, name, size // 512), role, START)])
        return ref

    def file(self, number: int) -> Path:
        return self.bed.devices / f"wwn-0x{self.ref(number).device_id.lower()}"

    def backup(
        self,
        name: str,
        bv: int,
        *,
        tape: bool = True,
        pool: str = "weekly",
        age: int = 0,
        state: DiskState = DiskState.VALID,
    ) -> str:
        """A backup of TV 1 that lies on a BV with bytes of its own; its tape copy is queued."""
        self.contents[name] = noise(SIZE, zlib.crc32(name.encode()))
        self.bed.volume(self.ref(bv).device_id, self.contents[name])
        at = START - timedelta(hours=age)
        copies = (TapeCopy(1, TapeState.QUEUED, pool, at, bytes_total=SIZE),) if tape else ()
        disk = DiskCopy(self.ref(bv), state, at)
        with self.catalog.begin() as records:
            if not records.allocations(bvs=[self.ref(bv)]):
                records.allocate([Allocation(self.ref(bv), self.ref(1), CopyType.EC, START, suspended_at=at)])
            records.add_backups(
                [
                    Backup(
                        name, self.ref(1), at, Method.SYNCHRONIZED, CopyType.EC, True, SIZE, key=f"key-{name}",
                        disk=disk, tape=copies,
                    )
                ]
            )  # fmt: skip
        return name

    def context(self, *, check: bool = False, owner: str = "") -> Context:
        self.runs += 1
        return Context(
            self.catalog, clock=self.clock, owner=owner or f"run-{self.runs}", lease_seconds=120.0, check_mode=check
        )

    def cartridges(self, *barcodes: str, capacity: int = 16 * MIB, pool: str = "weekly") -> None:
        self.bed.library.create(dict.fromkeys(barcodes, capacity))
        ensure_present(self.context(), self.bed.library, barcodes, pool, force=False)

    def copy(self, *, check: bool = False, desk: TapeDesk | None = None, owner: str = "", **params: Any) -> Result:
        return copy_tapes(self.context(check=check, owner=owner), desk or self.desk, {**NOTHING, **params})

    def get(self, name: str) -> Backup:
        with self.catalog.read() as records:
            return records.backups(ids=[name])[0]

    def tape(self, name: str) -> TapeCopy:
        return self.get(name).tape[0]

    def readers(self) -> list[Any]:
        with self.catalog.read() as records:
            return list(records.readers())

    def change(self, name: str, **changes: Any) -> None:
        with self.catalog.begin() as records:
            records.put_tape_copy(name, replace(self.tape(name), **changes))

    def everything(self) -> tuple[Any, ...]:
        """All that a refusal must leave as it is: catalog, cartridges, volumes."""
        with self.catalog.read() as records:
            known = (
                records.backups(),
                records.allocations(),
                records.readers(),
                records.leases(),
                records.cartridges(),
                records.pools(),
                records.undefined_targets(),
            )
        tapes = {
            str(file): file.read_bytes()
            for file in sorted((self.path / "library").rglob("*"))
            if file.is_file() and not file.name.startswith("drive")
        }
        volumes = {file.name: file.read_bytes() for file in sorted(self.path.glob("volume-*"))}
        return (*map(str, known), tapes, volumes)
