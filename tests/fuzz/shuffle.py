# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutations that keep the form: of JSON values, and of XML text."""

from __future__ import annotations

import json
import random
import re
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, float("inf"), float("nan"), "", " ",
    "0", "-1", "1e9", "\x00", "\ud800", "\u2028", "é", "ß" * 40, "x" * 300, "../../etc/passwd", "A1", "None", [], {},
    [[]], [{}], {"": ""}, [None], "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-05T20:10:00Z",
    "2026-01-05",
)  # fmt: skip

_TYPES = (
    "string",
    "boolean",
    "uint8",
    "uint16",
    "uint64",
    "sint32",
    "real64",
    "datetime",
    "char16",
    "reference",
    "",
    "odd",
)
_TEXTS = (
    "", " ", "0", "-1", "1", "65536", "0x10", "1_0", "\u00b2", "\u0663", "1e3", "nan",
    "TRUE", "maybe", "99999999999999999999", "20260105201000.000000+000", "00000000000000.000000:000",
    "20269905201000.000000+000", "99991231235959.999999-720", "00010101000000.000000+720", "é", "&#0;", "&#13;",
    "&lt;INSTANCE CLASSNAME=&quot;X&quot;/&gt;", "x" * 300, "600000E0", "9" * 5000,
)  # fmt: skip
_ELEMENT = re.compile(rb"<([A-Z][A-Z.]*)\b[^<>]*>")


def json_value(value: Any, chance: random.Random) -> Any:
    """Return a value with one thing in it changed: replaced, taken away, doubled, or put somewhere else."""
    places = list(_places(value))
    if not places:
        return chance.choice(ODD)
    inside, key = chance.choice(places)
    what = chance.randrange(6)
    if what == 0 and isinstance(inside, dict):
        del inside[key]
    elif what == 1:
        other, there = chance.choice(places)
        inside[key] = json.loads(json.dumps(other[there]))
    elif what == 2 and isinstance(inside, list):
        inside.append(json.loads(json.dumps(inside[key])))
    elif what == 3 and isinstance(inside[key], int) and not isinstance(inside[key], bool):
        inside[key] += chance.choice((-1, 1, 3, 512, 2**20, -(2**20)))
    elif what == 4 and isinstance(inside[key], str):
        inside[key] = _text(inside[key], chance)
    else:
        inside[key] = chance.choice(ODD)
    return value


def _places(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _text(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return chance.choice((text[:at], text[at:], text[:at] + chr(chance.choice((0, 10, 34, 0x663, 0xD800))) + text[at:]))


def xml_text(data: bytes, chance: random.Random) -> bytes:
    """Return XML with a type, a text, a name or an element changed."""
    found = list(_ELEMENT.finditer(data))
    if not found:
        return data
    what = chance.randrange(7)
    one = chance.choice(found)
    tag = one.group(1)
    end = data.find(b"</" + tag + b">", one.end())
    whole = one.end() if one.group().endswith(b"/>") or end < 0 else end + len(tag) + 3
    if what == 0:  # without an element
        return data[: one.start()] + data[whole:]
    if what == 1:  # twice
        return data[:whole] + data[one.start() : whole] + data[whole:]
    if what == 2:  # in the place of another
        other = chance.choice(found)
        return data[: other.start()] + data[one.start() : whole] + data[other.end() :]
    if what in (3, 4):
        kinds = list(re.finditer(rb'TYPE="[^"]*"', data))
        if kinds:
            hit = chance.choice(kinds)
            return data[: hit.start()] + b'TYPE="' + chance.choice(_TYPES).encode() + b'"' + data[hit.end() :]
    if what == 5:  # another name
        names = list(re.finditer(rb'NAME="[^"]*"', data))
        if names:
            hit, other = chance.choice(names), chance.choice(names)
            return data[: hit.start()] + other.group() + data[hit.end() :]
    texts = list(re.finditer(rb"<(VALUE|KEYVALUE)[^<>/]*>([^<]*)</", data))
    if not texts:
        return data
    hit = chance.choice(texts)
    return data[: hit.start(2)] + chance.choice(_TEXTS).encode() + data[hit.end(2) :]
