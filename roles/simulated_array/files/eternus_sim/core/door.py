# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door: a small http interface for hosts (bytes) and for tests (counters, knobs, faults). The server mounts it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, unquote, urlsplit

from .array import SimArray
from .failpoints import FailPoint
from .model import Code, Job, Refused, Session, Volume

Answer = tuple[int, dict[str, str], bytes]

_STEP = 1 << 20


class _Bad(Exception):
    """The request itself is wrong: an http status and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _json(value: Any, status: int = 200) -> Answer:
    body = json.dumps(value, default=_plain).encode() + b"\n"
    return status, {"Content-Type": "application/json"}, body


def _volume(volume: Volume) -> dict[str, Any]:
    return {**vars(volume), "size": volume.size}


def _session(session: Session) -> dict[str, Any]:
    return dict(vars(session))


def _job(job: Job) -> dict[str, Any]:
    return {name: value for name, value in vars(job).items() if name != "result"}


class Door:
    """Answers requests below ``/door/`` for one array. Safe for threads."""

    def __init__(self, array: SimArray) -> None:
        self._array = array
        self._routes: dict[tuple[str, str], Callable[[str, dict[str, str], bytes], Answer]] = {
            ("GET", "array"): self._identity,
            ("GET", "volumes"): self._get_volumes,
            ("POST", "volumes"): self._make_volumes,
            ("PUT", "volumes"): self._put_bytes,
            ("POST", "write"): self._write,
            ("GET", "sha256"): self._sha256,
            ("GET", "counters"): lambda *_: _json(array.counters.as_dict()),
            ("POST", "counters"): self._reset_counters,
            ("GET", "knobs"): lambda *_: _json(array.knobs.as_dict()),
            ("POST", "knobs"): self._set_knobs,
            ("GET", "failpoints"): lambda *_: _json(array.failpoints.listed()),
            ("POST", "failpoints"): self._add_failpoints,
            ("DELETE", "failpoints"): self._clear_failpoints,
            ("GET", "sessions"): lambda *_: _json([_session(session) for session in array.sessions(stale=False)]),
            ("DELETE", "sessions"): self._break_session,
            ("GET", "jobs"): lambda *_: _json([_job(job) for job in list(array.jobs.values())]),
        }

    def handle(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a request. ``path`` begins with ``/door/`` and may bear a query. Errors are JSON: error, code.

        404: no such thing. 405: not this method. 400: malformed. 409: the array refuses, ``code`` as in array.md.
        """
        parts = urlsplit(path)
        words = [unquote(word) for word in parts.path.split("/") if word]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            if not words or words[0] != "door" or len(words) not in {2, 3}:
                raise _Bad(404, f"no {parts.path}")
            route = self._routes.get((method, words[1]))
            if route is None:
                known = any(word == words[1] for _method, word in self._routes)
                raise _Bad(405 if known else 404, f"no {method} {parts.path}")
            return route(words[2] if len(words) == 3 else "", query, body)
        except Refused as refused:
            status = 404 if refused.code == Code.UNKNOWN_VOLUME else 409
            return _json({"error": refused.text, "code": refused.code}, status)
        except _Bad as bad:
            return _json({"error": str(bad), "code": 0}, bad.status)

    # bytes

    def _get_volumes(self, name: str, query: dict[str, str], _body: bytes) -> Answer:
        if not name:
            with self._array.domain.lock:
                return _json([_volume(volume) for volume in self._array.volumes.values()])
        volume = self._array.volume(name)
        offset = _number(query, "offset", 0)
        length = _number(query, "length", max(0, volume.size - offset))
        data = self._array.read(volume.device_id, offset, length)
        return 200, {"Content-Type": "application/octet-stream"}, data

    def _put_bytes(self, name: str, query: dict[str, str], body: bytes) -> Answer:
        volume = self._array.volume(name)
        if _number(query, "length", len(body)) != len(body):
            raise _Bad(400, f"length is {query['length']}, the body has {len(body)} bytes")
        self._array.write(volume.device_id, _number(query, "offset", 0), body)
        return 204, {}, b""

    def _write(self, _name: str, _query: dict[str, str], body: bytes) -> Answer:
        writes = []
        for item in _items(body):
            try:
                data = base64.b64decode(item["data"], validate=True)
                writes.append((self._array.volume(item["volume"]).device_id, int(item["offset"]), data))
            except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
                raise _Bad(400, f"a write has volume, offset, data (base64): {error!r}") from error
        self._array.write_many(writes)
        return _json({"writes": len(writes), "bytes": sum(len(data) for _id, _offset, data in writes)})

    def _sha256(self, name: str, query: dict[str, str], _body: bytes) -> Answer:
        volume = self._array.volume(name)
        offset = _number(query, "offset", 0)
        end = offset + _number(query, "length", max(0, volume.size - offset))
        digest = hashlib.sha256()
        with self._array.domain.lock:  # one moment, whatever hosts write
            for first in range(offset, end, _STEP):
                digest.update(self._array.read(volume.device_id, first, min(_STEP, end - first)))
        return _json({"device_id": volume.device_id, "name": volume.name, "sha256": digest.hexdigest()})

    # set-up and tests

    def _identity(self, *_: object) -> Answer:
        array = self._array
        return _json(
            {
                "model": array.model,
                "serial": array.serial,
                "name": array.name,
                "device_dir": (array.directory / "by-id").absolute(),
                "pools": [{**vars(pool), "remaining": pool.remaining} for pool in array.pools.values()],
                "volumes": len(array.volumes),
            }
        )

    def _make_volumes(self, _name: str, _query: dict[str, str], body: bytes) -> Answer:
        pools: dict[str, list[tuple[str, int]]] = {}
        for item in _items(body):
            try:
                pool = item.get("pool") or next(iter(self._array.pools))
                pools.setdefault(str(pool), []).append((str(item["name"]), int(item["size"])))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _Bad(400, f"a volume has name, size in bytes, and may have pool: {error!r}") from error
        made = [volume for pool, wanted in pools.items() for volume in self._array.create_volumes(wanted, pool)]
        return _json([_volume(volume) for volume in made], 201)

    def _reset_counters(self, name: str, _query: dict[str, str], _body: bytes) -> Answer:
        if name != "reset":
            raise _Bad(404, "POST /door/counters/reset is what there is")
        self._array.counters.reset()
        return 204, {}, b""

    def _set_knobs(self, _name: str, _query: dict[str, str], body: bytes) -> Answer:
        values = _parse(body)
        if not isinstance(values, dict):
            raise _Bad(400, "knobs are an object")
        with self._array.domain.lock:
            try:
                self._array.knobs.update(values)
            except ValueError as error:
                raise _Bad(400, str(error)) from error
            self._array.wake()
        return _json(self._array.knobs.as_dict())

    def _add_failpoints(self, _name: str, _query: dict[str, str], body: bytes) -> Answer:
        known = {item.name for item in fields(FailPoint)} - {"seen", "struck"}
        points = []
        for item in _items(body):
            if not isinstance(item, dict) or not {"on", "action"} <= item.keys() <= known:
                raise _Bad(400, f"a failpoint has on and action, and may have {', '.join(sorted(known))}")
            points.append(FailPoint(**item))
        for point in points:
            self._array.failpoints.add(point)
        return _json(self._array.failpoints.listed(), 201)

    def _clear_failpoints(self, *_: object) -> Answer:
        self._array.failpoints.clear()
        return 204, {}, b""

    def _break_session(self, _name: str, query: dict[str, str], _body: bytes) -> Answer:
        if not {"source", "target"} <= query.keys():
            raise _Bad(400, "source and target are needed")
        source, target = (self._array.volume(query[name]).device_id for name in ("source", "target"))
        self._array.break_session(source, target)
        return 204, {}, b""


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        raise _Bad(400, f"{name} is a number of bytes") from error


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError as error:
        raise _Bad(400, f"the body is not JSON: {error}") from error


def _items(body: bytes) -> list[Any]:
    value = _parse(body)
    if value is None:
        raise _Bad(400, "the body is empty")
    return value if isinstance(value, list) else [value]
