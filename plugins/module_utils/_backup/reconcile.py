# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reconcile catalog, array and tapes: report the drift, repair what is named and nothing else (behaviour.md §8).

The array is never sent a change, but by recovery, where ``journal`` is named: it may end sessions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import (
    REPAIRABLE,
    Drift,
    DriftKind,
    Evidence,
    Settle,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_adopt import (
    Adoption,
    plan_adoptions,
    plan_marks,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_find import find_drift, left_out
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import (
    raise_refusals,
    read_world,
    resolve,
    session_list,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_mend import mend
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import Orders
from ansible_collections.eternus.backup.plugins.module_utils._backup.recover import recover
from ansible_collections.eternus.backup.plugins.module_utils._backup.side_by_side import asked
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, with_unchanged
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


@dataclass(frozen=True)
class _Arrays:
    """What the arrays of this run showed at one look."""

    volumes: Mapping[VolumeRef, Volume]
    sessions: Sequence[Session]


@dataclass(frozen=True)
class _Plan:
    """What was found, and which of it is to be mended: ``said`` by name (adopt, accept, distrust), or by kind."""

    found: tuple[Drift, ...]
    said: tuple[Drift, ...]
    mended: tuple[Drift, ...]
    refusals: tuple[BackupError, ...]
    warnings: tuple[str, ...]


def reconcile(ctx: Context, orders: Orders) -> Result:
    """Report the drift and repair what is named; check mode stops after the same plan.

    Each array is asked once for its volumes and once for its sessions, and for its sessions again under the leases.
    """
    arrays = _ask(ctx)
    with ctx.catalog.read() as records:
        plan = _plan(ctx, records, arrays, orders)
    raise_refusals(plan.refusals)
    if ctx.check_mode or not plan.mended:
        return _result(plan, plan.mended, None, ())
    done, left, told = _carry_out(ctx, orders, arrays, plan)
    return _result(plan, done, left, told)


def _ask(ctx: Context) -> _Arrays:
    listed = asked(ctx.arrays.values(), lambda array: array.volumes())
    volumes = {volume.ref: volume for each in listed for volume in each}
    return _Arrays(volumes, tuple(session_list(ctx)))


def _look(ctx: Context, records: Records, arrays: _Arrays, orders: Orders) -> Evidence:
    """Join what the arrays showed with one catalog transaction."""
    world = read_world(ctx, records, arrays.sessions, {}, whole=True)
    leases = tuple(records.leases())
    owners = {lease.owner for lease in leases} - {ctx.owner}
    return Evidence(
        world,
        found=arrays.volumes,
        connected=frozenset(ctx.arrays),
        journal=tuple(records.open_entries()),
        leases=leases,
        dead=frozenset(owner for owner in owners if is_dead(owner)),
        owner=ctx.owner,
        cartridges={one.barcode: one for one in records.cartridges()},
        scan=orders.tapes,
    )


def _plan(ctx: Context, records: Records, arrays: _Arrays, orders: Orders) -> _Plan:
    look = _look(ctx, records, arrays, orders)
    scope = {*resolve(records, orders.volumes), *resolve(records, orders.backup_volumes)}
    named = [name for pair in orders.adopt for name in pair if name]
    resolve(records, [*named, *orders.accept, *orders.distrust])  # names every one that is missing, at once
    found = tuple(one for one in find_drift(look) if not scope or scope.intersection(one.volumes))
    adoptions = [_adoption(records, source, target) for source, target in orders.adopt]
    bound = plan_adoptions(look.world, adoptions)
    accept, distrust = resolve(records, orders.accept), resolve(records, orders.distrust)
    marked = plan_marks(look.world, accept, distrust)
    said = (*bound.drift, *marked.drift)
    # What an operator says of a volume by name comes before what a repair would say of it.
    decided = {(DriftKind.UNEXPLAINED_VOLUME, look.world.name(ref)) for ref in (*accept, *distrust)}
    found = tuple(one for one in found if one.key not in decided)
    by_kind = tuple(one for one in found if one.mends and one.kind in orders.repair)
    return _Plan(
        found, said, (*by_kind, *said), (*bound.refusals, *marked.refusals), (*bound.warnings, *left_out(look))
    )


def _adoption(records: Records, source: str, target: str) -> Adoption:
    refs = resolve(records, [target, *([source] if source else [])])
    return Adoption(refs[0], refs[-1] if source else None)


def _carry_out(
    ctx: Context, orders: Orders, arrays: _Arrays, plan: _Plan
) -> tuple[tuple[Drift, ...], tuple[Drift, ...], Sequence[str]]:
    """Look again under the leases, and mend what was planned and is still so; return that, what is left, what is told.

    The second plan is made in the very transaction that mends, so that nobody can have changed the catalog meanwhile.
    """
    wanted = {one.key for one in plan.mended}
    tvs = sorted({step.tv for one in plan.mended for step in one.mends if isinstance(step, Settle)})
    with operation(ctx, {ref for one in plan.mended for ref in one.volumes}) as work:
        told = recover(work, tvs, restores=False) if tvs else []
        arrays = _Arrays(arrays.volumes, tuple(session_list(ctx)))
        with _settled(told), work.transaction() as records:
            again = _plan(ctx, records, arrays, orders)
            raise_refusals(again.refusals)
            done = tuple(one for one in again.mended if one.key in wanted and one.kind is not DriftKind.JOURNAL)
            for one in done:
                mend(records, one, ctx)
    with ctx.catalog.read() as records:
        left = _plan(ctx, records, arrays, orders).found
    # The sign that a catalog was lost may be gone once sessions are adopted; what it told of is not explained by that.
    left = tuple({one.key: one for one in (*left, *_unexplained(plan, done))}.values())
    still = {one.key for one in left} | {one.key for one in done}
    # Recovery settled the one, and who takes a dead owner's lease over has taken it away.
    by_the_way = tuple(one for one in plan.mended if one.kind in _BY_THE_WAY and one.key not in still)
    return (*by_the_way, *done), left, told


def _unexplained(plan: _Plan, done: Sequence[Drift]) -> Iterator[Drift]:
    keys = {one.key for one in done}
    return (one for one in plan.found if one.kind is DriftKind.UNEXPLAINED_VOLUME and one.key not in keys)


_BY_THE_WAY = (DriftKind.JOURNAL, DriftKind.DEAD_LEASE)


@contextmanager
def _settled(told: Sequence[str]) -> Iterator[None]:
    """Let a refusal say that interrupted operations were settled before it."""
    try:
        yield
    except BackupError as error:
        if told:
            raise with_unchanged(error, f"{' '.join(told)} Nothing more was changed.", changed=True) from error
        raise


def _result(plan: _Plan, done: Sequence[Drift], left: Optional[Sequence[Drift]], told: Sequence[str]) -> Result:
    """Show what was found, what was mended, and whether anything is left; the same whether planned or done.

    :param left: the drift that was read back afterwards; None: all that was found and is not mended.
    """
    keys = {one.key for one in done}
    shown = _once([*plan.found, *plan.said])
    if left is None:
        left = [one for one in plan.found if one.key not in keys]
    loud = [one.message for one in shown if one.loud]
    return Result(
        changed=bool(done),
        values={
            "drift": [_view(one, one.key in keys) for one in shown],
            "repaired": [f"{one.kind.value}: {one.what}" for one in shown if one.key in keys],
            "clean": all(one.info for one in left),
        },
        before={_label(one): dict(one.before) for one in shown},
        after={_label(one): dict(one.after) for one in shown},
        warnings=[*told, *loud, *plan.warnings],
    )


def _once(drift: Collection[Drift]) -> list[Drift]:
    """Return each thing once; what was said by name replaces what was found of it."""
    return list({one.key: one for one in drift}.values())


def _label(one: Drift) -> str:
    return f"{one.kind.value}: {one.what}"


def _view(one: Drift, repaired: bool) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "what": one.what,
        "message": one.message,
        "repair": one.kind.value if one.mends and one.kind in REPAIRABLE else None,
        "next_step": one.next_step,
        "info": one.info,
        "repaired": repaired,
        "before": dict(one.before),
        "after": dict(one.after),
    }
