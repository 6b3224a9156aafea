# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nobody but the array that was named gets the password: TLS 1.2 or newer, verified before anything is sent."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions
from ansible_collections.eternus.backup.tests.unit.security.authority import DAY, Authority
from ansible_collections.eternus.backup.tests.unit.security.listener import Heard, listener
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

#: Old versions are offered here to be refused.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")

PASSWORD = "pass of the array"
BASIC = base64.b64encode(f"backup:{PASSWORD}".encode())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def options(heard: Heard, authority: Authority, **more: Any) -> ArrayOptions:
    given: dict[str, Any] = {"port": heard.port, "ca_path": str(authority.file), "request_timeout": 5.0, **more}
    return ArrayOptions("127.0.0.1", "backup", PASSWORD, **given)


def refusal(reach: ArrayOptions) -> BackupError:
    with pytest.raises(BackupError) as caught:
        connect(reach).capabilities()
    assert PASSWORD not in str(caught.value.as_result())
    return caught.value


def nothing_was_sent(heard: Heard) -> None:
    assert heard.connections
    assert heard.told == b""


Bad = Callable[[Authority], Path]

BAD_CERTIFICATES: dict[str, tuple[Bad, str]] = {
    "by another authority": (lambda own: Authority(own.file.parent, "Stranger").certificate(), "not trusted here"),
    "self-signed": (lambda own: own.certificate(self_signed=True), "not trusted here"),
    "for another address": (lambda own: own.certificate("127.0.0.2"), "not for the name 127.0.0.1"),
    "for another name": (lambda own: own.certificate("array.example"), "not for the name 127.0.0.1"),
    "for the right common name alone": (lambda own: own.certificate(""), "not for the name 127.0.0.1"),
    "expired": (lambda own: own.certificate(begin=-2 * DAY, end=-DAY), "has expired"),
    "not valid yet": (lambda own: own.certificate(begin=DAY, end=2 * DAY), "not valid yet"),
}


@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_a_bad_certificate_is_tls_failed_and_nothing_is_sent(authority: Authority, kind: str) -> None:
    make, said = BAD_CERTIFICATES[kind]
    with listener(make(authority)) as heard:
        error = refusal(options(heard, authority))
    assert error.error_class is ErrorClass.TLS_FAILED
    assert said in error.message
    nothing_was_sent(heard)


def test_without_a_ca_path_only_public_authorities_are_trusted(authority: Authority) -> None:
    with listener(authority.certificate()) as heard:
        assert refusal(options(heard, authority, ca_path="")).error_class is ErrorClass.TLS_FAILED
    nothing_was_sent(heard)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("verify", [True, False], ids=["verified", "not verified"])
