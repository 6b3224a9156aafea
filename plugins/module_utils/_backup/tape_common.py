# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What labelling and writing share: new cartridges, declared pools, what is told of a cartridge, common refusals."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, TapePool
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


@dataclass(frozen=True)
class CartridgeStep:
    """What is done with a cartridge: ``keep``, or what the operation calls it. ``row``, ``after``: in the catalog."""

    barcode: str
    action: str
    row: Optional[Cartridge] = None
    after: Optional[Cartridge] = None


def new_cartridge(barcode: str, pool: str) -> Cartridge:
    """Return a cartridge that is about to be labelled: the intent, until ``labelled_at`` is set."""
    return Cartridge(barcode=barcode, uuid=str(uuid.uuid4()), pool=pool)


def wrong_pool(barcode: str, found: str, wanted: str) -> BackupError:
    """Return the error for a cartridge of another pool."""
    return BackupError(
        ErrorClass.WRONG_POOL,
        f"Cartridge {barcode} belongs to pool {found}, not to {wanted}.",
        next_step="Use a cartridge of the pool, or remove this one from its pool first (tape_cartridge).",
        barcode=barcode,
        pool=found,
        wanted=wanted,
    )


def not_known(barcode: str) -> BackupError:
    """Return the error for a cartridge that the catalog does not know."""
    return BackupError(
        ErrorClass.NO_CARTRIDGE,
        f"Cartridge {barcode} is not in the catalog.",
        next_step="See tape_info for those that are; state: present puts it into a pool.",
        barcode=barcode,
    )


def in_use(barcode: str) -> BackupError:
    """Return the error for a cartridge that somebody reads or writes now."""
    return BackupError(
        ErrorClass.BUSY,
        f"Cartridge {barcode} is in use in a drive.",
        next_step="See tape_info for who uses it; wait until that is done.",
        barcode=barcode,
    )


def the_pool(records: Records, name: str) -> TapePool:
    """Return a declared pool; ``no_cartridge`` when nobody declared it."""
    pools = records.pools([name])
    if not pools:
        raise BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"The tape pool {name or '(none named)'} is not declared.",
            next_step="Declare it with tape_pool, and put cartridges into it with tape_cartridge.",
            pool=name,
        )
    return pools[0]


def shown(row: Cartridge) -> dict[str, Any]:
    """Return a cartridge for people and programs; sizes in bytes, times in UTC."""
    return {
        "barcode": row.barcode,
        "pool": row.pool,
        "uuid": row.uuid,
        "full": row.full,
        "suspect": row.suspect,
        "retired": row.retired,
        "unknown": row.unknown,
        "location": row.location,
        "exported_at": row.exported_at.isoformat() if row.exported_at else None,
        "protected_until": row.protected_until.isoformat() if row.protected_until else None,
    }


def told(
    steps: Sequence[CartridgeStep], rows: Sequence[Cartridge], warnings: Sequence[str] = (), **more: Any
) -> Result:
    """Return the result of an operation on cartridges: the difference as planned, the cartridges as they are.

    A new label's uuid is chosen when it is written: before that, and in the difference, it is called ``new``.
    """
    return Result(
        any(step.action != "keep" for step in steps),
        {
            "cartridges": [shown(row) for row in sorted(rows, key=lambda row: row.barcode)],
            "actions": {step.barcode: step.action for step in steps},
            **more,
        },
        {"cartridges": _states(steps, lambda step: step.row)},
        {"cartridges": _states(steps, lambda step: step.after)},
        warnings,
    )


def planned(steps: Sequence[CartridgeStep]) -> list[Cartridge]:
    """Return the cartridges as they would be (check mode)."""
    return [step.after for step in steps if step.after is not None]


def _states(steps: Sequence[CartridgeStep], of: Any) -> Mapping[str, Any]:
    """Return what the difference shows; the time of an export is that of the act, and is not part of it."""
    found = {}
    for step in steps:
        row = of(step)
        if row is not None:
            state = shown(row)
            state["exported"] = state.pop("exported_at") is not None
            found[state.pop("barcode")] = state
    return found


def relabelled(row: Optional[Cartridge], barcode: str, pool: str) -> Cartridge:
    """Return a cartridge as a new label leaves it, for the plan."""
    return replace(new_cartridge(barcode, pool), uuid="new", capacity=row.capacity if row is not None else 0)
