# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order unused backup volumes are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe
from ansible_collections.eternus.backup.plugins.module_utils._backup.placing import candidates


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
