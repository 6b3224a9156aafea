# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Held generations keep their sessions, of which a source carries only so many: behaviour.md §3."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


def hold_the_oldest(house: House, limit: int, **policy: object) -> list[str]:
    house.array.limit(limit)
    house.tv("oradata", 5, **policy)
    for _night in range(3):
        (house.backup if "method" in policy else house.cycle)("oradata")
        house.clock.sleep(600)
    with house.catalog.begin() as records:
        offer = Offer(frozenset({2, 11}), frozenset(), frozenset({8, 14}), maximum=limit)
        records.put_array(
            ArrayRecord("ET1", "DX", house.clock.now(), {"serial": "ET1", "capabilities": offer.as_json()})
        )
    wanted = GenerationRequest(Wanted.HELD, Selection(ids=(house.generations("oradata")[-1].id,)))
    return [text for text in change(house.context(), wanted).warnings if "session" in text]


@pytest.mark.parametrize(("limit", "warned"), [(4, True), (5, False)])
@pytest.mark.parametrize("policy", [{"method": "differential", "generations": 3}, {"suspend": True, "generations": 2}])
def test_a_hold_that_takes_the_session_of_a_later_copy_is_warned_of(house, policy, limit, warned):
    assert bool(hold_the_oldest(house, limit, **policy)) is warned
    told = [text for text in house.declare("oradata", **policy).warnings if "held generations keep" in text]
    assert bool(told) is warned


def test_a_held_generation_without_a_session_takes_none(house):
    assert hold_the_oldest(house, 3, generations=2) == []
