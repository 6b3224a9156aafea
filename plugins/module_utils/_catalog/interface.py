# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the engine asks of the catalog. Behind it stands SQLAlchemy over SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Optional, Protocol

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    ArrayRecord,
    Backup,
    Cartridge,
    DiskState,
    JournalEntry,
    Lease,
    Policy,
    Reader,
    RegisteredVolume,
    RestoreTest,
    Role,
    StepState,
    TapeCopy,
    TapePool,
    UndefinedTarget,
    UsedKey,
)


class Conflict(Exception):
    """A compare-and-set lost: somebody else was first. The transaction is rolled back; observe and plan again."""


class Records(Protocol):
    """Everything inside one transaction. Reads take optional filters; None means all. Lists: oldest first."""

    # arrays and volumes
    def array(self, serial: str) -> Optional[ArrayRecord]: ...
    def arrays(self, serials: Collection[str]) -> Sequence[ArrayRecord]: ...
    def put_array(self, record: ArrayRecord) -> None: ...

    def serials(self) -> Sequence[str]:
        """Return the arrays that have a registered volume."""

    def volumes(
        self,
        refs: Optional[Collection[VolumeRef]] = None,
        *,
        role: Optional[Role] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[RegisteredVolume]: ...

    def find_volumes(self, names: Collection[str]) -> Mapping[str, RegisteredVolume]:
        """Return registered volumes by name, DeviceID (any case) or ``wwn-0x...``; what is not registered is left out.

        A name that two arrays bear raises ``invalid_option`` and asks for ``SERIAL/NAME``, which is understood too.
        """

    def put_volumes(self, volumes: Collection[RegisteredVolume]) -> None: ...
    def remove_volumes(self, refs: Collection[VolumeRef]) -> None: ...

    # policies
    def policies(
        self,
        tvs: Optional[Collection[VolumeRef]] = None,
        *,
        arrays: Optional[Collection[str]] = None,
        groups: Optional[Collection[str]] = None,
    ) -> Sequence[Policy]:
        """Return policies of TVs, of arrays, of consistency groups."""

    def policies_beyond(self, arrays: Collection[str], slots: Collection[str]) -> Sequence[Policy]:
        """Return the policies of other arrays' TVs that pin BVs of these arrays, or take turns in these slots."""

    def put_policies(self, policies: Collection[Policy]) -> None: ...
    def remove_policies(self, tvs: Collection[VolumeRef]) -> None: ...

    # allocation of backup volumes
    def allocations(
        self,
        *,
        tvs: Optional[Collection[VolumeRef]] = None,
        bvs: Optional[Collection[VolumeRef]] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[Allocation]:
        """Return the allocations of TVs and of BVs; or those that have an end on one of these arrays."""

    def allocate(self, allocations: Collection[Allocation]) -> None:
        """Take unused BVs; :class:`Conflict` when one is taken already, or may not be taken any more.

        It must still be registered as a backup volume, not be unknown, and have its TV's size where it is to be a copy.
        """

    def set_suspended(self, bvs: Collection[VolumeRef], at: Optional[datetime]) -> None: ...

    def free(self, bvs: Collection[VolumeRef]) -> None:
        """Make BVs unused again; :class:`Conflict` when one carries a generation or has a reader."""

    # backups
    def backups(
        self, *, tvs: Optional[Collection[VolumeRef]] = None, ids: Optional[Collection[str]] = None
    ) -> Sequence[Backup]:
        """Return backups with their copies, oldest first by point in time, then id."""

    def standing(self, tvs: Optional[Collection[VolumeRef]] = None, *, ids: Collection[str] = ()) -> Sequence[Backup]:
        """Return what of these TVs' history a plan may act upon, however long it is; oldest first.

        Every backup with a disk copy, every one with a tape copy that is not written, and of each registered volume
        the newest, and the newest that a tape bears; and those of ``ids``, whosever they are.
        """

    def carrying(self, bvs: Collection[VolumeRef]) -> Sequence[Backup]:
        """Return the backups whose disk copies lie on these BVs."""

    def taped(self, tv: VolumeRef, *, at: Optional[datetime] = None, limit: int = 1) -> Sequence[Backup]:
        """Return the newest ``limit`` backups of a TV that a tape bears, of a time or before; oldest first."""

    def past(self, tvs: Collection[VolumeRef], until: datetime, generations: int) -> Sequence[Backup]:
        """Return backups with a written tape copy that are not held, and of ``until`` or before.

        Only those that are older than the newest ``generations`` of that kind of their TV (behaviour.md §5); 0: all.
        """

    def proven(self, tv: VolumeRef, *, without: Collection[tuple[str, int]] = ()) -> Optional[str]:
        """Return the id of the newest backup of a TV with a verified tape copy other than these (id, number)."""

    def verified(self, tvs: Optional[Collection[VolumeRef]] = None) -> frozenset[VolumeRef]:
        """Return the registered volumes of which a tape copy was verified."""

    def unverified_tape(self, tvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Backup]:
        """Return the backups with a tape copy that was not verified, or not found equal."""

    def count(self, tvs: Optional[Collection[VolumeRef]] = None) -> int:
        """Return how many backups there are."""

    def unfinished_tape(self) -> Sequence[Backup]:
        """Return the backups with a tape copy that is not written: queued, writing or failed."""

    def used_keys(self, key: str, tvs: Collection[VolumeRef]) -> Mapping[VolumeRef, str]:
        """Return the id of the backup that a key made of each TV, also when it has gone; none for an empty key."""

    def use_key(self, used: UsedKey) -> None:
        """Write down that a key was used; a key that was used before stays as it is."""

    def add_backups(self, backups: Collection[Backup]) -> None:
        """Add whole backups with their copies; :class:`Conflict` when (tv, key) or an id exists already."""

    def set_disk_leaving(self, ids: Collection[str]) -> None: ...
    def set_disk_state(self, ids: Collection[str], state: DiskState) -> None: ...

    def drop_disk(self, ids: Collection[str]) -> None:
        """Strike disk copies; a backup without any copy left vanishes (behaviour.md §5).

        :class:`Conflict` while one is read.
        """

    def put_tape_copy(self, backup_id: str, copy: TapeCopy) -> None: ...
    def remove_tape_copies(self, backup_id: str, numbers: Collection[int]) -> None: ...

    def strike_tape(self, copies: Collection[tuple[str, int]]) -> None:
        """Strike tape copies (backup id, number); a backup without any copy left vanishes (behaviour.md §5)."""

    def claim_tape_copy(self, backup_id: str, number: int, owner: str, now: datetime, seconds: float) -> TapeCopy:
        """Compare-and-set queued|failed -> writing for ``owner``; a writing one only after its lease (tape:ID:N).

        :class:`Conflict` when another was first.
        """

    def set_hold(self, ids: Collection[str], hold: bool) -> None: ...

    # restore tests
    def restore_tests(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, backups: Optional[Collection[str]] = None
    ) -> Sequence[RestoreTest]: ...

    def last_tests(self, tvs: Optional[Collection[VolumeRef]] = None) -> Mapping[VolumeRef, RestoreTest]:
        """Return the newest restore test of each registered volume."""

    def add_restore_test(self, test: RestoreTest) -> None: ...

    # readers of backup volumes
    def readers(self, bvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Reader]: ...
    def add_reader(self, reader: Reader) -> None: ...
    def remove_reader(self, bv: VolumeRef, owner: str) -> None: ...

    # leases
    def take_leases(self, names: Collection[str], owner: str, now: datetime, seconds: float) -> Sequence[Lease]:
        """Take all or none; BackupError ``busy`` names who holds one and since when. Expired ones are taken over."""

    def renew_leases(self, leases: Collection[Lease], now: datetime, seconds: float) -> Sequence[Lease]: ...

    def fence(self, leases: Collection[Lease]) -> None:
        """Raise ``busy`` unless every lease is still held with its token: called in every transaction that writes."""

    def drop_leases(self, leases: Collection[Lease]) -> None: ...
    def leases(self, names: Optional[Collection[str]] = None) -> Sequence[Lease]: ...

    # journal
    def open_entries(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, operations: Optional[Collection[str]] = None
    ) -> Sequence[JournalEntry]:
        """Return steps that were intended and of which nothing more is known, in the order of their writing."""

    def intend(self, entries: Collection[JournalEntry]) -> None: ...
    def settle(self, ids: Collection[str], state: StepState, now: datetime) -> None: ...

    # markers, pools, cartridges
    def undefined_targets(self, volumes: Optional[Collection[VolumeRef]] = None) -> Sequence[UndefinedTarget]: ...
    def mark_undefined(self, target: UndefinedTarget) -> None: ...
    def clear_undefined(self, volume: VolumeRef) -> None: ...
    def pools(self, names: Optional[Collection[str]] = None) -> Sequence[TapePool]: ...
    def put_pool(self, pool: TapePool) -> None: ...
    def remove_pool(self, name: str) -> None: ...

    def cartridges(
        self, *, pool: Optional[str] = None, barcodes: Optional[Collection[str]] = None
    ) -> Sequence[Cartridge]: ...
    def put_cartridge(self, cartridge: Cartridge) -> None: ...
    def remove_cartridge(self, barcode: str) -> None: ...

    def copies_on(self, barcode: str) -> Sequence[Backup]:
        """Return the backups that have a part on this cartridge."""

    def bearing(self, barcodes: Optional[Collection[str]] = None) -> frozenset[str]:
        """Return the cartridges that a part of a tape copy lies on, whatever became of the rest of that copy.

        Without ``barcodes``: those of the cartridges that the catalog knows.
        """

    def parts_on(self, barcodes: Collection[str]) -> Sequence[tuple[str, str, int]]:
        """Return (barcode, backup id, number of the copy) for each part of a tape copy on these cartridges."""


class Catalog(Protocol):
    """The catalog: one URL, one schema version. ``catalog_unavailable`` and ``catalog_schema`` are its errors."""

    def begin(self) -> AbstractContextManager[Records]:
        """Open a transaction that may write: committed at the end of the block, rolled back by any exception."""

    def read(self) -> AbstractContextManager[Records]:
        """Open a transaction that only reads; works where the catalog may not be written."""

    def close(self) -> None:
        """Give back its connections."""
