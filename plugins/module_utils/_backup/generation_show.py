# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What became of backups, in rows: which went, which stayed by which rule, whose tape copies are unproven. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import backup_view
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_plan import GenerationPlan, Outcome
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import any_proven
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import Verdict
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge, RestoreTest
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


@dataclass(frozen=True)
class Expired:
    """The verdicts on tape copies, the cartridges that left their pool, and the restore tests of each TV.

    ``proven``: where histories were not read whole, the TVs with a proven tape copy; nothing that expires changes that.
    """

    verdicts: Sequence[Verdict]
    cartridges: Sequence[Cartridge]
    tests: Mapping[VolumeRef, Sequence[RestoreTest]]
    proven: Optional[frozenset[VolumeRef]] = None


def result_of(before: World, after: World, tvs: Sequence[VolumeRef], plan: GenerationPlan, expired: Expired) -> Result:
    """Return the result: the histories of the TVs before and after are the diff."""

    def shown(world: World) -> dict[str, Any]:
        return {
            world.name(tv): [backup_view(world, backup) for backup in reversed(world.backups.get(tv, ()))] for tv in tvs
        }

    unproven, was = (unproven_volumes(world, tvs, expired.tests, expired.proven) for world in (after, before))
    told = [
        f"{after.name(tv)} has no tape copy any more that was verified or restored with equal checksums."
        for tv in unproven
        if tv not in was
    ]
    return Result(
        changed=plan.changed,
        values={
            "backups": [_row(before, after, outcome) for outcome in plan.outcomes],
            "kept": [_kept(before, verdict) for verdict in expired.verdicts if not verdict.goes],
            "unproven": [after.name(tv) for tv in unproven],
            "cartridges": [{"barcode": one.barcode, "left_pool": one.pool} for one in expired.cartridges],
        },
        before=shown(before),
        after=shown(after),
        warnings=[*plan.warnings, *told],
    )


def unproven_volumes(
    world: World,
    tvs: Sequence[VolumeRef],
    tests: Mapping[VolumeRef, Sequence[RestoreTest]],
    proven: Optional[frozenset[VolumeRef]] = None,
) -> list[VolumeRef]:
    """Return the TVs that should be on tape, or are, without a copy that was found equal (behaviour.md §5)."""
    found = []
    for tv in tvs:
        history, policy = world.backups.get(tv, ()), world.policies.get(tv)
        concerned = (policy is not None and policy.media.tape) or any(backup.good_on_tape for backup in history)
        if concerned and not (tv in proven if proven is not None else any_proven(history, tests.get(tv, ()))):
            found.append(tv)
    return found


def _row(before: World, after: World, outcome: Outcome) -> dict[str, Any]:
    backup = outcome.backup
    generations = before.generations(backup.tv)
    left = any(one.id == backup.id for one in after.backups.get(backup.tv, ()))
    return {
        "volume": before.name(backup.tv),
        "id": backup.id,
        "point_in_time": backup.point_in_time.isoformat(),
        "generation": generations.index(backup) + 1 if backup in generations else None,
        "action": outcome.action,
        "disk": outcome.disk,
        "tape_copies": list(outcome.tape),
        "in_history": left,
        "reason": outcome.reason,
    }


def _kept(world: World, verdict: Verdict) -> dict[str, Any]:
    return {
        "volume": world.name(verdict.backup.tv),
        "id": verdict.backup.id,
        "copy": verdict.copy.number,
        "rule": verdict.rule.value,
    }
