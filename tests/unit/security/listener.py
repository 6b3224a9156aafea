# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listener on loopback that keeps everything it was told, over TLS or not, and answers what it should."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional


@dataclass
class Heard:
    """What a listener was told. ``connections``: how many came; ``told``: the bytes of all, as they were meant."""

    port: int
    connections: int = 0
    told: bytes = b""
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def listener(
    certificate: Optional[Path] = None, *, newest: Optional[ssl.TLSVersion] = None, answer: bytes = b""
) -> Iterator[Heard]:
    """Listen until the block ends; with a certificate over TLS, of a version up to ``newest``.

    :param answer: what each request is answered with; empty: the connection is closed.
    """
    context = _context(certificate, newest) if certificate else None
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = Heard(server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, context, heard, answer), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _context(certificate: Path, newest: Optional[ssl.TLSVersion]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL itself takes no old version
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    return context


def _serve(server: socket.socket, context: Optional[ssl.SSLContext], heard: Heard, answer: bytes) -> None:
    while True:
        try:
            plain = server.accept()[0]
        except OSError:
            return
        heard.connections += 1
        plain.settimeout(10)
        with plain, suppress(OSError):
            talk = context.wrap_socket(plain, server_side=True) if context else plain
            with talk:
                _hear(talk, heard, answer)


def _hear(talk: socket.socket, heard: Heard, answer: bytes) -> None:
    """Take one request: its head, and the body that the head announces."""
    request = b""
    while b"\r\n\r\n" not in request:
        part = talk.recv(65536)
        heard.told += part
        request += part
        if not part:
            return
    head, _end, body = request.partition(b"\r\n\r\n")
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = (int(lines[0].partition(b":")[2]) if lines else 0) - len(body)
    while missing > 0:
        part = talk.recv(65536)
        if not part:
            return
        heard.told += part
        request += part
        missing -= len(part)
    heard.requests.append(request)
    talk.sendall(answer)
