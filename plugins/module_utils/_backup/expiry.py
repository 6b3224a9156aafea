# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tape copies have expired, from the few backups whose turn has come (behaviour.md §5).

A pass over all volumes costs what expires, not what is kept: the catalog is asked for the backups that are past their
days and beyond their number, and the rule (retention.py) judges those beside what stands of the history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import proven_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import Rule, Verdict, expire_tape
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Policy, RestoreTest

#: The rules that are told of where a history was not read whole: they keep what would go else.
TOLD = (Rule.NEWEST, Rule.IN_USE, Rule.PROVEN)


def past_ids(records: Records, policies: Collection[Policy], now: datetime) -> frozenset[str]:
    """Return the backups whose tape copies are past their policy's days, and beyond its tape generations.

    One statement for the TVs whose policies say the same; nothing for a policy that sets neither.
    """
    alike: dict[tuple[int, int], list[VolumeRef]] = defaultdict(list)
    for policy in policies:
        if policy.tape_days or policy.tape_generations:
            alike[policy.tape_days, policy.tape_generations].append(policy.tv)
    return frozenset(
        backup.id
        for (days, generations), tvs in sorted(alike.items())
        for backup in records.past(tvs, now - timedelta(days=days), generations)
    )


def judged(
    records: Records,
    world: World,
    tvs: Sequence[VolumeRef],
    past: Collection[str],
    now: datetime,
    busy: Collection[tuple[str, int]],
) -> tuple[Verdict, ...]:
    """Return verdicts on the tape copies of these TVs that the world has; those that are kept by number or age alone
    are left out.

    :param world: has what stands of the histories, and the backups ``past``.
    """
    tests: dict[VolumeRef, list[RestoreTest]] = defaultdict(list)
    for test in records.restore_tests(backups=[one.id for some in world.backups.values() for one in some]):
        tests[test.tv].append(test)

    def verdicts(tv: VolumeRef) -> Sequence[Verdict]:
        def elsewhere(going: Collection[tuple[str, int]]) -> bool:
            return tv in proven_volumes(records, [tv], without=going)

        found = expire_tape(world.policies[tv], world.backups[tv], tests[tv], now, busy, past=past, elsewhere=elsewhere)
        return [verdict for verdict in found if verdict.goes or verdict.rule in TOLD]

    return tuple(verdict for tv in tvs if tv in world.policies and tv in world.backups for verdict in verdicts(tv))
