# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories of two volumes for Hypothesis, with ties in time, and a catalog in memory that holds one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlRecords
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskCopy,
    DiskState,
    RestoreTest,
    Role,
    TapePart,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.sqlite import EmptyDoor
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    allocation,
    backup,
    copy,
    ref,
    registered,
)

TVS = (ref(1), ref(2))
DAY = timedelta(days=1)


@st.composite
def histories(draw: st.DrawFn) -> list[Backup]:
    """Draw up to twelve backups of TVs 1 and 2, each with a copy somewhere; BV 10 + n for the n-th."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        states = draw(st.lists(st.sampled_from(TapeState), max_size=2)) if draw(st.booleans()) else [TapeState.WRITTEN]
        part = TapePart(1, draw(st.sampled_from(["A", "B"])), 2, 0, 9, "")
        legs = tuple(
            copy(leg, state, parts=(part,), verified_ok=draw(st.sampled_from([None, False, True])))
            for leg, state in enumerate((one for one in states if one is not TapeState.NONE), 1)
        )
        on_disk = draw(st.booleans()) or not legs
        one = backup(f"{draw(st.integers(0, 9))}{number:02}", tv=draw(st.integers(1, 2)), tape=legs)
        at = NOW - draw(st.integers(0, 6)) * DAY
        disk = DiskCopy(ref(10 + number), draw(st.sampled_from(DiskState)), at) if on_disk else None
        found.append(replace(one, point_in_time=at, hold=draw(st.booleans()), disk=disk))
    return sorted(found, key=lambda one: (one.point_in_time, one.id))


@st.composite
def restore_tests_of(draw: st.DrawFn, history: list[Backup]) -> list[RestoreTest]:
    """Draw restore tests of backups, good and bad, from disk and tape; some of backups that have gone."""
    found = []
    for number in range(draw(st.integers(0, 3)) if history else 0):
        of = draw(st.sampled_from(history))
        name, source = draw(st.sampled_from([of.id, "gone"])), draw(st.sampled_from(["disk", "tape"]))
        at = NOW + draw(st.integers(0, 2)) * DAY
        found.append(RestoreTest(f"R{number}", name, of.tv, ref(9), source, 1, at, draw(st.booleans()), 9, ""))
    return found


@contextmanager
def holding(history: list[Backup], tests: Sequence[RestoreTest] = ()) -> Iterator[SqlRecords]:
    """Open a catalog in memory that holds these, with both TVs registered."""
    door = EmptyDoor()
    engine = door.engine()
    try:
        with door.writing(engine) as connection:
            records = SqlRecords(connection)
            put(records, history, tests)
            yield records
    finally:
        engine.dispose()


def put(records: SqlRecords, history: list[Backup], tests: Sequence[RestoreTest]) -> None:
    """Write a history into an empty catalog."""
    records.put_volumes([registered(number, Role.TRANSACTION) for number in (1, 2)])
    records.put_volumes([registered(number) for number in range(10, 30)])
    serves = {one.disk.bv: one.tv for one in history if one.disk is not None}
    records.allocate(
        [replace(allocation(number), tv=serves[ref(number)]) for number in range(10, 30) if ref(number) in serves]
    )
    records.add_backups(history)
    for test in tests:
        records.add_restore_test(test)
