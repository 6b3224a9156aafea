# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which cartridge takes the next part: the pool's own, those that may be written over, blank ones for a scratch pool.

Whatever is decided here from a list is decided again with the drive held: whoever holds a cartridge's drive is alone
with it, and the catalog says in one transaction whether anything on it lives and that it is about to be written over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import (
    in_service,
    recyclable,
    recyclables,
    was_written,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.relabelling import label_was_intended, successor
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import new_cartridge, wrong_pool
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk, note_bad_cartridge
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Cartridge,
    PoolKind,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import (
    Blank,
    Contents,
    read_contents,
    write_label,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Drive, Inventory, suspect
from ansible_collections.eternus.backup.plugins.module_utils._tape.writer import Mounted


def _takes(pool: TapePool, one: Cartridge) -> bool:
    """Tell whether a cartridge of the pool takes a part as it is: begun or empty (``TapePool.append``)."""
    usable = one.pool == pool.name and in_service(one) and not one.full
    return usable and (pool.append or not was_written(one))


def _rank(pool: TapePool, one: Cartridge, recycle: Collection[str]) -> Optional[tuple[int, int]]:
    """Return how good a cartridge is for this pool, least first; None when it takes nothing."""
    if _takes(pool, one):
        return (0, -one.bytes_written) if was_written(one) else (1, 0)
    if one.barcode in recycle and one.pool == pool.name:
        return (2, 0)
    if one.barcode in recycle and not one.pool and pool.kind is PoolKind.SCRATCH:
        return (3, 0)
    return None


def candidates(
    pool: TapePool,
    known: Sequence[Cartridge],
    inventory: Inventory,
    tried: frozenset[str] = frozenset(),
    recycle: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the barcodes that may take a part, best first.

    Begun, empty, to be written over, for a scratch pool those of no pool that may be written over, then blank
    strangers. Among equals one that lies idle in a drive spares a load. What somebody uses comes last of all: he
    writes it, and several drives are to work side by side.

    :param recycle: the barcodes of those that may be written over.
    """
    here = {slot.barcode: slot for slot in inventory.slots if not (slot.outside or slot.cleaning)}
    ranks = {one.barcode: _rank(pool, one, recycle) for one in known}
    if pool.kind is PoolKind.SCRATCH:
        ranks.update((barcode, (4, 0)) for barcode in here if barcode not in ranks)
    found = [(rank, code) for code, rank in ranks.items() if rank is not None and code in here and code not in tried]
    used = inventory.in_use
    found.sort(key=lambda one: (one[1] in used, one[0], not here[one[1]].drive, one[1]))
    return tuple(code for _rank, code in found)


def stock(records: Records, ctx: Context) -> tuple[Sequence[Cartridge], frozenset[str]]:
    """Return the cartridges that the catalog knows, and the barcodes of those that may be written over now."""
    known = records.cartridges()
    return known, recyclables(records, known, ctx.clock.now())


def none_left(pool: TapePool, known: Sequence[Cartridge], inventory: Inventory) -> BackupError:
    """Return ``cartridge_full`` when the pool has cartridges but no room, else ``no_cartridge``."""
    states = [f"{one.barcode}: {_why_not(pool, one, inventory)}" for one in known if one.pool == pool.name]
    full = any(_has_no_room(pool, one) and in_service(one) for one in known if one.pool == pool.name)
    return BackupError(
        ErrorClass.CARTRIDGE_FULL if full else ErrorClass.NO_CARTRIDGE,
        f"Pool {pool.name} has no {'room left' if full else 'usable cartridge'} "
        f"({'; '.join(states) or 'it is empty'}).",
        next_step="Add another cartridge to the pool (tape_cartridge), then run the copy again.",
        unchanged="The disk generation stays valid.",
        pool=pool.name,
        cartridges=states,
    )


def _has_no_room(pool: TapePool, one: Cartridge) -> bool:
    return one.full or (not pool.append and was_written(one))


def _why_not(pool: TapePool, one: Cartridge, inventory: Inventory) -> str:
    """Return in a few words why a cartridge takes nothing."""
    slot = inventory.slot(one.barcode)
    reasons = (
        ("exported", one.exported_at is not None),
        ("not in the library", slot is None),
        ("in an import/export slot", slot is not None and slot.outside),
        ("suspect", one.suspect),
        ("retired", one.retired),
        ("full", one.full),
        ("begun, and the pool does not append", _has_no_room(pool, one)),
        ("no room left", True),
    )
    return next(word for word, holds in reasons if holds)


class Supply:
    """Gives one cartridge after the other; none twice.

    :param exclude: tells which cartridges are never taken. It is asked each time: another drive may be writing another
        copy of the same backup, and two copies never share a cartridge.
    """

    def __init__(
        self, ctx: Context, desk: TapeDesk, pool: TapePool, exclude: Callable[[Records], frozenset[str]]
    ) -> None:
        self._ctx = ctx
        self._desk = desk
        self._pool = pool
        self._exclude = exclude
        self._tried: frozenset[str] = frozenset()
        self._away: Optional[BackupError] = None  # why a cartridge that is not bad was left

    @contextmanager
    def next(self) -> Iterator[Mounted]:
        """Load the next cartridge that may take a part. Bad ones are marked suspect and passed over."""
        with ExitStack() as stack:
            yield self._mount(stack)

    def _mount(self, stack: ExitStack) -> Mounted:
        inventory = self._desk.library.inventory()
        with self._ctx.catalog.read() as records:
            known, recycle = stock(records, self._ctx)
            self._tried |= self._exclude(records)
        strangers = {slot.barcode for slot in inventory.slots} - {one.barcode for one in known}
        problems: list[BackupError] = []
        for barcode in candidates(self._pool, known, inventory, self._tried, recycle):
            self._tried |= {barcode}
            mounted = self._try(stack, barcode, barcode in strangers, problems)
            if mounted is not None:
                return mounted
        if self._away is not None:  # the leg waits for it
            raise self._away
        raise problems[0] if problems else none_left(self._pool, known, inventory)

    def _try(self, stack: ExitStack, barcode: str, stranger: bool, problems: list[BackupError]) -> Optional[Mounted]:
        with ExitStack() as attempt:
            try:
                drive = attempt.enter_context(self._desk.library.load(barcode, self._ctx.owner))
                contents = self._taken(drive, stranger)
            except BackupError as error:
                if not stranger:
                    problems.append(error)
                    if error.error_class in (ErrorClass.BUSY, ErrorClass.TAPE_UNAVAILABLE):
                        self._away = error
                    with self._ctx.catalog.begin() as records:
                        note_bad_cartridge(records, error)
                return None  # a stranger that is not blank is nobody's business
            if contents is None:
                return None
            stack.push(attempt.pop_all())
            return Mounted(drive, contents)

    def _taken(self, drive: Drive, stranger: bool) -> Optional[Contents]:
        """Look again, with the drive held, and make the cartridge ready; None when it is not to be had any more."""
        with self._ctx.catalog.read() as records:
            if drive.barcode in self._exclude(records):  # it came out of another drive just now
                return None
            rows = records.cartridges(barcodes=[drive.barcode])
            living = bool(records.bearing([drive.barcode]))
        if stranger or not rows:
            return None if rows or not stranger else self._join(drive)
        if _takes(self._pool, rows[0]):
            return self._checked(drive, rows[0])
        if recyclable(rows[0], living, self._ctx.clock.now()):
            return self._recycle(drive, rows[0])
        return None

    def _join(self, drive: Drive) -> Optional[Contents]:
        """Let a blank cartridge join the scratch pool; None for one that is not blank."""
        if not isinstance(read_contents(drive), Blank):
            return None
        row = replace(new_cartridge(drive.barcode, self._pool.name), capacity=drive.capacity)
        with self._ctx.catalog.begin() as records:
            if records.cartridges(barcodes=[drive.barcode]):
                return None
            records.put_cartridge(row)
        return self._label(drive, row)

    def _label(self, drive: Drive, row: Cartridge) -> Contents:
        """Write the label that the catalog says is about to be written."""
        label = Label(row.barcode, row.uuid, row.pool, self._ctx.clock.now())
        write_label(drive, label)
        with self._ctx.catalog.begin() as records:
            records.put_cartridge(replace(row, capacity=drive.capacity, labelled_at=label.created, files=1))
        return Contents(label, (), 1)

    def _checked(self, drive: Drive, row: Cartridge) -> Contents:
        """Compare the tape with what the catalog knows; where they differ, it is not written."""
        contents = read_contents(drive)
        if isinstance(contents, Blank):
            if row.labelled_at is None:  # whoever intended to label it died
                return self._label(drive, row)
            raise suspect(row.barcode, "the catalog knows a label, and the cartridge is blank")
        if row.labelled_at is None and label_was_intended(row, contents):
            return self._label(drive, row)
        self._same_label(row, contents)
        with self._ctx.catalog.begin() as records:
            living = _living_files(records, row.barcode)
            self._note_strangers(records, row, contents)
        if max(living, default=0) >= contents.append_file:
            raise suspect(row.barcode, f"it ends before tape file {max(living)}, which holds a part of a living copy")
        return contents

    @staticmethod
    def _note_strangers(records: Records, row: Cartridge, contents: Contents) -> None:
        """Note parts that the catalog does not know, before what is appended hides how many there were.

        A catalog that was brought back from an older export may not know that they live. What this catalog's own
        writers left when they died between a trailer and its record is theirs, and unfinished.
        """
        strange = [entry.header for entry in contents.entries if entry.header.data_file >= row.files]
        backups = {one.id: one for one in records.backups(ids=[header.backup_id for header in strange])}
        for header in strange:
            copies = backups[header.backup_id].tape if header.backup_id in backups else ()
            if not any(one.number == header.copy and one.state is not TapeState.WRITTEN for one in copies):
                records.put_cartridge(replace(row, unknown=True))
                return

    def _recycle(self, drive: Drive, row: Cartridge) -> Optional[Contents]:
        """Write over a cartridge on which nothing lives; None when something does after all.

        A tape that holds more whole parts than the catalog knows of is not written over: a catalog that was brought
        back from an older export may not know that they live.
        """
        contents = read_contents(drive)
        if isinstance(contents, Blank):
            raise suspect(row.barcode, "the catalog knows a label, and the cartridge is blank")
        self._same_label(row, contents)
        intended = replace(
            new_cartridge(row.barcode, self._pool.name),
            uuid=successor(row.uuid),
            capacity=drive.capacity or row.capacity,
        )
        with self._ctx.catalog.begin() as records:
            rows = list(records.cartridges(barcodes=[row.barcode]))
            living = bool(records.bearing([row.barcode]))
            if rows != [row] or not recyclable(row, living, self._ctx.clock.now()):
                return None
            if contents.append_file > row.files:
                records.put_cartridge(replace(row, unknown=True))
                return None
            records.put_cartridge(intended)
        return self._label(drive, intended)

    def _same_label(self, row: Cartridge, contents: Contents) -> None:
        if contents.label.uuid != row.uuid:
            raise suspect(row.barcode, "it bears another label than the catalog knows")
        if row.pool and contents.label.pool != row.pool:
            raise wrong_pool(row.barcode, contents.label.pool, row.pool)


def _living_files(records: Records, barcode: str) -> list[int]:
    """Return the DATA files of a cartridge that hold parts of copies that live."""
    return [
        part.data_file
        for backup in records.copies_on(barcode)
        for copy in backup.tape
        for part in copy.parts
        if part.barcode == barcode
    ]
