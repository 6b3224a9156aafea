# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server as a process: start, detach, stop, status. A lock on the directory tells whether one runs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional

from . import certs
from .core.array import SimArray
from .core.config import ArrayConfig, Knobs, PoolConfig
from .server import ArrayServer

START_SECONDS = 60
STOP_SECONDS = 30


class Failed(Exception):
    """Something that the one who called must mend; the words say what."""


@dataclass(frozen=True)
class Settings:
    """What ``serve`` was asked for. Ports: 0 any free one, -1 none. ``config`` is a JSON file."""

    directory: Path
    host: str
    http_port: int
    https_port: int
    user: str
    password_file: Path
    tls_directory: Path
    config: Optional[Path]

    def arguments(self) -> list[str]:
        """The same as arguments of a command line."""
        words = [
            "serve",
            "--directory",
            str(self.directory),
            "--host",
            self.host,
            "--http-port",
            str(self.http_port),
            "--https-port",
            str(self.https_port),
            "--user",
            self.user,
            "--password-file",
            str(self.password_file),
            "--tls-directory",
            str(self.tls_directory),
        ]
        return words if self.config is None else [*words, "--config", str(self.config)]


def write_json(path: Path, content: Any) -> None:
    """Writes a file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises Failed where another one serves the directory."""
    directory = settings.directory
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a", encoding="ascii") as lock:
        if not _lock_soon(lock):
            raise Failed(f"another server runs on {directory}; stop it first")
        done = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_args: done.set())
        servers: list[ArrayServer] = []
        try:
            _start(settings, servers)
            done.wait()
        finally:
            with suppress(FileNotFoundError):
                (directory / "endpoints.json").unlink()
            for server in servers:
                server.stop()
            for server in servers:
                server.array.close()


def _start(settings: Settings, servers: list[ArrayServer]) -> None:
    users = {settings.user: _password(settings.password_file)}
    tls: Optional[ssl.SSLContext] = None
    ca_file: Optional[Path] = None
    if settings.https_port >= 0:
        tls, ca_file = _tls(settings)
    several = _configs(settings)
    for index, config in enumerate(several):
        place = settings.directory if len(several) == 1 else settings.directory / config.model
        servers.append(
            ArrayServer(
                SimArray(place, config),
                users,
                host=settings.host,
                tls=tls,
                http_port=_port(settings.http_port, index),
                https_port=_port(settings.https_port, index),
            )
        )
    for server in servers[1:]:
        servers[0].array.link(server.array)
    for server in servers:
        server.start()
    arrays = [_endpoint(server, ca_file) for server in servers]
    write_json(
        settings.directory / "endpoints.json",
        {
            "pid": os.getpid(),
            "directory": str(settings.directory),
            "user": settings.user,
            "password_file": str(settings.password_file),
            **arrays[0],
            "arrays": arrays,
        },
    )


def _port(wanted: int, index: int) -> Optional[int]:
    """The port of the array of that index: given ports are counted upwards."""
    return None if wanted < 0 else 0 if wanted == 0 else wanted + index


def _endpoint(server: ArrayServer, ca_file: Optional[Path]) -> dict[str, Any]:
    array = server.array
    found: dict[str, Any] = {
        "serial": array.serial,
        "model": array.model,
        "name": array.name,
        "host": server.host,
        "http_port": server.http_port,
        "https_port": server.https_port,
        "ca_file": None if ca_file is None else str(ca_file),
        "device_dir": str(array.directory / "by-id"),
    }
    for scheme, port in (("http", server.http_port), ("https", server.https_port)):
        found[f"{scheme}_url"] = None if port is None else f"{scheme}://{_literal(server.host)}:{port}"
    return found


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _password(file: Path) -> str:
    if not file.exists():
        certs.write_private(file, secrets.token_urlsafe(16).encode("ascii"))
    password = file.read_text(encoding="utf-8").rstrip("\n")
    if not password:
        raise Failed(f"{file} holds no password")
    return password


def _tls(settings: Settings) -> Any:
    try:
        files = certs.ensure(settings.tls_directory, settings.host)
    except ImportError as error:
        raise Failed("https needs the Python package cryptography; install it, or give --https-port -1") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.cert_file, files.key_file)
    return context, files.ca_file


def _configs(settings: Settings) -> list[ArrayConfig]:
    """The arrays' settings: as given now, else as given at the last start, else one array of default settings."""
    kept = settings.directory / "config.json"
    source = settings.config or kept
    content: dict[str, Any] = {}
    if source.exists() or settings.config is not None:
        content = json.loads(source.read_text(encoding="utf-8"))
    several = content.get("arrays", [content])
    configs = [_config(item) for item in several]
    if len({config.model for config in configs}) < len(configs) or not configs:
        raise Failed(f"{source}: each array needs a model of its own")
    write_json(kept, content)
    return configs


def _config(content: dict[str, Any]) -> ArrayConfig:
    values = dict(content)
    knobs = Knobs()
    knobs.update(values.pop("knobs", {}))
    try:
        if "pools" in values:
            values["pools"] = [PoolConfig(**pool) for pool in values["pools"]]
        return ArrayConfig(knobs=knobs, **values)
    except TypeError as error:
        raise Failed(f"the configuration of an array is not understood: {error}") from error


def _lock_soon(file: IO[str]) -> bool:
    """Takes the lock; somebody who only looks may hold it for a moment."""
    for _attempt in range(20):
        if _lock(file, fcntl.LOCK_EX):
            return True
        time.sleep(0.05)
    return False


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running(directory: Path) -> bool:
    """Whether a server holds the directory, whatever endpoints.json says."""
    try:
        with (directory / "lock").open("r", encoding="ascii") as file:
            return not _lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def status(directory: Path) -> Optional[dict[str, Any]]:
    """What endpoints.json says, if a server runs and listens."""
    try:
        found = json.loads((directory / "endpoints.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return dict(found) if running(directory) else None


def detach(settings: Settings) -> dict[str, Any]:
    """Starts a server of its own, and returns its endpoints once it listens. One that runs already is left alone."""
    if running(settings.directory):
        return _await_endpoints(settings.directory, None)
    settings.directory.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        (settings.directory / "endpoints.json").unlink()
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (settings.directory / "server.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", __package__, *settings.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
        )
    return _await_endpoints(settings.directory, child)


def _await_endpoints(directory: Path, child: Optional[subprocess.Popen[bytes]]) -> dict[str, Any]:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        found = status(directory)
        if found is not None:
            return found
        if child is not None and child.poll() is not None:
            lines = (directory / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
            raise Failed("the server ended at once: " + (lines[-1] if lines else "server.log is empty"))
        time.sleep(0.05)
    raise Failed(f"the server did not listen within {START_SECONDS} s; see {directory / 'server.log'}")


def ended(pid: int) -> bool:
    """Whether a process is no more; one that only waits to be reaped is none."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def stop(directory: Path) -> bool:
    """Stops the server of a directory and waits until it has ended; False when none ran."""
    if not running(directory):
        return False
    found = status(directory)
    if found is None:
        raise Failed(f"the server of {directory} is about to start or to end; try again")
    with suppress(ProcessLookupError):
        os.kill(int(found["pid"]), signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while running(directory) or not ended(int(found["pid"])):
        if time.monotonic() > until:
            raise Failed(f"process {found['pid']} did not end within {STOP_SECONDS} s")
        time.sleep(0.05)
    return True
