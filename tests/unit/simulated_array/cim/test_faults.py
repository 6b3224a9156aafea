# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that a test orders, as a client meets them."""

from __future__ import annotations

import time

import pytest
import pywbem
from eternus_sim.cim.faults import spoil
from eternus_sim.cim.xml_out import message
from eternus_sim.core.failpoints import FailPoint

from .conftest import PATIENCE, U16, Site


def start(site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName, *names: str) -> int:
    source, target = site.make(*names)
    return conn.InvokeMethod(
        "CreateElementReplica", service, SyncType=U16(6), SourceElement=source, TargetElement=target
    )[0]


@pytest.mark.parametrize(("action", "acted"), [("drop_before", 0), ("lose_answer", 1), ("drop_connection", 1)])
def test_a_lost_answer_tells_nothing_of_the_act(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName, action: str, acted: int
) -> None:
    site.array.failpoints.add(FailPoint("CreateElementReplica", action))
    with pytest.raises(pywbem.ConnectionError):
        start(site, conn, service, "a", "b")
    assert len(site.array.sessions()) == acted
    assert start(site, conn, service, "c", "d") == 0


@pytest.mark.parametrize("action", ["half_xml", "bad_encoding"])
def test_spoilt_answers_are_parse_errors(site: Site, conn: pywbem.WBEMConnection, action: str) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", action))
    with pytest.raises(pywbem.ParseError):
        conn.EnumerateInstances("CIM_System")
    assert conn.EnumerateInstances("CIM_System")


def test_entities_that_grow_without_end_can_be_sent(site: Site) -> None:
    answer = spoil(FailPoint("*", "entities"), (200, {}, message("1", "")))
    assert b'<!ENTITY a9 "&a8;' in answer[2] and b"&a9;" in answer[2] and len(answer[2]) < 2000


def test_http_errors_can_come_in_mid_run(site: Site, conn: pywbem.WBEMConnection) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", "http_error", code=503))
    with pytest.raises(pywbem.HTTPError) as caught:
        conn.EnumerateInstances("CIM_System")
    assert caught.value.status == 503
    site.array.failpoints.add(FailPoint("EnumerateInstances", "http_error", code=401))
    with pytest.raises(pywbem.AuthError):
        conn.EnumerateInstances("CIM_System")


def test_a_slow_answer_runs_into_the_clients_timeout(site: Site) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", "delay", delay=3))
    conn = site.client()
    conn._timeout = 1
    with pytest.raises((pywbem.TimeoutError, pywbem.ConnectionError), match="timed out"):
        conn.EnumerateInstances("CIM_System")


def test_a_refusal_is_the_methods_return_code_and_changes_nothing(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName
) -> None:
    site.array.failpoints.add(FailPoint("CreateElementReplica", "refuse", code=32787, after=2))
    assert [start(site, conn, service, f"a{n}", f"b{n}") for n in range(3)] == [0, 32787, 0]
    assert len(site.array.sessions()) == 2


def test_a_fault_strikes_only_what_it_matches(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName
) -> None:
    source, target = site.make("a", "b")
    site.array.failpoints.add(
        FailPoint("CreateElementReplica", "refuse", code=4, match={"source": target["DeviceID"]}, times=9)
    )
    for here, there, code in ((source, target, 0), (target, source, 4)):
        assert (
            conn.InvokeMethod(
                "CreateElementReplica", service, SyncType=U16(6), SourceElement=here, TargetElement=there
            )[0]
            == code
        )


def test_an_answer_can_come_byte_by_byte(site: Site) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstanceNames", "trickle", delay=0.0001))
    assert site.client().EnumerateInstanceNames("FUJITSU_StorageProduct")


def test_nothing_may_come_after_the_head(site: Site) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", "stall"))
    conn = site.client()
    conn._timeout = 1
    with pytest.raises((pywbem.TimeoutError, pywbem.ConnectionError), match="timed out"):
        conn.EnumerateInstances("CIM_System")


@pytest.mark.parametrize("status", [401, 503])
def test_a_request_that_is_denied_is_not_carried_out(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName, status: int
) -> None:
    site.array.failpoints.add(FailPoint("CreateElementReplica", "deny", code=status))
    with pytest.raises((pywbem.HTTPError, pywbem.AuthError)):
        start(site, conn, service, "a", "b")
    assert not site.array.sessions()


def test_a_503_can_say_when_to_come_again(site: Site) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", "deny", code=503, text="7"))
    conn = site.client()
    answers = []
    conn.session.hooks["response"].append(lambda response, **_more: answers.append(response.headers["Retry-After"]))
    with pytest.raises(pywbem.HTTPError):
        conn.EnumerateInstances("CIM_System")
    assert answers == ["7"]


def test_an_array_that_restarts_refuses_for_a_while_and_is_there_again_on_the_same_port(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName
) -> None:
    start(site, conn, service, "a", "b")
    site.array.failpoints.add(FailPoint("EnumerateInstances", "restart", delay=0.5))
    with pytest.raises(pywbem.ConnectionError):
        conn.EnumerateInstances("CIM_System")
    with pytest.raises(pywbem.ConnectionError, match="refused"):
        site.client().EnumerateInstances("CIM_System")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            assert site.client().EnumerateInstances("CIM_System")
            break
        except pywbem.ConnectionError:
            time.sleep(0.05)
    else:
        pytest.fail("the array did not come back")
    assert len(site.array.sessions()) == 1


def test_an_array_that_is_stopped_while_it_restarts_stays_away(site: Site, conn: pywbem.WBEMConnection) -> None:
    site.array.failpoints.add(FailPoint("EnumerateInstances", "restart", delay=0.2))
    with pytest.raises(pywbem.ConnectionError):
        conn.EnumerateInstances("CIM_System")
    site.server.stop()
    time.sleep(0.4)
    with pytest.raises(pywbem.ConnectionError, match="refused"):
        site.client().EnumerateInstances("CIM_System")
