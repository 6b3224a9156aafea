# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong on the way to the array becomes one error class each, with no secret in it (behaviour.md §4)."""

from __future__ import annotations

import pytest
import pywbem
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.faults import ANSWER_LOST, fault
from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions

EC = ErrorClass
OPTIONS = ArrayOptions("127.0.0.1", "backup", "hunter2", port=1, use_tls=True)


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (pywbem.AuthError("no"), EC.NOT_AUTHORIZED),
        (pywbem.HTTPError(403, "Forbidden"), EC.NOT_AUTHORIZED),
        (pywbem.HTTPError(503, "Busy"), EC.ARRAY_ERROR),
        (pywbem.HTTPError(400, "Bad Request"), EC.ARRAY_ERROR),
        (pywbem.CIMError(pywbem.CIM_ERR_ACCESS_DENIED, "no"), EC.NOT_AUTHORIZED),
        (pywbem.CIMError(pywbem.CIM_ERR_INVALID_NAMESPACE, "no"), EC.ARRAY_ERROR),
        (pywbem.TimeoutError("late"), EC.ARRAY_UNREACHABLE),
        (pywbem.ConnectionError("[Errno 113] No route to host"), EC.ARRAY_UNREACHABLE),
        (pywbem.ConnectionError("connection refused"), EC.ARRAY_UNREACHABLE),
        (pywbem.ConnectionError("SSLError: certificate verify failed: self-signed certificate"), EC.TLS_FAILED),
        (pywbem.ConnectionError("certificate verify failed: certificate has expired"), EC.TLS_FAILED),
        (pywbem.ConnectionError("Hostname mismatch, certificate is not valid for 'x'"), EC.TLS_FAILED),
        (pywbem.ConnectionError("[SSL: TLSV1_ALERT_INTERNAL_ERROR]"), EC.TLS_FAILED),
        (pywbem.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), EC.PROTOCOL_MISMATCH),
        (pywbem.ConnectionError("[SSL] record layer failure"), EC.PROTOCOL_MISMATCH),
        (pywbem.XMLParseError("half"), EC.ARRAY_ERROR),
        (pywbem.CIMVersionError("1.0"), EC.ARRAY_ERROR),
    ],
)
def test_an_error_of_pywbem_has_one_class(error: Exception, error_class: ErrorClass) -> None:
    found = fault(error, OPTIONS, acting=False, spoken=False)
    assert found.error_class is error_class
    assert found.unchanged == NOTHING_CHANGED


@pytest.mark.parametrize(("status", "next_step"), [(503, "Wait until"), (404, "Check that host and port")])
def test_an_agent_that_is_not_ready_is_waited_for_and_another_one_is_looked_for(status: int, next_step: str) -> None:
    error = fault(pywbem.HTTPError(status, "no"), OPTIONS, acting=False, spoken=True)
    assert error.next_step.startswith(next_step)


def test_a_connection_that_has_spoken_breaks_for_no_reason_of_tls() -> None:
    error = pywbem.ConnectionError("SSLError(SSLEOFError(8, 'EOF occurred in violation of protocol'))")
    assert fault(error, OPTIONS, acting=False, spoken=True).error_class is EC.ARRAY_UNREACHABLE


@pytest.mark.parametrize(
    "error",
    [
        pywbem.TimeoutError("late"),
        pywbem.ConnectionError("Connection aborted."),
        pywbem.HTTPError(503, "Busy"),
        pywbem.XMLParseError("half"),
    ],
)
def test_an_act_without_an_answer_may_have_been_carried_out(error: Exception) -> None:
    found = fault(error, OPTIONS, acting=True, spoken=True)
    assert found.unchanged == ANSWER_LOST
    assert found.details["answer_lost"] is True


def test_an_act_that_was_never_sent_changed_nothing() -> None:
    found = fault(pywbem.ConnectionError("[Errno 111] Connection refused"), OPTIONS, acting=True, spoken=True)
    assert found.unchanged == NOTHING_CHANGED


@given(st.text())
def test_the_libraries_words_never_carry_the_password(text: str) -> None:
    error = pywbem.ConnectionError(f"WBEMConnection(creds=('backup', 'hunter2')) {text}")
    found = fault(error, OPTIONS, acting=False, spoken=True)
    assert "hunter2" not in found.sentence() + repr(found.details) + repr(OPTIONS)
