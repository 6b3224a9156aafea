# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The label that follows another on the same cartridge: a relabelling whose process died is told by it."""

from __future__ import annotations

import uuid

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents


def successor(label: str) -> str:
    """Return the uuid of the label that follows this one on the same cartridge.

    It follows from the old one: a cartridge whose relabelling was intended, and whose process died, is told by it
    from one that was swapped for another.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"eternus.backup label after {label}"))


def label_was_intended(cartridge: Cartridge, contents: Contents) -> bool:
    """Tell whether a label that the catalog says is about to be written goes onto this tape: its process died.

    The tape bears the label before, or the new one, perhaps without its filemark, and nothing behind it.
    """
    found = contents.label.uuid
    return cartridge.uuid == successor(found) or (cartridge.uuid == found and not contents.entries)
