# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order unused backup volumes are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup import world as of_world
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe
from ansible_collections.eternus.backup.plugins.module_utils._backup.placing import candidate, candidates
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_start import plan_start
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import project


def test_who_has_lost_a_race_goes_on_in_an_order_of_its_own(house: Any) -> None:
    tvs = [house.tv(name, 3) for name in ("one", "two", "three")]
    world = observe(house.context(), tvs)
    policies = [world.policies[tv] for tv in tvs]

    def orders(lost: int) -> list[list[Any]]:
        seen = replace(world, lost_races=lost)
        return [[bv.ref for bv in candidates(seen, tv, policy)] for tv, policy in zip(tvs, policies)]

    first, second = orders(0), orders(1)
    assert first[0] == first[1] == first[2] == sorted(first[0])
    assert len({tuple(order) for order in second}) == 3
    assert all(sorted(order) == first[0] for order in second)
    assert orders(2) != second == orders(1)


def test_the_volume_that_is_taken_is_the_first_of_those_that_will_do(house: Any) -> None:
    tvs = [house.tv(name, 3) for name in ("one", "two", "three")]
    world = observe(house.context(), tvs)
    for lost in (0, 1):
        seen = replace(world, lost_races=lost)
        for tv in tvs:
            policy = seen.policies[tv]
            assert candidate(seen, tv, policy) == candidates(seen, tv, policy)[0]
            seen = project(seen, plan_start(seen, [tv]).steps)


def test_a_plan_goes_through_volumes_and_sessions_once_and_not_once_a_pair(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tvs = [house.tv(f"tv{number}", 1) for number in range(12)]
    world = observe(house.context(), tvs)
    gone_through = []
    for name in ("_by_end", "_bvs_by_size", "_pins"):
        work = getattr(of_world, name)
        monkeypatch.setattr(of_world, name, lambda part, work=work: (gone_through.append(work), work(part))[1])
    assert len(plan_start(world, tvs).steps) == 12
    assert len(gone_through) <= 3
