# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad connections to a simulated array: one error class each, nothing sent twice (behaviour.md §4, array.md)."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.faults import ANSWER_LOST
from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

EC = ErrorClass


def refusal(sim: Simulated, **options: object) -> BackupError:
    with pytest.raises(BackupError) as caught:
        sim.connect(**options).capabilities()
    return caught.value


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.rule("R4.17")
def test_a_wrong_password_is_not_authorized(module_array: Simulated) -> None:
    error = refusal(module_array, password="not-the-password")
    assert error.error_class is EC.NOT_AUTHORIZED
    assert "not-the-password" not in error.sentence()


@pytest.mark.rule("R4.16")
def test_an_array_that_is_down_is_unreachable(module_array: Simulated) -> None:
    error = refusal(module_array, port=unused_port())
    assert (error.error_class, error.details["answer_lost"]) == (EC.ARRAY_UNREACHABLE, False)


def test_a_name_that_nobody_knows_is_unreachable(module_array: Simulated) -> None:
    assert refusal(module_array, host="array.invalid").error_class is EC.ARRAY_UNREACHABLE


@pytest.mark.rule("R4.30")
def test_an_unknown_authority_is_tls_failed(module_array: Simulated) -> None:
    assert refusal(module_array, ca_path="").error_class is EC.TLS_FAILED


def test_a_wrong_authority_is_tls_failed(module_array: Simulated) -> None:
    import certifi

    assert refusal(module_array, ca_path=certifi.where()).error_class is EC.TLS_FAILED


def test_a_ca_path_that_is_not_there_is_an_invalid_option(module_array: Simulated) -> None:
    with pytest.raises(BackupError) as caught:
        module_array.connect(ca_path="/nonexistent/ca.pem")
    assert caught.value.error_class is EC.INVALID_OPTION


@pytest.mark.rule("R4.31")
def test_https_to_a_port_of_http_is_a_protocol_mismatch(module_array: Simulated) -> None:
    assert refusal(module_array, port=module_array.endpoint["http_port"]).error_class is EC.PROTOCOL_MISMATCH


@pytest.mark.rule("R4.31")
def test_http_to_a_port_of_https_is_a_protocol_mismatch(module_array: Simulated) -> None:
    assert refusal(module_array, use_tls=False).error_class is EC.PROTOCOL_MISMATCH


def test_verification_can_be_switched_off_by_name(module_array: Simulated) -> None:
    assert module_array.connect(ca_path="", validate_certs=False).serial == module_array.serial


def test_http_is_there_for_arrays_without_tls(module_array: Simulated) -> None:
    assert module_array.connect(use_tls=False, port=module_array.endpoint["http_port"]).serial == module_array.serial


def test_the_environment_overrides_neither_the_authority_nor_verification(
    module_array: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/bundle.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nonexistent/bundle.pem")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused_port()}")
    assert module_array.connect().serial == module_array.serial
    assert os.environ["REQUESTS_CA_BUNDLE"] == "/nonexistent/bundle.pem"


def started(sim: Simulated) -> tuple[WbemArray, Pair]:
    sim.create_volumes("tv1", "bv1")
    array = sim.connect(request_timeout=2)
    array.capabilities()
    found = array.find_volumes(["tv1", "bv1"])
    return array, Pair(found["tv1"], found["bv1"])


@pytest.mark.parametrize("action", ["lose_answer", "drop_connection", "half_xml", "bad_encoding", "http_error"])
def test_an_act_whose_answer_was_lost_is_never_sent_again(simulated_array: Simulated, action: str) -> None:
    array, pair = started(simulated_array)
    simulated_array.fail("CreateElementReplica", action, code=503)
    with pytest.raises(BackupError) as caught:
        array.start(CopyType.EC, [pair])
    assert caught.value.unchanged == ANSWER_LOST
    assert caught.value.details["answer_lost"] is True
    assert simulated_array.counters()["requests"]["CreateElementReplica"] == 1
    assert [session.key for session in array.sessions()] == [pair.key]


def test_an_act_that_was_dropped_before_it_was_done_is_not_sent_again_either(simulated_array: Simulated) -> None:
    array, pair = started(simulated_array)
    simulated_array.fail("CreateElementReplica", "drop_before")
    with pytest.raises(BackupError) as caught:
        array.start(CopyType.EC, [pair])
    assert caught.value.error_class is EC.ARRAY_UNREACHABLE
    assert simulated_array.counters()["requests"]["CreateElementReplica"] == 1
    assert array.sessions() == []


def test_no_answer_in_time_is_unreachable_and_may_have_been_done(simulated_array: Simulated) -> None:
    array, pair = started(simulated_array)
    simulated_array.fail("CreateElementReplica", "delay", delay=4)
    with pytest.raises(BackupError) as caught:
        array.start(CopyType.EC, [pair])
    assert caught.value.error_class is EC.ARRAY_UNREACHABLE
    assert caught.value.details["answer_lost"] is True


@pytest.mark.parametrize("fault", [("trickle", 0.02), ("stall", 0)], ids=["trickles", "stalls"])
def test_an_answer_that_is_not_whole_in_time_is_no_answer(simulated_array: Simulated, fault: tuple[str, float]) -> None:
    array, pair = started(simulated_array)
    simulated_array.fail("CreateElementReplica", fault[0], delay=fault[1])
    with pytest.raises(BackupError) as caught:
        array.start(CopyType.EC, [pair])
    assert "within 2 s" in caught.value.message
    assert (caught.value.error_class, caught.value.unchanged) == (EC.ARRAY_UNREACHABLE, ANSWER_LOST)
    assert [session.key for session in array.sessions()] == [pair.key]


def test_a_read_on_a_connection_that_was_closed_is_sent_once_more(simulated_array: Simulated) -> None:
    array, _pair = started(simulated_array)
    simulated_array.fail("EnumerateInstances", "drop_before", times=1)
    assert array.sessions() == []
    simulated_array.fail("EnumerateInstances", "drop_before", times=2)
    with pytest.raises(BackupError) as caught:
        array.sessions()
    assert caught.value.error_class is EC.ARRAY_UNREACHABLE


def test_an_operation_that_the_array_refuses_is_an_array_error_with_its_status(simulated_array: Simulated) -> None:
    array, _pair = started(simulated_array)
    simulated_array.fail("EnumerateInstances", "refuse", code=1, text="out of order")
    with pytest.raises(BackupError) as caught:
        array.sessions()
    assert caught.value.error_class is EC.ARRAY_ERROR
    assert "out of order" in caught.value.message


@pytest.mark.parametrize("action", ["half_xml", "bad_encoding", "entities", "oversized", "http_error"])
def test_an_answer_that_is_no_cim_xml_is_an_array_error_and_hangs_nobody(
    simulated_array: Simulated, action: str
) -> None:
    array, _pair = started(simulated_array)
    simulated_array.fail("EnumerateInstances", action, code=503)
    with pytest.raises(BackupError) as caught:
        array.sessions()
    assert caught.value.error_class is EC.ARRAY_ERROR
    assert array.sessions() == []


def test_something_else_than_an_eternus_says_so(simulated_array: Simulated) -> None:
    simulated_array.fail("EnumerateInstanceNames", "refuse", code=3)
    error = refusal(simulated_array)
    assert error.error_class is EC.ARRAY_ERROR
    assert "ETERNUS SMI-S agent" in error.next_step
