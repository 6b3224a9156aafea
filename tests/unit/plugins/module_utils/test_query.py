# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``query`` of the info modules: whatever a person types ends in a value that is JSON, or in ``invalid_option``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._query import compiled

DATA = {"volumes": [{"name": "a", "size": 1, "at": None}, {"name": "b", "size": "big", "at": "x"}]}
WORDS = [*"[](){}&|.,:>!@", "volumes", "name", "size", "at", "[?", "[*]", "'x'", "`1`", "`[]`", "==", "[::0]"]
WORDS += ["sort_by", "max_by", "to_number", "merge", "keys", "join", "map"]


def found(query: str) -> Any:
    search = compiled(query, "volumes[].name")
    assert search is not None
    return search(DATA)


def test_an_expression_cuts_out_what_it_says() -> None:
    assert found("volumes[?at].name | [0]") == "b"
    assert compiled(None, "x") is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "volumes[?",
        "nothing_like_it(@)",
        "sort_by(volumes, &size)",
        "volumes[?size > `0`]",
        "volumes[::0]",
        "&name",
        "volumes[].{one: &name}",
        "merge(volumes[0], &name)",
        "to_number('Infinity')",
        "ceil(`1e400`)",
        "(" * 5000,
    ],
)
def test_a_bad_expression_is_named_in_one_sentence_with_an_example(query: str) -> None:
    with pytest.raises(BackupError) as caught:
        found(query)
    assert caught.value.error_class.value == "invalid_option"
    assert "volumes[].name" in caught.value.next_step
    assert "\n" not in caught.value.sentence() and len(caught.value.sentence()) < 700


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_no_expression_ends_in_anything_else(words: list[str]) -> None:
    try:
        json.dumps(found("".join(words)), allow_nan=False)
    except BackupError as error:
        assert error.error_class.value == "invalid_option"
