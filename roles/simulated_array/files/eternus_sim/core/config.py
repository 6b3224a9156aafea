# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set when an array is made, and the knobs that tests turn while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

TIB = 1 << 40

# SupportedReplicationTypes of array.md: EC 2, REC 4 and 5, SnapOPC 6 and 7, OPC 10 and 11, ROPC 12 and 13.
ALL_TYPES = (2, 4, 5, 6, 7, 10, 11, 12, 13)
# SupportedSynchronousActions and AsynchronousActions of array.md.
ALL_ACTIONS = (2, 3, 5, 6, 19)
LIST_ACTIONS = (3, 6, 19)


@dataclass
class Knobs:
    """What can be changed while the array runs (the door's ``POST /door/knobs``)."""

    latency: float = 0.0  # seconds that every request takes
    copy_rate: int = 0  # bytes per second that the copies of this array move together; 0 is unlimited
    jobs: str = "never"  # never: methods answer at once; always: they answer 4096 and a job
    job_seconds: float = 0.0  # how long a job runs before it acts
    stale_seconds: float = 0.0  # how far lists of sessions lag behind
    list_support: bool = True  # CreateListReplica and ModifyListSynchronization
    replication_types: list[int] = field(default_factory=lambda: list(ALL_TYPES))
    actions: list[int] = field(default_factory=lambda: list(ALL_ACTIONS))
    quick_opc: bool = True
    max_sessions_per_source: int = 8
    max_sessions_device: int = 2048
    pull_support: bool = True
    peer_reachable: bool = True  # False: the path to the linked arrays is down

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the knobs that are named. An unknown name or a value of another kind is a ValueError: none is set."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no such knob: {name}; there are {', '.join(sorted(known))}")
            wanted = (int, float) if isinstance(known[name], float) else type(known[name])
            if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(known[name], bool)):
                raise ValueError(f"knob {name}: {value!r} is not of the kind of {known[name]!r}")
        for name, value in values.items():
            setattr(self, name, value)

    def supported_actions(self) -> list[int]:
        """Return the actions that are offered: without list support, none that takes a list."""
        return [action for action in self.actions if self.list_support or action not in LIST_ACTIONS]

    def as_dict(self) -> dict[str, Any]:
        """Return all knobs by name."""
        return asdict(self)


@dataclass
class PoolConfig:
    """A pool to be there from the beginning."""

    pool_id: str
    kind: str
    name: str
    total: int = 1024 * TIB


@dataclass
class ArrayConfig:
    """An array's identity, pools and first knobs. ``model`` is IdentifyingNumber: product and serial in one string."""

    model: str = "ET603SA4621302115"
    serial: str = ""  # empty: the last ten characters of ``model``
    name: str = "eternus"
    pools: list[PoolConfig] = field(
        default_factory=lambda: [PoolConfig("TPP0004", "thin", "thin"), PoolConfig("RSP0005", "raid", "raid")]
    )
    knobs: Knobs = field(default_factory=Knobs)
