# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the conversation that a test orders (core/failpoints.py), beside those of the array itself.

- drop_before: the connection is cut before the act; lose_answer: after it;
- drop_connection: after the act, in the middle of the answer;
- delay: the answer comes ``delay`` seconds late;
- half_xml, bad_encoding, entities, oversized: the answer is spoilt;
- trickle: after the act the answer comes byte by byte, from its head on, one each ``delay`` seconds;
- stall: after the act only the head of the answer comes;
- http_error: ``code`` as the http status (401, 503, ...), after the act; deny: before it; ``text`` is its Retry-After;
- restart: before the act every connection is cut, and the ports refuse for ``delay`` seconds (the door's too);
- refuse: a method answers ``code`` as its return code, an operation as its status; nothing is done.
"""

from __future__ import annotations

from ..core.failpoints import FailPoint

ACTIONS = (
    "drop_before",
    "lose_answer",
    "drop_connection",
    "delay",
    "half_xml",
    "bad_encoding",
    "entities",
    "oversized",
    "trickle",
    "stall",
    "http_error",
    "deny",
    "restart",
)
OVERSIZE = 64 << 20
Answer = tuple[int, dict[str, str], bytes]

_LAUGHS = "".join('<!ENTITY a%d "%s">' % (number, "&a%d;" % (number - 1) * 10) for number in range(1, 10))


def spoil(point: FailPoint, answer: Answer) -> Answer:
    """The answer as the fault leaves it."""
    status, headers, body = answer
    if point.action == "half_xml":
        return status, headers, body[: len(body) // 2]
    if point.action == "bad_encoding":
        return status, headers, body.replace(b"<MESSAGE", b"\xff\xfe\xc3\x28<MESSAGE", 1)
    if point.action == "entities":
        head, _mark, rest = body.partition(b"?>")
        laughs = '<!DOCTYPE CIM [<!ENTITY a0 "ha">%s]>' % _LAUGHS
        rest = rest.replace(b"<SIMPLERSP>", b"<SIMPLERSP>&a9;", 1)
        return status, headers, head + b"?>" + laughs.encode("ascii") + rest
    if point.action == "oversized":
        return status, headers, body + b"<!--" + b"x" * OVERSIZE + b"-->"
    if point.action == "http_error":
        return denied(point)
    return answer


def denied(point: FailPoint) -> Answer:
    """An http status, and what belongs to it."""
    extra = {"WWW-Authenticate": 'Basic realm="ETERNUS"'} if point.code == 401 else {}
    return point.code, {**extra, **({"Retry-After": point.text} if point.text else {})}, b""
