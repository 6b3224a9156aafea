# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels, headers and trailers: what is written is read, anything else is a named error (tape.md, The format)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import (
    LABEL_SIZE,
    Entry,
    Header,
    Label,
    Trailer,
    header_bytes,
    label_bytes,
    parse_header,
    parse_label,
    parse_trailer,
    trailer_bytes,
)

text = st.text(max_size=40)
number = st.integers(min_value=0, max_value=1 << 60)
moment = st.datetimes(timezones=st.just(timezone.utc))
labels = st.builds(Label, text, text, text, moment)
headers = st.builds(
    Header, text, text, text, text, text, moment, number, number, number, text, number, number, text, number,
    number, text, text,
)  # fmt: skip
entries = st.builds(Entry, headers, number, text, st.booleans(), text, number)
trailers = st.builds(Trailer, entries, st.lists(text, max_size=3).map(tuple), st.lists(entries, max_size=3).map(tuple))

LABEL = Label("A1", "u", "weekly", datetime(2026, 1, 5, tzinfo=timezone.utc))


@given(labels)
def test_a_label_is_read_as_it_was_written(label: Label) -> None:
    data = label_bytes(label)
    assert len(data) == LABEL_SIZE
    assert parse_label(data, label.barcode) == label


@given(headers)
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    assert parse_header(header_bytes(header), "A1") == header


@given(headers)
def test_a_header_without_what_it_can_do_without_is_read(header: Header) -> None:
    lines = header_bytes(header).splitlines(keepends=True)
    short = b"".join(line for line in lines if not line.startswith((b' "method"', b' "keep_until"')))
    assert parse_header(short, "A1") == replace(header, method="", keep_until="")


@given(trailers)
def test_a_trailer_is_read_as_it_was_written(trailer: Trailer) -> None:
    assert parse_trailer(trailer_bytes(trailer), "A1") == trailer


@pytest.mark.parametrize("parse", [parse_label, parse_header, parse_trailer])
@given(data=st.binary(max_size=300))
def test_noise_is_a_named_error(parse, data: bytes) -> None:
    with pytest.raises(BackupError) as caught:
        parse(data, "A1")
    assert caught.value.error_class.value in ("foreign_cartridge", "suspect_cartridge")
    assert "A1" in caught.value.message


@given(headers, st.integers(min_value=0, max_value=400), st.binary(min_size=1, max_size=4))
def test_a_damaged_header_is_a_named_error_or_still_one(header: Header, place: int, noise: bytes) -> None:
    data = header_bytes(header)
    data = data[:place] + noise + data[place + len(noise) :]
    try:
        assert isinstance(parse_header(data, "A1"), Header)
    except BackupError as error:
        assert error.error_class.value == "suspect_cartridge"


@given(trailers, st.data())
def test_a_trailer_that_was_cut_off_is_suspect(trailer: Trailer, data: st.DataObject) -> None:
    whole = trailer_bytes(trailer).rstrip()
    cut = whole[: data.draw(st.integers(min_value=0, max_value=len(whole) - 1))]
    with pytest.raises(BackupError) as caught:
        parse_trailer(cut, "A1")
    assert caught.value.error_class.value == "suspect_cartridge"


@pytest.mark.rule("R4.22")
def test_a_cartridge_without_our_magic_is_foreign() -> None:
    with pytest.raises(BackupError) as caught:
        parse_label(b"VOL1ABC" + bytes(73), "A1")
    assert caught.value.error_class.value == "foreign_cartridge"


def test_a_label_of_another_barcode_is_foreign() -> None:
    with pytest.raises(BackupError) as caught:
        parse_label(label_bytes(LABEL), "A2")
    assert caught.value.error_class.value == "foreign_cartridge"
    assert "A1" in caught.value.message


def test_a_damaged_or_newer_label_of_ours_is_suspect_not_foreign() -> None:
    for old, new in ((b'"pool"', b'"tool"'), (b"LABEL 1", b"LABEL 2"), (b"2026-01-05T", b"2026-99-05T")):
        with pytest.raises(BackupError) as caught:
            parse_label(label_bytes(LABEL).replace(old, new, 1), "A1")
        assert caught.value.error_class.value == "suspect_cartridge"


def test_nesting_without_end_is_suspect() -> None:
    for value in (
        b'{"a":' + b"[" * 100_000,
        b"[]",
        b'{"contents": [1], "digests": []}',
        b'{"contents": [], "digests": [1]}',
    ):
        with pytest.raises(BackupError) as caught:
            parse_trailer(b"ETERNUS-BACKUP TAPE TRAILER 1\n" + value, "A1")
        assert caught.value.error_class.value == "suspect_cartridge"
