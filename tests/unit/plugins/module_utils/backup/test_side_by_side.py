# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several arrays are asked at a time, and it shows nowhere but in the time that it takes."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.side_by_side import asked
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def error(name: str) -> BackupError:
    return BackupError(ErrorClass.ARRAY_ERROR, f"{name} failed.", next_step="Look.")


def test_all_arrays_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=30)
    assert len(asked(range(4), lambda _one: together.wait())) == 4


def test_answers_come_in_the_order_of_the_arrays() -> None:
    second = threading.Event()

    def question(one: int) -> int:
        if one == 0:
            assert second.wait(30)
        second.set()
        return one * 10

    assert asked(range(2), question) == [0, 10]


def test_one_array_is_asked_in_the_thread_that_asks() -> None:
    assert asked(["a"], lambda _one: threading.current_thread()) == [threading.current_thread()]
    assert asked([], lambda _one: 1) == []


def test_of_several_errors_the_first_by_the_order_of_the_arrays_counts() -> None:
    last = threading.Event()

    def question(one: int) -> int:
        if one < 2:
            assert last.wait(30)
        last.set()
        raise error(f"array {one}")

    with pytest.raises(BackupError, match="array 0 failed"):
        asked(range(3), question)


def test_no_thread_is_left_behind_after_an_error_either() -> None:
    before = threading.active_count()
    others: list[int] = []

    def question(one: int) -> None:
        if one == 0:
            raise error("array 0")
        others.append(one)

    with pytest.raises(BackupError):
        asked(range(4), question)
    assert sorted(others) == [1, 2, 3]
    assert threading.active_count() == before
