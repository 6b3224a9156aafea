# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real conversations with the simulated array: recorded once, then answered from the recording, one answer changed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

MIB = 1 << 20
Ask = Callable[[Any], Any]


@dataclass
class Talk:
    """What was said: bodies of requests with the header CIMMethod, bodies of answers."""

    requests: list[tuple[str, bytes]] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)


@contextmanager
def transport(send: Callable[[Any, Callable[[], Any]], Any]) -> Iterator[None]:
    """Put a function below every adapter of requests: it gets the request, and a function that sends it on."""
    from requests.adapters import HTTPAdapter

    real = HTTPAdapter.send

    def replaced(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return send(request, lambda: real(self, request, *args, **kwargs))

    HTTPAdapter.send = replaced  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = real  # type: ignore[method-assign]


def reply(request: Any, body: bytes, status: int = 200, kind: str = 'application/xml; charset="utf-8"') -> Any:
    """Return an answer as requests gives it."""
    import urllib3
    from requests.adapters import HTTPAdapter

    raw = urllib3.HTTPResponse(io.BytesIO(body), {"Content-Type": kind}, status, preload_content=False)
    return HTTPAdapter().build_response(request, raw)


def _pairs(array: Any, *names: tuple[str, str]) -> list[Any]:
    from ansible_collections.eternus.backup.plugins.module_utils._array.model import Pair

    found = array.find_volumes([name for pair in names for name in pair])
    return [Pair(found[source], found[target]) for source, target in names]


def questions(pairs: Mapping[str, Sequence[Any]]) -> dict[str, Ask]:
    """Return everything that is asked of an array, by name, in an order in which it can be done."""
    from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType

    one, two = pairs["one"], pairs["two"]
    return {
        "serial": lambda array: array.serial,
        "volumes": lambda array: array.volumes(),
        "pools": lambda array: array.pools(),
        "one volume": lambda array: array.find_volumes([one[0].source.ref.device_id]),
        "capabilities": lambda array: array.capabilities(),
        "start OPC": lambda array: array.start(CopyType.OPC, one),
        "start QuickOPC": lambda array: array.start(CopyType.QUICK_OPC, pairs["three"], track=True),
        "start EC by a list": lambda array: array.start(CopyType.EC, two),
        "sessions": lambda array: array.sessions(),
        "suspend by a list": lambda array: array.suspend(CopyType.EC, two),
        "resume": lambda array: array.resume(CopyType.EC, two[:1]),
        "release by a list": lambda array: array.release(CopyType.EC, two),
        "release": lambda array: array.release(CopyType.OPC, one),
    }


def _keeping(talk: Talk) -> Callable[[Any, Callable[[], Any]], Any]:
    """Return a transport that writes down what is said."""

    def keep(request: Any, go_on: Callable[[], Any]) -> Any:
        response = go_on()
        content = response.raw.read(decode_content=True)
        talk.requests.append((request.headers.get("CIMMethod", ""), request.body))
        talk.answers.append(content)
        return reply(request, content)

    return keep


def record_reading(place: Path) -> Talk:
    """Ask a simulated array what other clients ask: by pulling, by associations, for classes."""
    import pywbem

    from ansible_collections.eternus.backup.tests.unit.support.simulated import start_simulated, stop_simulated

    (simulated,) = start_simulated(place)
    talk = Talk()
    try:
        simulated.create_volumes("tv1", "tv2", "tv3", size=MIB)
        url = f"http://{simulated.endpoint['host']}:{simulated.endpoint['http_port']}"
        connection = pywbem.WBEMConnection(url, (simulated.user, simulated.password), "root/eternus")
        with transport(_keeping(talk)):
            first = connection.OpenEnumerateInstances("FUJITSU_StorageVolume", MaxObjectCount=1, OperationTimeout=30)
            connection.PullInstancesWithPath(first.context, MaxObjectCount=1)
            connection.CloseEnumeration(first.context)
            connection.OpenEnumerateInstancePaths("FUJITSU_StorageVolume", MaxObjectCount=9, ContinueOnError=False)
            (path, *_rest) = connection.EnumerateInstanceNames("FUJITSU_StorageVolume")
            connection.OpenAssociatorInstances(path, MaxObjectCount=9)
            connection.OpenReferenceInstancePaths(path, MaxObjectCount=9, Role="PartComponent")
            connection.AssociatorNames(path, ResultClass="CIM_StoragePool")
            connection.References(path, ResultClass="CIM_Dependency", IncludeQualifiers=True)
            connection.Associators("FUJITSU_StorageVolume", AssocClass="CIM_SystemDevice")
            connection.GetClass("FUJITSU_StorageVolume", LocalOnly=False, PropertyList=["Name"])
            connection.EnumerateClasses(DeepInheritance=True)
            connection.GetInstance(path, LocalOnly=False)
    finally:
        stop_simulated(place)
    return talk


def record(place: Path, tls: Optional[Path] = None) -> tuple[dict[str, Talk], dict[str, Sequence[Any]]]:
    """Ask a simulated array everything; return what was said, and the pairs that were asked about.

    :param tls: where certificates are kept.
    """
    from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
    from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
    from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
    from ansible_collections.eternus.backup.tests.unit.support.simulated import start_simulated, stop_simulated

    (simulated,) = start_simulated(place, tls_directory=tls, config={"knobs": {"jobs": "always", "job_seconds": 0.01}})
    try:
        simulated.create_volumes(*(f"{kind}{number}" for kind in ("tv", "bv") for number in range(1, 5)), size=MIB)
        array = simulated.connect()
        pairs = {
            "one": _pairs(array, ("tv1", "bv1")),
            "two": _pairs(array, ("tv2", "bv2"), ("tv3", "bv3")),
            "three": _pairs(array, ("tv4", "bv4")),
        }
        array.close()
        talks = {}
        for name, ask in questions(pairs).items():
            talk = talks[name] = Talk()
            array = WbemArray(Connection(simulated.options()), job_wait=Wait(0.05, 30.0))
            with transport(_keeping(talk)):
                ask(array)
            array.close()
        return talks, pairs
    finally:
        stop_simulated(place)
