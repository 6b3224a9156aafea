# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door: bytes for hosts, counters, knobs and faults for tests."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from eternus_sim.core.door import Door
from eternus_sim.core.model import Code, CopyState

EXTENT = 64 * 1024


@pytest.fixture
def door(bench):
    return Door(bench.array)


def ask(door, method, path, value=None):
    body = b"" if value is None else json.dumps(value).encode()
    status, _headers, answer = door.handle(method, path, body)
    return status, json.loads(answer) if answer else None


def test_volumes_are_made_listed_written_and_read_by_name_or_id(door):
    wanted = [{"name": "a", "size": 1 << 20}, {"name": "b", "size": 1 << 20, "pool": "RSP0005"}]
    status, made = ask(door, "POST", "/door/volumes", wanted)
    assert status == 201
    assert [volume["pool_id"] for volume in made] == ["TPP0004", "RSP0005"]
    assert ask(door, "GET", "/door/volumes")[1] == made
    assert door.handle("PUT", f"/door/volumes/{made[0]['device_id']}?offset=10&length=5", b"hello")[0] == 204
    assert door.handle("GET", "/door/volumes/a?offset=9&length=7", b"")[2] == b"\0hello\0"
    whole = door.handle("GET", "/door/volumes/a", b"")[2]
    assert len(whole) == 1 << 20
    assert ask(door, "GET", "/door/sha256/a")[1]["sha256"] == hashlib.sha256(whole).hexdigest()


def test_a_list_of_writes_is_applied_in_its_order(door):
    ask(door, "POST", "/door/volumes", {"name": "a", "size": 1 << 20})
    writes = [{"volume": "a", "offset": 0, "data": base64.b64encode(data).decode()} for data in (b"first", b"2nd")]
    assert ask(door, "POST", "/door/write", writes) == (200, {"writes": 2, "bytes": 8})
    assert door.handle("GET", "/door/volumes/a?length=5", b"")[2] == b"2ndst"


def test_counters_tell_the_runs_and_begin_again_after_a_reset(door, bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    bench.array.counters.count("CreateInstance")
    counters = ask(door, "GET", "/door/counters")[1]
    assert counters["requests"] == {"CreateInstance": 1}
    assert [(run["kind"], run["bytes_moved"]) for run in counters["runs"]] == [("full", 16 * EXTENT)]
    assert door.handle("POST", "/door/counters/reset", b"")[0] == 204
    assert ask(door, "GET", "/door/counters")[1] == {"requests": {}, "requests_total": 0, "bytes": {}, "runs": []}


def test_knobs_and_failpoints_are_set_shown_and_removed(door, bench):
    assert ask(door, "POST", "/door/knobs", {"copy_rate": 7, "latency": 1})[1]["copy_rate"] == 7
    assert ask(door, "GET", "/door/knobs")[1]["latency"] == 1
    status, points = ask(door, "POST", "/door/failpoints", {"on": "operate:21", "action": "refuse", "code": 32787})
    assert (status, points[0]["on"]) == (201, "operate:21")
    assert door.handle("DELETE", "/door/failpoints", b"")[0] == 204
    assert ask(door, "GET", "/door/failpoints")[1] == []


def test_sessions_are_shown_and_broken(door, bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    shown = ask(door, "GET", "/door/sessions")[1]
    assert (shown[0]["source_id"], shown[0]["copy_state"]) == (tv, 4)
    assert door.handle("DELETE", "/door/sessions?source=tv&target=bv", b"")[0] == 204
    assert bench.array.session(tv, bv).copy_state == CopyState.BROKEN


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/door/volumes/nobody", b"", 404),
        ("GET", "/door/nothing", b"", 404),
        ("GET", "/elsewhere", b"", 404),
        ("PATCH", "/door/volumes", b"", 405),
        ("GET", "/door/volumes/a?offset=x", b"", 400),
        ("GET", "/door/volumes/a?offset=2097152", b"", 409),
        ("PUT", "/door/volumes/a?length=3", b"toolong", 400),
        ("POST", "/door/write", b"not json", 400),
        ("POST", "/door/write", b'[{"volume": "a", "offset": 0, "data": "!"}]', 400),
        ("POST", "/door/volumes", b'{"name": "a", "size": 512}', 409),
        ("POST", "/door/volumes", b'{"size": 512}', 400),
        ("POST", "/door/knobs", b'{"no_such": 1}', 400),
        ("POST", "/door/knobs", b"[]", 400),
        ("POST", "/door/failpoints", b'{"on": "x"}', 400),
        ("POST", "/door/counters/else", b"", 404),
        ("DELETE", "/door/sessions", b"", 400),
    ],
)
def test_what_is_wrong_is_said_with_a_status_of_its_own(door, bench, method, path, body, status):
    bench.make("a")
    got, _headers, answer = door.handle(method, path, body)
    assert got == status
    assert json.loads(answer)["error"]


def test_a_write_that_the_array_refuses_bears_its_code(door, bench):
    tv, bv = bench.make("tv", "bv")
    bench.mirror(tv, bv)
    status, _headers, answer = door.handle("PUT", "/door/volumes/bv", b"x")
    assert (status, json.loads(answer)["code"]) == (409, Code.VOLUME_BUSY)


def test_the_door_tells_where_hosts_find_the_devices(door, bench):
    (tv,) = bench.make("tv")
    identity = ask(door, "GET", "/door/array")[1]
    assert identity["model"].endswith(identity["serial"])
    assert (bench.array.directory / "by-id" / f"wwn-0x{tv.lower()}").exists()
    assert identity["device_dir"].endswith("/by-id")
