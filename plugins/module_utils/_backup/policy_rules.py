# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What one policy may say: methods, media, sessions, copies, pins (behaviour.md §3, §4). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import (
    COPIES,
    reach,
    sessions_for,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.refuse_names import refuse_wrong_role
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media, Method, Policy, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

_LEAST = {"generations": 1, "tape_generations": 0, "tape_days": 0, "interval_days": 0, "tape_copies": 1}
#: More than a hundred years, or than an array has volumes, is a slip of the hand.
_MOST = {"generations": 65535, "tape_generations": 65535, "tape_days": 36525, "interval_days": 36525, "tape_copies": 16}
_SYNCHRONIZING = (Method.SYNCHRONIZED, Method.AUTO)
_SNAPPING = (Method.SNAPSHOT, Method.AUTO)
#: The methods of a consistency group: a member that fails is resynced, or its new generation struck, for all (§3).
_TOGETHER = (Method.SYNCHRONIZED, Method.SNAPSHOT)


def refusals(world: World, policy: Policy, pools: Collection[str]) -> list[BackupError]:
    """Return everything that is wrong with one policy by itself."""
    checks = (_numbers, _media, _method, _mounted, _pinned, _copies, _session_budget)
    found = [refusal for check in checks for refusal in [check(world, policy)] if refusal is not None]
    return [*found, *filter(None, [_pool(world, policy, pools)])]


def warnings(world: World, policy: Policy) -> list[str]:
    """Return what is allowed, and worth a word."""
    name, told = world.name(policy.tv), []
    safe = policy.safe_rotation or bool(policy.group)
    if policy.safe_rotation and (policy.method not in _SNAPPING or policy.media is Media.TAPE):
        told.append(
            f"{name}: safe_rotation says nothing here: with method {policy.method.value} and media "
            f"{policy.media.value} no generation goes before the new one is there."
        )
    overwrites = policy.method is Method.DIFFERENTIAL or (policy.method in _SNAPPING and not safe)
    if overwrites and policy.generations == 1 and not policy.staged:
        step = "keep 2 generations" if policy.method is Method.DIFFERENTIAL else "declare safe_rotation: true"
        when = "a backup without a running session" if policy.method is Method.AUTO else "each backup"
        told.append(
            f"{name}: with one generation {when} overwrites the only one on disk: there is a moment without a backup. "
            f"To avoid it, {step}, which needs one more backup volume."
        )
    return told


def _numbers(world: World, policy: Policy) -> Optional[BackupError]:
    for option, bound in _LEAST.items():
        value = getattr(policy, option)
        if value < bound:
            return violation(
                world, policy, f"{option} is {value}, and {bound} is the least.", f"Declare {bound} or more."
            )
        if value > _MOST[option]:
            most = _MOST[option]
            return violation(world, policy, f"{option} is {value}, and {most} is the most.", f"Declare {most} or less.")
    return None


def _media(world: World, policy: Policy) -> Optional[BackupError]:
    """A tape-only backup is kept on tape alone; ``both`` is taken as ``tape`` before this, ``disk`` contradicts it."""
    if policy.method is Method.TAPE_ONLY and policy.media is not Media.TAPE:
        return violation(
            world,
            policy,
            f"method tape_only keeps 0 generations on disk, and media is {policy.media.value}.",
            "Declare media: tape, or another method.",
        )
    if policy.method is Method.DIFFERENTIAL and policy.media is Media.TAPE:
        return violation(
            world,
            policy,
            f"method differential tracks {policy.generations} backup volumes for its next copies, and media tape keeps "
            "none.",
            "Declare media: both or disk, or method: snapshot.",
        )
    return None


def _method(world: World, policy: Policy) -> Optional[BackupError]:
    method = policy.method.value
    if policy.suspend and policy.method not in _SYNCHRONIZING:
        text = f"suspend keeps a synchronization, and method {method} has none."
        return violation(world, policy, text, "Declare suspend: false, or method: synchronized or auto.")
    if policy.safe_rotation and policy.method is Method.DIFFERENTIAL:
        text = "method differential copies onto the oldest generation, so it cannot rotate safely."
        return violation(world, policy, text, "Declare safe_rotation: false, or method: snapshot.")
    if policy.sync_slot and (policy.method is not Method.SYNCHRONIZED or policy.suspend):
        kind = "with suspend" if policy.suspend else f"of method {method}"
        text = f"sync_slot {policy.sync_slot} is for plain synchronized policies that take turns, not for one {kind}."
        return violation(world, policy, text, "Leave sync_slot out, or declare method: synchronized, suspend: false.")
    if policy.group and policy.method not in _TOGETHER:
        text = (
            f"method {method} is not for a consistency group ({policy.group}): a failure of one member could not be "
            "undone for the others."
        )
        return violation(world, policy, text, "Declare method: synchronized or snapshot, or leave group out.")
    if policy.group and policy.sync_slot:
        text = f"the members of group {policy.group} are split at one instant, those of a sync_slot take turns."
        return violation(world, policy, text, "Leave out group or sync_slot.")
    return None


def _mounted(world: World, policy: Policy) -> Optional[BackupError]:
    if policy.mount_point and not policy.mount_point.startswith("/"):
        text = f"mount_point {policy.mount_point!r} is no absolute path."
        return violation(world, policy, text, "Give the directory as the host knows it, from the root.")
    return None


