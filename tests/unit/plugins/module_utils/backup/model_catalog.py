# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog as a model, in memory: what the state machine needs to try thousands of histories; by interface.py."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
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
    Role,
    StepState,
    TapeCopy,
    TapePool,
    TapeState,
    UndefinedTarget,
    UsedKey,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass
class State:
    """Everything that is remembered, by what identifies it."""

    volumes: dict[VolumeRef, RegisteredVolume] = field(default_factory=dict)
    policies: dict[VolumeRef, Policy] = field(default_factory=dict)
    allocations: dict[VolumeRef, Allocation] = field(default_factory=dict)
    backups: dict[str, Backup] = field(default_factory=dict)
    keys: dict[tuple[VolumeRef, str], str] = field(default_factory=dict)
    readers: dict[tuple[VolumeRef, str], Reader] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    journal: dict[str, JournalEntry] = field(default_factory=dict)
    undefined: dict[VolumeRef, UndefinedTarget] = field(default_factory=dict)
    pools: dict[str, TapePool] = field(default_factory=dict)
    tokens: int = 0

    def copy(self) -> State:
        """Return a copy that may be changed: the values themselves never change."""
        return replace(self, **{name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)})


def _within(wanted: Optional[Collection[Any]], value: Any) -> bool:
    return wanted is None or value in wanted


def _require(condition: bool, why: str) -> None:
    if not condition:
        raise Conflict(why)


