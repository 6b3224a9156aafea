# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Drift between the catalog and what was read from cartridges (DESIGN.md: the tape for what is on it). Pure.

A tape copy that expired stays on its cartridge until that is written anew: what is older than every tape copy that the
catalog knows of its volume is told as worth knowing only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    AddCartridge,
    AddHistory,
    Drift,
    DriftKind,
    Evidence,
    Mend,
    PutTape,
    StrikeTape,
    by_repair,
    operator,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import (
    ScannedCartridge,
    ScannedCopy,
    joined,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    Method,
    TapeCopy,
    TapeState,
)

#: The copy that a method makes inside one cabinet; a cartridge does not say more.
_COPY_OF = {
    Method.SYNCHRONIZED: CopyType.EC,
    Method.SNAPSHOT: CopyType.OPC,
    Method.DIFFERENTIAL: CopyType.QUICK_OPC,
    Method.TAPE_ONLY: CopyType.OPC,
    Method.AUTO: CopyType.OPC,
}


def tape_drift(look: Evidence) -> Iterator[Drift]:
    """Compare cartridges and tape copies both ways; what was not scanned is not judged."""
    yield from _cartridges(look)
    history = {backup.id: backup for backups in look.world.backups.values() for backup in backups}
    copies = joined(look.scan)
    whole: dict[str, dict[int, ScannedCopy]] = {}
    for copy in copies:
        known = _written(history.get(copy.backup_id), copy.number)
        if known is not None and _other(known, history[copy.backup_id], copy):
            yield _different(look, history[copy.backup_id], copy)
        elif known is None and copy.whole:
            whole.setdefault(copy.backup_id, {}).setdefault(copy.number, copy)
    for backup_id, numbers in whole.items():
        yield from _unknown(look, history.get(backup_id), list(numbers.values()))
    for copy in copies:
        known = _written(history.get(copy.backup_id), copy.number)
        if known is None and not copy.whole and copy.number not in whole.get(copy.backup_id, {}):
            yield _partial(look, copy)
    for backup in history.values():
        yield from _missing(look, backup)


def _cartridges(look: Evidence) -> Iterator[Drift]:
    for one in look.scan:
        row, found = look.cartridges.get(one.barcode), one.cartridge
        if row is None:
            yield Drift(
                DriftKind.UNKNOWN_CARTRIDGE,
                one.barcode,
                f"Cartridge {one.barcode} bears a label of ours, of pool {found.pool}, and is not in the catalog.",
                by_repair(DriftKind.UNKNOWN_CARTRIDGE, "adds it; a pool that is not declared becomes a private one."),
                before={},
                after={"uuid": found.uuid, "pool": found.pool},
                mends=(AddCartridge(_unexplained(one)),),
            )
        elif row.uuid != found.uuid:
            yield Drift(
                DriftKind.OTHER_CARTRIDGE,
                one.barcode,
                f"Cartridge {one.barcode} is not the one that the catalog knows by this barcode: it was labelled anew, "
                "or two cartridges bear the barcode.",
                operator("look at it; tape_cartridge, state: absent forgets the one that the catalog has."),
                before={"uuid": row.uuid, "pool": row.pool},
                after={"uuid": found.uuid, "pool": found.pool},
                loud=True,
            )


def _unexplained(scanned: ScannedCartridge) -> Cartridge:
    """Return a cartridge as it is added: what it bears is unknown until the history says otherwise."""
    return replace(scanned.cartridge, unknown=bool(scanned.copies) or not scanned.complete)


def _written(backup: Optional[Backup], number: int) -> Optional[TapeCopy]:
    copies = backup.tape if backup is not None else ()
    return next((copy for copy in copies if copy.number == number and copy.state is TapeState.WRITTEN), None)


def _other(known: TapeCopy, backup: Backup, copy: ScannedCopy) -> bool:
    """Tell whether what was found contradicts what was recorded: the same places with other bytes."""
    places = {(part.barcode, part.data_file): part for part in known.parts}
    same = [
        (part, places[part.barcode, part.data_file]) for part in copy.parts if (part.barcode, part.data_file) in places
    ]
    if not same:
        return False  # a writing before it, or after it, that nobody recorded
    parts = any((one.sha256, one.size, one.offset) != (kept.sha256, kept.size, kept.offset) for one, kept in same)
    sums = bool(copy.sha256) and copy.sha256 != known.sha256
    return parts or sums or copy.size != backup.size


