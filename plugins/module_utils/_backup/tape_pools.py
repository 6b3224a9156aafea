# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tape pools: declared and removed (behaviour.md §1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind, TapePool
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass, combined
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def ensure_pools(
    ctx: Context, names: Sequence[str], kind: PoolKind, *, present: bool, append: Optional[bool] = None
) -> Result:
    """Declare pools, or remove them; one that has cartridges, or a policy that names it, is not removed.

    :param append: whether copies go behind others; None leaves it as it is, and lets new pools append.
    """
    names = list(dict.fromkeys(names))
    with ctx.catalog.read() as records:
        before, refusals = _look(records, names, kind, present=present)
    if refusals:
        raise combined(refusals)
    after = _wanted(ctx, names, before, kind, append) if present else {}
    changed = after != before
    if changed and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            before, refusals = _look(records, names, kind, present=present)
            if refusals:
                raise combined(refusals)
            after = _wanted(ctx, names, before, kind, append) if present else {}
            for pool in after.values():
                records.put_pool(pool)
            for name in before.keys() - after.keys():
                records.remove_pool(name)
        with ctx.catalog.read() as records:
            after = {pool.name: pool for pool in records.pools(names)}
    values = {"pools": [{"name": name, **_shown(pool)} for name, pool in sorted(after.items())]}
    return Result(changed, values, {"pools": _all_shown(before)}, {"pools": _all_shown(after)})


def _wanted(
    ctx: Context, names: Sequence[str], before: Mapping[str, TapePool], kind: PoolKind, append: Optional[bool]
) -> dict[str, TapePool]:
    found = {name: before.get(name) or TapePool(name, kind, ctx.clock.now()) for name in names}
    return {name: pool if append is None else replace(pool, append=append) for name, pool in found.items()}


def _shown(pool: TapePool) -> dict[str, Any]:
    return {"kind": pool.kind.value, "append": pool.append}


def _all_shown(pools: Mapping[str, TapePool]) -> dict[str, Any]:
    return {name: _shown(pool) for name, pool in pools.items()}


def _look(
    records: Records, names: Sequence[str], kind: PoolKind, *, present: bool
) -> tuple[dict[str, TapePool], list[BackupError]]:
    """Return the pools that are there, and what stands in the way."""
    before = {pool.name: pool for pool in records.pools(names)}
    refusals = []
    if present:
        refusals += [_other_kind(name, found.kind.value) for name, found in before.items() if found.kind is not kind]
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
