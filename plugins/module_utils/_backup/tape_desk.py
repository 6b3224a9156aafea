# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the tape operations share: the library, the devices, and how a bad cartridge is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Lease, TapeCopy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Library
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import PartToRead
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions

_BAD = (ErrorClass.SUSPECT_CARTRIDGE, ErrorClass.CHECKSUM_MISMATCH, ErrorClass.FOREIGN_CARTRIDGE, ErrorClass.WRONG_POOL)
#: Seconds between two records of progress in the catalog; each renews the lease too.
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class TapeDesk:
    """The tape server's hands: the library, where volumes appear, how bytes move."""

    library: Library
    device_dir: str = "/dev/disk/by-id"
    stream: StreamOptions = field(default_factory=StreamOptions)


def tape_lease(backup_id: str, number: int) -> str:
    """Return the name of the lease on a tape copy."""
    return f"tape:{backup_id}:{number}"


def drop_dead_leases(records: Records, names: Sequence[str]) -> None:
    """Give up the leases of owners that certainly live no more, so that nobody waits for them to run out."""
    records.drop_leases([one for one in records.leases() if one.name in names and is_dead(one.owner)])


def living_leases(records: Records) -> list[Lease]:
    """Return the leases but those of owners that certainly live no more: what they held may be taken at once."""
    return [one for one in records.leases() if not is_dead(one.owner)]


def mark_suspect(records: Records, barcode: str, reason: str) -> None:
    """Remember that a cartridge is not to be written any more."""
    for cartridge in records.cartridges(barcodes=[barcode]):
        records.put_cartridge(replace(cartridge, suspect=cartridge.suspect or reason))


def cartridge_at_fault(error: BackupError) -> bool:
    """Tell whether an error says that a cartridge, and nothing else, is at fault: what is away or busy is not bad."""
    return error.error_class in _BAD and "barcode" in error.details


def note_bad_cartridge(records: Records, error: BackupError) -> None:
    """Mark the cartridge suspect when the error says that it, and nothing else, is at fault."""
    if cartridge_at_fault(error):
        mark_suspect(records, error.details["barcode"], error.message)


def parts_to_read(records: Records, backup_id: str, copy: TapeCopy) -> tuple[PartToRead, ...]:
    """Return the parts of a copy with the identity of their cartridges, and where those are kept."""
    cartridges = records.cartridges(barcodes=[part.barcode for part in copy.parts])
    uuids = {cartridge.barcode: cartridge.uuid for cartridge in cartridges}
    places = {cartridge.barcode: cartridge.location for cartridge in cartridges}
    return tuple(
        PartToRead(
            part.barcode,
            uuids.get(part.barcode, ""),
            backup_id,
            part.data_file,
            part.offset,
            part.size,
            part.sha256,
            part.data_block,
            places.get(part.barcode, ""),
        )
        for part in sorted(copy.parts, key=lambda part: part.sequence)
    )


def missing(desk: TapeDesk, parts: Sequence[PartToRead]) -> list[str]:
    """Return the barcodes that are to be read and cannot be loaded now."""
    inventory = desk.library.inventory()
    slots = {part.barcode: inventory.slot(part.barcode) for part in parts}
    return sorted(barcode for barcode, slot in slots.items() if slot is None or slot.outside)


def refuse_missing(desk: TapeDesk, parts: Sequence[PartToRead]) -> None:
    """Refuse with ``no_cartridge`` unless every cartridge that is to be read is in the library."""
    names = missing(desk, parts)
    if names:
        places = {part.barcode: part.place for part in parts if part.place}
        told = [f"{name} ({places[name]})" if name in places else name for name in names]
        raise BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"Not in the library: cartridge {', '.join(told)}.",
            next_step="Bring it in (tape_cartridge, state: imported), then run it again.",
            barcodes=names,
        )


class Heartbeat:
    """Leases that are kept while bytes move; every transaction of the work goes through it and is fenced."""

    def __init__(self, ctx: Context, leases: Sequence[Lease]) -> None:
        self._ctx = ctx
        self._leases = leases
        self._told = ctx.clock.monotonic()
        self._lock = Lock()
        self._over = Event()

    @contextmanager
    def transaction(self) -> Iterator[Records]:
        """Open a transaction that prolongs the leases; ``busy`` when another took over meanwhile."""
        with self._lock:
            with self._ctx.catalog.begin() as records:
                leases = records.renew_leases(self._leases, self._ctx.clock.now(), self._ctx.lease_seconds)
                yield records
            self._leases = leases

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Keep the leases beside the work: a cartridge may take minutes to be loaded, a flush to end."""
        thread = Thread(target=self._keep, name="tape-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _keep(self) -> None:
        while not self._over.wait(self._ctx.lease_seconds / 8):
            # Who lost the lease, or the catalog, is told by the next transaction of the work itself.
            with suppress(BackupError, Conflict), self.transaction():
                pass

    def due(self) -> bool:
        """Tell whether it is time to record progress; who is told so does it."""
        now = self._ctx.clock.monotonic()
        if now - self._told < min(PROGRESS_SECONDS, self._ctx.lease_seconds / 8):
            return False
        self._told = now
        return True

    def end(self, records: Records) -> None:
        """Give the leases back, in the caller's transaction."""
        records.drop_leases(self._leases)
