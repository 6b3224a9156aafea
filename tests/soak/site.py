# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site of the soak: 20 transaction volumes under every method, their backup volumes, a shelf of cartridges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.world import MIB, SIZE, World

#: Backup volumes: what the policies need, and some for held generations and for those that wait for tape.
BVS = 72
CARTRIDGES, CAPACITY = 24, 20 * MIB


@dataclass(frozen=True)
class Unit:
    """What is backed up together: one volume, or a group's. ``mirror``: it is synchronized first."""

    tvs: tuple[str, ...]
    mirror: bool
    tape: bool
    group: str = ""
    staged: bool = False

    @property
    def what(self) -> dict[str, Any]:
        """Return it as an option of a module."""
        return {"groups": [self.group]} if self.group else {"volumes": list(self.tvs)}


def _rows() -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    suspend, taped = {"suspend": True}, {"media": "both", "tape_pool": "weekly", "tape_generations": 3}
    return [
        *[((number,), {"generations": 2}) for number in (1, 2, 3)],
        *[((number,), {"generations": 2, **taped}) for number in (4, 5)],
        *[((number,), {"generations": 2, **suspend}) for number in (6, 7)],
        ((8,), {"generations": 1, **suspend, **taped}),
        ((9,), {"generations": 2, "method": "snapshot"}),
        ((10,), {"generations": 1, "method": "snapshot", "safe_rotation": True}),
        ((11,), {"generations": 2, "method": "snapshot", **taped}),
        ((12,), {"generations": 2, "method": "differential"}),
        ((13,), {"generations": 2, "method": "differential", **taped}),
        ((14, 15, 16), {"generations": 1, "group": "plain", **taped}),
        ((17, 18), {"generations": 1, "group": "kept", **suspend}),
        ((19,), {"generations": 1, **taped, "media": "tape"}),
        ((20,), {"generations": 1, **taped, "tape_copies": 2}),
    ]


def name(number: int) -> str:
    """Return a transaction volume's name."""
    return f"tv{number:02d}"


def units() -> list[Unit]:
    """Return everything that is backed up together."""
    return [
        Unit(
            tuple(map(name, numbers)),
            policy.get("method", "synchronized") == "synchronized",
            "tape_pool" in policy,
            policy.get("group", ""),
            policy.get("media") == "tape",
        )
        for numbers, policy in _rows()
    ]


def build(directory: Path) -> tuple[World, Ledger]:
    """Make it: volumes with content, policies, labelled cartridges; nothing is backed up yet."""
    world, ledger = World.template(directory), Ledger()
    tvs = [name(number) for number in range(1, 21)]
    bvs = [f"bv{number:02d}" for number in range(1, BVS + 1)]
    world.array.create_volumes(*tvs, *bvs, *(f"spare-{tv}" for tv in tvs), size=SIZE)
    ledger.write(world, *tvs)
    world.done("eternus_volume", volumes=tvs, role="transaction")
    world.done("eternus_volume", volumes=bvs, role="backup")
    world.done("tape_pool", name="weekly", kind="private")
    world.done("tape_cartridge", barcodes=barcodes(0, CARTRIDGES), pool="weekly", capacity=CAPACITY)
    plain = {"media": "disk"}
    policies = [{"volume": name(number), **plain, **policy} for numbers, policy in _rows() for number in numbers]
    world.done("eternus_policy", policies=policies)
    return world, ledger


def barcodes(first: int, count: int) -> list[str]:
    """Return names of cartridges."""
    return [f"S{number:04d}" for number in range(first, first + count)]
