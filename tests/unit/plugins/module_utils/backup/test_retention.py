# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tape copies go by themselves: behaviour.md §5."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import any_proven, proven
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import Rule, expire_tape
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Method,
    Policy,
    RestoreTest,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START

TV = VolumeRef("ET1", "0" * 32)
DAY = timedelta(days=1)
NOW = START + 100 * DAY


def copy(number: int = 1, state: TapeState = TapeState.WRITTEN, **more: object) -> TapeCopy:
    return TapeCopy(number, state, "weekly", START, **more)


def backup(age: int, *copies: TapeCopy, hold: bool = False) -> Backup:
    """A backup that many days old; its id sorts by its age."""
    at = NOW - age * DAY
    return Backup(
        f"{1000 - age}", TV, at, Method.SYNCHRONIZED, CopyType.EC, False, 4096, hold=hold, tape=copies or (copy(),)
    )


def restore_of(one: Backup, number: int = 1, *, ok: bool = True, source: str = "tape", age: int = 0) -> RestoreTest:
    return RestoreTest("1", one.id, TV, TV, source, number, NOW - age * DAY, ok, 4096, "")


def rules(days: int, generations: int, *backups: Backup, tests: tuple[RestoreTest, ...] = ()) -> list[str]:
    policy = Policy(TV, 2, tape_days=days, tape_generations=generations)
    return [verdict.rule.name for verdict in expire_tape(policy, backups, tests, NOW)]


@pytest.mark.rule("R5.4a")
def test_a_copy_goes_when_its_days_have_passed_and_more_than_the_generations_exist():
    old = [backup(40), backup(35), backup(20), backup(10)]
    assert rules(30, 2, *old) == ["EXPIRED", "EXPIRED", "GENERATIONS", "NEWEST"]
    assert rules(30, 3, *old) == ["EXPIRED", "GENERATIONS", "GENERATIONS", "NEWEST"]
    assert rules(38, 2, *old) == ["EXPIRED", "DAYS", "GENERATIONS", "NEWEST"]


@pytest.mark.rule("R9.28")
def test_on_the_day_itself_the_days_have_passed():
    assert rules(30, 1, backup(30), backup(1)) == ["EXPIRED", "NEWEST"]


@pytest.mark.rule("R5.4a", "R9.28")
def test_days_alone_and_generations_alone_suffice_and_neither_lets_nothing_go():
    old = [backup(40), backup(20), backup(10)]
    assert rules(30, 0, *old) == ["EXPIRED", "DAYS", "NEWEST"]
    assert rules(0, 2, *old) == ["EXPIRED", "GENERATIONS", "NEWEST"]
    assert rules(0, 0, *old) == ["NOT_SET", "NOT_SET", "NEWEST"]


@pytest.mark.rule("R5.4b")
def test_the_newest_tape_copy_never_goes_however_old():
    assert rules(1, 0, backup(99), backup(98)) == ["EXPIRED", "NEWEST"]
    unwritten = backup(1, copy(state=TapeState.FAILED))
    assert rules(1, 0, backup(98), unwritten) == ["NEWEST"]


@pytest.mark.rule("R5.4d")
def test_a_held_backup_stays_and_does_not_count():
    assert rules(1, 2, backup(9), backup(8, hold=True), backup(7), backup(6)) == [
        "EXPIRED", "HOLD", "GENERATIONS", "NEWEST",
    ]  # fmt: skip


@pytest.mark.rule("R5.4c")
def test_the_only_copy_that_was_verified_or_restored_with_equal_checksums_stays():
    verified = backup(40, copy(verified_ok=True))
    assert rules(30, 1, verified, backup(35), backup(1)) == ["PROVEN", "EXPIRED", "NEWEST"]
    restored = backup(40)
    assert rules(30, 1, restored, backup(35), backup(1), tests=(restore_of(restored),)) == [
        "PROVEN",
        "EXPIRED",
        "NEWEST",
    ]
    assert rules(30, 1, verified, backup(35, copy(verified_ok=True)), backup(1)) == ["EXPIRED", "PROVEN", "NEWEST"]
    assert rules(30, 1, verified, backup(35), backup(1, copy(verified_ok=True))) == ["EXPIRED", "EXPIRED", "NEWEST"]


def test_several_copies_of_one_backup_are_one_generation_and_share_its_age():
    two = [backup(age, copy(1), copy(2)) for age in (40, 35, 1)]
    assert rules(30, 2, *two) == ["EXPIRED"] * 2 + ["GENERATIONS"] * 2 + ["NEWEST"] * 2
    half = backup(40, copy(1), copy(2, verified_ok=True))
    assert rules(30, 1, half, two[-1]) == ["EXPIRED", "PROVEN", "NEWEST", "NEWEST"]


