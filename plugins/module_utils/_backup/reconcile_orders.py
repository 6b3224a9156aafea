# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the options of ``eternus_reconcile`` say, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import DriftKind
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import ScannedCartridge, parse_scan
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid

_NAMES = ("volumes", "backup_volumes", "accept", "distrust")


@dataclass(frozen=True)
class Orders:
    """What the caller names. No ``volumes`` and ``backup_volumes``: everything. ``adopt``: (source or "", target)."""

    repair: frozenset[DriftKind] = frozenset()
    volumes: tuple[str, ...] = ()
    backup_volumes: tuple[str, ...] = ()
    adopt: tuple[tuple[str, str], ...] = ()
    accept: tuple[str, ...] = ()
    distrust: tuple[str, ...] = ()
    tapes: tuple[ScannedCartridge, ...] = ()


def orders_of(params: Mapping[str, Any]) -> Orders:
    """Return what a task's options say; ``invalid_option`` when one makes no sense."""
    for option in _NAMES:
        if not all(name.strip() for name in params[option]):
            raise invalid(option, params[option], "Name volumes, or leave it out.")
    return Orders(
        repair=frozenset(DriftKind(kind) for kind in params["repair"]),
        adopt=tuple(_adoption(one) for one in params["adopt"]),
        tapes=parse_scan(params["tapes"]),
        **{option: tuple(params[option]) for option in _NAMES},
    )


def _adoption(one: Any) -> tuple[str, str]:
    """Return source and target of a session that is to be adopted; the source may be left out."""
    row = {"target": one} if isinstance(one, str) else one
    if not isinstance(row, Mapping) or not {"target"} <= set(row) <= {"source", "target"}:
        raise invalid("adopt", one, "Give the name of a backup volume, or a dictionary with source and target.")
    source, target = row.get("source") or "", row["target"]
    if not isinstance(source, str) or not isinstance(target, str) or not target.strip():
        raise invalid("adopt", one, "Give the names of registered volumes.")
    return source, target
