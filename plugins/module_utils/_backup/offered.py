# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What arrays said that they can do, as the catalog keeps it: for those that a task is not connected to."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records


def offered(records: Records, serials: Collection[str]) -> dict[str, Capabilities]:
    """Return what arrays can do, by serial; one that has no registered volume, or never told, is left out.

    An array that is known to this catalog is registered on this storage server, which is what REC and ROPC need of
    both ends (behaviour.md §2.7); the remote end need not be reached for it.
    """
    kept = {record.serial: record.known for record in records.arrays(serials)}
    offers = {
        serial: Offer.from_json(known.get("capabilities", ""))
        for serial, known in kept.items()
        if known.get("serial") == serial
    }
    return {serial: offer.capabilities() for serial, offer in offers.items() if offer is not None}
