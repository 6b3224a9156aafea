# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which cartridge takes the next part: those of the pool, and blank ones that may join a scratch pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Callable

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import new_cartridge, wrong_pool
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk, note_bad_cartridge
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, PoolKind, TapePool
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


def candidates(
    pool: TapePool, known: Sequence[Cartridge], inventory: Inventory, tried: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return the barcodes that may take a part, best first: begun, then empty, then blank strangers (scratch).

    What lies in a drive comes last: another process writes it, and several drives are to work side by side.
    """
    here = {slot.barcode for slot in inventory.slots} - tried
    loaded = {slot.barcode for slot in inventory.slots if slot.drive}
    usable = [
        one
        for one in known
        if one.pool == pool.name and one.barcode in here and not (one.full or one.suspect or one.retired)
    ]
    usable.sort(key=lambda one: (-one.bytes_written, one.barcode))
    names = [one.barcode for one in usable]
    if pool.kind is PoolKind.SCRATCH:
        names += sorted(here - {one.barcode for one in known})
    return tuple(sorted(names, key=lambda barcode: barcode in loaded))


def none_left(pool: TapePool, known: Sequence[Cartridge], inventory: Inventory) -> BackupError:
    """Return ``cartridge_full`` when the pool has cartridges but no room, else ``no_cartridge``."""
    states = []
    for one in known:
        if one.pool == pool.name:
            here = inventory.slot(one.barcode) is not None
            flags = (("suspect", one.suspect), ("full", one.full), ("retired", one.retired), ("no room left", True))
            why = next(word for word, holds in flags if holds)
            states.append(f"{one.barcode}: {why if here else 'not in the library'}")
    full = any(one.full for one in known if one.pool == pool.name)
    return BackupError(
        ErrorClass.CARTRIDGE_FULL if full else ErrorClass.NO_CARTRIDGE,
        f"Pool {pool.name} has no {'room left' if full else 'usable cartridge'} "
        f"({'; '.join(states) or 'it is empty'}).",
        next_step="Add another cartridge to the pool (tape_cartridge), then run the copy again.",
        unchanged="The disk generation stays valid.",
        pool=pool.name,
        cartridges=states,
    )


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
        self._away: BackupError | None = None  # why a cartridge that is not bad was left

    @contextmanager
    def next(self) -> Iterator[Mounted]:
        """Load the next cartridge that may take a part. Bad ones are marked suspect and passed over."""
        with ExitStack() as stack:
            yield self._mount(stack)

    def _mount(self, stack: ExitStack) -> Mounted:
        inventory = self._desk.library.inventory()
        with self._ctx.catalog.read() as records:
            known = records.cartridges()
            self._tried |= self._exclude(records)
        problems: list[BackupError] = []
        for barcode in candidates(self._pool, known, inventory, self._tried):
            self._tried |= {barcode}
            row = next((one for one in known if one.barcode == barcode), None)
            mounted = self._try(stack, barcode, row, problems)
            if mounted is not None:
                return mounted
        if self._away is not None:  # the leg waits for it
            raise self._away
        raise problems[0] if problems else none_left(self._pool, known, inventory)

    def _try(
        self, stack: ExitStack, barcode: str, row: Cartridge | None, problems: list[BackupError]
    ) -> Mounted | None:
        with ExitStack() as attempt:
            try:
                drive = attempt.enter_context(self._desk.library.load(barcode, self._ctx.owner))
                with self._ctx.catalog.read() as records:
                    if barcode in self._exclude(records):  # it came out of another drive just now
                        return None
                contents = self._join(drive) if row is None else self._checked(drive, row)
            except BackupError as error:
                if row is not None:
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

    def _join(self, drive: Drive) -> Contents | None:
        """Let a blank cartridge join the scratch pool; None for one that is not blank."""
        if not isinstance(read_contents(drive), Blank):
            return None
        return self._label(drive, new_cartridge(drive.barcode, self._pool.name))

    def _label(self, drive: Drive, row: Cartridge) -> Contents:
        with self._ctx.catalog.begin() as records:
            records.put_cartridge(replace(row, capacity=drive.capacity))
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
        if contents.label.uuid != row.uuid:
            raise suspect(row.barcode, "it bears another label than the catalog knows")
        if contents.label.pool != self._pool.name:
            raise wrong_pool(row.barcode, contents.label.pool, self._pool.name)
        with self._ctx.catalog.read() as records:
            living = [
                part.data_file
                for backup in records.copies_on(row.barcode)
                for copy in backup.tape
                for part in copy.parts
                if part.barcode == row.barcode
            ]
        if max(living, default=0) >= contents.append_file:
            raise suspect(row.barcode, f"it ends before tape file {max(living)}, which holds a part of a living copy")
        return contents