@pytest.mark.parametrize("state", [TapeState.QUEUED, TapeState.WRITING, TapeState.FAILED])
def test_a_leg_that_is_not_finished_is_left_alone(state):
    verdicts = expire_tape(Policy(TV, 2, tape_days=1), [backup(40, copy(1), copy(2, state)), backup(1)], (), NOW)
    assert [(verdict.copy.number, verdict.rule) for verdict in verdicts] == [(1, Rule.EXPIRED), (1, Rule.NEWEST)]


def test_a_copy_that_is_being_verified_stays_for_now():
    old = backup(40)
    verdicts = expire_tape(Policy(TV, 2, tape_days=1), [old, backup(1)], (), NOW, in_use={(old.id, 1)})
    assert verdicts[0].rule is Rule.IN_USE


@pytest.mark.rule("R5.4c")
def test_a_copy_is_proven_by_a_verification_or_a_restore_from_this_very_copy():
    one = backup(40, copy(1), copy(2))
    first, second = one.tape
    assert not proven(one, first, ())
    assert proven(one, replace(first, verified_ok=True), ())
    assert proven(one, second, (restore_of(one, 2),)) and not proven(one, first, (restore_of(one, 2),))
    assert not proven(one, first, (restore_of(one, ok=False),))
    assert not proven(one, first, (restore_of(one, source="disk"), restore_of(backup(39))))


def test_a_verification_that_found_a_difference_refutes_an_older_restore_test():
    bad = copy(verified_ok=False, verified_at=NOW - 5 * DAY)
    one = backup(40, bad)
    assert not proven(one, bad, (restore_of(one, age=6),))
    assert proven(one, bad, (restore_of(one, age=4),))
    again = copy(written_at=NOW - DAY)
    assert not proven(backup(40, again), again, (restore_of(one, age=4),))


copies = st.builds(
    lambda number, state, ok: copy(number, state, verified_ok=ok, verified_at=NOW if ok is not None else None),
    st.integers(1, 2),
    st.sampled_from([TapeState.WRITTEN, TapeState.WRITTEN, TapeState.QUEUED, TapeState.FAILED]),
    st.sampled_from([None, None, True, False]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Backup]:
    ages = sorted(draw(st.sets(st.integers(0, 60), max_size=8)), reverse=True)
    found = []
    for age in ages:
        legs = draw(st.lists(copies, max_size=2, unique_by=lambda one: one.number))
        one = replace(backup(age, hold=draw(st.booleans()) and draw(st.booleans())), tape=tuple(legs))
        found.append(one)
    return found


def left(history: list[Backup], policy: Policy, tests: tuple[RestoreTest, ...]) -> list[Backup]:
    """Return the history once what expired has gone."""
    gone = {(one.backup.id, one.copy.number) for one in expire_tape(policy, history, tests, NOW) if one.goes}
    return [replace(one, tape=tuple(leg for leg in one.tape if (one.id, leg.number) not in gone)) for one in history]


@given(histories(), st.integers(0, 40), st.integers(0, 4), st.data())
@settings(max_examples=200)
def test_whatever_the_history_the_promises_hold(history, days, generations, data):
    policy = Policy(TV, 2, tape_days=days, tape_generations=generations)
    written = [(one, leg) for one in history for leg in one.tape if leg.state is TapeState.WRITTEN]
    some = data.draw(st.lists(st.sampled_from(written), max_size=2)) if written else []
    tests = tuple(restore_of(one, leg.number) for one, leg in some)
    verdicts = expire_tape(policy, history, tests, NOW)
    rest = left(history, policy, tests)
    assert [(one.backup.id, one.copy.number) for one in verdicts] == [(one.id, leg.number) for one, leg in written]
    for one in verdicts:
        if one.goes:
            assert not one.backup.hold and NOW - one.backup.point_in_time >= days * DAY and (days or generations)
    assert any_proven(rest, tests) == any_proven(history, tests)
    on_tape = [one for one in history if one.good_on_tape]
    if on_tape:
        assert next(one for one in rest if one.id == on_tape[-1].id) == on_tape[-1]
    free = [one for one in on_tape if not one.hold]
    assert sum(one.good_on_tape for one in rest if not one.hold) >= min(generations, len(free))
    unfinished = [leg for one in history for leg in one.tape if leg.state is not TapeState.WRITTEN]
    assert [leg for one in rest for leg in one.tape if leg.state is not TapeState.WRITTEN] == unfinished
    assert left(rest, policy, tests) == rest
