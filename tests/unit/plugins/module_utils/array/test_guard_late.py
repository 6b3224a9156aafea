# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that took longer than the whole request may: nothing is sent over it (array.md)."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
import requests

from ansible_collections.eternus.backup.plugins.module_utils._array.guard import guarded_adapter

ALLOWED = 0.2


def test_nothing_is_sent_over_a_connection_that_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = socket.getaddrinfo

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(3 * ALLOWED)  # a name server that does not hurry; no timeout of a socket bounds it
        return asked(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with socket.create_server(("127.0.0.1", 0)) as server, requests.Session() as session:
        session.trust_env = False
        session.mount("http://", guarded_adapter())
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.post(f"http://127.0.0.1:{server.getsockname()[1]}/", data=b"act", timeout=(9, ALLOWED))
        client, _address = server.accept()
        with client:
            assert client.recv(1 << 16) == b""
