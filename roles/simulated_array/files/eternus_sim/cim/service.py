# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One array as a CIM-XML service: a request's body in, an http answer out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ..core.array import SimArray
from ..core.failpoints import FailPoint
from ..core.model import Refused
from . import faults, schema, xml_out
from .access import Access
from .capabilities import Capabilities
from .copies import Copies
from .errors import FAILED, CimError, ProtocolError
from .interop import Interop
from .jobs import Jobs
from .masking import Masking
from .methods import Methods
from .operations import Operations
from .repository import Repository
from .schema import Method
from .storage import Storage
from .values import Path
from .volumes import Volumes
from .xml_in import Call, read_call

HEADERS = {"Content-Type": 'application/xml; charset="utf-8"', "CIMOperation": "MethodResponse"}


@dataclass
class Asked:
    """A request as it was understood, or why it was not."""

    call: Optional[Call] = None
    error: Union[ProtocolError, CimError, None] = None
    method: Optional[tuple[Path, Method, dict[str, Any]]] = None
    facts: dict[str, Any] = field(default_factory=dict)


class CimService:
    """Everything that the array answers over CIM-XML. Safe for threads."""

    def __init__(self, array: SimArray, host: str) -> None:
        self._array = array
        self.repository = Repository(schema.load())
        storage = Storage(array)
        access = Access(storage, Masking(array.directory))
        jobs = Jobs(storage)
        copies = Copies(storage, jobs)
        for part in (storage, copies, jobs, access, Interop(storage)):
            part.register(self.repository)
        self.operations = Operations(self.repository, xml_out.PathWriter(host), lambda: self._array.knobs.pull_support)
        self.methods = Methods(self.repository)
        copies.offer(self.methods)
        Capabilities(array.knobs).offer(self.methods)
        jobs.offer(self.methods)
        access.offer(self.methods)
        Volumes(storage, jobs, access.masking).offer(self.methods)

    def read(self, body: bytes, header_method: str = "") -> Asked:
        """Understands a request, and counts it by its operation or method."""
        asked = Asked()
        try:
            asked.call = read_call(body)
        except (ProtocolError, CimError) as error:
            asked.error = error
            self._array.counters.count("invalid")
            return asked
        self._array.counters.count(asked.call.name)
        if header_method and header_method.lower() != asked.call.name.lower():
            asked.error = ProtocolError(400, "header-mismatch")
        elif not asked.call.intrinsic:
            try:
                asked.method = self.methods.resolve(asked.call)
                asked.facts = _facts(asked.method[2])
            except CimError as error:
                asked.error = error
        return asked

    def fault(self, asked: Asked) -> Optional[FailPoint]:
        """The fault that strikes this request's conversation, if any."""
        if asked.call is None:
            return None
        return self._array.failpoints.take(asked.call.name, actions=faults.ACTIONS, **asked.facts)

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """Carries the request out."""
        if isinstance(asked.error, ProtocolError):
            headers = {"CIMError": asked.error.cimerror}
            return asked.error.status, headers, asked.error.detail.encode("utf-8")
        if asked.call is None:
            # Understood as XML, but a value in it made no sense.
            return 400, {"CIMError": "request-not-valid"}, str(asked.error).encode("utf-8")
        call = asked.call
        try:
            if asked.error is not None:
                raise asked.error
            inner = self._run(asked)
        except CimError as error:
            inner = xml_out.failed_response(call.name, call.intrinsic, error)
        return 200, dict(HEADERS), xml_out.message(call.message_id, inner)

    def _run(self, asked: Asked) -> str:
        assert asked.call is not None
        refusal = self._array.failpoints.take(asked.call.name, actions=("refuse",), **asked.facts)
        if asked.method is None:
            if refusal is not None:
                raise CimError(refusal.code, refusal.text or "a fault was ordered")
            return self.operations.run(asked.call)
        path, method, args = asked.method
        if refusal is not None:
            return self.methods.response(method, refusal.code, {})
        try:
            return self.methods.call(path, method, args)
        except Refused as refused:
            return self.methods.response(method, refused.code, {})
        except OSError as error:
            raise CimError(FAILED, f"the simulated array cannot: {error.strerror}") from error


def _facts(args: dict[str, Any]) -> dict[str, Any]:
    """What a fault may ask a method's call for: operation, source and target DeviceID, name."""
    facts: dict[str, Any] = {}
    session = args.get("synchronization")
    source, target = args.get("sourceelement"), args.get("targetelement")
    if isinstance(session, Path):
        source, target = session.get("SystemElement"), session.get("SyncedElement")
    for name, path in (("source", source), ("target", target)):
        if isinstance(path, Path):
            facts[name] = path.text("DeviceID")
    if args.get("operation") is not None:
        facts["operation"] = args["operation"]
    if args.get("elementname") is not None:
        facts["name"] = args["elementname"]
    return facts
