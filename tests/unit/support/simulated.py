# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated array in this process, over http and https, and its door: what tests turn, break and count.

Fixtures are in tests/unit/conftest.py (``simulated_array``); ``start_simulated(directory, ...)`` for anything else.
It serves from threads of the test's own process: a process of its own would cost each test a second.
"""

from __future__ import annotations

import base64
import http.client
import importlib
import json
import secrets
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import quote, urlencode

FILES = Path(__file__).resolve().parents[3] / "roles" / "simulated_array" / "files"

MIB = 1 << 20


USER = "software"

_RUNNING: dict[Path, list[Any]] = {}


def _package(name: str) -> Any:
    if str(FILES) not in sys.path:
        sys.path.append(str(FILES))
    return importlib.import_module(f"eternus_sim.{name}")


@dataclass(frozen=True)
class Simulated:
    """One simulated array that runs. Volumes are named by name or DeviceID; sizes and offsets in bytes."""

    directory: Path
    endpoint: Mapping[str, Any]
    user: str
    password: str

    @property
    def serial(self) -> str:
        """Return IdentifyingNumber, e.g. ``ET603SA4621302115``."""
        return str(self.endpoint["model"])

    @property
    def device_dir(self) -> Path:
        """Return the directory of links that stands for /dev/disk/by-id."""
        return Path(self.endpoint["device_dir"])

    def args(self, **more: Any) -> dict[str, Any]:
        """Return a module's connection options to it, over https with verification."""
        return {
            "host": self.endpoint["host"],
            "port": self.endpoint["https_port"],
            "username": self.user,
            "password": self.password,
            "ca_path": self.endpoint["ca_file"],
            **more,
        }

    def options(self, **more: Any) -> Any:
        """Return :class:`ArrayOptions` to it."""
        from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions

        return ArrayOptions(**self.args(**more))

    def connect(self, known: Optional[Mapping[str, str]] = None, **more: Any) -> Any:
        """Return a new :class:`WbemArray`; ``more`` overrides options."""
        from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect

        return connect(self.options(**more), known=known)

    def door(self, method: str, path: str, body: Union[bytes, Mapping[str, Any], Sequence[Any], None] = None) -> Any:
        """Ask the door, below ``/door/``; JSON answers are decoded, others returned as bytes."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(self.endpoint["host"], self.endpoint["http_port"], timeout=60)
        try:
            connection.request(method, f"/door/{path}", body=data, headers={"Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, f"{method} /door/{path}: {answer.status} {content.decode(errors='replace')}"
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return json.loads(content) if is_json else content

    def create_volume(self, name: str, size: int = 4 * MIB, pool: str = "TPP0004") -> dict[str, Any]:
        """Make a volume and return what the door says about it."""
        made: list[dict[str, Any]] = self.door("POST", "volumes", {"name": name, "size": size, "pool": pool})
        return made[0]

    def create_volumes(self, *names: str, size: int = 4 * MIB) -> None:
        """Make volumes of one size."""
        for name in names:
            self.create_volume(name, size)

    def write(self, volume: str, data: bytes, offset: int = 0) -> None:
        """Write as a host does."""
        self.door("PUT", f"volumes/{quote(volume)}?{urlencode({'offset': offset})}", data)

    def read(self, volume: str, length: int, offset: int = 0) -> bytes:
        """Read as a host does."""
        content: bytes = self.door("GET", f"volumes/{quote(volume)}?{urlencode({'offset': offset, 'length': length})}")
        return content

    def sha256(self, volume: str) -> str:
        """Return the checksum of a whole volume."""
        answer = self.door("GET", f"sha256/{quote(volume)}")
        return str(answer["sha256"] if isinstance(answer, dict) else answer.decode().strip())

    def knobs(self, **knobs: Any) -> None:
        """Turn knobs: latency, copy_rate, jobs, job_seconds, stale_seconds, list_support, replication_types, ..."""
        self.door("POST", "knobs", knobs)

    def fail(self, on: str, action: str, **more: Any) -> None:
        """Set a failpoint: refuse, lose_answer, drop_before, drop_connection, delay, break_session."""
        self.door("POST", "failpoints", {"on": on, "action": action, **more})

    def unfail(self) -> None:
        """Remove all failpoints."""
        self.door("DELETE", "failpoints")

    def counters(self) -> dict[str, Any]:
        """Return what was counted since the start or the last reset."""
        found: dict[str, Any] = self.door("GET", "counters")
        return found

    def reset_counters(self) -> None:
        """Count from zero."""
        self.door("POST", "counters/reset")

    def requests(self) -> int:
        """Return how many CIM requests came since the last reset."""
        return int(self.counters()["requests_total"])

    def sessions(self) -> list[dict[str, Any]]:
        """Return the copy sessions as they are, never stale."""
        answer = self.door("GET", "sessions")
        return list(answer["sessions"] if isinstance(answer, dict) else answer)

    def state(self) -> dict[str, Any]:
        """Return volumes and sessions: compare before and after to prove that nothing changed."""
        return {"volumes": self.door("GET", "volumes"), "sessions": self.sessions()}


def certificates(directory: Path) -> Any:
    """Return the certificates of a directory, made where they lack. Processes that share it make them beforehand."""
    return _package("certs").ensure(directory, "127.0.0.1")


def start_simulated(
    directory: Path,
    *,
    tls_directory: Optional[Path] = None,
    config: Optional[Mapping[str, Any]] = None,
) -> list[Simulated]:
    """Start the arrays of a directory on free ports and return them; end them by :func:`stop_simulated`.

    :param tls_directory: where certificates are kept; share one between tests, they take time to make.
    :param config: one array's settings (model, name, pools, knobs), or ``{"arrays": [...]}``; those are linked for REC.
    """
    files = certificates(tls_directory or directory / "tls")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.cert_file, files.key_file)
    password = secrets.token_urlsafe(16)
    several = (config or {}).get("arrays", [config or {}])
    servers: list[Any] = []
    for index, settings in enumerate(several):
        place = directory if len(several) == 1 else directory / str(index)
        place.mkdir(parents=True, exist_ok=True)
        array = _package("core.array").SimArray(place, _config(settings))
        servers.append(_package("server").ArrayServer(array, {USER: password}, tls=tls, http_port=0, https_port=0))
    for server in servers[1:]:
        servers[0].array.link(server.array)
    for server in servers:
        server.start()
    _RUNNING[directory] = servers
    return [
        Simulated(
            directory,
            {
                "model": server.array.model,
                "host": server.host,
                "http_port": server.http_port,
                "https_port": server.https_port,
                "ca_file": str(files.ca_file),
                "device_dir": str(server.array.directory / "by-id"),
            },
            USER,
            password,
        )
        for server in servers
    ]


def _config(settings: Mapping[str, Any]) -> Any:
    module = _package("core.config")
    values = dict(settings)
    knobs = module.Knobs()
    knobs.update(values.pop("knobs", {}))
    if "pools" in values:
        values["pools"] = [module.PoolConfig(**pool) for pool in values["pools"]]
    return module.ArrayConfig(knobs=knobs, **values)


def stop_simulated(directory: Path) -> None:
    """End the arrays of a directory; they can be started again on what they left there."""
    servers = _RUNNING.pop(directory, [])
    for server in servers:
        server.stop()
    for server in servers:
        server.array.close()