class MemoryRecords:
    """Everything inside one transaction (interface.py, ``Records``), as far as the engine asks for it."""

    def __init__(self, state: State) -> None:
        self._s = state

    def array(self, serial: str) -> None:
        return None

    def arrays(self, serials: Collection[str]) -> Sequence[ArrayRecord]:
        return []

    def serials(self) -> Sequence[str]:
        return sorted({ref.array for ref in self._s.volumes})

    def volumes(
        self,
        refs: Optional[Collection[VolumeRef]] = None,
        *,
        role: Optional[Role] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[RegisteredVolume]:
        found = [one for one in self._s.volumes.values() if _within(refs, one.ref) and role in (None, one.role)]
        there = [one for one in found if _within(arrays, one.ref.array)]
        return sorted(there, key=lambda one: (one.registered_at, one.ref))

    def find_volumes(self, names: Collection[str]) -> Mapping[str, RegisteredVolume]:
        return {one.name: one for one in self._s.volumes.values() if one.name in names}

    def put_volumes(self, volumes: Collection[RegisteredVolume]) -> None:
        self._s.volumes.update({one.ref: one for one in volumes})

    def policies(
        self,
        tvs: Optional[Collection[VolumeRef]] = None,
        *,
        arrays: Optional[Collection[str]] = None,
        groups: Optional[Collection[str]] = None,
    ) -> Sequence[Policy]:
        found = [one for one in self._s.policies.values() if _within(tvs, one.tv) and _within(arrays, one.tv.array)]
        return sorted((one for one in found if _within(groups, one.group)), key=lambda one: one.tv)

    def policies_beyond(self, arrays: Collection[str], slots: Collection[str]) -> Sequence[Policy]:
        elsewhere = [one for one in self.policies() if one.tv.array not in arrays]
        return [one for one in elsewhere if one.sync_slot in slots or any(bv.array in arrays for bv in one.pinned)]

    def put_policies(self, policies: Collection[Policy]) -> None:
        self._s.policies.update({one.tv: one for one in policies})

    def allocations(
        self,
        *,
        tvs: Optional[Collection[VolumeRef]] = None,
        bvs: Optional[Collection[VolumeRef]] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[Allocation]:
        found = [one for one in self._s.allocations.values() if _within(tvs, one.tv) and _within(bvs, one.bv)]
        found = [one for one in found if arrays is None or one.bv.array in arrays or one.tv.array in arrays]
        return sorted(found, key=lambda one: (one.allocated_at, one.bv))

    def allocate(self, allocations: Collection[Allocation]) -> None:
        for one in allocations:
            _require(one.bv not in self._s.allocations, f"{one.bv} is taken")
            bv = self._s.volumes.get(one.bv)
            _require(bv is not None and bv.role is Role.BACKUP and not bv.unknown, f"{one.bv} may not be taken")
            self._s.allocations[one.bv] = one

    def set_suspended(self, bvs: Collection[VolumeRef], at: Optional[datetime]) -> None:
        for bv in bvs:
            _require(bv in self._s.allocations, f"{bv} is not allocated")
            self._s.allocations[bv] = replace(self._s.allocations[bv], suspended_at=at)

    def free(self, bvs: Collection[VolumeRef]) -> None:
        for bv in bvs:
            carried = [one.id for one in self._s.backups.values() if one.disk is not None and one.disk.bv == bv]
            _require(not carried, f"{bv} carries {carried}")
            _require(not self.readers([bv]), f"{bv} is read")
            self._s.allocations.pop(bv, None)

    def backups(
        self, *, tvs: Optional[Collection[VolumeRef]] = None, ids: Optional[Collection[str]] = None
    ) -> Sequence[Backup]:
        found = [one for one in self._s.backups.values() if _within(tvs, one.tv) and _within(ids, one.id)]
        return sorted(found, key=lambda one: (one.point_in_time, one.id))

    def standing(self, tvs: Optional[Collection[VolumeRef]] = None, *, ids: Collection[str] = ()) -> Sequence[Backup]:
        mine = self.backups(tvs=tvs)
        newest = {one.tv: one.id for one in mine} | {(one.tv, "tape"): one.id for one in mine if one.good_on_tape}
        chosen = {*ids, *newest.values(), *(one.id for one in mine if one.disk is not None)}
        chosen.update(one.id for one in self.unfinished_tape() if _within(tvs, one.tv))
        return self.backups(ids=chosen)

    def carrying(self, bvs: Collection[VolumeRef]) -> Sequence[Backup]:
        return [one for one in self.backups() if one.disk is not None and one.disk.bv in bvs]

    def taped(self, tv: VolumeRef, *, at: Optional[datetime] = None, limit: int = 1) -> Sequence[Backup]:
        taped = [one for one in self.backups(tvs=[tv]) if one.good_on_tape]
        return [one for one in taped if at is None or one.point_in_time <= at][-limit:]

    def verified(self, tvs: Optional[Collection[VolumeRef]] = None) -> frozenset[VolumeRef]:
        return frozenset(one.tv for one in self.backups(tvs=tvs) for copy in one.tape if copy.verified_ok)

    def count(self, tvs: Optional[Collection[VolumeRef]] = None) -> int:
        return len(self.backups(tvs=tvs))

    def unfinished_tape(self) -> Sequence[Backup]:
        return [one for one in self.backups() if any(copy.state is not TapeState.WRITTEN for copy in one.tape)]

    def copies_on(self, barcode: str) -> Sequence[Backup]:
        return [one for one in self.backups() if any(part.barcode == barcode for c in one.tape for part in c.parts)]

    def bearing(self, barcodes: Optional[Collection[str]] = None) -> frozenset[str]:
        found = {part.barcode for one in self.backups() for copy in one.tape for part in copy.parts}
        return frozenset(barcode for barcode in found if _within(barcodes, barcode))

    def parts_on(self, barcodes: Collection[str]) -> Sequence[tuple[str, str, int]]:
        legs = [(one.id, copy) for one in self.backups() for copy in one.tape]
        return [(part.barcode, i, copy.number) for i, copy in legs for part in copy.parts if part.barcode in barcodes]

    def used_keys(self, key: str, tvs: Collection[VolumeRef]) -> Mapping[VolumeRef, str]:
        return {tv: self._s.keys[tv, key] for tv in tvs if key and (tv, key) in self._s.keys}

    def use_key(self, used: UsedKey) -> None:
        self._s.keys.setdefault((used.tv, used.key), used.backup_id)

    def add_backups(self, backups: Collection[Backup]) -> None:
        for one in backups:
            _require(one.id not in self._s.backups, f"{one.id} is there")
            if one.key:
                _require((one.tv, one.key) not in self._s.keys, f"key {one.key} is used")
                self._s.keys[one.tv, one.key] = one.id
            if one.disk is not None:
                carried = any(b.disk is not None and b.disk.bv == one.disk.bv for b in self._s.backups.values())
                _require(not carried and one.disk.bv in self._s.allocations, f"{one.disk.bv} cannot carry it")
            self._s.backups[one.id] = one

    def set_disk_state(self, ids: Collection[str], state: DiskState) -> None:
        for backup_id in ids:
            backup = self._s.backups.get(backup_id)
            _require(backup is not None and backup.disk is not None, f"{backup_id} has no disk copy")
            self._s.backups[backup_id] = replace(backup, disk=replace(backup.disk, state=state))

    def set_disk_leaving(self, ids: Collection[str]) -> None:
        self.set_disk_state(ids, DiskState.LEAVING)

    def drop_disk(self, ids: Collection[str]) -> None:
        for backup in self.backups(ids=ids):
            if backup.disk is None:
                continue
            _require(not self.readers([backup.disk.bv]), f"{backup.disk.bv} is read")
            written = tuple(copy for copy in backup.tape if copy.state is TapeState.WRITTEN)
            self._keep(replace(backup, disk=None, tape=written))

    def _keep(self, backup: Backup) -> None:
        if backup.disk is None and not backup.tape:
            del self._s.backups[backup.id]
        else:
            self._s.backups[backup.id] = backup

    def put_tape_copy(self, backup_id: str, copy: TapeCopy) -> None:
        _require(backup_id in self._s.backups, f"no backup {backup_id}")
        backup = self._s.backups[backup_id]
        others = [one for one in backup.tape if one.number != copy.number]
        tape = tuple(sorted([*others, copy], key=lambda one: one.number))
        self._s.backups[backup_id] = replace(backup, tape=tape)

    def remove_tape_copies(self, backup_id: str, numbers: Collection[int]) -> None:
        for backup in self.backups(ids=[backup_id]):
            self._keep(replace(backup, tape=tuple(one for one in backup.tape if one.number not in numbers)))

    def strike_tape(self, copies: Collection[tuple[str, int]]) -> None:
        for backup_id, number in copies:
            self.remove_tape_copies(backup_id, [number])

    def claim_tape_copy(self, backup_id: str, number: int, owner: str, now: datetime, seconds: float) -> TapeCopy:
        found = [copy for one in self.backups(ids=[backup_id]) for copy in one.tape if copy.number == number]
        _require(bool(found) and found[0].state is not TapeState.WRITTEN, f"copy {number} of {backup_id}")
        self.take_leases([f"tape:{backup_id}:{number}"], owner, now, seconds)
        claimed = replace(found[0], state=TapeState.WRITING, owner=owner, started_at=now, error="")
        self.put_tape_copy(backup_id, claimed)
        return claimed

    def set_hold(self, ids: Collection[str], hold: bool) -> None:
        for backup_id in ids:
            _require(backup_id in self._s.backups, f"no backup {backup_id}")
            self._s.backups[backup_id] = replace(self._s.backups[backup_id], hold=hold)

    def restore_tests(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, backups: Optional[Collection[str]] = None
    ) -> Sequence[Any]:
        return []

    def last_tests(self, tvs: Optional[Collection[VolumeRef]] = None) -> Mapping[VolumeRef, Any]:
        return {}

    def readers(self, bvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Reader]:
        found = [one for one in self._s.readers.values() if _within(bvs, one.bv)]
        return sorted(found, key=lambda one: (one.since, one.bv, one.owner))

    def add_reader(self, reader: Reader) -> None:
        key = (reader.bv, reader.owner)
        _require(reader.bv in self._s.allocations and key not in self._s.readers, f"{reader.bv} cannot be read")
        self._s.readers[key] = reader

    def remove_reader(self, bv: VolumeRef, owner: str) -> None:
        self._s.readers.pop((bv, owner), None)

    def take_leases(self, names: Collection[str], owner: str, now: datetime, seconds: float) -> Sequence[Lease]:
        held = [self._s.leases[name] for name in sorted(names) if name in self._s.leases]
        for lease in held:
            if lease.owner != owner and lease.expires_at > now:
                raise _busy(f"{lease.name} is held by {lease.owner}")
        mine = {lease.name: lease for lease in held if lease.owner == owner}
        until = now + timedelta(seconds=seconds)
        for name in sorted(names):
            self._s.tokens += 1
            lease = mine.get(name, Lease(name, owner, self._s.tokens, now, until))
            self._s.leases[name] = replace(lease, expires_at=until)
        return [self._s.leases[name] for name in sorted(names)]

    def renew_leases(self, leases: Collection[Lease], now: datetime, seconds: float) -> Sequence[Lease]:
        self.fence(leases)
        renewed = [replace(one, expires_at=now + timedelta(seconds=seconds)) for one in leases]
        self._s.leases.update({one.name: one for one in renewed})
        return renewed

    def fence(self, leases: Collection[Lease]) -> None:
        for one in leases:
            if one.name not in self._s.leases or self._s.leases[one.name].token != one.token:
                raise _busy(f"{one.name} is ours no more")

    def drop_leases(self, leases: Collection[Lease]) -> None:
        for one in leases:
            if one.name in self._s.leases and self._s.leases[one.name].token == one.token:
                del self._s.leases[one.name]

    def leases(self, names: Optional[Collection[str]] = None) -> Sequence[Lease]:
        found = [one for one in self._s.leases.values() if _within(names, one.name)]
        return sorted(found, key=lambda one: (one.acquired_at, one.token))

    def open_entries(
        self, tvs: Optional[Collection[VolumeRef]] = None, *, operations: Optional[Collection[str]] = None
    ) -> Sequence[JournalEntry]:
        found = [one for one in self._s.journal.values() if _within(operations, one.operation_id)]
        return [one for one in found if one.state is StepState.INTENDED and _within(tvs, one.tv)]

    def intend(self, entries: Collection[JournalEntry]) -> None:
        for one in entries:
            _require(one.id not in self._s.journal, f"entry {one.id} is there")
            self._s.journal[one.id] = replace(one, payload=json.loads(json.dumps(one.payload)))

    def settle(self, ids: Collection[str], state: StepState, now: datetime) -> None:
        for entry_id in ids:
            _require(entry_id in self._s.journal, f"no entry {entry_id}")
            self._s.journal[entry_id] = replace(self._s.journal[entry_id], state=state)

    def undefined_targets(self, volumes: Optional[Collection[VolumeRef]] = None) -> Sequence[UndefinedTarget]:
        found = [one for one in self._s.undefined.values() if _within(volumes, one.volume)]
        return sorted(found, key=lambda one: (one.since, one.volume))

    def mark_undefined(self, target: UndefinedTarget) -> None:
        self._s.undefined[target.volume] = target

    def clear_undefined(self, volume: VolumeRef) -> None:
        self._s.undefined.pop(volume, None)

    def pools(self, names: Optional[Collection[str]] = None) -> Sequence[TapePool]:
        return [one for one in self._s.pools.values() if _within(names, one.name)]

    def put_pool(self, pool: TapePool) -> None:
        self._s.pools[pool.name] = pool

    def cartridges(
        self, *, pool: Optional[str] = None, barcodes: Optional[Collection[str]] = None
    ) -> Sequence[Cartridge]:
        return []


def _busy(why: str) -> BackupError:
    return BackupError(ErrorClass.BUSY, f"{why}.", next_step="Run again.")


class MemoryCatalog:
    """The catalog of one test."""

    def __init__(self) -> None:
        self._state = State()

    @contextmanager
    def begin(self) -> Iterator[MemoryRecords]:
        state = self._state.copy()
        yield MemoryRecords(state)
        self._state = state

    @contextmanager
    def read(self) -> Iterator[MemoryRecords]:
        yield MemoryRecords(self._state.copy())

    def close(self) -> None:
        """Forget nothing: there is nothing to give back."""