def _name(backup_id: str, number: int) -> str:
    return f"backup {backup_id} copy {number}"


def _lease(backup_id: str, number: int) -> str:
    return f"tape:{backup_id}:{number}"


def _different(look: Evidence, backup: Backup, copy: ScannedCopy) -> Drift:
    known = _written(backup, copy.number)
    return Drift(
        DriftKind.DIFFERENT_TAPE_COPY,
        _name(backup.id, copy.number),
        f"Tape copy {copy.number} of backup {backup.id} of {look.world.name(backup.tv)} bears other checksums or sizes "
        "on tape than were recorded: it is suspect.",
        operator("read it with tape_copy, verify: true; if that fails, write it again, and delete this copy."),
        before={"size": backup.size, "sha256": known.sha256 if known else ""},
        after={"size": copy.size, "sha256": copy.sha256, "cartridges": _barcodes(copy)},
        volumes=(backup.tv,),
        more_leases=(_lease(backup.id, copy.number),),
        loud=True,
    )


def _barcodes(copy: ScannedCopy) -> list[str]:
    return list(dict.fromkeys(part.barcode for part in copy.parts))


def _unknown(look: Evidence, backup: Optional[Backup], copies: Sequence[ScannedCopy]) -> Iterator[Drift]:
    """Say what is whole on tape and not written by the catalog: new history, or a copy more of a known backup."""
    first, world = copies[0], look.world
    tv = first.tv
    name = world.name(tv) if tv in world.volumes else first.volume
    other = [barcode for copy in copies for barcode in _barcodes(copy) if _is_other(look, barcode)]
    if backup is not None:
        fits = (backup.tv, backup.size, backup.point_in_time) == (tv, first.size, first.point_in_time)
    else:
        fits = all((one.tv, one.size, one.point_in_time) == (tv, first.size, first.point_in_time) for one in copies)
    numbers = [copy.number for copy in copies]
    kind = DriftKind.UNKNOWN_TAPE_COPY
    step = by_repair(kind, "adds it to the history, and its cartridges to the catalog.")
    if not fits:
        step = operator("the headers contradict the catalog or each other; look at the cartridges with tape_info.")
    elif other:
        step = operator(f"cartridge {', '.join(other)} is not the one that the catalog knows by that barcode.")
    mends = () if other or not fits else _recorded(look, backup, copies)
    yield Drift(
        kind,
        f"backup {first.backup_id}",
        f"A backup of {name} of {first.point_in_time.isoformat()} is whole on cartridge "
        f"{', '.join(dict.fromkeys(code for one in copies for code in _barcodes(one)))}, and not written by the "
        "catalog.",
        step,
        before={"written_copies": [c.number for c in backup.tape if c.state is TapeState.WRITTEN] if backup else []},
        after={"written_copies": sorted({*numbers, *_numbers(backup)}), "size": first.size, "volume": name},
        volumes=(tv,),
        more_leases=tuple(_lease(first.backup_id, number) for number in numbers),
        mends=mends,
        info=backup is None and _expired(look, first),
    )


def _numbers(backup: Optional[Backup]) -> list[int]:
    return [copy.number for copy in backup.tape if copy.state is TapeState.WRITTEN] if backup is not None else []


def _is_other(look: Evidence, barcode: str) -> bool:
    row = look.cartridges.get(barcode)
    found = next((one.cartridge for one in look.scan if one.barcode == barcode), None)
    return row is not None and found is not None and row.uuid != found.uuid


def _expired(look: Evidence, copy: ScannedCopy) -> bool:
    """Tell whether it is older than every tape copy that is known of its volume: then it went by retention."""
    taped = [one.point_in_time for one in look.world.backups.get(copy.tv, ()) if one.good_on_tape]
    return bool(taped) and copy.point_in_time < min(taped)


