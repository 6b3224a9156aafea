# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Narrow queries answer as one would who read the whole history, on both databases; and each by an index."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from random import Random
from typing import Any, Optional

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, SqlRecords
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskCopy,
    DiskState,
    JournalEntry,
    RestoreTest,
    StepState,
    TapeState,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.histories import (
    DAY,
    TVS,
    histories,
    holding,
    put,
    restore_tests_of,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import NOW, backup, copy, ref

Few = Optional[Collection[VolumeRef]]


def verified(one: Backup) -> bool:
    return any(leg.verified_ok is True and leg.state is TapeState.WRITTEN for leg in one.tape)


def standing(history: list[Backup], tvs: Few) -> list[str]:
    mine = [one for one in history if tvs is None or one.tv in tvs]
    newest = {one.tv: one.id for one in mine} | {(one.tv, "tape"): one.id for one in mine if one.good_on_tape}
    waits = {one.id for one in mine if any(leg.state is not TapeState.WRITTEN for leg in one.tape)}
    chosen = {*newest.values(), *waits, *(one.id for one in mine if one.disk is not None)}
    return [one.id for one in history if one.id in chosen]


def past(history: list[Backup], tv: VolumeRef, until: datetime, generations: int) -> list[str]:
    counted = [one for one in history if one.tv == tv and one.good_on_tape and not one.hold]
    beyond = counted[: max(0, len(counted) - generations)]
    return [one.id for one in beyond if one.point_in_time <= until]


def check(records: SqlRecords, history: list[Backup], tests: list[RestoreTest]) -> None:
    """Compare every narrow query with the whole history."""
    assert records.backups() == history
    by_id = {one.id: one for one in history}
    for tvs in (None, TVS, TVS[:1], ()):
        mine = [one for one in history if tvs is None or one.tv in tvs]
        assert [one.id for one in records.standing(tvs)] == standing(history, tvs)
        assert records.count(tvs) == len(mine)
        assert records.verified(tvs) == {one.tv for one in mine if verified(one)}
        assert records.last_tests(tvs) == {
            one.tv: one for one in sorted(tests, key=lambda t: (t.tested_at, t.id)) if tvs is None or one.tv in tvs
        }
        unread = [one for one in mine if any(leg.verified_ok is not True for leg in one.tape)]
        assert list(records.unverified_tape(tvs)) == unread
    assert all(one == by_id[one.id] for one in records.standing())
    assert {one.id for one in records.standing((), ids=list(by_id)[:2])} == set(list(by_id)[:2])
    bvs = [ref(number) for number in range(10, 16)]
    assert list(records.carrying(bvs)) == [one for one in history if one.disk is not None and one.disk.bv in bvs]
    for tv in TVS:
        taped = [one for one in history if one.tv == tv and one.good_on_tape]
        for days in range(0, 7, 2):
            until = NOW - days * DAY
            assert list(records.taped(tv, at=until, limit=2)) == [o for o in taped if o.point_in_time <= until][-2:]
            for generations in range(4):
                assert [o.id for o in records.past([tv], until, generations)] == past(history, tv, until, generations)
        good = [one for one in taped if verified(one)]
        assert records.proven(tv) == (good[-1].id if good else None)
        without = [(good[-1].id, leg.number) for leg in good[-1].tape] if good else []
        assert records.proven(tv, without=without) == (good[-2].id if len(good) > 1 else None)
    parts = [
        ("A", one.id, leg.number) for one in history for leg in one.tape for part in leg.parts if part.barcode == "A"
    ]
    assert sorted(records.parts_on(["A"])) == sorted(parts)
    assert records.restore_tests(backups=["gone"]) == [
        one for one in records.restore_tests() if one.backup_id == "gone"
    ]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_narrow_query_answers_as_the_whole_history_does(data: Any) -> None:
    history = data.draw(histories())
    tests = data.draw(restore_tests_of(history))
    with holding(history, tests) as records:
        check(records, history, tests)


def test_both_databases_answer_alike(catalog: SqlCatalog) -> None:
    random = Random(4)
    history = []
    for number in range(20):
        legs = tuple(
            copy(leg, random.choice(list(TapeState)[1:]), verified_ok=random.choice([None, False, True]))
            for leg in range(1, random.randint(2, 3))
        )
        at = NOW - random.randint(0, 6) * DAY
        disk = DiskCopy(ref(10 + number), DiskState.VALID, at) if random.random() < 0.3 else None
        one = backup(f"{random.randint(0, 9)}{number:02}", tv=random.randint(1, 2), tape=legs)
        history.append(Backup(**{**vars(one), "point_in_time": at, "disk": disk, "hold": random.random() < 0.2}))
    history.sort(key=lambda one: (one.point_in_time, one.id))
    with catalog.begin() as records:
        put(records, history, [])
    with catalog.read() as records:
        check(records, history, [])


Ask = Callable[[SqlRecords], object]
ASKED: dict[str, Ask] = {
    "standing": lambda records: records.standing([TVS[0]]),
    "taped": lambda records: records.taped(TVS[0], at=NOW, limit=3),
    "past": lambda records: records.past([TVS[0]], NOW, 2),
    "proven": lambda records: records.proven(TVS[0]),
    "verified": lambda records: records.verified([TVS[0]]),
    "tests": lambda records: records.last_tests([TVS[0]]),
    "tests of": lambda records: records.restore_tests(backups=["000"]),
    "carrying": lambda records: records.carrying([ref(10)]),
    "history": lambda records: records.backups(tvs=[TVS[0]]),
    "ids": lambda records: records.backups(ids=["000"]),
    "unfinished": lambda records: records.unfinished_tape(),
    "parts": lambda records: records.parts_on(["A"]),
    "bearing": lambda records: records.bearing(),
    "copies": lambda records: records.copies_on("A"),
    "open": lambda records: records.open_entries(),
    "settle": lambda records: records.settle([], StepState.DONE, NOW),
    "delete": lambda records: records.remove_tape_copies("000", [1]),
}

#: The tables that have a row for each backup, or more: none is read from end to end.
LONG = ("backups", "tape_copies", "tape_parts", "used_keys", "journal", "restore_tests")


@pytest.mark.parametrize("name", ASKED)
def test_no_narrow_query_goes_through_a_table_that_grows_with_the_years(name: str) -> None:
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        sent.append((statement, parameters))

    written = [backup(f"{number:03}", tape=(copy(1, TapeState.WRITTEN),), age=number) for number in range(3)]
    with holding(sorted(written, key=lambda one: one.point_in_time)) as records:
        connection = records._connection
        sa.event.listen(connection, "before_cursor_execute", note)
        ASKED[name](records)
        sa.event.remove(connection, "before_cursor_execute", note)
        assert sent
        for statement, parameters in sent:
            plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scans = [
                line for line in plan if line.startswith("SCAN") and any(f"eternus_{table}" in line for table in LONG)
            ]
            partial = [line for line in scans if "_by_state" not in line and "journal_by_sequence" not in line]
            assert not partial, (statement, plan)


def rows_of(records: SqlRecords, ask: Ask) -> tuple[int, int]:
    """Return how many statements a query sends, and how many values of backups it gives."""
    sent: list[str] = []
    connection = records._connection

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        found = ask(records)
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)
    return len(sent), len(found) if isinstance(found, list) else 0


