# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Register transaction and backup volumes, and take them out again (behaviour.md §1, §4, §8: acmdevinfoset)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    raise_refusals,
    read_world,
    session_list,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_registry import (
    RegistryPlan,
    plan_register,
    plan_unregister,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.side_by_side import asked
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord, RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

#: What an array's client wants to be given next time, asked for after the work: serial -> known.
Known = Callable[[str], Mapping[str, str]]


def register(ctx: Context, names: Sequence[str], role: Role, known: Optional[Known] = None) -> Result:
    """Register volumes by name, DeviceID or ``wwn-0x...``, all or none; ``no_such_volume`` names all that are missing.

    Each array is asked once for the volumes; for its sessions only when something registered would change.
    """
    wanted = _at_the_arrays(ctx, names)
    refs = [volume.ref for volume in wanted]
    with ctx.catalog.read() as records:
        world = _look(ctx, records, (), refs)
        arrays = {serial: records.array(serial) for serial in ctx.arrays}
    now = ctx.clock.now()
    sessions = _sessions_if_needed(ctx, world, wanted, role)

    def plan(seen: World) -> RegistryPlan:
        return plan_register(seen, wanted, role, now)

    with ctx.catalog.read() as records:
        world, planned = _planned(ctx, records, sessions, refs, plan)
    raise_refusals(planned.refusals)
    if known is not None and not ctx.check_mode:
        # Asked here, also when nothing is new: a start then needs no request beyond its own, and a declaration,
        # which asks no array, knows what these can do today.
        asked(ctx.arrays.values(), lambda array: array.capabilities())
    fresh = {serial: dict(known(serial)) if known else {} for serial in sorted({ref.array for ref in refs})}
    stale = [
        ArrayRecord(serial, serial, now, {**(before.known if before else {}), **news})
        for serial, news in fresh.items()
        for before in [arrays[serial]]
        if before is None or not news.items() <= before.known.items()
    ]
    if not ctx.check_mode and (planned.changed or stale):
        with ctx.catalog.begin() as records:
            planned = _planned(ctx, records, sessions, refs, plan)[1]
            raise_refusals(planned.refusals)
            for record in stale:
                records.put_array(record)
            records.put_volumes(planned.put)
    return _result(world, refs, planned)


def unregister(ctx: Context, names: Sequence[str], role: Optional[Role] = None) -> Result:
    """Take volumes out of the catalog; the array is not asked. What is not registered counts as done."""
    with ctx.catalog.read() as records:
        refs = _registered(records, names)
        world, planned = _planned(ctx, records, (), refs, lambda seen: plan_unregister(seen, refs, role))
    raise_refusals(planned.refusals)
    if planned.changed and not ctx.check_mode:
        with ctx.catalog.begin() as records:
            again = _registered(records, names)
            planned = _planned(ctx, records, (), again, lambda seen: plan_unregister(seen, again, role))[1]
            raise_refusals(planned.refusals)
            records.remove_volumes(again)
    return _result(world, refs, planned)


def volume_view(one: RegisteredVolume) -> dict[str, Any]:
    """Return a registered volume as plain values; sizes in bytes and blocks."""
    return {
        "name": one.name,
        "device_id": one.ref.device_id,
        "array": one.ref.array,
        "role": one.role.value,
        "size": one.volume.size,
        "blocks": one.volume.blocks,
        "block_size": one.volume.block_size,
        "thin": one.volume.thin,
        "device_name": one.volume.device_name,
        "unknown": one.unknown,
    }


def _at_the_arrays(ctx: Context, names: Sequence[str]) -> list[Volume]:
    """Return the volumes that names mean on the arrays of this run, each once, in the order of the names."""
    found: dict[str, list[Volume]] = {name: [] for name in names}
    plains = {
        serial: {name[len(serial) + 1 :] if name.startswith(f"{serial}/") else name: name for name in names}
        for serial in ctx.arrays
    }
    answers = asked(ctx.arrays.items(), lambda one: one[1].find_volumes(list(plains[one[0]])))
    for plain, answer in zip(plains.values(), answers):
        for word, volume in answer.items():
            found[plain[word]].append(volume)
    missing = [name for name in names if not found[name]]
    if missing:
        raise BackupError(
            ErrorClass.NO_SUCH_VOLUME,
            f"Not on array {', '.join(sorted(ctx.arrays))}: {', '.join(missing)}.",
            next_step="Correct the names, or connect to the array that has these volumes.",
            volumes=missing,
        )
    several = [name for name in names if len(found[name]) > 1]
    if several:
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            f"Volumes of several arrays bear the name {', '.join(several)}.",
            next_step="Write SERIAL/NAME, or the DeviceID.",
            volumes=several,
        )
    return list({found[name][0].ref: found[name][0] for name in names}.values())


def _sessions_if_needed(ctx: Context, world: World, wanted: Iterable[Volume], role: Role) -> tuple[Session, ...]:
    """Read the session lists, one enumeration an array, when a registered volume would change its role or size."""
    for volume in wanted:
        before = world.volumes.get(volume.ref)
        if before is not None and (before.role is not role or before.volume.blocks != volume.blocks):
            return tuple(session_list(ctx))
    return ()


def _look(ctx: Context, records: Records, sessions: Iterable[Session], refs: Sequence[VolumeRef]) -> World:
    return read_world(ctx, records, sessions, {}, refs)


def _planned(
    ctx: Context,
    records: Records,
    sessions: Iterable[Session],
    refs: Sequence[VolumeRef],
    plan: Callable[[World], RegistryPlan],
) -> tuple[World, RegistryPlan]:
    """Plan from what stands of a history; a refusal tells how long it is, and reads the whole."""
    world = _look(ctx, records, sessions, refs)
    planned = plan(world)
    if planned.refusals:
        world = read_world(ctx, records, sessions, {}, refs, whole=True)
        planned = plan(world)
    return world, planned


def _registered(records: Records, names: Sequence[str]) -> list[VolumeRef]:
    found = records.find_volumes(names)
    return list(dict.fromkeys(found[name].ref for name in names if name in found))


def _result(world: World, refs: Sequence[VolumeRef], plan: RegistryPlan) -> Result:
    """Show the registrations before and after, by name; the same whether planned or done."""
    before = {ref: world.volumes[ref] for ref in refs if ref in world.volumes}
    gone = {one.ref for one in plan.removed}
    after = {ref: one for ref, one in before.items() if ref not in gone}
    after.update({one.ref: one for one in plan.put})
    shown = [volume_view(after[ref]) for ref in refs if ref in after]
    return Result(
        changed=plan.changed,
        values={"volumes": shown},
        before={one.name: volume_view(one) for one in before.values()},
        after={one["name"]: one for one in shown},
    )