def _recorded(look: Evidence, backup: Optional[Backup], copies: Sequence[ScannedCopy]) -> tuple[Mend, ...]:
    """Return what writes copies down; cartridges come first, since who reads a copy asks for their identity."""
    scanned = {one.barcode: one.cartridge for one in look.scan}
    barcodes = dict.fromkeys(barcode for copy in copies for barcode in _barcodes(copy))
    added = {one.barcode: _unexplained(one) for one in look.scan}
    mends: list[Mend] = [AddCartridge(added[one]) for one in barcodes if one not in look.cartridges]
    legs = tuple(_leg(copy, scanned[copy.parts[-1].barcode].pool) for copy in sorted(copies, key=lambda c: c.number))
    if backup is not None:
        return (*mends, *(PutTape(backup.id, leg) for leg in legs))
    first = copies[0]
    policy = look.world.policies.get(first.tv)
    method = first.method or (policy.method if policy is not None else Method.SYNCHRONIZED)
    history = Backup(
        id=first.backup_id,
        tv=first.tv,
        point_in_time=first.point_in_time,
        method=method,
        copy_type=_COPY_OF[method],
        suspend=False,
        size=first.size,
        key=first.key,
        tape=legs,
    )
    return (*mends, AddHistory(history))


def _leg(copy: ScannedCopy, pool: str) -> TapeCopy:
    """Return a tape copy as it is on tape. When it was written is not there: no earlier than its point in time."""
    at = copy.point_in_time
    return TapeCopy(
        copy.number, TapeState.WRITTEN, pool, at, written_at=at, bytes_done=copy.size, bytes_total=copy.size,
        sha256=copy.sha256, parts=copy.parts,
    )  # fmt: skip


def _partial(look: Evidence, copy: ScannedCopy) -> Drift:
    name = look.world.name(copy.tv) if copy.tv in look.world.volumes else copy.volume
    return Drift(
        DriftKind.PARTIAL_TAPE_COPY,
        f"{_name(copy.backup_id, copy.number)} run {copy.run}",
        f"Cartridge {', '.join(_barcodes(copy)) or '(none)'} bears parts of a backup of {name} of "
        f"{copy.point_in_time.isoformat()}, and not all of it: the rest is on cartridges that were not scanned, or the "
        "copy was broken off.",
        "Scan the other cartridges together with these; else nothing needs to be mended.",
        after=_parts_shown(copy),
        volumes=(copy.tv,),
        info=True,
    )


def _parts_shown(copy: ScannedCopy) -> Mapping[str, Any]:
    return {"parts": [part.sequence for part in copy.parts], "bytes": sum(part.size for part in copy.parts)}


def _missing(look: Evidence, backup: Backup) -> Iterator[Drift]:
    """Find written copies of which a part is not on its cartridge, which was read to its end."""
    read = {one.barcode: one for one in look.scan if one.complete}
    for copy in (one for one in backup.tape if one.state is TapeState.WRITTEN):
        gone = [
            part
            for part in copy.parts
            if part.barcode in read
            and not any(
                found.backup_id == backup.id and found.number == copy.number and part.data_file == one.data_file
                for found in read[part.barcode].copies
                for one in found.parts
            )
        ]
        if gone:
            yield _gone(look, backup, copy, list(dict.fromkeys(part.barcode for part in gone)))


def _gone(look: Evidence, backup: Backup, copy: TapeCopy, barcodes: Sequence[str]) -> Drift:
    kind, name = DriftKind.MISSING_TAPE_COPY, look.world.name(backup.tv)
    why = f"not on cartridge {', '.join(barcodes)}"
    failed = replace(copy, state=TapeState.FAILED, error=f"Reconciled: {why}.", parts=(), sha256="", owner="")
    mends: tuple[Mend, ...] = (StrikeTape(backup.id, copy.number),)
    step = by_repair(kind, "strikes the copy; a backup without any copy vanishes.")
    if backup.whole_on_disk:
        mends = (PutTape(backup.id, failed),)
        step = by_repair(kind, "marks the copy as failed; tape_copy writes it again.")
    elif backup.hold:
        mends, step = (), operator(f"backup {backup.id} is held; release it with eternus_generation, then {step}")
    return Drift(
        kind,
        _name(backup.id, copy.number),
        f"Tape copy {copy.number} of the backup of {name} of {backup.point_in_time.isoformat()} is written by the "
        f"catalog, and {why}, which was read to its end.",
        step,
        before={"state": copy.state.value, "cartridges": list(dict.fromkeys(part.barcode for part in copy.parts))},
        after={"state": TapeState.FAILED.value if backup.whole_on_disk else None, "cartridges": []},
        volumes=(backup.tv,),
        more_leases=(_lease(backup.id, copy.number),),
        mends=mends,
        loud=True,
    )