@pytest.mark.parametrize("name", ["standing", "taped", "past", "carrying"])
def test_a_history_that_is_ten_times_as_long_asks_for_no_more_rows(name: str) -> None:
    def cost(nights: int) -> tuple[int, int]:
        written = [backup(f"{one:03}", tape=(copy(1, TapeState.WRITTEN),), age=nights - one) for one in range(nights)]
        with holding(written) as records:
            if name == "past":
                return rows_of(records, lambda some: some.past([TVS[0]], written[0].point_in_time, 2))
            return rows_of(records, ASKED[name])

    assert cost(10) == cost(100)


def test_the_journal_forgets_what_was_settled_long_ago_and_nothing_that_is_open(catalog: SqlCatalog) -> None:
    old, new = NOW - timedelta(days=91), NOW - timedelta(days=89)

    def entry(name: str, at: datetime) -> JournalEntry:
        return JournalEntry(name, "O", "StartCopy", TVS[0], {}, StepState.INTENDED, at)

    with catalog.begin() as records:
        records.intend([entry("open", old), entry("old", old), entry("new", new), entry("now", NOW)])
        records.settle(["old"], StepState.DONE, old)
        records.settle(["new"], StepState.UNDONE, new)
    with catalog.begin() as records:
        records.settle(["now"], StepState.DONE, NOW)
        table = records._t.journal
        left = records._connection.execute(sa.select(table.c.id).order_by(table.c.sequence)).scalars().all()
        assert left == ["open", "new", "now"]
        assert [one.id for one in records.open_entries()] == ["open"]
