# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network side: http and https, basic authentication, CIM-XML at any path but ``/door/``, the door there."""

from __future__ import annotations

import base64
import hmac
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

from .cim import faults
from .cim.service import CimService
from .core.array import SimArray
from .core.door import Door
from .core.failpoints import FailPoint

MAX_BODY = 256 << 20  # bytes of a request: writes through the door may be large
_DIGITS = re.compile("[0-9]+")
REALM = 'Basic realm="ETERNUS"'
Answer = tuple[int, dict[str, str], bytes]


class ArrayServer:
    """Serves one array on up to two ports, until it is stopped.

    A port of 0 is chosen by the system; None means that this protocol is not served.
    """

    def __init__(
        self,
        array: SimArray,
        users: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        http_port: Optional[int] = 0,
        https_port: Optional[int] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self.array = array
        self.cim = CimService(array, host)
        self.door = Door(array)
        self.host = host
        self._tokens: list[bytes] = []
        for user, password in users.items():
            self.admit(user, password)
        self._servers: list[_Listener] = []
        self._life = threading.Lock()
        self._waking: Optional[threading.Timer] = None
        self.http_port = self._listen(http_port, None)
        self.https_port = self._listen(https_port, tls) if tls is not None else None

    def _listen(self, port: Optional[int], tls: Optional[ssl.SSLContext]) -> Optional[int]:
        if port is None:
            return None
        listener = _Listener((self.host, port), self, tls)
        self._servers.append(listener)
        return int(listener.server_address[1])

    def start(self) -> None:
        """Begins to answer, in threads of its own."""
        for server in self._servers:
            server.serve()

    def stop(self) -> None:
        """Ends listening, and cuts the connections."""
        with self._life:
            if self._waking is not None:
                self._waking.cancel()
            self._waking = None
            for server in self._servers:
                server.end()

    def restart(self, seconds: float) -> None:
        """Goes away as an array that restarts does: connections are cut, the same ports refuse for this long."""
        with self._life:
            if not all(server.serving for server in self._servers):
                return
            for server in self._servers:
                server.end()
            self._servers = [server.successor() for server in self._servers]
            self._waking = threading.Timer(seconds, self._wake)
            self._waking.daemon = True
            self._waking.start()

    def _wake(self) -> None:
        with self._life:
            if self._waking is None:
                return
            self._waking = None
            for server in self._servers:
                server.server_activate()
                server.serve()

    def admit(self, user: str, password: str) -> None:
        """Lets one more user in."""
        self._tokens.append(base64.b64encode(f"{user}:{password}".encode()))

    def admits(self, header: str) -> bool:
        """Whether an Authorization header is one of our users'."""
        kind, _space, token = header.partition(" ")
        given = token.strip().encode("utf-8", "replace")
        known = [hmac.compare_digest(given, item) for item in self._tokens]
        return kind.lower() == "basic" and any(known)


class _Listener(ThreadingHTTPServer):
    """A listening port. The TLS handshake is made in the connection's own thread, so that a slow one stops nobody."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], owner: ArrayServer, tls: Optional[ssl.SSLContext], *, listen: bool = True
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler, bind_and_activate=listen)
        if not listen:
            self.server_bind()
        self.owner = owner
        self.tls = tls
        self.serving = False
        self._open: dict[int, socket.socket] = {}
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Begins to answer, in a thread of its own."""
        self.serving = True
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def end(self) -> None:
        """Ends listening, and cuts the connections."""
        if self.serving:
            self.shutdown()
        self.serving = False
        self.server_close()
        self.cut()

    def successor(self) -> _Listener:
        """One on the same port that does not listen yet: whoever connects is refused, and nobody takes the port."""
        return _Listener((str(self.server_name), self.server_port), self.owner, self.tls, listen=False)

    def server_bind(self) -> None:
        # The parent's looks the host's name up, which may take seconds; nobody needs it.
        socket_server_bind(self)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open[id(connection)] = connection
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        key = id(request)
        try:
            if self.tls is not None:
                request.settimeout(30)
                request = self.tls.wrap_socket(request, server_side=True)
                with self._lock:
                    self._open[key] = request
            super().finish_request(request, client_address)
        except OSError:
            # The client went away, or does not speak TLS, or does not trust us: its affair.
            pass
        finally:
            with self._lock:
                self._open.pop(key, None)
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            request.close()

    def cut(self) -> None:
        """Cuts every connection."""
        with self._lock:
            connections = list(self._open.values())
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def socket_server_bind(server: ThreadingHTTPServer) -> None:
    """Binds without a look at name services."""
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.socket.bind(server.server_address)
    server.server_address = server.socket.getsockname()
    server.server_name = str(server.server_address[0])
    server.server_port = int(server.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "FUJITSU-CIMOM-sim/1.0"
    sys_version = ""
    timeout = 300
    server: _Listener

    def _any(self) -> None:
        body = self._body()
        if body is None:
            return
        owner = self.server.owner
        if not owner.admits(self.headers.get("Authorization", "")):
            self._send((401, {"WWW-Authenticate": REALM}, b""))
        elif self.path.startswith("/door/"):
            self._send(owner.door.handle(self.command, self.path, body))
        elif self.command in ("POST", "M-POST"):
            self._cim(body)
        elif self.command == "OPTIONS":
            self._send((200, {"Allow": "POST, M-POST, OPTIONS"}, b""))
        else:
            self._send((405, {"Allow": "POST, M-POST, OPTIONS"}, b""))

    def _body(self) -> Optional[bytes]:
        """The request's body; None when it was refused and the connection ends."""
        if self.headers.get("Transfer-Encoding", "identity").lower() != "identity":
            self.close_connection = True
            self._send((411, {}, b""))
            return None
        told = self.headers.get("Content-Length", "0").strip()
        if not _DIGITS.fullmatch(told) or int(told[:20]) > MAX_BODY:
            self.close_connection = True
            self._send((413 if _DIGITS.fullmatch(told) else 400, {}, b""))
            return None
        length = int(told)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        return body

    def _cim(self, body: bytes) -> None:
        service = self.server.owner.cim
        asked = service.read(body, self._cim_method())
        knobs = self.server.owner.array.knobs
        if knobs.latency > 0:
            time.sleep(knobs.latency)
        fault = service.fault(asked)
        if fault is not None and fault.action in ("drop_before", "deny", "restart"):
            self._undone(fault)
            return
        answer = service.answer(asked)
        if fault is not None and fault.action == "trickle":
            self._trickle(self._whole(answer), fault.delay)
            return
        if fault is not None and fault.delay > 0:
            time.sleep(fault.delay)
        if fault is not None and fault.action == "stall":
            self._write(answer, 0)
            self.rfile.read(1)  # until the client goes away
            self.close_connection = True
        elif fault is not None and fault.action == "lose_answer":
            self._cut()
        elif fault is not None and fault.action == "drop_connection":
            self._write(answer, len(answer[2]) // 2)
            self._cut()
        else:
            self._send(answer if fault is None else faults.spoil(fault, answer))

    def _undone(self, fault: FailPoint) -> None:
        """What happens instead of the act."""
        if fault.action == "deny":
            self._send(faults.denied(fault))
            return
        if fault.action == "restart":
            self.server.owner.restart(fault.delay)
        self._cut()

    def _trickle(self, content: bytes, pause: float) -> None:
        """Byte by byte, until the client goes away."""
        self.close_connection = True
        for number in range(len(content)):
            self.wfile.write(content[number : number + 1])
            time.sleep(pause)

    def _cim_method(self) -> str:
        """The CIMMethod header; behind a number for M-POST (RFC 2774)."""
        name = self.headers.get("CIMMethod")
        if name is None and self.command == "M-POST":
            number = self.headers.get("Man", "").rpartition("ns=")[2].strip()[:2]
            name = self.headers.get("%s-CIMMethod" % number)
        return name or ""

    def _cut(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _send(self, answer: Answer) -> None:
        self._write(answer, len(answer[2]))

    def _write(self, answer: Answer, count: int) -> None:
        """Head and body in one write: two would wait for each other's acknowledgement."""
        whole = self._whole(answer)
        left_out = len(answer[2]) - count if self.command != "HEAD" else len(answer[2])
        self.wfile.write(whole[: len(whole) - left_out])

    def _whole(self, answer: Answer) -> bytes:
        status, headers, body = answer
        self.send_response_only(status)
        self.send_header("Server", self.version_string())
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        if self.command == "M-POST":
            self.send_header("Ext", "")
        if self.close_connection:
            self.send_header("Connection", "close")
        head = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer = []
        return head + body

    def log_message(self, *args: Any) -> None:
        """Nothing is logged: requests may bear secrets."""


# The parent looks for a method of the verb's name.
for _verb in ("GET", "PUT", "POST", "DELETE", "OPTIONS", "M-POST"):
    setattr(_Handler, f"do_{_verb}", _Handler._any)
