# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated array as a process of its own, over https, and its door: what tests turn, break and count.

Fixtures are in tests/unit/conftest.py (``simulated_array``); ``start_simulated(directory, ...)`` for anything else.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import quote, urlencode

FILES = Path(__file__).resolve().parents[3] / "roles" / "simulated_array" / "files"

MIB = 1 << 20


def _run(arguments: Sequence[str], timeout: float = 90) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(FILES), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "eternus_sim", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=timeout,
        check=False,
    )


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


def start_simulated(
    directory: Path,
    *,
    tls_directory: Optional[Path] = None,
    config: Optional[Mapping[str, Any]] = None,
) -> list[Simulated]:
    """Start the arrays of a directory on free ports and return them; end them by :func:`stop_simulated`.

    :param tls_directory: where certificates are kept; share one between tests, they take time to make.
    :param config: one array's settings (model, name, pools, knobs), or ``{"arrays": [...]}``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    arguments = ["serve", "--directory", str(directory), "--detach"]
    if tls_directory is not None:
        arguments += ["--tls-directory", str(tls_directory)]
    if config is not None:
        file = directory / "wanted.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        arguments += ["--config", str(file)]
    done = _run(arguments)
    assert done.returncode == 0, f"the simulated array did not start: {done.stdout}{done.stderr}"
    endpoints = json.loads((directory / "endpoints.json").read_text(encoding="utf-8"))
    password = Path(endpoints["password_file"]).read_text(encoding="utf-8").rstrip("\n")
    return [Simulated(directory, endpoint, endpoints["user"], password) for endpoint in endpoints["arrays"]]


def stop_simulated(directory: Path) -> None:
    """End the server of a directory."""
    _run(["stop", "--directory", str(directory)])
