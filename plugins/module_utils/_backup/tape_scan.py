# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads cartridges without a catalog, one after the other, and tells what is on them in the shape of drift_scan.py.

Every cartridge is tried, whatever became of the others. Nothing is written, neither on tape nor in a catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timezone
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Blank
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import FORMAT_VERSION, Entry, kept_until
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Inventory, Library, Slot
from ansible_collections.eternus.backup.plugins.module_utils._tape.scan import Scanned, Unsupported, scan

_METHODS = frozenset(method.value for method in Method)


@dataclass
class _Told:
    """What became of each cartridge."""

    cartridges: list[dict[str, Any]] = field(default_factory=list)
    foreign: list[dict[str, Any]] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    unsupported: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[dict[str, Any]] = field(default_factory=list)
    busy: list[dict[str, Any]] = field(default_factory=list)
    outside: list[dict[str, Any]] = field(default_factory=list)
    errors: list[BackupError] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "errors"}

    @property
    def read(self) -> bool:
        """Tell whether any cartridge could be read at all."""
        return bool(self.cartridges or self.foreign or self.blank or self.unsupported)

    def failed(self, barcode: str, error: BackupError) -> None:
        """Put an error where it belongs."""
        if error.error_class is ErrorClass.FOREIGN_CARTRIDGE:
            self.foreign.append({"barcode": barcode, "why": error.message})
            return
        self.errors.append(error)
        if error.error_class is ErrorClass.BUSY:
            self.busy.append({"barcode": barcode, "why": error.message})
        else:
            row = {"barcode": barcode, "error_class": error.error_class.value, "why": error.message}
            self.unreadable.append(row)

    def warnings(self) -> tuple[str, ...]:
        """Return what an administrator must not overlook: the result is not the whole library."""
        parts = [
            *(f"Cartridge {one['barcode']} was not read: {one['why']}" for one in (*self.unreadable, *self.busy)),
            *(f"Cartridge {one['barcode']} was not read: {one['why']}" for one in self.unsupported),
            *(f"Cartridge {one['barcode']} was not read: it lies in {one['element']}." for one in self.outside),
            *(
                f"Not all of cartridge {one['barcode']} could be read: {'; '.join(one['problems'])}"
                for one in self.cartridges
                if one["problems"]
            ),
        ]
        return tuple(parts)


def scan_tapes(library: Library, barcodes: Sequence[str], owner: str, *, headers: bool = False) -> Result:
    """Read cartridges: those that are named, else all that can be loaded.

    :raises BackupError: ``no_cartridge``, before anything is read, when one that is named is not in the library, lies
        outside, or is for cleaning; whatever the first cartridge failed with, when none could be read.
    """
    inventory = library.inventory()
    slots = _named(inventory, barcodes) if barcodes else [slot for slot in inventory.slots if not slot.cleaning]
    told = _Told(
        outside=[{"barcode": one.barcode, "element": one.element or "import/export"} for one in slots if one.outside]
    )
    # What lies in a drive comes first: else it is carried away, and fetched again.
    for slot in sorted((one for one in slots if not one.outside), key=lambda one: not one.drive):
        try:
            with library.load(slot.barcode, owner) as drive:
                found = scan(drive, headers=headers)
                capacity = drive.capacity or slot.capacity
        except BackupError as error:
            told.failed(slot.barcode, error)
        else:
            _tell(told, slot, found, capacity)
    if told.errors and not told.read:
        whole = combined(told.errors)
        whole.details.update(told.values())
        raise whole
    told.cartridges.sort(key=lambda one: str(one["barcode"]))
    return Result(False, told.values(), warnings=told.warnings())


def _named(inventory: Inventory, barcodes: Sequence[str]) -> list[Slot]:
    """Return the slots of named cartridges; every one that cannot be loaded is refused."""
    found = {barcode: inventory.slot(barcode) for barcode in barcodes}
    slots = [slot for slot in found.values() if slot is not None and not slot.outside and not slot.cleaning]
    away = sorted(set(found) - {slot.barcode for slot in slots})
    if away:
        raise BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"{', '.join(f'Cartridge {barcode} {_where(found[barcode])}' for barcode in away)}.",
            next_step="Bring it into the library (tape_cartridge, state: imported), or leave it out.",
            barcodes=away,
        )
    return slots


def _where(slot: Optional[Slot]) -> str:
    if slot is None:
        return "is not in the library"
    return "is for cleaning" if slot.cleaning else f"lies in {slot.element or 'an import/export slot'}"


def _tell(told: _Told, slot: Slot, found: object, capacity: int) -> None:
    if isinstance(found, Blank):
        told.blank.append(slot.barcode)
    elif isinstance(found, Unsupported):
        why = f"its format has version {found.version}, and this collection reads version {FORMAT_VERSION}."
        told.unsupported.append({"barcode": slot.barcode, "version": found.version, "why": why})
    elif isinstance(found, Scanned):
        told.cartridges.append(shown(found, capacity))


def shown(found: Scanned, capacity: int = 0) -> dict[str, Any]:
    """Return a cartridge in the shape that drift_scan.py reads; what is not known is empty."""
    entries, until = found.entries, kept_until(found.entries)
    groups: dict[tuple[str, int, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.header.backup_id, entry.header.copy, entry.header.run), []).append(entry)
    return {
        "barcode": found.label.barcode,
        "uuid": found.label.uuid,
        "pool": found.label.pool,
        "complete": found.complete,
        "labelled_at": found.label.created.isoformat(),
        "bytes_written": sum(entry.bytes for entry in entries),
        "files": found.files,
        "capacity": capacity,
        # A part that is not its copy's last was ended by the end of the medium.
        "full": bool(entries) and not entries[-1].last,
        "protected_until": until.isoformat() if until else "",
        "problems": list(found.problems),
        "copies": [_copy(group) for group in groups.values()],
    }


def _copy(group: Sequence[Entry]) -> dict[str, Any]:
    header = group[0].header
    return {
        "backup_id": header.backup_id,
        "copy": header.copy,
        "run": header.run,
        "array": header.array,
        "volume": header.volume,
        "device_id": header.device_id,
        "point_in_time": header.point_in_time.astimezone(timezone.utc).isoformat(),
        "size": header.size,
        "sha256": next((entry.volume_sha256 for entry in group if entry.last), ""),
        "generation": header.generation,
        "key": header.key,
        # A method of a later version is not known here; reconcile takes the policy's then.
        "method": header.method if header.method in _METHODS else "",
        "parts": [
            {
                "sequence": entry.header.part,
                "data_file": entry.header.data_file,
                "data_block": entry.data_block,
                "offset": entry.header.offset,
                "size": entry.bytes,
                "sha256": entry.sha256,
            }
            for entry in group
        ],
    }
