# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return codes: each has a meaning and an error class of its own (array.md, Return codes)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.codes import CODES, RETRY, Act, ended, error_for
from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass

EC = ErrorClass


@pytest.mark.rule("R4.15")
@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (4097, EC.SIZE_MISMATCH),
        (32807, EC.NO_SUCH_VOLUME),
        (35333, EC.SESSION_LIMIT),
        (32791, EC.SESSION_LIMIT),
        (35331, EC.SESSION_LIMIT),
        (35334, EC.SESSION_LIMIT),
        (32792, EC.UNSUPPORTED_COPY),
        (1, EC.UNSUPPORTED_COPY),
        (32781, EC.UNSUPPORTED_COPY),
        (32786, EC.ARRAY_ERROR),
        (32787, EC.ARRAY_ERROR),
        (32820, EC.ARRAY_ERROR),
        (32793, EC.ARRAY_ERROR),
        (32794, EC.ARRAY_ERROR),
        (35347, EC.ARRAY_ERROR),
        (12345, EC.ARRAY_ERROR),
    ],
)
def test_a_refused_start_becomes_the_error_of_its_code(code: int, error_class: ErrorClass) -> None:
    error = error_for(code, Act.START, "EC a -> b")
    assert error is not None
    assert error.error_class is error_class


@pytest.mark.rule("R4.8")
@pytest.mark.parametrize(("code", "word"), [(35333, "source"), (35334, "target"), (35331, "device"), (32791, "array")])
def test_a_session_limit_tells_whose_limit(code: int, word: str) -> None:
    error = error_for(code, Act.START, "EC a -> b")
    assert error is not None
    assert f"the {word}'s number of copy sessions" in error.message


@pytest.mark.parametrize("code", [32794, 32793])
def test_a_suspend_in_the_wrong_phase_is_not_equivalent(code: int) -> None:
    error = error_for(code, Act.SUSPEND, "EC a -> b")
    assert error is not None
    assert error.error_class is EC.NOT_EQUIVALENT


def test_a_session_that_does_not_exist_counts_as_ended_only_when_ending_it() -> None:
    assert ended(Act.RELEASE, 32793)
    assert error_for(32793, Act.RELEASE, "EC a -> b") is None
    assert not any(ended(act, 32793) for act in Act if act is not Act.RELEASE)


def test_only_device_busy_is_sent_again() -> None:
    assert frozenset({32787}) == RETRY


@pytest.mark.rule("R4.2", "R4.15")
@pytest.mark.parametrize("code", sorted(CODES))
def test_every_known_code_has_words_and_a_next_step(code: int) -> None:
    error = error_for(code, Act.START, "EC a -> b", description="said so")
    assert error is not None
    assert CODES[code].meaning in error.message
    assert "said so" in error.message
    assert error.next_step.endswith(".")


@pytest.mark.rule("R4.15")
@given(st.integers(1, 65535), st.sampled_from(Act))
def test_any_code_but_success_is_named_with_its_pair(code: int, act: Act) -> None:
    error = error_for(code, act, "OPC a -> b", source="s")
    if ended(act, code):
        assert error is None
    else:
        assert error is not None
        assert f"code {code}" in error.message
        assert "OPC a -> b" in error.message
        assert error.details["code"] == code
        assert error.details["source"] == "s"
