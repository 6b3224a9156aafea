# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances taken out of an answer on its way: what is plain becomes a row, everything else is pywbem's to judge."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import pytest
import pywbem
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.rows import Named, Path, Row, Taker, real
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=20)
HEAD, TAIL = b'<?xml version="1.0"?><CIM><IRETURNVALUE>\n', b"\n</IRETURNVALUE></CIM>"


def instance(device: str = "6000", inner: str = "", key: str = 'VALUETYPE="string"') -> bytes:
    name = f'<KEYBINDING NAME="DeviceID"><KEYVALUE {key}>{escape(device)}</KEYVALUE></KEYBINDING>'
    path = f'<INSTANCENAME CLASSNAME="V">{name}</INSTANCENAME>'
    return f'<VALUE.NAMEDINSTANCE>{path}<INSTANCE CLASSNAME="V">{inner}</INSTANCE></VALUE.NAMEDINSTANCE>'.encode()


def prop(kind: str, value: str, name: str = "P") -> str:
    return f'<PROPERTY NAME="{name}" TYPE="{kind}"><VALUE>{escape(value)}</VALUE></PROPERTY>'


def taken(*parts: bytes) -> tuple[list[Row], bytes]:
    taker = Taker()
    with taker.taking() as rows:
        taker.begin()
        left = b"".join([*(taker.feed(part) for part in parts), taker.rest()])
    return rows, left


@given(st.lists(TEXT, max_size=5), st.lists(st.integers(0, 2000), max_size=6))
def test_instances_are_found_wherever_the_answer_is_cut_into_parts(devices: list[str], cuts: list[int]) -> None:
    whole = HEAD + b"\n".join(instance(device, prop("string", device)) for device in devices) + TAIL
    ends = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    rows, left = taken(*(whole[first:last] for first, last in zip(ends, ends[1:])))
    assert [row.path.keybindings["DeviceID"] for row in rows] == devices
    assert [row.get("P") for row in rows] == devices
    assert left == HEAD + b"\n" * max(0, len(devices) - 1) + TAIL


@given(TEXT, TEXT, st.none() | st.just("array:5989"))
def test_the_uri_of_a_path_is_the_one_that_pywbem_writes(key: str, name: str, host: Any) -> None:
    inner = Path("V", Named(SystemName=name, DeviceID=key), "root/eternus", host)
    outer = Path("S", Named(SystemElement=inner, SyncedElement=inner), "root/eternus")
    for path in (inner, outer):
        assert path.to_wbem_uri() == path.real().to_wbem_uri(format="standard")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("uint16", "65535", 65535),
        ("uint64", "0", 0),
        ("boolean", "TRUE", True),
        ("boolean", "false", False),
        ("string", "", ""),
    ],
)
def test_values_have_the_types_that_the_answer_states(kind: str, text: str, value: object) -> None:
    (row,), _left = taken(instance(inner=prop(kind, text)))
    assert row.get("P") == value
    assert row.get("p") == value
    assert row.get("Q") is None


@pytest.mark.parametrize(
    "odd",
    [
        instance(inner=prop("uint16", "65536")),
        instance(inner=prop("uint16", "-1")),
        instance(inner=prop("uint16", "0x10")),
        instance(inner=prop("boolean", "perhaps")),
        instance(inner=prop("datetime", "yesterday")),
        instance(inner=prop("real32", "1.0")),
        instance(inner='<PROPERTY.ARRAY NAME="P" TYPE="uint16"/>'),
        instance(inner='<PROPERTY NAME="P" TYPE="string"><VALUE>a</VALUE><VALUE>b</VALUE></PROPERTY>'),
        instance(inner='<PROPERTY TYPE="string"><VALUE>a</VALUE></PROPERTY>'),
        instance(key='VALUETYPE="numeric"'),
        instance(inner="<QUALIFIER/>"),
        instance(inner="&unknown;"),
        instance(inner="<![CDATA[x]]>"),
        instance(inner="<!-- x -->"),
        b"<VALUE.NAMEDINSTANCE></VALUE.NAMEDINSTANCE>",
        b"<VALUE.NAMEDINSTANCE><INSTANCENAME>\xff</VALUE.NAMEDINSTANCE>",
        b"<VALUE.NAMEDINSTANCE><INSTANCENAME> and no end",
    ],
)
def test_what_is_not_plain_is_left_to_pywbem_word_for_word(odd: bytes) -> None:
    rows, left = taken(HEAD + instance("1") + odd + TAIL)
    assert [row.path.keybindings["DeviceID"] for row in rows] == ["1"]
    assert left == HEAD + odd + TAIL


def test_an_idle_taker_changes_nothing() -> None:
    taker = Taker()
    assert taker.feed(HEAD + instance()) + taker.rest() == HEAD + instance()


def test_a_request_that_is_sent_again_begins_anew() -> None:
    taker = Taker()
    with taker.taking() as rows:
        taker.begin()
        taker.feed(HEAD + instance("1") + instance("2")[:50])
        taker.begin()
        left = taker.feed(HEAD + instance("1") + TAIL) + taker.rest()
    assert [row.path.keybindings["DeviceID"] for row in rows] == ["1"]
    assert left == HEAD + TAIL


def test_rows_are_what_pywbem_reads(simulated_array: Simulated) -> None:
    simulated_array.create_volumes('a "b" <c>', "d & e")
    client = simulated_array.connect()
    found = client._connection.enumerate("FUJITSU_StorageVolume", ["ElementName", "BlockSize", "Purpose"])
    plain = client._connection._wbem.EnumerateInstances(
        "FUJITSU_StorageVolume", PropertyList=["ElementName", "BlockSize", "Purpose"]
    )
    client.close()
    assert {type(one) for one in found} == {Row}
    assert {type(one) for one in plain} == {pywbem.CIMInstance}
    assert [real(one.path) for one in found] == [one.path for one in plain]
    for name in ("ElementName", "BlockSize", "Purpose"):
        assert [one.get(name) for one in found] == [one.get(name) for one in plain]


def test_an_instance_without_an_end_is_not_waited_for_and_goes_on_as_it_is() -> None:
    taker, part = Taker(), b"x" * (1 << 16)
    with taker.taking() as found:
        begun = taker.feed(b"<IRETURNVALUE><VALUE.NAMEDINSTANCE>")
        waited = [taker.feed(part) for _number in range(32)]
        assert taker.feed(part) == part
        assert b"".join([begun, *waited]) == b"<IRETURNVALUE><VALUE.NAMEDINSTANCE>" + part * 32
    assert found == []
