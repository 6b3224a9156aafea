# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An owner that is stopped in the middle of a step, loses its lease, and wakes up when another did its work.

It changes nothing any more, neither in the catalog nor on the array (DESIGN.md, Catalog).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.unit.support.crowd import Member
from ansible_collections.eternus.backup.tests.unit.support.field import Field, until_expired
from ansible_collections.eternus.backup.tests.unit.support.pausing import (
    IMPATIENT,
    SHORT,
    TRUSTING,
    after_the_act,
    at_the_wire,
    before_the_commit,
    before_the_look,
)

JOB_1, JOB_2 = {"AWX_JOB_ID": "4711"}, {"AWX_JOB_ID": "4712"}
NIGHT = {"key": "night"}

#: What stops where: TV by what is done with it; module, options, which of its changing requests.
WORK: dict[str, tuple[str, dict[str, Any], int]] = {
    "tv0": ("eternus_sync", {}, 1),  # starts a pair
    "tv1": ("eternus_backup", NIGHT, 1),  # suspends one
    "tv2": ("eternus_backup", NIGHT, 2),  # splits, records, and releases one
    "tv3": ("eternus_sync", {}, 1),  # resumes one
    "tv4": ("eternus_backup", NIGHT, 1),  # takes a snapshot
    "tv5": ("eternus_sync", {"state": "cancelled"}, 1),
}
TAKES_OVER: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("eternus_sync", ("tv0", "tv3"), {}),
    ("eternus_backup", ("tv1", "tv2", "tv4"), NIGHT),
    ("eternus_sync", ("tv5",), {"state": "cancelled"}),
]


def _prepare(field: Field) -> None:
    field.volumes(6, 12)
    field.policies("tv0", "tv2", "tv5")
    field.policies("tv1", "tv3", suspend=True)
    field.policies("tv4", method="snapshot")
    field.done("eternus_sync", "tv1", "tv2", "tv3", "tv5")
    for key in ("one", "two"):
        field.done("eternus_backup", "tv3", key=key)
        if key == "one":
            field.done("eternus_sync", "tv3")


def _take_over(field: Field) -> None:
    for module, tvs, options in TAKES_OVER:
        result = field.run(module, *tvs, env=JOB_2, prelude=TRUSTING, **options)
        assert result["failed"] is False, (module, tvs, result)
    field.assert_sound()


def _stopped_and_taken_over(
    field: Field, points: Mapping[str, Callable[[int], str]]
) -> list[tuple[str, int, dict[str, Any]]]:
    """Stop six owners, let others do their work, wake them; return how each of the six ended."""
    _prepare(field)
    sleepers: dict[str, Member] = {}
    for tv, (module, options, number) in WORK.items():
        sleepers[tv] = field.start(module, tv, env=JOB_1, prelude=SHORT + points[tv](number), **options)
    for sleeper in sleepers.values():
        sleeper.until_stopped()
    with closing(open_catalog(field.url)) as catalog:
        until_expired(catalog)
    _take_over(field)
    before = field.state()
    ended = []
    for tv, sleeper in sleepers.items():
        sleeper.wake()
        ended.append((tv, *sleeper.ended()))
    assert field.state() == before
    for module, tvs, options in TAKES_OVER:
        again = field.done(module, *tvs, **options)
        assert not again["changed"], (module, tvs, again)
    return ended


def test_a_stopped_owner_whose_work_was_taken_over_changes_nothing_and_says_why(either: Field) -> None:
    """Half of them are stopped before a request, half after it; on the other database the other way round."""
    first = 0 if either.url.startswith("sqlite") else 1
    points = {tv: (before_the_look, after_the_act)[(number + first) % 2] for number, tv in enumerate(WORK)}
    for tv, code, result in _stopped_and_taken_over(either, points):
        assert code == 1, (tv, result)
        assert result["error_class"] == "busy", (tv, result)
        assert either.name(tv) in result["error"], (tv, result)
        assert result["next_step"]


def test_an_owner_that_is_stopped_between_its_last_look_and_the_wire_ends_before_it_sends(on_sqlite: Field) -> None:
    """An array knows no fencing tokens: the kernel ends the process when it wakes, not one byte goes out."""
    for tv, code, result in _stopped_and_taken_over(on_sqlite, dict.fromkeys(WORK, at_the_wire)):
        assert code == -signal.SIGALRM, (tv, result)


def test_an_owner_that_is_stopped_in_a_commit_keeps_everybody_out_and_finishes(either: Field) -> None:
    """Who is in a transaction has the catalog: nobody can take its lease, so it may go on when it wakes."""
    either.volumes(1, 2)
    either.policies("tv0")
    for number in (2, 3):  # the intent; what became of it
        sleeper = either.start("eternus_sync", "tv0", env=JOB_1, prelude=before_the_commit(number))
        sleeper.until_stopped()
        refused = either.run("eternus_sync", "tv0", env=JOB_2, prelude=IMPATIENT)
        assert refused["error_class"] == "catalog_unavailable", refused
        assert "another process holds the catalog for a long time" in refused["next_step"]
        sleeper.wake()
        assert not sleeper.ended()[1]["failed"]
        either.assert_sound()
        assert either.sessions()
        either.done("eternus_sync", "tv0", state="cancelled")
