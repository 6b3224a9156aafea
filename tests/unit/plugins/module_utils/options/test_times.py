# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times and lengths of time as people give them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._times import length_of, moment_of


@pytest.mark.parametrize(
    ("text", "hours"),
    [("20h", 20), ("30m", 0.5), ("1d", 24), ("1d 12h", 36), ("1d12h", 36), ("3600", 1), ("90 m", 1.5), ("1W", 168)],
)
def test_a_length_of_time_has_units_or_is_in_seconds(text: str, hours: float) -> None:
    assert length_of("max_age", text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["h", "-1h", "0", "20x", "1h nix", "1 2", "1e400d", "9" * 30 + "w"])
def test_what_is_no_length_of_time_is_an_invalid_option_that_is_named(text: str) -> None:
    with pytest.raises(BackupError) as refused:
        length_of("max_age", text)
    assert refused.value.error_class is ErrorClass.INVALID_OPTION and refused.value.details["option"] == "max_age"


def test_nothing_given_is_no_time_at_all() -> None:
    assert length_of("max_age", None) is None
    assert moment_of("at", None) is None


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize("read", [length_of, moment_of])
def test_a_template_that_came_out_empty_never_means_the_default(read: Callable[..., object], text: str) -> None:
    with pytest.raises(BackupError) as caught:
        read("option", text)
    assert caught.value.error_class.value == "invalid_option"


FIRST, LAST = datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01")
ZONES = st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])


@given(st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_moment_is_what_iso_8601_says_in_utc(moment: datetime) -> None:
    found = moment_of("at", moment.isoformat())
    assert found == moment and found.tzinfo is timezone.utc


def test_a_moment_without_a_zone_is_utc_and_so_is_z() -> None:
    expected = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
    assert moment_of("at", "2026-03-29T01:30:00") == moment_of("at", "2026-03-29T01:30:00Z") == expected


@pytest.mark.parametrize("text", ["last night", "2026-02-30T00:00:00", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_is_an_invalid_option(text: str) -> None:
    with pytest.raises(BackupError) as refused:
        moment_of("at", text)
    assert refused.value.error_class is ErrorClass.INVALID_OPTION
