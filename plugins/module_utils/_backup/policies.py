# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Declare and remove policies: the numbers are checked when they are declared (behaviour.md §4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import policy_view
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    raise_refusals,
    read_world,
    resolve,
    transaction_volumes,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.offered import offered
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_policy import plan_declare, plan_remove
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media, Method, Policy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

_TEXTS = ("tape_pool", "sync_slot", "group", "mounted_on", "mount_point")
_NUMBERS = ("generations", "tape_generations", "tape_days", "tape_copies", "interval_days")
_FLAGS = ("suspend", "safe_rotation")


def declare(ctx: Context, wanted: Sequence[Mapping[str, Any]], *, strict: bool = True) -> Result:
    """Declare policies as these mappings say: ``volume`` names the TV, the rest are a policy's fields.

    :param strict: refuse when the registered BVs cannot serve every policy; else warn.
    """
    _refuse_twice([str(item["volume"]) for item in wanted])
    with ctx.catalog.read() as records:
        world, pools, policies = _look(ctx, records, wanted)
    plan = plan_declare(world, policies, pools, strict=strict)
    raise_refusals(plan.refusals)
    if plan.changed and not ctx.check_mode:
        with operation(ctx, [policy.tv for policy in plan.changed]) as work, work.transaction() as records:
            again, pools, policies = _look(ctx, records, wanted)
            plan = plan_declare(again, policies, pools, strict=strict)
            raise_refusals(plan.refusals)
            records.put_policies(plan.changed)
    after = {**world.policies, **{policy.tv: policy for policy in plan.changed}}
    tvs = [policy.tv for policy in policies]
    return _result(world, tvs, world.policies, after, bool(plan.changed), plan.warnings)


def remove(ctx: Context, names: Sequence[str], *, force: bool = False) -> Result:
    """Remove the policies of these TVs; refused while history exists unless forced, which keeps it readable."""
    with ctx.catalog.read() as records:
        tvs = transaction_volumes(records, names) if names else ()
        world = read_world(ctx, records, (), {}, tvs, whole=True)
    plan = plan_remove(world, tvs, force=force)
    raise_refusals(plan.refusals)
    if plan.changed and not ctx.check_mode:
        with operation(ctx, [policy.tv for policy in plan.changed]) as work, work.transaction() as records:
            plan = plan_remove(read_world(ctx, records, (), {}, tvs, whole=True), tvs, force=force)
            raise_refusals(plan.refusals)
            records.remove_policies([policy.tv for policy in plan.changed])
    gone = {policy.tv for policy in plan.changed}
    after = {tv: policy for tv, policy in world.policies.items() if tv not in gone}
    return _result(world, tvs, world.policies, after, bool(plan.changed), plan.warnings)


def _look(
    ctx: Context, records: Records, wanted: Sequence[Mapping[str, Any]]
) -> tuple[World, Collection[str], list[Policy]]:
    names = [str(item["volume"]) for item in wanted]
    tvs = transaction_volumes(records, names) if names else ()
    if len(tvs) != len(names):
        raise _twice(names)
    world = read_world(ctx, records, (), {})
    world = replace(world, capabilities=offered(records, {volume.array for volume in world.volumes}))
    policies = [_policy(records, tv, item) for tv, item in zip(tvs, wanted)]
    return world, [pool.name for pool in records.pools()], policies


def _policy(records: Records, tv: VolumeRef, item: Mapping[str, Any]) -> Policy:
    """Return the policy as declared; what is not given is the default, never what was there: a declaration is whole."""
    values: dict[str, Any] = {name: item[name] for name in _TEXTS + _NUMBERS + _FLAGS if item.get(name) is not None}
    pinned = resolve(records, list(item.get("pinned") or ()))
    method, media = Method(item.get("method") or Method.SYNCHRONIZED), Media(item.get("media") or Media.BOTH)
    if method is Method.TAPE_ONLY and media is Media.BOTH:  # the default: nothing is kept on disk by that method
        media = Media.TAPE
    return Policy(
        tv=tv,
        method=method,
        media=media,
        pinned=pinned,
        **values,
    )


def _refuse_twice(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise _twice(names)


def _twice(names: Sequence[str]) -> BackupError:
    repeated = sorted({name for name in names if list(names).count(name) > 1}) or list(names)
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"Two policies for one transaction volume: {', '.join(repeated)}.",
        next_step="Declare each transaction volume once.",
        volumes=repeated,
    )


def _result(
    world: World,
    tvs: Sequence[VolumeRef],
    before: Mapping[VolumeRef, Policy],
    after: Mapping[VolumeRef, Policy],
    changed: bool,
    warnings: Sequence[str],
) -> Result:
    def shown(policies: Mapping[VolumeRef, Policy]) -> dict[str, Any]:
        return {world.name(tv): policy_view(world, policies[tv]) for tv in tvs if tv in policies}

    return Result(
        changed=changed,
        values={"policies": list(shown(after).values())},
        before=shown(before),
        after=shown(after),
        warnings=list(warnings),
    )
