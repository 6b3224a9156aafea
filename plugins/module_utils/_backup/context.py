# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What every operation of the engine is given: the adapters, the time, and who works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.eternus.backup.plugins.module_utils._array.interface import Array
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import default_owner
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Catalog
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock

#: Seconds that a lease lives without being renewed; a dead owner loses it then (DESIGN.md, Catalog).
LEASE_SECONDS = 120.0


@dataclass(frozen=True)
class Context:
    """The adapters and the clock of one operation. ``arrays`` are those that this run is connected to, by serial.

    ``offers`` is what the arrays of all registered volumes said that they can do, as the catalog keeps it: for the
    other end of REC and ROPC, which need not be reached (behaviour.md §2.7). What a connected array says goes first.
    """

    catalog: Catalog
    arrays: Mapping[str, Array] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    owner: str = field(default_factory=default_owner)
    lease_seconds: float = LEASE_SECONDS
    check_mode: bool = False
    offers: Mapping[str, Capabilities] = field(default_factory=dict)

    def array_of(self, volume: VolumeRef) -> Array:
        """Return the array that a volume lies on; ``array_unreachable`` when this run is not connected to it."""
        array = self.arrays.get(volume.array)
        if array is None:
            raise BackupError(
                ErrorClass.ARRAY_UNREACHABLE,
                f"Volume {volume.device_id} lies on array {volume.array}, and this task is connected to "
                f"{', '.join(sorted(self.arrays)) or 'none'}.",
                next_step="Give the connection options of that array.",
                array=volume.array,
            )
        return array
