# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the tape side looks like: library, pools, cartridges and contents, the queue. Reads only; plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import (
    in_service,
    recyclable,
    was_written,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import shown as shown_cartridge
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Cartridge,
    TapeCopy,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Inventory, Library


def show_copy(backup: Backup, copy: TapeCopy, name: str) -> dict[str, Any]:
    """Return a tape copy for people and programs; sizes in bytes, times in UTC."""
    total = copy.bytes_total or backup.size
    return {
        "backup_id": backup.id,
        "key": backup.key,
        "volume": name,
        "point_in_time": backup.point_in_time.isoformat(),
        "number": copy.number,
        "pool": copy.pool,
        "state": copy.state.value,
        "bytes_done": copy.bytes_done,
        "bytes_total": total,
        "percent": 100 if copy.state is TapeState.WRITTEN else copy.bytes_done * 100 // (total or 1),
        "sha256": copy.sha256,
        "cartridges": list(dict.fromkeys(part.barcode for part in copy.parts)),
        "error": copy.error,
        "owner": copy.owner if copy.state is TapeState.WRITING else "",
        "written_at": copy.written_at.isoformat() if copy.written_at else None,
        "verified_at": copy.verified_at.isoformat() if copy.verified_at else None,
        "verified_ok": copy.verified_ok,
    }


def names_of(records: Records) -> dict[Any, str]:
    """Return the names of all registered volumes."""
    return {volume.ref: volume.name for volume in records.volumes()}


def show_tape(ctx: Context, library: Optional[Library]) -> dict[str, Any]:
    """Return everything: what the catalog knows, and what lies in the library where there is one."""
    with ctx.catalog.read() as records:
        names = names_of(records)
        pools = records.pools()
        cartridges = records.cartridges()
        backups = records.backups()
    inventory = library.inventory() if library is not None else Inventory((), ())
    slots = {slot.barcode: slot for slot in inventory.slots}
    copies = [
        (show_copy(backup, copy, names.get(backup.tv, backup.tv.device_id)), copy)
        for backup in backups
        for copy in backup.tape
    ]
    now = ctx.clock.now()
    contents: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for shown, copy in copies:
        for part in copy.parts:
            contents[part.barcode].append(
                {"backup_id": shown["backup_id"], "volume": shown["volume"], "part": part.sequence,
                 "data_file": part.data_file, "size": part.size}
            )  # fmt: skip
    recycle = frozenset(one.barcode for one in cartridges if recyclable(one, one.barcode in contents, now))
    return {
        "library": [asdict(slot) for slot in inventory.slots],
        "unreadable": inventory.unreadable,
        "drives": [asdict(drive) for drive in inventory.drives],
        "pools": [_pool(pool, [one for one in cartridges if one.pool == pool.name], recycle) for pool in pools],
        "cartridges": [
            {
                **_cartridge(one),
                "recyclable": one.barcode in recycle,
                "in_library": one.barcode in slots,
                "contents": contents.get(one.barcode, []),
            }
            for one in cartridges
        ],
        "queue": [shown for shown, copy in copies if copy.state is not TapeState.WRITTEN],
        "copies": [shown for shown, _copy in copies],
    }  # fmt: skip


def _pool(pool: TapePool, inside: Sequence[Cartridge], recycle: Collection[str]) -> dict[str, Any]:
    """Return a pool with its fill in bytes. Free is what cartridges that may be written still take."""
    free = 0
    for one in inside:
        if one.barcode in recycle and (one.full or not pool.append):
            free += one.capacity
        elif in_service(one) and not one.full and (pool.append or not was_written(one)):
            free += max(0, one.capacity - one.bytes_written)
    return {
        "name": pool.name,
        "kind": pool.kind.value,
        "append": pool.append,
        "cartridges": [one.barcode for one in inside],
        "capacity": sum(one.capacity for one in inside),
        "bytes_written": sum(one.bytes_written for one in inside),
        "bytes_free": free,
    }


def _cartridge(one: Cartridge) -> dict[str, Any]:
    return {
        **shown_cartridge(one),
        "capacity": one.capacity,
        "bytes_written": one.bytes_written,
        "percent": min(100, one.bytes_written * 100 // one.capacity) if one.capacity else 0,
        "files": one.files,
        "labelled_at": one.labelled_at.isoformat() if one.labelled_at else None,
    }
