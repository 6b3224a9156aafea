# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which declarations are accepted (behaviour.md §3, §4). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import (
    Need,
    needs,
    sessions_for,
    volumes_for,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refusals import refuse_wrong_role
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Policy, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass(frozen=True)
class PolicyPlan:
    """The policies that would be written (or removed), or why not."""

    changed: tuple[Policy, ...] = ()
    refusals: tuple[BackupError, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_declare(world: World, wanted: Sequence[Policy], pools: Collection[str], *, strict: bool) -> PolicyPlan:
    """Plan the declaration of policies; the number of BVs is checked over all policies, these included."""
    changed = tuple(policy for policy in wanted if world.policies.get(policy.tv) != policy)
    refusals = [refusal for policy in wanted for refusal in [_refusal(world, policy, pools)] if refusal is not None]
    refusals.extend(_pinned_twice(world, wanted))
    if refusals:
        return PolicyPlan(changed, tuple(refusals))
    mine = {policy.tv for policy in wanted}
    short = [
        need
        for need in needs(world, {**world.policies, **{policy.tv: policy for policy in wanted}})
        if need.missing and mine.intersection(need.tvs)
    ]
    problems = _pinned_few(world, wanted) or [_too_few(world, need) for need in short]
    if strict and changed:
        return PolicyPlan(changed, tuple(problems))
    return PolicyPlan(changed, (), tuple(problem.message for problem in problems))


def plan_remove(world: World, tvs: Sequence[VolumeRef], *, force: bool) -> PolicyPlan:
    """Plan the removal of policies; history or a bound BV stands in the way unless forced (behaviour.md §4)."""
    removed = tuple(world.policies[tv] for tv in tvs if tv in world.policies)
    if force:
        return PolicyPlan(removed)
    refusals = [refusal for policy in removed for refusal in [_in_use(world, policy.tv)] if refusal is not None]
    return PolicyPlan(removed, tuple(refusals))


def _refusal(world: World, policy: Policy, pools: Collection[str]) -> Optional[BackupError]:
    name = world.name(policy.tv)
    if policy.generations < 1:
        return _violation(f"{name}: at least one generation is kept, not {policy.generations}.", "Declare 1 or more.")
    least = {"tape_generations": 0, "tape_days": 0, "interval_days": 0, "tape_copies": 1}
    for option, bound in least.items():
        if getattr(policy, option) < bound:
            return _violation(f"{name}: {option} is {getattr(policy, option)}.", f"Declare {bound} or more.")
    if policy.media.tape and policy.tape_pool not in pools:
        what = f"tape pool {policy.tape_pool!r} does not exist" if policy.tape_pool else "no tape pool is named"
        return _violation(
            f"{name}: media {policy.media.value} needs a tape pool, and {what}.",
            "Make the pool with tape_pool, or declare media: disk.",
        )
    for bv in policy.pinned:
        if world.volumes[bv].role is not Role.BACKUP:
            return refuse_wrong_role(world, bv, "backup")
        if world.volume(bv).blocks != world.volume(policy.tv).blocks:
            return BackupError(
                ErrorClass.SIZE_MISMATCH,
                f"Pinned backup volume {world.name(bv)} has {world.volume(bv).blocks} blocks and {name} has "
                f"{world.volume(policy.tv).blocks}.",
                next_step="Pin volumes of exactly the same size.",
                volume=name,
                backup_volume=world.name(bv),
            )
    return _session_budget(world, policy)


def _session_budget(world: World, policy: Policy) -> Optional[BackupError]:
    """One session is kept free for a restore (behaviour.md §3)."""
    limit = world.session_limit(policy.tv.array)
    wanted = sessions_for(policy)
    if wanted <= limit - 1:
        return None
    return BackupError(
        ErrorClass.SESSION_LIMIT,
        f"{world.name(policy.tv)}: {policy.generations} generations with suspend need {wanted} copy sessions; one "
        f"source carries {limit}, one of them kept free for a restore.",
        next_step=f"Declare at most {limit - 2} generations, or suspend: false.",
        volume=world.name(policy.tv),
        sessions=wanted,
        limit=limit,
    )


def _pinned_few(world: World, wanted: Sequence[Policy]) -> list[BackupError]:
    return [
        _violation(
            f"{world.name(policy.tv)}: pinned are {len(policy.pinned)} backup volumes, and {policy.generations} "
            f"generations need {volumes_for(policy)}.",
            "Pin more backup volumes, declare fewer generations, or pin none.",
        )
        for policy in wanted
        if policy.pinned and len(policy.pinned) < volumes_for(policy)
    ]


def _pinned_twice(world: World, wanted: Sequence[Policy]) -> list[BackupError]:
    owners: dict[VolumeRef, VolumeRef] = {}
    declared = {**world.policies, **{policy.tv: policy for policy in wanted}}
    refusals = []
    for policy in declared.values():
        for bv in policy.pinned:
            if owners.setdefault(bv, policy.tv) != policy.tv:
                text = f"{world.name(bv)} is pinned for {world.name(owners[bv])} and for {world.name(policy.tv)}."
                refusals.append(_violation(text, "Pin a backup volume for one transaction volume only."))
    return refusals


def _too_few(world: World, need: Need) -> BackupError:
    names = ", ".join(world.name(tv) for tv in need.tvs)
    return BackupError(
        ErrorClass.POLICY_VIOLATION,
        f"The policies of {names} need {need.needed} backup volumes of exactly {need.blocks} blocks on array "
        f"{need.array}; {need.available} can serve them, {need.missing} more must be registered.",
        next_step="Register more backup volumes of that size, declare fewer generations, or give strict: false.",
        needed=need.needed,
        available=need.available,
        missing=need.missing,
        blocks=need.blocks,
    )


def _in_use(world: World, tv: VolumeRef) -> Optional[BackupError]:
    history = world.backups.get(tv, ())
    bound = [world.name(row.bv) for row in world.allocations.values() if row.tv == tv]
    if not history and not bound:
        return None
    what = f"a history of {len(history)}" if history else f"something bound to it ({', '.join(sorted(bound))})"
    return _violation(
        f"The policy of {world.name(tv)} cannot be removed: there is still {what}.",
        "Cancel its sessions first; history goes by count. Or give force: true, which keeps the history readable.",
    )


def _violation(message: str, next_step: str) -> BackupError:
    return BackupError(ErrorClass.POLICY_VIOLATION, message, next_step=next_step)
