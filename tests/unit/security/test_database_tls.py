# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog_url that asks for TLS gets it, or the database gets nothing: libpq's variables do not take it away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

#: What a client of PostgreSQL asks first when it wants TLS: length 8, request 80877103.
ASKS_FOR_TLS = bytes.fromhex("0000000804d2162f")


@contextmanager
def without_tls() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers "no TLS here", and keeps what it was told."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    talk = server.accept()[0]
                except OSError:
                    return
                talk.settimeout(5)
                with talk, suppress(OSError):
                    told.append(talk.recv(8))
                    talk.sendall(b"N")
                    told.append(talk.recv(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], told
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_database_without_tls_is_told_nothing_where_the_url_asks_for_tls(mode: str) -> None:
    env = {"PGSSLMODE": "disable", "PGPASSWORD": "geheim-of-env", "PGGSSENCMODE": "disable"}
    with without_tls() as (port, told):
        url = f"postgresql://keeper:geheim-of-url@127.0.0.1:{port}/db?sslmode={mode}"
        result = run_module("eternus_backup_info", {"catalog_url": url}, env=env)
    assert result["error_class"] == "catalog_unavailable", result
    assert mode != "require" or ASKS_FOR_TLS in told
    assert set(told) <= {ASKS_FOR_TLS, b""}, told
    assert "geheim" not in str(result)
