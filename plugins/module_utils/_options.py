# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Every option that several modules share: its argument spec, its environment fallback and its value, once. No I/O."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.common.warnings import warn

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait

#: The ports of the array's SMI-S agent (array.md, Connection).
HTTP_PORT = 5988
HTTPS_PORT = 5989

#: A name, an IPv4 address, or an IPv6 address with or without brackets.
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.%]+[A-Za-z0-9]*\]?")

DEFAULT_CATALOG_URL = "sqlite:////var/lib/eternus-backup/catalog.db"


@dataclass(frozen=True)
class ArrayOptions:
    """How to reach an array. ``request_timeout`` in seconds, for one request."""

    host: str
    username: str
    password: str = field(repr=False)
    port: int = HTTPS_PORT
    use_tls: bool = True
    validate_certs: bool = True
    ca_path: str = ""
    request_timeout: float = 60.0

    @property
    def url(self) -> str:
        """Return the URL of the agent; it never holds the password."""
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return f"{'https' if self.use_tls else 'http'}://{host}:{self.port}"


def _env(name: str, **spec: Any) -> dict[str, Any]:
    return {**spec, "fallback": (env_fallback, [name])}


def array_args() -> dict[str, Any]:
    """Return the argument spec of the connection to an array."""
    return {
        "host": _env("ETERNUS_HOST", type="str", required=True),
        "port": _env("ETERNUS_PORT", type="int"),
        "username": _env("ETERNUS_USERNAME", type="str", required=True),
        "password": _env("ETERNUS_PASSWORD", type="str", required=True, no_log=True),
        # No variable of the environment takes the protection away: only whoever writes the task does.
        "use_tls": {"type": "bool", "default": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": _env("ETERNUS_CA_PATH", type="path"),
        "request_timeout": _env("ETERNUS_REQUEST_TIMEOUT", type="float", default=60.0),
        "peers": {"type": "list", "elements": "dict", "default": [], "options": _peer_args()},
    }


def _peer_args() -> dict[str, Any]:
    """Return the options of one further array; the environment is for the main connection alone."""
    return {
        "host": {"type": "str", "required": True},
        "port": {"type": "int"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "use_tls": {"type": "bool"},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
    }


def idle_args(**described: dict[str, Any]) -> dict[str, Any]:
    """Return options of the same names that a module takes and does not use.

    All modules are in one action group, whose defaults Ansible gives to every one of them.
    """
    kept = ("type", "no_log", "elements", "options")
    return {name: {key: spec[key] for key in kept if key in spec} for name, spec in described.items()}


def array_options(params: Mapping[str, Any]) -> ArrayOptions:
    """Return how to reach the array; ``invalid_option`` when a number makes no sense."""
    not_empty(params, "host", "username")
    if not _HOST.fullmatch(params["host"]):
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            "host is neither a name nor an address.",
            next_step="Give the name or address alone; port, username and password have options of their own.",
            option="host",
        )
    use_tls = params["use_tls"]
    port = params["port"] if params["port"] is not None else (HTTPS_PORT if use_tls else HTTP_PORT)
    if not 0 < port < 65536:
        raise invalid("port", port, "Give a port between 1 and 65535.")
    if not params["request_timeout"] > 0:
        raise invalid("request_timeout", params["request_timeout"], "Give a number of seconds above 0.")
    found = ArrayOptions(
        host=params["host"],
        username=params["username"],
        password=params["password"],
        port=port,
        use_tls=use_tls,
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"] or "",
        request_timeout=params["request_timeout"],
    )
    _warn_of(found)
    return found


def _warn_of(options: ArrayOptions) -> None:
    """Say loudly that the password is not protected; Ansible shows such a warning once, also when the task fails."""
    if not options.use_tls:
        warn(f"use_tls is off: the password for {options.url} and everything else go over the network in the clear.")
    elif not options.validate_certs:
        warn(f"validate_certs is off: whoever answers at {options.url} gets the password, be it the array or not.")


def every_array(params: Mapping[str, Any]) -> list[ArrayOptions]:
    """Return how to reach every array of a task, the main one first: what a peer leaves out is as it is for that one.

    ``invalid_option`` as :func:`array_options`, and when two of them are the same.
    """
    found = [array_options(params)]
    for number, peer in enumerate(params.get("peers") or ()):
        given = {name: value for name, value in peer.items() if value is not None}
        try:
            found.append(array_options({**params, **given}))
        except BackupError as error:
            raise BackupError(
                error.error_class,
                f"peers, entry {number + 1}: {error.message}",
                next_step=error.next_step,
                option=f"peers[{number}].{error.details['option']}",
            ) from error
    twice = sorted(url for url, count in Counter(one.url for one in found).items() if count > 1)
    if twice:
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            f"Several connections lead to {', '.join(twice)}.",
            next_step="Name each array once: the main one by host, the others in peers.",
            option="peers",
        )
    return found


def catalog_args() -> dict[str, Any]:
    """Return the argument spec of the catalog. The URL may hold a password, hence it is never shown."""
    return {"catalog_url": _env("ETERNUS_CATALOG", type="str", default=DEFAULT_CATALOG_URL, no_log=True)}


def catalog_url(params: Mapping[str, Any]) -> str:
    """Return the catalog's URL."""
    return str(params["catalog_url"])


def wait_args(*, poll_interval: float = 5.0, wait_timeout: float = 600.0) -> dict[str, Any]:
    """Return the argument spec of waiting; both in seconds, a ``wait_timeout`` of 0 looks once.

    ``poll_interval`` holds while nothing is known of the progress; see ``_pace.Pace`` for the rest.
    """
    return {
        "poll_interval": {"type": "float", "default": poll_interval},
        "wait_timeout": {"type": "float", "default": wait_timeout},
    }


def wait_options(params: Mapping[str, Any]) -> Wait:
    """Return how to wait; ``invalid_option`` when a number makes no sense."""
    if not 0 < params["poll_interval"] < math.inf:
        raise invalid("poll_interval", params["poll_interval"], "Give a number of seconds above 0.")
    if not 0 <= params["wait_timeout"] < math.inf:
        raise invalid("wait_timeout", params["wait_timeout"], "Give a number of seconds, 0 for one look and no wait.")
    return Wait(interval=params["poll_interval"], timeout=params["wait_timeout"])


def not_empty(params: Mapping[str, Any], *options: str) -> None:
    """Refuse options that are given and empty: a template that came out empty must never mean the default."""
    for option in options:
        if params[option] is not None and not str(params[option]).strip():
            raise invalid(option, params[option], "Give a value, or leave it out.")


def invalid(option: str, value: Any, next_step: str) -> BackupError:
    """Return the error for an option that makes no sense; never called with a secret."""
    return BackupError(
        ErrorClass.INVALID_OPTION, f"{option} does not make sense: {value!r}.", next_step=next_step, option=option
    )
