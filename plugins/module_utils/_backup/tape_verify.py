# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tape copies are read as a whole and compared; the date and the result are kept (behaviour.md §5).

Every one is tried, in the order in which they lie on the cartridges, so that a cartridge is loaded as seldom as can be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import not_known
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import (
    TapeDesk,
    living_leases,
    tape_lease,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_leg import LegDone
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_names import transaction_volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import TapeAction, TapeStep
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_proof import still_there
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_queue import attempt
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_show import names_of, show_copy
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Inventory

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class ToVerify:
    """What is to be read: volumes, backups or cartridges by name, else all.

    :param max_age: what was found equal no longer ago is left out.
    :param limit: how many copies at most, those first that were never read, or not for the longest time; 0: all.
    """

    volumes: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()
    barcodes: tuple[str, ...] = ()
    max_age: Optional[timedelta] = None
    limit: int = 0

    @property
    def named(self) -> bool:
        """Tell whether each single thing is asked for, so that one that is away is a failure."""
        return bool(self.backups or self.barcodes)


@dataclass(frozen=True)
class _Away:
    """A copy that cannot be read now, since cartridges of it are not in the library: where each is."""

    step: TapeStep
    places: Mapping[str, str]

    def error(self) -> BackupError:
        told = ", ".join(f"{barcode} ({place})" for barcode, place in sorted(self.places.items()))
        return BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"Tape copy {self.step.copy.number} of backup {self.step.backup.id} cannot be read: cartridge {told}.",
            next_step="Bring it in (tape_cartridge, state: imported), then run it again.",
            barcodes=sorted(self.places),
        )


def verify_tapes(ctx: Context, desk: TapeDesk, wanted: ToVerify) -> Result:
    """Read tape copies and write down what was found; what failed is told at the end, after all were tried."""
    if wanted.limit < 0:
        raise invalid("limit", wanted.limit, "Give how many copies to read at most, 0 for no limit.")
    with ctx.catalog.read() as records:
        backups = _chosen(records, wanted)
        names = names_of(records)
        cartridges = {row.barcode: row for row in records.cartridges()}
    inventory = desk.library.inventory()
    due: list[TapeStep] = []
    away: list[_Away] = []
    for step in (_step(backup, copy) for backup in backups for copy in backup.tape if _due(ctx, wanted, copy)):
        places = _places(step.copy, cartridges, inventory)
        if places:
            away.append(_Away(step, places))
        else:
            due.append(step)
    due = _longest_ago(due)[: wanted.limit or None]
    steps = by_cartridge(due, [slot.barcode for slot in inventory.slots if slot.drive])
    done = [(step, attempt(ctx, desk, step)) for step in steps if wanted.named or _free(ctx, step)]
    return _result(ctx, wanted, names, done, away)


def _chosen(records: Records, wanted: ToVerify) -> Sequence[Backup]:
    """Return the backups that may have copies to read; what is not there is refused."""
    if wanted.backups:
        found = records.backups(ids=wanted.backups)
        written = {one.id for one in found if any(copy.state is TapeState.WRITTEN for copy in one.tape)}
        missing = sorted(set(wanted.backups) - written)
        if missing:
            raise BackupError(
                ErrorClass.NO_SUCH_BACKUP,
                f"No such backup on tape: {', '.join(missing)}.",
                next_step="List what is there with eternus_backup_info or tape_info.",
                backups=missing,
            )
        return found
    if wanted.barcodes:
        known = {row.barcode for row in records.cartridges(barcodes=wanted.barcodes)}
        missing = sorted(set(wanted.barcodes) - known)
        if missing:
            raise combined([not_known(barcode) for barcode in missing])
        on_them = [backup for barcode in sorted(known) for backup in records.copies_on(barcode)]
        return list({backup.id: backup for backup in on_them}.values())
    tvs = [transaction_volume(records, name).ref for name in wanted.volumes]
    return records.backups(tvs=tvs or None)


def _step(backup: Backup, copy: TapeCopy) -> TapeStep:
    return TapeStep(backup, copy, TapeAction.VERIFY, verify=True)


def _due(ctx: Context, wanted: ToVerify, copy: TapeCopy) -> bool:
    """Tell whether a copy is asked for. One that was found different is read again, however lately that was."""
    if copy.state is not TapeState.WRITTEN:
        return False
    if wanted.barcodes and not any(part.barcode in wanted.barcodes for part in copy.parts):
        return False
    if wanted.max_age is None or copy.verified_at is None or copy.verified_ok is not True:
        return True
    return copy.verified_at < ctx.clock.now() - wanted.max_age


