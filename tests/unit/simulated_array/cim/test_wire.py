# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversation itself: http, TLS, authentication, and requests that are none."""

from __future__ import annotations

import socket
import ssl

import pytest
import pywbem
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import PASSWORD, USER, Site

BODY = (
    '<?xml version="1.0" encoding="utf-8" ?>{dtd}<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
    '<MESSAGE ID="7" PROTOCOLVERSION="1.0"><SIMPLEREQ><IMETHODCALL NAME="EnumerateInstanceNames"><LOCALNAMESPACEPATH>'
    '<NAMESPACE NAME="root"/><NAMESPACE NAME="eternus"/></LOCALNAMESPACEPATH><IPARAMVALUE NAME="ClassName">'
    '<CLASSNAME NAME="{name}"/></IPARAMVALUE></IMETHODCALL></SIMPLEREQ></MESSAGE></CIM>'
)
GOOD = BODY.format(dtd="", name="FUJITSU_StorageProduct")


def post(site: Site, body: str | bytes, **options: object) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    options.setdefault("auth", (USER, PASSWORD))
    method = options.pop("method", "POST")
    return session.request(str(method), site.http + "/cimom", data=body, timeout=30, **options)  # type: ignore[arg-type]


def test_an_answer_bears_the_requests_id_and_the_standards_headers(site: Site) -> None:
    answer = post(site, GOOD, headers={"CIMOperation": "MethodCall", "CIMMethod": "EnumerateInstanceNames"})
    assert answer.status_code == 200 and answer.headers["CIMOperation"] == "MethodResponse"
    assert '<MESSAGE ID="7"' in answer.text and site.array.model in answer.text


@pytest.mark.parametrize("creds", [("software", "wrong"), ("nobody", PASSWORD), None])
def test_a_wrong_password_is_401_and_nothing_else(site: Site, creds: tuple[str, str] | None) -> None:
    answer = post(site, GOOD, auth=creds)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Basic")
    assert site.requests() == {} and answer.text == ""


def test_pywbem_names_a_wrong_password(site: Site) -> None:
    with pytest.raises(pywbem.AuthError):
        site.client(creds=(USER, "wrong")).EnumerateInstanceNames("CIM_System")


def test_an_unknown_authority_is_refused_by_the_client(site: Site, tmp_path: object) -> None:
    with pytest.raises(pywbem.ConnectionError, match=r"(?i)certificate"):
        site.client(ca_certs=None).EnumerateInstanceNames("CIM_System")


def test_nothing_older_than_tls_1_2_is_spoken(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.ca_file))
    with (
        socket.create_connection(("127.0.0.1", site.server.https_port or 0)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_http_to_the_https_port_ends_without_an_answer(site: Site) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.post(f"http://127.0.0.1:{site.server.https_port}/cimom", data=GOOD, timeout=30)
    assert site.client().EnumerateInstanceNames("CIM_System")


def test_one_connection_serves_many_requests(site: Site) -> None:
    conn = site.client()
    for _number in range(5):
        conn.EnumerateInstanceNames("CIM_System")
    pool = next(iter(conn.session.adapters["https://"].poolmanager.pools._container.values()))
    assert pool.num_connections == 1 and pool.num_requests == 5


LAUGHS = '<!DOCTYPE CIM [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (BODY.format(dtd=LAUGHS, name="&b;"), "request-not-valid"),
        (BODY.format(dtd='<!DOCTYPE CIM SYSTEM "file:///etc/passwd">', name="x"), "request-not-valid"),
        (GOOD[:-9], "request-not-well-formed"),
        ("", "request-not-well-formed"),
        (b"\xff\xfe<", "request-not-well-formed"),
        ("<a/>", "request-not-valid"),
        (GOOD.replace('DTDVERSION="2.0"', 'DTDVERSION="9.0"'), "unsupported-dtd-version"),
        (GOOD.replace('PROTOCOLVERSION="1.0"', 'PROTOCOLVERSION="3.0"'), "unsupported-protocol-version"),
        (GOOD.replace("SIMPLEREQ", "MULTIREQ"), "multiple-requests-unsupported"),
        ("<a>" * 100 + "</a>" * 100, "request-not-valid"),
    ],
)
def test_what_is_no_request_is_refused_by_name(site: Site, body: str, error: str) -> None:
    answer = post(site, body)
    assert answer.status_code in {400, 501} and answer.headers["CIMError"] == error
    assert site.client().EnumerateInstanceNames("CIM_System")


def test_a_header_that_names_another_method_is_refused(site: Site) -> None:
    assert post(site, GOOD, headers={"CIMMethod": "GetInstance"}).headers["CIMError"] == "header-mismatch"


def test_m_post_is_understood(site: Site) -> None:
    headers = {"Man": "http://www.dmtf.org/cim/mapping/http/v1.0 ; ns=23", "23-CIMMethod": "EnumerateInstanceNames"}
    answer = post(site, GOOD, method="M-POST", headers=headers)
    assert answer.status_code == 200 and "Ext" in answer.headers


def test_other_verbs_are_not_allowed(site: Site) -> None:
    assert post(site, "", method="GET").status_code == 405
    assert "POST" in post(site, "", method="OPTIONS").headers["Allow"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=20), data=st.data())
def test_no_text_breaks_an_answer(site: Site, name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD)))
    answer = post(site, (GOOD[:at] + name + GOOD[at:]).encode("utf-8", "replace"))
    assert answer.status_code in {200, 400, 501}


def test_names_in_any_script_and_with_quotes_come_back_as_they_were(site: Site) -> None:
    names = ['a "quoted" <name> & more', "дані-日本-é", "tab\tnew\nline"]
    site.make(*names)
    assert [item["ElementName"] for item in site.client().EnumerateInstances("FUJITSU_StorageVolume")] == names


def test_the_door_wants_the_password_too(site: Site) -> None:
    assert requests.get(site.http + "/door/volumes", timeout=30).status_code == 401
    assert requests.get(site.http + "/door/volumes", auth=(USER, PASSWORD), timeout=30).json() == []