def test_a_server_with_old_tls_alone_is_tls_failed_and_nothing_is_sent(
    authority: Authority, newest: ssl.TLSVersion, verify: bool
) -> None:
    with listener(authority.certificate(), newest=newest) as heard:
        error = refusal(options(heard, authority, validate_certs=verify))
    assert error.error_class is ErrorClass.TLS_FAILED
    assert "TLS 1.2 or newer" in error.message
    nothing_was_sent(heard)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_that_is_new_enough_and_a_good_certificate_get_the_password(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    with listener(authority.certificate(), newest=newest) as heard:
        refusal(options(heard, authority))
    assert BASIC in heard.told


#: What others read from the environment: each would lead elsewhere, trust others, or not look at all.
def _misleading(authority: Authority, proxy: Heard, home: Path) -> dict[str, str]:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login intruder password of-netrc\n", encoding="ascii")
    netrc.chmod(0o600)
    config = home / "openssl.cnf"
    config.write_text(
        "openssl_conf = d\n[d]\nssl_conf = s\n[s]\nsystem_default = t\n[t]\nMinProtocol = TLSv1\n"
        "CipherString = ALL:@SECLEVEL=0\n",
        encoding="ascii",
    )
    bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    proxies = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
    return {
        **dict.fromkeys(bundles, str(authority.file)),
        **dict.fromkeys(proxies, f"http://127.0.0.1:{proxy.port}"),
        "NO_PROXY": "",
        "no_proxy": "",
        "SSL_CERT_DIR": str(authority.file.parent),
        "PYTHONHTTPSVERIFY": "0",
        "NETRC": str(netrc),
        "HOME": str(home),
        "OPENSSL_CONF": str(config),
        "SSLKEYLOGFILE": str(home / "keys"),
        "ETERNUS_VALIDATE_CERTS": "false",
        "ETERNUS_USE_TLS": "false",
    }


@pytest.fixture
def proxy() -> Iterator[Heard]:
    with listener() as heard:
        yield heard
    assert heard.connections == 0, "a variable of the environment led elsewhere"


def test_no_variable_of_the_environment_trusts_another_authority_nor_switches_verification_off(
    authority: Authority, proxy: Heard, tmp_path: Path
) -> None:
    trusted = Authority(tmp_path, "Trusted")
    with listener(authority.certificate()) as heard:
        reach = {"host": "127.0.0.1", "port": heard.port, "username": "backup", "password": PASSWORD}
        for given in ({"ca_path": str(trusted.file)}, {}):
            result = run_module("eternus_info", {**reach, **given}, env=_misleading(authority, proxy, tmp_path))
            assert result["error_class"] == "tls_failed", result
    nothing_was_sent(heard)


def test_no_variable_of_the_environment_brings_old_tls_back(authority: Authority, proxy: Heard, tmp_path: Path) -> None:
    # A new process: OpenSSL reads its configuration when it is loaded.
    env = _misleading(authority, proxy, tmp_path)
    with listener(authority.certificate(), newest=ssl.TLSVersion.TLSv1_1) as heard:
        reach = {"host": "127.0.0.1", "port": heard.port, "username": "backup", "password": PASSWORD}
        result = run_module("eternus_info", {**reach, "ca_path": str(authority.file)}, env=env, prefix=["env"])
    assert result["error_class"] == "tls_failed", result
    nothing_was_sent(heard)


def test_no_variable_of_the_environment_leads_elsewhere_nor_gives_another_password_nor_writes_keys_down(
    module_array: Simulated, authority: Authority, proxy: Heard, tmp_path: Path
) -> None:
    env = _misleading(authority, proxy, tmp_path)
    result = run_module("eternus_info", module_array.args(gather_subset=["array"]), env=env)
    assert not result["failed"], result
    assert not (tmp_path / "keys").exists()
    with listener(authority.certificate()) as heard:
        reach = {"host": "127.0.0.1", "port": heard.port, "username": "backup", "password": PASSWORD}
        run_module("eternus_info", {**reach, "ca_path": str(authority.file)}, env=env)
    assert BASIC in heard.told
    assert base64.b64encode(b"intruder:of-netrc") not in heard.told


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["the same server", "another server", "plain http"])
def test_a_redirect_is_not_followed(authority: Authority, status: int, where: str) -> None:
    with listener(authority.certificate()) as https, listener() as http:
        certificate = authority.certificate()
        other = {"the same server": "/elsewhere", "another server": f"https://127.0.0.1:{https.port}/cimom"}
        target = other.get(where, f"http://127.0.0.1:{http.port}/cimom")
        answer = f"HTTP/1.1 {status} Gone\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        with listener(certificate, answer=answer) as heard:
            error = refusal(options(heard, authority))
    assert error.error_class is ErrorClass.ARRAY_ERROR
    assert f"{status}. It leads elsewhere, and is not followed." in error.message
    assert (len(heard.requests), https.connections, http.connections) == (1, 0, 0)


def test_verification_that_is_switched_off_is_warned_of_also_when_the_task_fails(module_array: Simulated) -> None:
    good = run_module("eternus_info", module_array.args(ca_path=None, validate_certs=False, gather_subset=["array"]))
    bad = run_module("eternus_info", module_array.args(ca_path=None, validate_certs=False, password="wrong"))
    assert (good["failed"], bad["failed"]) == (False, True)
    for result in (good, bad):
        assert "validate_certs is off: whoever answers" in str(result["warnings"])


def test_tls_that_is_switched_off_is_warned_of(module_array: Simulated) -> None:
    port = module_array.endpoint["http_port"]
    result = run_module("eternus_info", module_array.args(use_tls=False, port=port, gather_subset=["array"]))
    assert not result["failed"]
    assert "use_tls is off: the password" in str(result["warnings"])


def test_nobody_is_warned_who_verifies(module_array: Simulated) -> None:
    assert "warnings" not in run_module("eternus_info", module_array.args(gather_subset=["array"]))
