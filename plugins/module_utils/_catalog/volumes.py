# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Arrays, registered volumes and what they are called, policies, markers; allocations and readers of backup volumes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    ArrayRecord,
    Policy,
    Reader,
    RegisteredVolume,
    Role,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows, among, of
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import (
    ALLOCATION,
    ARRAY,
    POLICY,
    READER,
    UNDEFINED,
    VOLUME,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import moment, ref_of
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

_DEVICE = re.compile(r"(?:wwn-0x)?([0-9a-f]{32})", re.IGNORECASE)


class VolumeRows(Rows):
    """Arrays, volumes, policies, undefined targets."""

    def array(self, serial: str) -> Optional[ArrayRecord]:
        rows = self._all(self._t.arrays, [self._t.arrays.c.serial == serial])
        return ARRAY.value(rows[0]) if rows else None

    def arrays(self, serials: Collection[str]) -> Sequence[ArrayRecord]:
        rows = self._all(self._t.arrays, among(self._t.arrays.c.serial, serials))
        return sorted(map(ARRAY.value, rows), key=lambda one: one.serial)

    def serials(self) -> Sequence[str]:
        """Return the arrays that have a registered volume: a step along the index for each, not one for each volume."""
        serial = self._t.volumes.c.ref_array
        first = sa.select(sa.func.min(serial).label("serial")).cte("seen", recursive=True)
        following = sa.select(sa.func.min(serial)).where(serial > first.c.serial).scalar_subquery()
        seen = first.union_all(sa.select(following).where(first.c.serial.is_not(None)))
        chosen = sa.select(seen.c.serial).where(seen.c.serial.is_not(None))
        return sorted(self._connection.execute(chosen).scalars())

    def put_array(self, record: ArrayRecord) -> None:
        self._put(self._t.arrays, [ARRAY.row(record)])

    def volumes(
        self,
        refs: Optional[Collection[VolumeRef]] = None,
        *,
        role: Optional[Role] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[RegisteredVolume]:
        table = self._t.volumes
        where = [ours & there for ours in of(table, "ref", refs) for there in among(table.c.ref_array, arrays)]
        found = map(VOLUME.value, self._all(table, where))
        return sorted((one for one in found if role in (None, one.role)), key=lambda one: (one.registered_at, one.ref))

    def find_volumes(self, names: Collection[str]) -> Mapping[str, RegisteredVolume]:
        rows = self._called(names, sa.true())
        there: dict[str, set[str]] = {}
        for serial, _slash, rest in (name.partition("/") for name in names if "/" in name):
            there.setdefault(serial, set()).add(rest)
        for serial, words in there.items():
            rows += self._called(words, self._t.volumes.c.ref_array == serial)
        return _pick(names, {one.ref: one for one in map(VOLUME.value, rows)}.values())

    def _called(self, words: Collection[str], there: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
        """Return the volumes of these names or DeviceIDs, where a condition holds."""
        table = self._t.volumes
        devices = {_device(word) for word in words} - {""}
        where = [*among(table.c.name, words), *among(table.c.ref_device, {*devices, *map(str.lower, devices)})]
        return self._all(table, [there & one for one in where])

    def put_volumes(self, volumes: Collection[RegisteredVolume]) -> None:
        self._put(self._t.volumes, [VOLUME.row(one) for one in volumes])

    def remove_volumes(self, refs: Collection[VolumeRef]) -> None:
        """Unregister volumes; :class:`Conflict` when one has a policy, or an allocation names it."""
        for prefix in ("bv", "tv"):
            if self._all(self._t.allocations, of(self._t.allocations, prefix, refs)):
                raise Conflict("a volume that is to be unregistered has an allocation")
        self._delete(self._t.volumes, of(self._t.volumes, "ref", refs))

    def policies(
        self,
        tvs: Optional[Collection[VolumeRef]] = None,
        *,
        arrays: Optional[Collection[str]] = None,
        groups: Optional[Collection[str]] = None,
    ) -> Sequence[Policy]:
        table = self._t.policies
        there = [_filled(table.c.group) & one if groups is not None else one for one in among(table.c.group, groups)]
        near = [one & here for one in there for here in among(table.c.tv_array, arrays)]
        rows = self._all(table, [ours & one for ours in of(table, "tv", tvs) for one in near])
        return sorted(map(POLICY.value, rows), key=lambda one: one.tv)

    def policies_beyond(self, arrays: Collection[str], slots: Collection[str]) -> Sequence[Policy]:
        table = self._t.policies
        elsewhere = table.c.tv_array.not_in(sorted(arrays))
        pins = sa.or_(
            sa.false(), *(table.c.pinned.contains(f'"{serial}"', autoescape=True) for serial in sorted(arrays))
        )
        where = [elsewhere & _filled(table.c.sync_slot) & one for one in among(table.c.sync_slot, set(slots) - {""})]
        where += [elsewhere & (table.c.pinned != sa.literal_column("'[]'")) & pins] if arrays else []
        found = {one.tv: one for one in map(POLICY.value, self._all(table, where))}
        return [found[tv] for tv in sorted(found)]

    def put_policies(self, policies: Collection[Policy]) -> None:
        self._put(self._t.policies, [POLICY.row(one) for one in policies])

    def remove_policies(self, tvs: Collection[VolumeRef]) -> None:
        self._delete(self._t.policies, of(self._t.policies, "tv", tvs))

    def undefined_targets(self, volumes: Optional[Collection[VolumeRef]] = None) -> Sequence[UndefinedTarget]:
        rows = self._all(self._t.undefined, of(self._t.undefined, "volume", volumes))
        return sorted(map(UNDEFINED.value, rows), key=lambda one: (one.since, one.volume))

    def mark_undefined(self, target: UndefinedTarget) -> None:
        self._put(self._t.undefined, [UNDEFINED.row(target)])

    def clear_undefined(self, volume: VolumeRef) -> None:
        self._delete(self._t.undefined, of(self._t.undefined, "volume", [volume]))


class AllocationRows(Rows):
    """Allocations and readers: one row a BV, so that two processes never pick the same one."""

    def allocations(
        self,
        *,
        tvs: Optional[Collection[VolumeRef]] = None,
        bvs: Optional[Collection[VolumeRef]] = None,
        arrays: Optional[Collection[str]] = None,
    ) -> Sequence[Allocation]:
        table = self._t.allocations
        rows = (
            [row for tv in of(table, "tv", tvs) for bv in of(table, "bv", bvs) for row in self._all(table, [tv & bv])]
            if arrays is None
            else [
                # Two statements, each along an index; what has both ends there is found twice.
                row
                for end in (table.c.bv_array, table.c.tv_array)
                for row in self._all(table, among(end, arrays))
            ]
        )
        found = {one.bv: one for one in map(ALLOCATION.value, rows)}
        return sorted(found.values(), key=lambda one: (one.allocated_at, one.bv))

    def allocate(self, allocations: Collection[Allocation]) -> None:
        """Take unused BVs; :class:`Conflict` unless each still is what a plan may have taken it for.

        Whoever planned looked before this transaction: since then a BV may have been taken, unregistered, made a
        transaction volume, or become *unknown* (behaviour.md §4); one that is to hold a copy, of another size.
        """
        taken = self.allocations(bvs=[one.bv for one in allocations])
        if taken:
            raise Conflict(f"{taken[0].bv} serves {taken[0].tv} already")
        ends = {ref for one in allocations for ref in (one.bv, one.tv)}
        rows = self._all(self._t.volumes, of(self._t.volumes, "ref", ends))
        known = {volume.ref: volume for volume in map(VOLUME.value, rows)}
        for one in allocations:
            _refuse_changed(one, known)
        self._insert(self._t.allocations, [ALLOCATION.row(one) for one in allocations])

    def set_suspended(self, bvs: Collection[VolumeRef], at: Optional[datetime]) -> None:
        """Note when sessions were suspended, None for resumed; :class:`Conflict` when a BV is not allocated."""
        where = of(self._t.allocations, "bv", bvs)
        self._change(self._t.allocations, where, len(set(bvs)), suspended_at=None if at is None else moment(at))

    def free(self, bvs: Collection[VolumeRef]) -> None:
        for row in self._all(self._t.disks, of(self._t.disks, "bv", bvs)):
            raise Conflict(f"{ref_of(row, 'bv')} carries backup {row['backup_id']}")
        for reader in self.readers(bvs):
            raise Conflict(f"{reader.bv} is read by {reader.owner}")
        self._delete(self._t.allocations, of(self._t.allocations, "bv", bvs))

    def readers(self, bvs: Optional[Collection[VolumeRef]] = None) -> Sequence[Reader]:
        rows = self._all(self._t.readers, of(self._t.readers, "bv", bvs))
        return sorted(map(READER.value, rows), key=lambda one: (one.since, one.bv, one.owner))

    def add_reader(self, reader: Reader) -> None:
        """Protect a BV; :class:`Conflict` when it is not allocated, or this owner reads it already."""
        self._insert(self._t.readers, [READER.row(reader)])

    def remove_reader(self, bv: VolumeRef, owner: str) -> None:
        table = self._t.readers
        self._delete(table, [one & (table.c.owner == owner) for one in of(table, "bv", [bv])])


def _filled(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Say that a text is there; the value stands in the statement, so that SQLite sees that a partial index serves."""
    return column != sa.literal_column("''")


def _refuse_changed(wanted: Allocation, known: Mapping[VolumeRef, RegisteredVolume]) -> None:
    bv, tv = known.get(wanted.bv), known.get(wanted.tv)
    if bv is None:
        raise Conflict(f"{wanted.bv} is not registered")
    if bv.role is not Role.BACKUP:
        raise Conflict(f"{wanted.bv} is a {bv.role.value} volume")
    if bv.unknown:
        raise Conflict(f"the content of {wanted.bv} is unknown")
    # A BV that is only reserved (no copy type) has the size of the generation that it was restored from.
    if wanted.copy_type is not None and tv is not None and _size(bv) != _size(tv):
        raise Conflict(f"{wanted.bv} is not of the size of {wanted.tv}")


def _size(volume: RegisteredVolume) -> tuple[int, int]:
    return volume.volume.blocks, volume.volume.block_size


def _device(name: str) -> str:
    """Return the DeviceID in upper case that a name spells, or nothing."""
    match = _DEVICE.fullmatch(name)
    return match.group(1).upper() if match else ""


def _pick(names: Collection[str], volumes: Iterable[RegisteredVolume]) -> dict[str, RegisteredVolume]:
    """Return the volume that each name means, ``SERIAL/NAME`` too; ``invalid_option`` for volumes of two arrays."""
    by_word: dict[str, list[RegisteredVolume]] = {}
    for volume in volumes:
        for word in dict.fromkeys((volume.name, volume.ref.device_id.upper())):
            by_word.setdefault(word, []).append(volume)
    found = {}
    for name in names:
        fitting = by_word.get(name) or by_word.get(_device(name), [])
        if not fitting:
            serial, _slash, rest = name.partition("/")
            there = by_word.get(rest) or by_word.get(_device(rest), [])
            fitting = [volume for volume in there if volume.ref.array == serial]
        if len(fitting) > 1:
            several = sorted(f"{volume.ref.array}/{volume.name}" for volume in fitting)
            raise BackupError(
                ErrorClass.INVALID_OPTION,
                f"The name {name} is borne by several registered volumes: {', '.join(several)}.",
                next_step="Write SERIAL/NAME, or the DeviceID.",
                candidates=several,
            )
        if fitting:
            found[name] = fitting[0]
    return found
