# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What linked arrays share: one lock, the order of all things, and which session touches which volume."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Optional

from .model import Code, Key, Refused, Volume
from .replica import Replica

if TYPE_CHECKING:
    from .array import SimArray


class Domain:
    """One or more arrays. The lock orders every host write against every transition, across all their volumes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.arrays: list[SimArray] = []
        self.replicas: dict[Key, Replica] = {}
        self._by_volume: dict[str, list[Replica]] = {}
        self._seq = 0

    def next_seq(self) -> int:
        """Return a number greater than all before it: the order of points in time."""
        self._seq += 1
        return self._seq

    def add_array(self, array: SimArray) -> None:
        """Take in an array that has no session at work in another domain."""
        if any(other.serial == array.serial for other in self.arrays):
            raise ValueError(f"two arrays of the serial {array.serial}")
        self.arrays.append(array)

    def add(self, replica: Replica) -> None:
        """Take in a session."""
        self.replicas[replica.key] = replica
        for device_id in replica.key:
            self._by_volume.setdefault(device_id, []).append(replica)
        self._seq = max(self._seq, replica.seq, replica.back_seq)

    def remove(self, replica: Replica) -> None:
        """Let a session go."""
        del self.replicas[replica.key]
        for device_id in replica.key:
            left = [other for other in self._by_volume[device_id] if other is not replica]
            if left:
                self._by_volume[device_id] = left
            else:
                del self._by_volume[device_id]

    def of_volume(self, device_id: str) -> list[Replica]:
        """Return the sessions that have a volume as source or target."""
        return self._by_volume.get(device_id, [])

    def owner(self, device_id: str) -> Optional[SimArray]:
        """Return the array on which a volume lies."""
        for array in self.arrays:
            if device_id in array.volumes:
                return array
        return None

    def volume(self, device_id: str) -> Volume:
        """Return a volume of any of the arrays, or refuse with 32807."""
        owner = self.owner(device_id)
        if owner is None:
            raise Refused(Code.UNKNOWN_VOLUME, f"no volume {device_id}")
        return owner.volumes[device_id]

    def reachable(self, replica: Replica) -> bool:
        """Tell whether both sides of a session can talk."""
        if not replica.view.remote:
            return True
        ends = [self.owner(device_id) for device_id in replica.key]
        return all(end is not None and end.knobs.peer_reachable for end in ends)
