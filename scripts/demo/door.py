# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated array's door, over https with the certificate verified: a host's writes, counters and knobs."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote


class Door:
    """Talks to one array. Raises RuntimeError with the array's words when it refuses."""

    def __init__(self, directory: Path) -> None:
        self.endpoint: dict[str, Any] = json.loads((directory / "endpoints.json").read_text(encoding="utf-8"))
        self.password = Path(self.endpoint["password_file"]).read_text(encoding="utf-8").strip()
        token = base64.b64encode(f"{self.endpoint['user']}:{self.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._connection = http.client.HTTPSConnection(
            self.endpoint["host"],
            self.endpoint["https_port"],
            timeout=120,
            context=ssl.create_default_context(cafile=self.endpoint["ca_file"]),
        )

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Ask something below /door/."""
        self._connection.request(method, f"/door/{path}", body=body, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} /door/{path}: {answer.status} {content.decode(errors='replace')}")
        return json.loads(content) if content else None

    def put(self, volume: str, writes: Iterable[tuple[int, bytes]]) -> None:
        """Write large pieces."""
        for offset, data in writes:
            self.ask("PUT", f"volumes/{quote(volume)}?offset={offset}", data)

    def write(self, writes: dict[str, list[tuple[int, bytes]]]) -> None:
        """Write many small pieces to several volumes."""
        items = [
            {"volume": volume, "offset": offset, "data": base64.b64encode(data).decode()}
            for volume, pieces in writes.items()
            for offset, data in pieces
        ]
        self.ask("POST", "write", json.dumps(items).encode())

    def sha256(self, volume: str) -> str:
        """Return the checksum of a volume as the array has it."""
        return str(self.ask("GET", f"sha256/{quote(volume)}")["sha256"])

    def knobs(self, **values: float) -> None:
        """Turn knobs of the array."""
        self.ask("POST", "knobs", json.dumps(values).encode())

    def counters(self) -> dict[str, Any]:
        """Return what the array counted."""
        return dict(self.ask("GET", "counters"))

    def names(self) -> dict[str, str]:
        """Return the volumes' names by DeviceID."""
        return {volume["device_id"]: volume["name"] for volume in self.ask("GET", "volumes")}
