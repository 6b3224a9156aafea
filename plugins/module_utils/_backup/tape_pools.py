# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tape pools: declared and removed (behaviour.md §1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind, TapePool
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def ensure_pools(ctx: Context, names: Sequence[str], kind: PoolKind, *, present: bool) -> Result:
    """Declare pools, or remove them; one that has cartridges, or a policy that names it, is not removed."""
    names = list(dict.fromkeys(names))
    with ctx.catalog.read() as records:
        before, refusals = _look(records, names, kind, present=present)
    if refusals:
        raise combined(refusals)
    after = dict.fromkeys(names, kind.value) if present else {}
    changed = after != before
    if changed and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            before, refusals = _look(records, names, kind, present=present)
            if refusals:
                raise combined(refusals)
            for name in names:
                if present and name not in before:
                    records.put_pool(TapePool(name, kind, ctx.clock.now()))
                elif not present and name in before:
                    records.remove_pool(name)
        with ctx.catalog.read() as records:
            after = {pool.name: pool.kind.value for pool in records.pools(names)}
    values = {"pools": [{"name": name, "kind": kind_} for name, kind_ in sorted(after.items())]}
    return Result(changed, values, {"pools": before}, {"pools": after})


def _look(
    records: Records, names: Sequence[str], kind: PoolKind, *, present: bool
) -> tuple[dict[str, Any], list[BackupError]]:
    """Return the pools that are there, and what stands in the way."""
    before: dict[str, Any] = {pool.name: pool.kind.value for pool in records.pools(names)}
    refusals = []
    if present:
        refusals += [_other_kind(name, found) for name, found in before.items() if found != kind.value]
        refusals += [_bad_name() for name in names if not name.strip() or len(name) > 64 or not name.isprintable()]
        return before, refusals
    for name in before:
        inside = [cartridge.barcode for cartridge in records.cartridges(pool=name)]
        if inside:
            refusals.append(_not_empty(name, "cartridges", inside))
        users = [policy.tv for policy in records.policies() if policy.tape_pool == name]
        if users:
            refusals.append(_not_empty(name, "policies", [volume.name for volume in records.volumes(users)]))
    return before, refusals


def _other_kind(name: str, found: str) -> BackupError:
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Pool {name} is {found} already.",
        next_step="Use another name, or remove the pool first.",
        pool=name,
    )


def _bad_name() -> BackupError:
    return BackupError(
        ErrorClass.INVALID_OPTION,
        "A pool's name must be 1 to 64 printable characters.",
        next_step="Correct the option 'names'.",
        option="names",
    )


def _not_empty(name: str, what: str, users: list[str]) -> BackupError:
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Pool {name} is still used by {what}: {', '.join(users)}.",
        next_step=f"Take those {what} out of the pool first.",
        pool=name,
        users=users,
    )
