# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that are none: the simulated array, and what was scanned from tapes, take them for none (make fuzz)."""

from __future__ import annotations

import base64
import http.client

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import parse_scan
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

OPEN = """<?xml version="1.0" encoding="utf-8"?><CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1"
PROTOCOLVERSION="1.0"><SIMPLEREQ><IMETHODCALL NAME="OpenEnumerateInstances"><LOCALNAMESPACEPATH><NAMESPACE NAME="root"/>
<NAMESPACE NAME="eternus"/></LOCALNAMESPACEPATH><IPARAMVALUE NAME="ClassName"><CLASSNAME NAME="FUJITSU_StorageVolume"/>
</IPARAMVALUE><IPARAMVALUE NAME="MaxObjectCount"><VALUE>{}</VALUE></IPARAMVALUE></IMETHODCALL></SIMPLEREQ></MESSAGE>
</CIM>"""


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000, "-1"])
def test_the_array_answers_a_count_that_is_no_number_by_a_cim_status(module_array: Simulated, number: str) -> None:
    status, body = posted(module_array, OPEN.format(number).encode())
    assert status == 200
    assert b'<ERROR CODE="4"' in body


@pytest.mark.parametrize(("length", "status"), [("\u00b2", 400), ("-1", 400), ("9" * 5000, 413)])
def test_the_array_refuses_a_length_that_is_no_number(module_array: Simulated, length: str, status: int) -> None:
    assert posted(module_array, b"", length.encode("latin-1"))[0] == status


def posted(array: Simulated, body: bytes, length: bytes = b"") -> tuple[int, bytes]:
    token = base64.b64encode(f"{array.user}:{array.password}".encode()).decode()
    connection = http.client.HTTPConnection(array.endpoint["host"], array.endpoint["http_port"], timeout=30)
    try:
        connection.putrequest("POST", "/cimom")
        connection.putheader("Authorization", f"Basic {token}")
        connection.putheader("Content-Length", length or str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("number", ["\u00b2", "--5", "9" * 5000])
def test_a_scan_with_a_number_that_is_none_is_refused(number: str) -> None:
    row = {"barcode": "A1", "uuid": "u", "pool": "weekly", "complete": True, "copies": [], "capacity": number}
    with pytest.raises(BackupError) as caught:
        parse_scan([row])
    assert caught.value.error_class is ErrorClass.INVALID_OPTION
