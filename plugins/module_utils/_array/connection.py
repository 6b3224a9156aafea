# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One connection to an array over pywbem: requests are counted, errors told apart, no act is sent twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array import codes
from ansible_collections.eternus.backup.plugins.module_utils._array.cim import NAMESPACE
from ansible_collections.eternus.backup.plugins.module_utils._array.faults import fault, missing_ca, unfit
from ansible_collections.eternus.backup.plugins.module_utils._array.guard import UnfitAnswer, guarded_adapter
from ansible_collections.eternus.backup.plugins.module_utils._array.rows import Taker
from ansible_collections.eternus.backup.plugins.module_utils._array.values import OddAnswer
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions

_NOT_FOUND = 6

#: What pywbem lets out, instead of errors of its own, when an answer is not of the form that it expects.
_MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

#: CIM statuses of a method, by the return code that says the same.
_STATUS_CODES: Mapping[int, int] = {4: 5, 7: codes.NOT_SUPPORTED, 16: codes.NOT_SUPPORTED, 17: codes.NOT_SUPPORTED}


@dataclass(frozen=True)
class Answer:
    """What a method answered: return code, out parameters, and the array's words where it refused by a CIM status."""

    code: int
    out: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


class Connection:
    """Requests to one array, one after another. Nothing is sent before the first request."""

    def __init__(self, options: ArrayOptions) -> None:
        """Prepare a connection; ``invalid_option`` when ``ca_path`` is not there."""
        import pywbem

        self._options = options
        self._pywbem = pywbem
        self._spoken = False
        self._taker = Taker()
        self.round_trips = 0
        if options.use_tls and options.validate_certs and options.ca_path and not Path(options.ca_path).exists():
            raise missing_ca(options)
        self._wbem = pywbem.WBEMConnection(
            options.url,
            creds=(options.username, options.password),
            default_namespace=NAMESPACE,
            ca_certs=options.ca_path or None,
            no_verification=not options.validate_certs,
            timeout=options.request_timeout,
        )
        # Else REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and https_proxy override the options, and .netrc is read (array.md).
        self._wbem.session.trust_env = False
        # Methods are not idempotent: whatever pywbem's version would retry, nothing is sent twice.
        for scheme in ("https://", "http://"):
            self._wbem.session.mount(scheme, guarded_adapter(verify=options.validate_certs, taker=self._taker))

    def close(self) -> None:
        """Give back the connection."""
        self._wbem.close()

    def enumerate(self, class_name: str, properties: Sequence[str]) -> Sequence[Any]:
        """Return every instance of a class with these properties; keys are in the paths, hence never asked for.

        Each is a :class:`Row`, or pywbem's instance where it is out of the ordinary: both have ``path`` and ``get``.
        """
        with _no_gc(), self._taker.taking() as rows:
            others: Sequence[Any] = self._read(
                lambda wbem: wbem.EnumerateInstances(class_name, PropertyList=list(properties))
            )
        return [*rows, *others] if others else rows

    def names(self, class_name: str) -> Sequence[Any]:
        """Return the paths of every instance of a class."""
        found: Sequence[Any] = self._read(lambda wbem: wbem.EnumerateInstanceNames(class_name))
        return found

    def associated(self, path: Any, association: str, result: str, properties: Sequence[str]) -> Sequence[Any]:
        """Return the instances on the other side of an association."""
        found: Sequence[Any] = self._read(
            lambda wbem: wbem.Associators(
                path, AssocClass=association, ResultClass=result, PropertyList=list(properties)
            )
        )
        return found

    def get(self, path: Any, properties: Sequence[str]) -> Optional[Any]:
        """Return one instance; None when it is not there."""
        try:
            return self._read(lambda wbem: wbem.GetInstance(path, PropertyList=list(properties)), expected=_NOT_FOUND)
        except self._pywbem.CIMError:
            return None

    def ask(self, path: Any, method: str, **params: Any) -> Answer:
        """Invoke a method that only tells something; a CIM status counts as a refusal."""
        return self._invoke(path, method, params, acting=False)

    def act(self, path: Any, method: str, *, not_found: int = codes.FAILED, **params: Any) -> Answer:
        """Invoke a method that changes something, once.

        :param not_found: the return code that CIM_ERR_NOT_FOUND stands for.
        """
        return self._invoke(path, method, params, acting=True, not_found=not_found)

    def _invoke(
        self, path: Any, method: str, params: Mapping[str, Any], *, acting: bool, not_found: int = codes.FAILED
    ) -> Answer:
        try:
            code, out = self._send(lambda wbem: wbem.InvokeMethod(method, path, **params), acting=acting)
        except self._pywbem.CIMError as error:
            if error.status_code == self._pywbem.CIM_ERR_ACCESS_DENIED:
                raise fault(error, self._options, acting=acting, spoken=True) from None
            mapped = {**_STATUS_CODES, _NOT_FOUND: not_found}.get(error.status_code, codes.FAILED)
            return Answer(mapped, {}, f"{error.status_code_name} {error.status_description}".strip())
        try:
            return Answer(int(code), out)
        except (TypeError, ValueError):
            raise unfit("no return value", self._options, acting=acting) from None

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Within the block, what makes no sense in an answer to a question is ``array_error``."""
        try:
            yield
        except OddAnswer as error:
            raise unfit(str(error), self._options, acting=False) from None

    def _read(self, work: Callable[[Any], Any], *, expected: int = 0) -> Any:
        """Send a request that only reads: once more when a connection that was kept alive turns out to be closed."""
        try:
            try:
                return self._send(work, acting=False)
            except _Dropped:
                return self._send(work, acting=False, again=False)
        except self._pywbem.CIMError as error:
            if error.status_code == expected:
                raise
            raise fault(error, self._options, acting=False, spoken=True) from None

    def _send(self, work: Callable[[Any], Any], *, acting: bool, again: bool = True) -> Any:
        self.round_trips += 1
        try:
            answer = work(self._wbem)
        except self._pywbem.CIMError:
            self._spoken = True
            raise
        except UnfitAnswer as error:
            raise unfit(str(error), self._options, acting=acting) from None
        except _MISREAD as error:
            raise unfit(type(error).__name__, self._options, acting=acting) from None
        except self._pywbem.Error as error:
            dropped = isinstance(error, self._pywbem.ConnectionError) and "refused" not in str(error).lower()
            if dropped and self._spoken and not acting and again:
                raise _Dropped from None
            # Without its cause: the libraries' own texts may bear the credentials.
            raise fault(error, self._options, acting=acting, spoken=self._spoken) from None
        self._spoken = True
        return answer


class _Dropped(Exception):
    """A connection that was kept alive was closed by the other side."""


@contextmanager
def _no_gc() -> Any:
    """Keep the collector off while many objects are made: half the time (array.md, Cost)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
