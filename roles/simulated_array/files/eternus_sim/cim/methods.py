# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of methods: which one is meant, its parameters by their declared types, what comes back."""

from __future__ import annotations

from typing import Any, Callable

from . import xml_in, xml_out
from .errors import INVALID_PARAMETER, METHOD_NOT_AVAILABLE, METHOD_NOT_FOUND, CimError, ProtocolError
from .repository import Repository
from .schema import Element, Method
from .values import Path
from .xml_in import Call

Args = dict[str, Any]  # by lower-case name
Result = tuple[int, dict[str, Any]]  # return code, parameters that come back; None leaves one out
Implementation = Callable[[Path, Args], Result]


class Methods:
    """What can be called, by class and method."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[tuple[str, str], Implementation] = {}

    def add(self, cls: str, method: str, implementation: Implementation) -> None:
        """Offers a method of a class."""
        declared = self._repository.schema.get(cls)
        if declared is None or method.lower() not in declared.methods:
            raise ValueError(f"{cls}.{method} is not declared")
        self._known[(cls.lower(), method.lower())] = implementation

    def resolve(self, call: Call) -> tuple[Path, Method, Args]:
        """The object, the declared method and its parameters. Raises CimError; nothing was done then."""
        namespace = self._repository.namespace(call.namespace)
        target = call.target
        if not isinstance(target, Path):
            raise CimError(METHOD_NOT_AVAILABLE, f"{call.name} is called on an instance, not on a class")
        item = self._repository.find(namespace, target)
        declared = self._repository.cls(namespace, item.path.cls)
        method = declared.methods.get(call.name.lower())
        if method is None:
            raise CimError(METHOD_NOT_FOUND, f"{declared.name} has no method {call.name}")
        ins = {item.name.lower(): item for item in method.parameters if item.direction != "out"}
        args: Args = {}
        for name, value in call.parameters.items():
            if name not in ins:
                raise CimError(INVALID_PARAMETER, f"{method.name} takes no parameter {name}")
            args[name] = _typed(ins[name], value)
        return item.path, method, args

    def call(self, path: Path, method: Method, args: Args) -> str:
        """Carries a resolved call out: the METHODRESPONSE. Raises CimError."""
        implementation = self._known.get((path.cls.lower(), method.name.lower()))
        if implementation is None:
            raise CimError(METHOD_NOT_AVAILABLE, f"{method.name} is not offered")
        code, values = implementation(path, args)
        return self.response(method, code, values)

    @staticmethod
    def response(method: Method, code: int, values: dict[str, Any]) -> str:
        """METHODRESPONSE with the parameters that have a value."""
        outs: list[xml_out.Out] = [
            (item.name, item.type, values[item.name], bool(item.ref_class) and item.type == "string")
            for item in method.parameters
            if item.direction != "in" and values.get(item.name) is not None
        ]
        return xml_out.method_response(method.name, code, outs)


def _typed(item: Element, value: Any) -> Any:
    """A parameter as its declared type. Raises INVALID_PARAMETER."""
    if value is None:
        return None
    if item.array:
        values = value if isinstance(value, list) else [value]
        return [_one(item, each) for each in values]
    if isinstance(value, list):
        raise CimError(INVALID_PARAMETER, f"{item.name} is no list")
    return _one(item, value)


def _one(item: Element, value: Any) -> Any:
    if item.type == "reference":
        if isinstance(value, Path):
            return value
    elif isinstance(value, str):
        if item.type.startswith(("uint", "sint")):
            return _number(item, value)
        if item.type == "boolean":
            if value.strip().lower() in {"true", "false"}:
                return value.strip().lower() == "true"
        else:
            return value
    raise CimError(INVALID_PARAMETER, f"{item.name} is no {item.type}")


def _number(item: Element, value: str) -> int:
    try:
        number = int(value.strip(), 0)
    except ValueError as error:
        raise CimError(INVALID_PARAMETER, f"{item.name} is no number") from error
    bits = int(item.type[4:])
    low, high = (0, 1 << bits) if item.type[0] == "u" else (-(1 << bits - 1), 1 << bits - 1)
    if not low <= number < high:
        raise CimError(INVALID_PARAMETER, f"{item.name} does not fit into {item.type}")
    return number


def embedded(text: str) -> dict[str, Any]:
    """The properties of an embedded instance, by their lower-case names. Raises INVALID_PARAMETER."""
    if not text.strip():
        return {}
    try:
        node = xml_in.parse(text.encode("utf-8"))
    except ProtocolError as error:
        raise CimError(INVALID_PARAMETER, "an embedded instance cannot be read") from error
    if node.tag != "INSTANCE":
        raise CimError(INVALID_PARAMETER, "an embedded object is no instance")
    return xml_in.read_properties(node)
