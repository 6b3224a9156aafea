# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""32 processes at once on one pool of backup volumes: no double allocation, no lost update, every loser is told why.

``CROWD_ROUNDS=N`` repeats each test N times, with as many fresh catalogs.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from ansible_collections.eternus.backup.tests.unit.support.field import SIZE, Field

PROCESSES = 32
HALF = PROCESSES // 2
SCARCE = 10
ROUNDS = int(os.environ.get("CROWD_ROUNDS", "1"))
EVERY = tuple(f"tv{number}" for number in range(PROCESSES))

pytestmark = pytest.mark.parametrize("round_", range(ROUNDS))


def _assert_whole(field: Field) -> None:
    """Assert that each generation is what its TV held."""
    field.assert_sound()
    short = {ref: name for name, ref in field.refs.items()}
    for one in field.catalog()["backups"]:
        assert one.disk is not None
        tv, bv = field.name(short[one.tv]), field.name(short[one.disk.bv])
        assert field.array.read(bv, 16) == field.array.read(tv, 16)


def test_32_at_once_get_a_volume_each_where_there_are_enough_of_their_size_else_are_refused_by_name(
    either: Field, round_: int
) -> None:
    """Half of them start mirrors, half take snapshots; of one size there are enough volumes, of the other too few."""
    either.volumes(HALF, HALF)
    either.volumes(HALF, SCARCE, size=2 * SIZE, kind="s")
    many, few = [f"tv{number}" for number in range(HALF)], [f"tvs{number}" for number in range(HALF)]
    mirrors, snapshots = many[::2] + few[::2], many[1::2] + few[1::2]
    either.policies(*mirrors)
    either.policies(*snapshots, method="snapshot")
    module = {**dict.fromkeys(mirrors, "eternus_sync"), **dict.fromkeys(snapshots, "eternus_backup")}
    ended = either.crowd.together([either.call(module[tv], tv) for tv in many + few])
    assert [one.get("msg") for one in ended[:HALF] if one["failed"]] == []
    told = Counter(one.get("error_class", "") for one in ended[HALF:])
    assert told == {"": SCARCE, "no_unused_volume": HALF - SCARCE}
    assert all(one["next_step"] for one in ended if one["failed"])
    assert len(either.catalog()["allocations"]) == HALF + SCARCE
    _assert_whole(either)


def test_of_many_that_back_up_one_volume_by_one_key_one_does(on_sqlite: Field, round_: int) -> None:
    on_sqlite.volumes(1, 2)
    on_sqlite.policies("tv0")
    on_sqlite.done("eternus_sync", "tv0")
    ended = on_sqlite.crowd.together([on_sqlite.call("eternus_backup", "tv0", key="night")] * 6)
    taken = [one for one in ended if not one["failed"] and one["backups"][0]["taken"]]
    assert len(taken) == 1
    assert {one["error_class"] for one in ended if one["failed"]} <= {"busy"}
    assert len(on_sqlite.catalog()["backups"]) == 1
    on_sqlite.assert_sound()


def test_what_processes_declare_at_once_is_all_there(on_postgres: Field, round_: int) -> None:
    on_postgres.volumes(8, 16)
    calls = [
        on_postgres.call(
            "eternus_policy", policies=[{"volume": on_postgres.name(tv), "media": "disk", "generations": 1}]
        )
        for tv in EVERY[:8]
    ]
    ended = on_postgres.crowd.together(calls)
    assert [one.get("msg") for one in ended if one["failed"]] == []
    with on_postgres.records() as records:
        assert len(records.policies()) == 8
