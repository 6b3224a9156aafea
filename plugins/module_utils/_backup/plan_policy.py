# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which declarations are accepted (behaviour.md §3, §4). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.policy_rules import (
    group_refusals,
    pinned_twice,
    refusals,
    warnings,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import (
    Need,
    held_sessions,
    needs,
    numbers,
    sessions_for,
    stranded,
    told_apart,
    volumes_for,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, Policy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass(frozen=True)
class PolicyPlan:
    """The policies that would be written (or removed), or why not."""

    changed: tuple[Policy, ...] = ()
    refusals: tuple[BackupError, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_declare(world: World, wanted: Sequence[Policy], pools: Collection[str], *, strict: bool) -> PolicyPlan:
    """Plan the declaration of policies; groups, pins and the number of BVs are checked over all, these included."""
    changed = tuple(policy for policy in wanted if world.policies.get(policy.tv) != policy)
    mine = {policy.tv for policy in wanted}
    declared = {**world.policies, **{policy.tv: policy for policy in wanted}}
    refused = [refusal for policy in wanted for refusal in refusals(world, policy, pools)]
    refused.extend(group_refusals(world, declared, mine))
    refused.extend(pinned_twice(world, list(declared.values())))
    if refused:
        return PolicyPlan(changed, tuple(refused))
    short = [need for need in needs(world, declared) if need.missing and mine.intersection(need.tvs)]
    problems = _pinned_few(world, wanted) or [too_few(world, need, declared) for need in short]
    told = [text for policy in wanted for text in warnings(world, policy)]
    told.extend(text for text in (too_many_sessions(world, policy) for policy in wanted) if text)
    told.extend(text for text in (still_binding(world, policy) for policy in wanted) if text)
    if problems and strict and changed:
        return PolicyPlan(changed, tuple(problems))
    if not problems:
        at_once = [need for need in needs(world, declared, now=True) if need.missing and mine.intersection(need.tvs)]
        told.extend(f"Until older generations have gone: {too_few(world, need, declared).message}" for need in at_once)
    return PolicyPlan(changed, (), (*told, *(problem.message for problem in problems)))


def plan_remove(world: World, tvs: Sequence[VolumeRef], *, force: bool) -> PolicyPlan:
    """Plan the removal of policies; history or a bound BV stands in the way unless forced (behaviour.md §4)."""
    removed = tuple(world.policies[tv] for tv in tvs if tv in world.policies)
    if force:
        return PolicyPlan(removed)
    refusals = [refusal for policy in removed for refusal in [_in_use(world, policy.tv)] if refusal is not None]
    return PolicyPlan(removed, tuple(refusals))


def _pinned_few(world: World, wanted: Sequence[Policy]) -> list[BackupError]:
    return [
        _violation(
            f"{world.name(policy.tv)}: pinned are {len(policy.pinned)} backup volumes, and {_kept(policy)} "
            f"need {volumes_for(policy)}.",
            "Pin more backup volumes, declare fewer generations, or pin none.",
        )
        for policy in wanted
        if policy.pinned and len(policy.pinned) < volumes_for(policy)
    ]


def too_few(world: World, need: Need, declared: Optional[Mapping[VolumeRef, Policy]] = None) -> BackupError:
    """Return what is short, with every number, method by method (behaviour.md §4).

    :param declared: all policies as they will be; those of the world where none are about to change.
    """
    names = {part.tv: world.name(part.tv) for part in need.parts}
    idle = sorted(
        world.name(row.bv)
        for row in world.allocations.values()
        if row.bv in world.volumes
        and (world.volume(row.bv).blocks, world.volume(row.bv).block_size) == (need.blocks, need.block_size)
        and row.bv.array in need.arrays
        and stranded(world, row.bv, declared or world.policies)
    )
    cancel = f"Cancel the sessions of {', '.join(idle)}, which the declared method never uses again (eternus_sync, "
    cancel = f"{cancel}state: cancelled, backup_volumes: [{', '.join(idle)}]). Or register" if idle else "Register"
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"The policies need {need.needed} backup volumes of exactly {need.blocks} blocks on array "
        f"{', '.join(need.arrays)} ({numbers(need, names)}); {need.available} can serve them, {need.missing} more must "
        "be registered.",
        next_step=f"{cancel} more backup volumes of that size, declare fewer generations, or give strict: false.",
        needed=need.needed,
        available=need.available,
        missing=need.missing,
        cancel=idle,
        blocks=need.blocks,
        policies=told_apart(need, names),
    )


def still_binding(world: World, policy: Policy) -> Optional[str]:
    """Warn of tracked volumes that the method will never copy onto again once their generations have gone (§3)."""
    held = {one.disk.bv for one in world.generations(policy.tv) if one.hold and one.disk is not None}
    rows = [row for row in world.allocations.values() if row.tv == policy.tv and row.bv not in held]
    if policy.method not in (Method.SYNCHRONIZED, Method.AUTO):
        return None
    tracked = sorted(world.name(row.bv) for row in rows if row.copy_type is CopyType.QUICK_OPC)
    if not tracked:
        return None
    return (
        f"{world.name(policy.tv)}: QuickOPC sessions may still bind {', '.join(tracked)} when their generations have "
        f"gone, and method {policy.method.value} never copies onto them again. Cancel them by name: eternus_sync, "
        f"state: cancelled, backup_volumes: [{', '.join(tracked)}]."
    )


def too_many_sessions(world: World, policy: Policy) -> Optional[str]:
    """Warn when held generations leave too few sessions for the next copy, and one for a restore (behaviour.md §3)."""
    limit, wanted, held = world.session_limit(policy.tv.array), sessions_for(policy), held_sessions(world, policy.tv)
    if not held or wanted + held <= limit - 1:
        return None
    return (
        f"{world.name(policy.tv)}: {held} held generations keep a copy session each, beside the {wanted} that its "
        f"policy needs; one source carries {limit}, one of them kept free for a restore. A later copy is refused "
        "(session_limit): declare fewer generations, or release a held one."
    )


def _in_use(world: World, tv: VolumeRef) -> Optional[BackupError]:
    history = world.backups.get(tv, ())
    bound = [world.name(row.bv) for row in world.allocations.values() if row.tv == tv]
    if not history and not bound:
        return None
    what = f"a history of {len(history)}" if history else f"something bound to it ({', '.join(sorted(bound))})"
    return _violation(
        f"The policy of {world.name(tv)} cannot be removed: there is still {what}.",
        "Cancel its sessions and delete the history (eternus_generation) first. Or give force: true, which keeps it "
        "readable.",
    )


def _kept(policy: Policy) -> str:
    if policy.staged:
        return "backups that tape alone keeps"
    return f"{policy.generations} generations by method {policy.method.value}"


def _violation(message: str, next_step: str) -> BackupError:
    return BackupError(ErrorClass.POLICY_VIOLATION, message, next_step=next_step)
