# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the demo declares: volumes, pool, cartridges, policies."""

from __future__ import annotations

from typing import Any

MIB = 1 << 20

TVS = {"oradata": 64 * MIB, "redolog": 64 * MIB, "archive": 96 * MIB}
SMALL_BVS = [f"bv{number:02d}" for number in range(1, 8)]  # of 64 MiB; six are needed
LARGE_BVS = [f"bw{number:02d}" for number in range(1, 4)]  # of 96 MiB; two are needed
TARGET = "scratch"  # of 64 MiB, not registered
GROUP = {"erpdata": 8 * MIB, "erplog": 8 * MIB}  # one application
GROUP_BVS = [f"bx{number:02d}" for number in range(1, 7)]  # of 8 MiB; six are needed
LAB = "lab"  # of 8 MiB, not registered: for restore tests
CARTRIDGES = [f"DM000{number}L8" for number in range(1, 5)]
CAPACITY = 200 * MIB
GENERATIONS = {"oradata": 2, "redolog": 2, "archive": 1}
ON_TAPE = ("oradata", "redolog")
CYCLES = 5

VOLUMES: list[dict[str, Any]] = [
    *({"name": name, "size": size} for name, size in TVS.items()),
    *({"name": name, "size": 64 * MIB} for name in SMALL_BVS),
    *({"name": name, "size": 96 * MIB} for name in LARGE_BVS),
    *({"name": name, "size": size} for name, size in GROUP.items()),
    *({"name": name, "size": 8 * MIB} for name in [*GROUP_BVS, LAB]),
    {"name": TARGET, "size": 64 * MIB},
]

DECLARED: dict[str, Any] = {
    "configure_transaction_volumes": list(TVS),
    "configure_backup_volumes": SMALL_BVS + LARGE_BVS,
    "configure_tape_pools": [{"name": "demo", "kind": "private", "cartridges": CARTRIDGES, "capacity": CAPACITY}],
    "configure_policies": [
        {"volume": "oradata", "generations": 2, "suspend": True, "media": "both", "tape_pool": "demo"},
        {"volume": "redolog", "generations": 2, "media": "both", "tape_pool": "demo"},
        {"volume": "archive", "generations": 1, "media": "disk"},
    ],
}
TOO_MUCH = {"configure_policies": [{"volume": "archive", "generations": 3, "media": "disk"}]}
DECLARED_GROUP: dict[str, Any] = {
    "configure_transaction_volumes": list(GROUP),
    "configure_backup_volumes": GROUP_BVS,
    "configure_policies": [{"volume": name, "generations": 2, "media": "disk", "group": "erp"} for name in GROUP],
}
