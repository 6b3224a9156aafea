# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pass over all volumes expires what a look at whole histories would (behaviour.md §5), for what expires alone."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._backup.expiry import TOLD, judged, past_ids
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import any_proven, proven_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import expire_tape
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Policy, TapeState
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.histories import (
    DAY,
    TVS,
    histories,
    holding,
    restore_tests_of,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import NOW, backup, copy

policies = st.tuples(st.integers(0, 3), st.integers(0, 5))


def narrow(records: Any, rules: dict[Any, Policy], busy: Any = frozenset()) -> Any:
    """Judge as a pass over all volumes does."""
    past = past_ids(records, rules.values(), NOW)
    world = World(NOW, policies=rules, backups={})
    found: dict[Any, list[Any]] = {}
    for one in records.standing(TVS, ids=past):
        found.setdefault(one.tv, []).append(one)
    whole = World(NOW, policies=rules, backups={tv: tuple(some) for tv, some in found.items()})
    assert not judged(records, world, TVS, past, NOW, busy)
    return judged(records, whole, TVS, past, NOW, busy)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), policies, policies)
def test_what_a_pass_expires_is_what_the_whole_history_says(data: Any, first: Any, second: Any) -> None:
    history = data.draw(histories())
    tests = data.draw(restore_tests_of(history))
    copies = [(one.id, leg.number) for one in history for leg in one.tape]
    busy = frozenset(data.draw(st.lists(st.sampled_from(copies), max_size=2))) if copies else frozenset()
    rules = {
        tv: Policy(tv, 1, tape_generations=generations, tape_days=days)
        for tv, (generations, days) in zip(TVS, (first, second), strict=True)
    }
    with holding(history, tests) as records:
        found = narrow(records, rules, busy)
        for tv in TVS:
            mine = [one for one in history if one.tv == tv]
            of_it = [test for test in records.restore_tests() if test.tv == tv]
            verdicts = expire_tape(rules[tv], mine, of_it, NOW, busy)
            wanted = [(one.backup.id, one.copy.number, one.rule) for one in verdicts if one.goes or one.rule in TOLD]
            seen = [(one.backup.id, one.copy.number, one.rule) for one in found if one.backup.tv == tv]
            assert seen == wanted
            assert (tv in proven_volumes(records, TVS)) is any_proven(mine, of_it)


@pytest.mark.parametrize("verified", [None, True])
def test_a_pass_reads_as_many_rows_of_ten_nights_as_of_a_hundred(verified: bool | None) -> None:
    def cost(nights: int) -> tuple[int, int]:
        legs = (copy(1, TapeState.WRITTEN, verified_ok=verified),)
        history = [backup(f"{one:03}", tape=legs) for one in range(nights)]
        history = [type(one)(**{**vars(one), "point_in_time": NOW - (nights - int(one.id)) * DAY}) for one in history]
        rules = {TVS[0]: Policy(TVS[0], 1, tape_generations=3, tape_days=nights)}
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            sent.append(statement)

        with holding(history) as records:
            sa.event.listen(records._connection, "before_cursor_execute", note)
            (gone,) = [one for one in narrow(records, rules) if one.goes]
            assert gone.backup.id == "000"
            return len(sent), len(records.standing(TVS, ids=past_ids(records, rules.values(), NOW)))

    assert cost(10) == cost(100)
