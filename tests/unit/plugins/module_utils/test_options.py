# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules share: one value each, numbers that make sense, no secret shown (DESIGN.md, Modules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils import _options
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait

PARAMS: dict[str, Any] = {
    "host": "array",
    "port": None,
    "username": "backup",
    "password": "hunter2",
    "use_tls": True,
    "validate_certs": True,
    "ca_path": None,
    "request_timeout": 60.0,
}


@pytest.mark.parametrize(
    ("use_tls", "port", "url"), [(True, None, "https://array:5989"), (False, None, "http://array:5988")]
)
def test_the_port_follows_the_scheme(use_tls: bool, port: Any, url: str) -> None:
    assert _options.array_options({**PARAMS, "use_tls": use_tls, "port": port}).url == url


@pytest.mark.parametrize("host", ["fe80::1", "[fe80::1]"])
def test_an_ipv6_address_is_put_in_brackets(host: str) -> None:
    assert _options.array_options({**PARAMS, "host": host}).url == "https://[fe80::1]:5989"


def test_tls_and_verification_are_on_by_default() -> None:
    spec = _options.array_args()
    assert (spec["use_tls"]["default"], spec["validate_certs"]["default"]) == (True, True)


def test_the_password_is_in_no_representation() -> None:
    assert "hunter2" not in repr(_options.array_options(PARAMS))
    assert _options.array_args()["password"]["no_log"] is True
    assert _options.catalog_args()["catalog_url"]["no_log"] is True


@pytest.mark.rule("R4.34")
@given(st.integers())
def test_a_port_is_one_or_refused(port: int) -> None:
    if 0 < port < 65536:
        assert _options.array_options({**PARAMS, "port": port}).port == port
    else:
        with pytest.raises(BackupError) as caught:
            _options.array_options({**PARAMS, "port": port})
        assert caught.value.error_class is ErrorClass.INVALID_OPTION
        assert caught.value.details == {"option": "port"}


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_request_timeout_is_above_zero(seconds: float) -> None:
    with pytest.raises(BackupError, match="request_timeout"):
        _options.array_options({**PARAMS, "request_timeout": seconds})


def test_what_a_peer_leaves_out_is_as_it_is_for_the_main_connection() -> None:
    peers = [{"host": "second", "port": 1234, "username": None, "password": None}, {"host": "third", "password": "own"}]
    main, second, third = _options.every_array({**PARAMS, "ca_path": "/ca", "peers": peers})
    assert main == _options.array_options({**PARAMS, "ca_path": "/ca"})
    assert second == replace(main, host="second", port=1234)
    assert third == replace(main, host="third", password="own")


def test_a_peer_that_makes_no_sense_is_refused_by_its_place() -> None:
    for peer, option in (({"host": "a", "port": 0}, "port"), ({"host": ""}, "host"), ({"host": "a/b"}, "host")):
        with pytest.raises(BackupError, match=r"^peers, entry 2: ") as caught:
            _options.every_array({**PARAMS, "peers": [{"host": "fine"}, peer]})
        assert caught.value.error_class is ErrorClass.INVALID_OPTION
        assert caught.value.details == {"option": f"peers[1].{option}"}


def test_two_connections_to_one_url_are_refused() -> None:
    with pytest.raises(BackupError, match="https://array:5989") as caught:
        _options.every_array({**PARAMS, "peers": [{"host": "array"}]})
    assert caught.value.details == {"option": "peers"}


def test_idle_options_take_peers_and_hide_their_passwords() -> None:
    peers = _options.idle_args(**_options.array_args())["peers"]
    assert peers["options"]["password"]["no_log"] is True
    assert "default" not in peers


def test_interval_and_timeout_of_waiting_are_two_times() -> None:
    assert _options.wait_options({"poll_interval": 2.0, "wait_timeout": 0.0}) == Wait(interval=2.0, timeout=0.0)


@pytest.mark.parametrize(("interval", "timeout", "option"), [(0.0, 1.0, "poll_interval"), (1.0, -1.0, "wait_timeout")])
def test_times_of_waiting_that_make_no_sense_are_refused(interval: float, timeout: float, option: str) -> None:
    with pytest.raises(BackupError) as caught:
        _options.wait_options({"poll_interval": interval, "wait_timeout": timeout})
    assert caught.value.details["option"] == option


def test_the_catalog_has_a_default_and_can_be_named() -> None:
    assert _options.catalog_args()["catalog_url"]["default"] == "sqlite:////var/lib/eternus-backup/catalog.db"
    assert _options.catalog_url({"catalog_url": "sqlite:////tmp/x.db"}) == "sqlite:////tmp/x.db"


def test_every_connection_option_falls_back_to_the_environment_but_those_that_protect_it() -> None:
    specs = {**_options.array_args(), **_options.catalog_args()}
    peers = specs.pop("peers")["options"]
    assert not any("fallback" in spec for spec in peers.values()), "the environment is for the main connection alone"
    assert {name for name, spec in specs.items() if "fallback" not in spec} == {"use_tls", "validate_certs"}
    names = {spec["fallback"][1][0] for spec in specs.values() if "fallback" in spec}
    assert names == {
        "ETERNUS_HOST",
        "ETERNUS_PORT",
        "ETERNUS_USERNAME",
        "ETERNUS_PASSWORD",
        "ETERNUS_CA_PATH",
        "ETERNUS_REQUEST_TIMEOUT",
        "ETERNUS_CATALOG",
    }
