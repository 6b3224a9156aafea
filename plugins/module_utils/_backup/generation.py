# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Hold, release and delete backups, and let tape copies expire: one transaction each (behaviour.md §2, §5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.apply import apply_catalog_steps
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.expiry import judged, past_ids
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import (
    Selection,
    choose,
    refuse_no_such_backup,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_plan import (
    Deletion,
    GenerationPlan,
    Outcome,
    TapeDrop,
    plan_absent,
    plan_hold,
    plan_release,
    projected,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_show import Expired, result_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_tape import leaving_pools, strike
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    raise_refusals,
    read_world,
    session_list,
    transaction_volumes,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.offered import offered
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_policy import too_few, too_many_sessions
from ansible_collections.eternus.backup.plugins.module_utils._backup.preflight import needs
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import proven_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import foresee, recover
from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import at_work, leave_pools
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import Verdict, expire_tape
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Cartridge,
    DiskState,
    Media,
    RestoreTest,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

Tests = Mapping[VolumeRef, Sequence[RestoreTest]]


class Wanted(str, Enum):
    """What backups are to be."""

    HELD = "held"
    RELEASED = "released"
    ABSENT = "absent"
    EXPIRED = "expired"


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked for. ``confirm``: names of TVs whose last good backup or last proven tape copy may go."""

    state: Wanted
    selection: Selection = field(default_factory=Selection)
    media: Media = Media.BOTH
    drop_untaped: bool = False
    confirm: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Tell whether histories are read whole; a pass over all volumes looks at what has expired (expiry.py)."""
        return self.state is not Wanted.EXPIRED or bool(self.selection.volumes)

    @property
    def needs_array(self) -> bool:
        """Tell whether the array's sessions must be looked at: they say whether a BV stays bound (§2)."""
        return self.state is Wanted.ABSENT and self.media is not Media.TAPE


@dataclass(frozen=True)
class _Look:
    """The world, and what else a plan needs."""

    world: World
    tests: Tests
    plan: GenerationPlan
    cartridges: tuple[Cartridge, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    proven: Optional[frozenset[VolumeRef]] = None


def change(ctx: Context, request: GenerationRequest) -> Result:
    """Do what is asked for, for all backups that are meant or for none.

    Deleting disk copies needs the array of every TV; all else is the catalog's alone.
    """
    with ctx.catalog.read() as records:
        tvs = _volumes(records, request)
    if ctx.check_mode or not tvs:
        told: list[str] = []
        sessions = session_list(ctx, tvs) if request.needs_array and tvs else ()
        with ctx.catalog.read() as records:
            world = _world(ctx, records, request, sessions, tvs)
        if request.needs_array and tvs:
            world, told = foresee(ctx, world, tvs)
        with ctx.catalog.read() as records:
            look = _look(ctx, records, request, tvs, world)
        return _result(look, projected(look.world, look.plan), tvs, told)
    with operation(ctx, tvs) as work:
        told = recover(work, tvs) if request.needs_array else []
        sessions = session_list(ctx, tvs) if request.needs_array else ()
        with work.transaction() as records:
            look = _look(ctx, records, request, tvs, _world(ctx, records, request, sessions, tvs))
            _apply(records, look)
    with ctx.catalog.read() as records:
        seen = [backup.id for history in look.world.backups.values() for backup in history]
        after = read_world(ctx, records, sessions, {}, tvs, ids=seen, whole=request.whole)
    return _result(look, after, tvs, told)


def _volumes(records: Records, request: GenerationRequest) -> tuple[VolumeRef, ...]:
    """Return the TVs that are named, those of the ids, or with state *expired* all that have a policy."""
    selection = request.selection
    if selection.volumes or request.state is Wanted.EXPIRED:
        tvs = transaction_volumes(records, selection.volumes)
        elsewhere = [one.id for one in records.backups(ids=selection.ids) if selection.ids and one.tv not in tvs]
        raise_refusals([refuse_no_such_backup(elsewhere)] if elsewhere else [])
        return tvs
    return tuple(dict.fromkeys(backup.tv for backup in records.backups(ids=selection.ids)))


def _world(
    ctx: Context, records: Records, request: GenerationRequest, sessions: Sequence[Session], tvs: Sequence[VolumeRef]
) -> World:
    past = () if request.whole else past_ids(records, records.policies(tvs), ctx.clock.now())
    return read_world(ctx, records, sessions, {}, tvs, ids=past, whole=request.whole)


def _look(ctx: Context, records: Records, request: GenerationRequest, tvs: Sequence[VolumeRef], world: World) -> _Look:
    """Plan, and refuse what is refused, in the caller's transaction: nobody can change a copy meanwhile."""
    now = ctx.clock.now()
    busy = at_work(records, [backup for tv in tvs for backup in world.backups.get(tv, ())], now)
    verdicts: tuple[Verdict, ...] = ()
    if not request.whole:
        past = past_ids(records, [world.policies[tv] for tv in tvs if tv in world.policies], now)
        verdicts = judged(records, world, tvs, past, now, busy)
        plan = _plan_expired(world, tvs, verdicts)
        # What is proven stays so: the rule keeps the last proven copy.
        proven = proven_volumes(records, tvs)
        return _Look(world, {}, plan, leaving_pools(records, plan.tape, now), verdicts, proven)
    tests: dict[VolumeRef, list[RestoreTest]] = defaultdict(list)
    for test in records.restore_tests(tvs) if tvs else ():
        tests[test.tv].append(test)
    if request.state is Wanted.EXPIRED:
        verdicts = tuple(
            verdict
            for tv in tvs
            if tv in world.policies
            for verdict in expire_tape(world.policies[tv], world.backups.get(tv, ()), tests[tv], now, busy)
        )
        plan = _plan_expired(world, tvs, verdicts)
    else:
        deletion = Deletion(
            media=request.media,
            drop_untaped=request.drop_untaped,
            confirm=request.confirm,
            by_range=request.selection.by_range,
            at_work=busy,
            tests=tests,
            sessions_known=request.needs_array,
            unsettled=frozenset(entry.tv for entry in records.open_entries(tvs)) if tvs else frozenset(),
        )
        plan = _plan(records, world, tvs, request, deletion)
    raise_refusals(plan.refusals)
    return _Look(world, tests, plan, leaving_pools(records, plan.tape, now), verdicts)


def _plan(
    records: Records, world: World, tvs: Sequence[VolumeRef], request: GenerationRequest, deletion: Deletion
) -> GenerationPlan:
    chosen = choose(world, tvs, request.selection)
    told = tuple(f"Backup {one} is in no history: there is nothing to do for it." for one in chosen.gone)
    refusals = list(chosen.refusals)
    if request.state is Wanted.HELD and chosen.gone:
        refusals.append(refuse_no_such_backup(chosen.gone))
    if request.state is Wanted.ABSENT:
        plan = plan_absent(world, chosen.backups, deletion)
    elif request.state is Wanted.HELD:
        plan = plan_hold(world, chosen.backups, records.open_entries(tvs))
    else:
        plan = plan_release(chosen.backups)
    if plan.hold or plan.again:
        told = (*told, *_short_of_volumes(records, projected(world, plan), tvs))
    return replace(plan, refusals=(*refusals, *plan.refusals), warnings=(*told, *plan.warnings))


def _short_of_volumes(records: Records, world: World, tvs: Sequence[VolumeRef]) -> list[str]:
    """Warn when a hold leaves too few BVs, or sessions: each held generation needs one more (behaviour.md §3, §4)."""
    seen = replace(world, capabilities=offered(records, {volume.array for volume in world.volumes}))
    short = [need for need in needs(seen, seen.policies) if need.missing and set(tvs).intersection(need.tvs)]
    full = [too_many_sessions(seen, seen.policies[tv]) for tv in tvs if tv in seen.policies]
    return [f"With these held: {text}" for text in [*(too_few(seen, need).message for need in short), *full] if text]


def _plan_expired(world: World, tvs: Sequence[VolumeRef], verdicts: Sequence[Verdict]) -> GenerationPlan:
    going: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.goes:
            going[verdict.backup.id].append(verdict)
    drops = [TapeDrop(some[0].backup, tuple(one.copy for one in some)) for some in going.values()]
    outcomes = tuple(
        Outcome(drop.backup, "expired", "kept" if drop.backup.disk else "none", tuple(c.number for c in drop.copies))
        for drop in drops
    )
    without = [world.name(tv) for tv in tvs if tv not in world.policies and world.backups.get(tv)]
    told = tuple(f"{name} has no policy: nothing of it expires by itself." for name in without)
    return GenerationPlan(tape=tuple(drops), outcomes=outcomes, warnings=told)


def _apply(records: Records, look: _Look) -> None:
    plan = look.plan
    if plan.hold:
        records.set_hold(plan.hold, True)
    if plan.again:
        records.set_disk_state(plan.again, DiskState.VALID)
    if plan.release:
        records.set_hold(plan.release, False)
    strike(records, plan.tape)
    apply_catalog_steps(records, plan.disk)
    leave_pools(records, look.cartridges)


def _result(look: _Look, after: World, tvs: Sequence[VolumeRef], told: Sequence[str]) -> Result:
    expired = Expired(look.verdicts, look.cartridges, look.tests, look.proven)
    shown = result_of(look.world, after, tvs, look.plan, expired)
    return replace(shown, changed=bool(shown.changed or told), warnings=[*told, *shown.warnings])