def _places(copy: TapeCopy, cartridges: Mapping[str, Cartridge], inventory: Inventory) -> dict[str, str]:
    """Return the cartridges of a copy that cannot be loaded, and where each is."""
    places = {}
    for barcode in dict.fromkeys(part.barcode for part in copy.parts):
        slot, row = inventory.slot(barcode), cartridges.get(barcode)
        if slot is not None and not slot.outside:
            continue
        kept = row.location if row is not None else ""
        if slot is not None:
            places[barcode] = f"in {slot.element or 'an import/export slot'}"
        elif row is not None and row.exported_at is not None:
            places[barcode] = f"exported {row.exported_at.date().isoformat()}{', kept in ' if kept else ''}{kept}"
        else:
            places[barcode] = f"kept in {kept}" if kept else "not in the library"
    return places


def _longest_ago(steps: Sequence[TapeStep]) -> list[TapeStep]:
    return sorted(steps, key=lambda one: (one.copy.verified_at or _NEVER, one.backup.point_in_time, one.copy.number))


def by_cartridge(steps: Sequence[TapeStep], loaded: Collection[str] = ()) -> list[TapeStep]:
    """Order copies as they lie on the cartridges: one that goes on elsewhere is followed by what begins there.

    :param loaded: cartridges that lie in a drive; these come first.
    """
    heads: dict[str, list[TapeStep]] = defaultdict(list)
    tails: set[str] = set()
    for step in steps:
        barcodes = _barcodes(step)
        heads[barcodes[0]].append(step)
        tails.update(barcodes[1:])
    ordered: list[TapeStep] = []
    for first in sorted(heads, key=lambda barcode: (barcode not in loaded, barcode in tails, barcode)):
        barcode: str = first
        while barcode in heads:
            group = sorted(heads.pop(barcode), key=lambda one: (len(_barcodes(one)) > 1, _first_file(one)))
            ordered += group
            barcode = _barcodes(group[-1])[-1]
    return ordered


def _barcodes(step: TapeStep) -> list[str]:
    parts = sorted(step.copy.parts, key=lambda part: part.sequence)
    return list(dict.fromkeys(part.barcode for part in parts)) or [""]


def _first_file(step: TapeStep) -> int:
    return min((part.data_file for part in step.copy.parts if part.sequence == 0), default=0)


def _free(ctx: Context, step: TapeStep) -> bool:
    """Tell whether nobody else reads or writes this copy, or has just verified it: tasks may work side by side."""
    now = ctx.clock.now()
    name = tape_lease(step.backup.id, step.copy.number)
    with ctx.catalog.read() as records:
        found = still_there(records, step.backup.id, step.copy)
        live = {one.name for one in living_leases(records) if one.expires_at > now and one.owner != ctx.owner}
    return found is not None and name not in live and found.verified_at == step.copy.verified_at


def _result(
    ctx: Context,
    wanted: ToVerify,
    names: Mapping[Any, str],
    done: Sequence[tuple[TapeStep, LegDone]],
    away: Sequence[_Away],
) -> Result:
    shown = [
        {
            **show_copy(one.backup, one.copy, names.get(one.backup.tv, one.backup.tv.device_id)),
            "changed": one.changed,
            "error_class": one.error.error_class.value if one.error else "",
            "error": one.error.sentence() if one.error else one.copy.error,
        }
        for _step, one in done
    ]
    missing = [
        {
            "backup_id": one.step.backup.id,
            "volume": names.get(one.step.backup.tv, one.step.backup.tv.device_id),
            "number": one.step.copy.number,
            "cartridges": [{"barcode": barcode, "place": place} for barcode, place in sorted(one.places.items())],
        }
        for one in away
    ]
    changed = any(one.changed for _step, one in done)
    errors = [one.error for _step, one in done if one.error is not None]
    errors += [one.error() for one in away] if wanted.named else []
    if errors:
        whole = combined(errors, "The cartridges were only read.", changed=changed)
        whole.details.update(copies=shown, away=missing)
        raise whole
    before = {_key(step): _found(step.copy) for step, _done in done}
    after = {_key(step): "equal" if ctx.check_mode else _found(one.copy) for step, one in done}
    return Result(
        changed,
        {"copies": shown, "away": missing},
        {"copies": before},
        {"copies": after},
        [one.error().message for one in away],
    )


def _key(step: TapeStep) -> str:
    return f"{step.backup.id}:{step.copy.number}"


def _found(copy: TapeCopy) -> str:
    return {True: "equal", False: "different", None: "never read"}[copy.verified_ok]
