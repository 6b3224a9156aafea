# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an answer may be before it is parsed, and how it may come here: in time, over TLS 1.2 or newer, unforwarded."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Optional
from weakref import WeakSet

from ansible_collections.eternus.backup.plugins.module_utils._array.rows import Taker

#: Bytes of the largest answer that is read; 10,000 volumes with our properties are some 6 MB.
MAX_ANSWER = 48 << 20

_STEP = 1 << 16


class UnfitAnswer(Exception):
    """The answer is too large, or declares entities, which CIM-XML never does."""


def read_whole(raw: Any, taker: Optional[Taker] = None) -> bytes:
    """Return a body up to the bound; refuses a document type, since its entities could grow without end.

    :param taker: takes instances out of it on the way.
    """
    size, parts = 0, []
    taker = taker or Taker()
    taker.begin()
    for part in raw.stream(_STEP, decode_content=True):
        size += len(part)
        if size > MAX_ANSWER:
            raw.close()
            raise UnfitAnswer("too large")
        parts.append(taker.feed(part))
    content = b"".join([*parts, taker.rest()])
    if b"<!DOCTYPE" in content[:_STEP]:
        raise UnfitAnswer("a document type")
    return content


def _tls(*, verify: bool) -> ssl.SSLContext:
    """Return how TLS is spoken. Unlike the libraries' own contexts it reads no variable, as SSLKEYLOGFILE."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Overdue:
    """Cuts the connections of an adapter when an answer is not whole in time.

    The libraries bound each wait for the next bytes; an answer that trickles would take for ever.
    """

    def __init__(self) -> None:
        self.connections: WeakSet[Any] = WeakSet()
        self.struck = False

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut after so many seconds, unless the block has ended by then; ``struck`` tells whether it had not."""
        self.struck = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        self.struck = True
        for connection in list(self.connections):
            if getattr(connection, "sock", None) is not None:
                with suppress(OSError):
                    # Not TLS's own shutdown: the thread that reads must see the end of the stream, no torn-down object.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def pool_classes(self) -> dict[str, Any]:
        """Return connection pools by scheme whose connections are known here."""
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        def known(pool: Any) -> Any:
            overdue = self

            class Known(pool.ConnectionCls):
                def connect(self) -> None:
                    overdue.connections.add(self)
                    super().connect()
                    if overdue.struck:  # there was nothing yet to cut
                        self.close()
                        raise TimeoutError("the time ran out while connecting")

            return type(pool.__name__, (pool,), {"ConnectionCls": Known})

        return {"http": known(HTTPConnectionPool), "https": known(HTTPSConnectionPool)}


def guarded_adapter(*, verify: bool = True, taker: Optional[Taker] = None) -> Any:
    """Return an adapter for a session of requests that reads answers by :func:`read_whole`, and sends nothing twice.

    It leads nowhere else: the password, and what changes something, are for the host that was named. The whole of an
    answer has to be there within the time that the request allows for reading.

    :param verify: whether the array must prove who it is.
    :param taker: takes instances out of answers while they come, when it is told to.
    """
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as Broken
    from requests.exceptions import ReadTimeout, RequestException
    from urllib3.exceptions import HTTPError

    class GuardedAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **{**kwargs, "ssl_context": _tls(verify=verify)})
            self._overdue = _Overdue()
            self.poolmanager.pool_classes_by_scheme = self._overdue.pool_classes()

        def send(self, *args: Any, **kwargs: Any) -> Any:
            _connect, allowed = kwargs["timeout"]
            try:
                with self._overdue.within(allowed):
                    response = super().send(*args, **kwargs)
                    response.headers.pop("location", None)
                    response.raw = io.BytesIO(read_whole(response.raw, taker))
            except (HTTPError, RequestException) as error:
                if not self._overdue.struck:
                    if isinstance(error, RequestException):
                        raise
                    raise Broken("Connection broken in the middle of an answer.") from None
            if self._overdue.struck:
                raise ReadTimeout(f"Read timed out. (read timeout={allowed})")
            return response

    return GuardedAdapter(max_retries=0)
