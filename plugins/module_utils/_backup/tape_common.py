# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What labelling and writing share: new cartridges, declared pools, the error of a wrong one."""

from __future__ import annotations

import uuid

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, TapePool
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


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