def _pool(world: World, policy: Policy, pools: Collection[str]) -> Optional[BackupError]:
    if not policy.media.tape or policy.tape_pool in pools:
        return None
    what = f"tape pool {policy.tape_pool!r} does not exist" if policy.tape_pool else "no tape pool is named"
    text = f"media {policy.media.value} needs a tape pool, and {what}."
    step = "another method" if policy.method is Method.TAPE_ONLY else "media: disk"
    return violation(world, policy, text, f"Make the pool with tape_pool and name it, or declare {step}.")


def _pinned(world: World, policy: Policy) -> Optional[BackupError]:
    source = world.volume(policy.tv)
    for bv in policy.pinned:
        if world.volumes[bv].role is not Role.BACKUP:
            return refuse_wrong_role(world, bv, "backup")
        target = world.volume(bv)
        if (target.blocks, target.block_size) != (source.blocks, source.block_size):
            return BackupError(
                ErrorClass.SIZE_MISMATCH,
                f"Pinned backup volume {world.name(bv)} has {target.blocks} blocks ({target.size} bytes) and "
                f"{world.name(policy.tv)} has {source.blocks} ({source.size} bytes).",
                next_step="Pin volumes of exactly the same size.",
                volume=world.name(policy.tv),
                backup_volume=world.name(bv),
            )
    return None


def _copies(world: World, policy: Policy) -> Optional[BackupError]:
    """Refuse a method whose copy the arrays, as far as they are known, do not offer (behaviour.md §2.7, §4)."""
    served = reach(world, policy)
    far = sorted({bv.array for bv in policy.pinned} - served)
    if served and not far:
        return None
    home = policy.tv.array
    wanted = " or ".join(copy.value for copies in COPIES[policy.method] for copy in copies)
    known = world.capabilities.get(home)
    offered = sorted(copy.value for copy in known.copies) if known else []
    where = f" onto backup volumes of array {', '.join(far)}, which are pinned" if far else ""
    told = f"array {home} offers {', '.join(offered) or 'no copies'}" if known else f"nothing is known of array {home}"
    return BackupError(
        ErrorClass.UNSUPPORTED_COPY,
        f"{world.name(policy.tv)}: method {policy.method.value} needs {wanted}{where}; {told}.",
        next_step="Declare a method that it offers, or set up Advanced Copy on the array and register a volume again, "
        "which asks it anew.",
        volume=world.name(policy.tv),
        offered=offered,
    )


def _session_budget(world: World, policy: Policy) -> Optional[BackupError]:
    """One session is kept free for a restore (behaviour.md §3)."""
    limit = world.session_limit(policy.tv.array)
    wanted = sessions_for(policy)
    if wanted <= limit - 1:
        return None
    differential = policy.method is Method.DIFFERENTIAL
    kept = f"{policy.generations} generations with {'QuickOPC' if differential else 'suspend'}"
    most = limit - (1 if differential else 2)
    other = "method: snapshot" if differential else "suspend: false"
    return BackupError(
        ErrorClass.SESSION_LIMIT,
        f"{world.name(policy.tv)}: {kept} need {wanted} copy sessions; one source carries {limit}, one of them kept "
        "free for a restore.",
        next_step=f"Declare at most {most} generations, or {other}.",
        volume=world.name(policy.tv),
        sessions=wanted,
        limit=limit,
    )


def group_refusals(
    world: World, declared: Mapping[VolumeRef, Policy], wanted: Collection[VolumeRef]
) -> list[BackupError]:
    """Refuse groups whose members would not all have the same method (behaviour.md §3).

    :param declared: all policies, those included that are to be declared.
    :param wanted: whose policies are to be declared; groups without any of them stay as they are.
    """
    groups: dict[str, list[Policy]] = defaultdict(list)
    for policy in declared.values():
        if policy.group:
            groups[policy.group].append(policy)
    found = []
    for name, members in sorted(groups.items()):
        if len({member.method for member in members}) > 1 and any(member.tv in wanted for member in members):
            told = ", ".join(f"{world.name(member.tv)} {member.method.value}" for member in members)
            found.append(
                BackupError(
                    ErrorClass.POLICY_VIOLATION,
                    f"The {len(members)} members of group {name} must have the same method: {told}.",
                    next_step="Declare all members in one task, each with method: synchronized or snapshot.",
                    group=name,
                    volumes=[world.name(member.tv) for member in members],
                )
            )
    return found


def violation(world: World, policy: Policy, what: str, next_step: str) -> BackupError:
    """Return a refusal that names the TV."""
    name = world.name(policy.tv)
    return BackupError(ErrorClass.POLICY_VIOLATION, f"{name}: {what}", next_step=next_step, volume=name)


def pinned_twice(world: World, declared: Sequence[Policy]) -> list[BackupError]:
    """Refuse BVs that two policies pin."""
    owners: dict[VolumeRef, VolumeRef] = {}
    found = []
    for policy in declared:
        for bv in policy.pinned:
            if owners.setdefault(bv, policy.tv) != policy.tv:
                text = f"{world.name(bv)} is pinned for {world.name(owners[bv])} and for {world.name(policy.tv)}."
                step = "Pin a backup volume for one transaction volume only."
                found.append(BackupError(ErrorClass.POLICY_VIOLATION, text, next_step=step))
    return found
