# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which registrations are accepted (behaviour.md §1, §4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass(frozen=True)
class RegistryPlan:
    """The volumes that would be registered anew or otherwise, those that would be unregistered, or why not."""

    put: tuple[RegisteredVolume, ...] = ()
    removed: tuple[RegisteredVolume, ...] = ()
    refusals: tuple[BackupError, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.put or self.removed)


def plan_register(world: World, wanted: Iterable[Volume], role: Role, now: datetime) -> RegistryPlan:
    """Plan the registration of volumes as the array shows them now.

    A changed name or object path is taken over. A changed size too, but only while nothing holds the old size: no
    generation, no allocation, no session, no reader; else ``size_mismatch``. A changed role: while nothing uses it.
    An *unknown* volume stays unknown: a playbook that names all volumes every night is no operator who looked.
    """
    put: list[RegisteredVolume] = []
    refusals: list[BackupError] = []
    for volume in wanted:
        registered = world.volumes.get(volume.ref)
        planned = _planned(registered, volume, role, now)
        refusal = _refusal(world, registered, planned) if registered else None
        if refusal is not None:
            refusals.append(refusal)
        elif planned != registered:
            put.append(planned)
    return RegistryPlan(put=tuple(put), refusals=tuple(refusals))


def plan_unregister(world: World, refs: Sequence[VolumeRef], role: Optional[Role]) -> RegistryPlan:
    """Plan the removal of volumes; refused while anything uses one, or when it has another role than the one named."""
    removed = [world.volumes[ref] for ref in refs]
    refusals = []
    for one in removed:
        if role is not None and one.role is not role:
            refusals.append(_conflict(one, f"is registered as a {one.role.value} volume, not as a {role.value} volume"))
            continue
        reasons = uses(world, one.ref)
        if reasons:
            refusals.append(_conflict(one, f"cannot be unregistered: it {_listed(reasons)}", reasons))
    return RegistryPlan(removed=tuple(removed), refusals=tuple(refusals))


def holds(world: World, ref: VolumeRef) -> list[str]:
    """Return what of a volume's content is accounted for: history, allocations, sessions, readers."""
    found = []
    history = world.backups.get(ref, ())
    if history:
        found.append(f"has a history of {len(history)} backup{'s' if len(history) > 1 else ''}")
    serving = world.allocations.get(ref)
    if serving is not None:
        found.append(f"serves {_name(world, serving.tv)}")
    served = sorted(_name(world, one.bv) for one in world.allocations.values() if one.tv == ref)
    if served:
        found.append(f"is served by {', '.join(served)}")
    known = {(one.tv, one.bv) for one in world.allocations.values()}
    for session in world.touching(ref):
        if session.key not in known:
            other = session.target if session.source == ref else session.source
            found.append(f"has a {session.copy_type.value} session with {_name(world, other)} on the array")
    found.extend(f"is read by {reader.owner}" for reader in world.readers.get(ref, ()))
    return found


def uses(world: World, ref: VolumeRef) -> list[str]:
    """Return everything that needs a volume in its role: what it holds, a policy, a pin in another's policy."""
    found = holds(world, ref)
    if ref in world.policies:
        found.append("has a policy")
    pinning = sorted(_name(world, policy.tv) for policy in world.policies.values() if ref in policy.pinned)
    if pinning:
        found.append(f"is pinned by the policy of {', '.join(pinning)}")
    return found


def _planned(registered: Optional[RegisteredVolume], volume: Volume, role: Role, now: datetime) -> RegisteredVolume:
    if registered is None:
        return RegisteredVolume(volume, role, now)
    return replace(registered, volume=volume, role=role)


def _refusal(world: World, before: RegisteredVolume, planned: RegisteredVolume) -> Optional[BackupError]:
    if planned.role is not before.role:
        reasons = uses(world, before.ref)
        if reasons:
            what = f"is a {before.role.value} volume and cannot become a {planned.role.value} volume"
            return _conflict(before, f"{what}: it {_listed(reasons)}", reasons)
    if planned.volume.size != before.volume.size or planned.volume.blocks != before.volume.blocks:
        reasons = holds(world, before.ref)
        if reasons:
            return BackupError(
                ErrorClass.SIZE_MISMATCH,
                f"Volume {before.name} has {planned.volume.blocks} blocks on the array and was registered with "
                f"{before.volume.blocks}; it {_listed(reasons)}.",
                next_step="Cancel its sessions and delete its disk generations, then register it again.",
                volume=before.name,
                blocks=planned.volume.blocks,
                registered_blocks=before.volume.blocks,
                uses=reasons,
            )
    return None


def _conflict(volume: RegisteredVolume, what: str, reasons: Sequence[str] = ()) -> BackupError:
    return BackupError(
        ErrorClass.ROLE_CONFLICT,
        f"Volume {volume.name} {what}.",
        next_step="Remove its policy and cancel its sessions first, or name another volume; history goes by count.",
        volume=volume.name,
        role=volume.role.value,
        uses=list(reasons),
    )


def _listed(reasons: Sequence[str]) -> str:
    return ", and ".join(reasons)


def _name(world: World, ref: VolumeRef) -> str:
    registered = world.volumes.get(ref)
    return registered.name if registered else str(ref)
