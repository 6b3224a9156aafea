# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads requests: XML into small nodes, nodes into calls. A document type or an entity is refused unread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Union
from xml.parsers import expat

from .errors import INVALID_PARAMETER, CimError, ProtocolError
from .values import ClassPath, Path

MAX_DEPTH = 64


class Node:
    """An element: tag, attributes, children, text."""

    __slots__ = ("attrs", "children", "tag", "text")

    def __init__(self, tag: str, attrs: dict[str, str]) -> None:
        self.tag = tag
        self.attrs = attrs
        self.children: list[Node] = []
        self.text = ""

    def child(self, *tags: str) -> Optional[Node]:
        """The first child with one of the tags; without tags the first child."""
        for item in self.children:
            if not tags or item.tag in tags:
                return item
        return None


@dataclass
class Call:
    """One operation or method as it was asked for."""

    message_id: str
    name: str
    namespace: str
    intrinsic: bool
    parameters: dict[str, Any] = field(default_factory=dict)
    target: Union[Path, ClassPath, None] = None


def parse(body: bytes) -> Node:
    """The document's root. Raises ProtocolError where it is not well-formed, or has a document type."""
    parser = expat.ParserCreate()
    root = Node("", {})
    stack = [root]
    texts: list[list[str]] = [[]]

    def start(tag: str, attrs: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise ProtocolError(400, "request-not-valid", "nested too deeply")
        node = Node(tag, attrs)
        stack[-1].children.append(node)
        stack.append(node)
        texts.append([])

    def end(_tag: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def words(text: str) -> None:
        texts[-1].append(text)

    def refuse(*_args: Any) -> None:
        raise ProtocolError(400, "request-not-valid", "a document type or an entity is not accepted")

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ProtocolError(400, "request-not-well-formed", str(error)) from error
    except (ValueError, LookupError) as error:
        raise ProtocolError(400, "request-not-well-formed", "unknown encoding") from error
    return root.children[0]


def read_call(body: bytes) -> Call:
    """The call in a request. Raises ProtocolError where it is none."""
    root = parse(body)
    message = root.child("MESSAGE")
    if root.tag != "CIM" or message is None:
        raise ProtocolError(400, "request-not-valid", "no CIM MESSAGE")
    if not root.attrs.get("CIMVERSION", "2.").startswith("2."):
        raise ProtocolError(400, "unsupported-cim-version")
    if not root.attrs.get("DTDVERSION", "2.").startswith("2."):
        raise ProtocolError(400, "unsupported-dtd-version")
    if not message.attrs.get("PROTOCOLVERSION", "1.").startswith("1."):
        raise ProtocolError(400, "unsupported-protocol-version")
    if message.child("MULTIREQ") is not None:
        raise ProtocolError(501, "multiple-requests-unsupported")
    request = message.child("SIMPLEREQ")
    call = request.child("IMETHODCALL", "METHODCALL") if request is not None else None
    if call is None or not call.attrs.get("NAME"):
        raise ProtocolError(400, "request-not-valid", "no method call")
    message_id = message.attrs.get("ID", "")
    if call.tag == "IMETHODCALL":
        return _intrinsic(message_id, call)
    return _extrinsic(message_id, call)


def _intrinsic(message_id: str, call: Node) -> Call:
    place = call.child("LOCALNAMESPACEPATH")
    if place is None:
        raise ProtocolError(400, "request-not-valid", "no namespace")
    result = Call(message_id, call.attrs["NAME"], _namespace(place), True)
    for item in call.children:
        if item.tag == "IPARAMVALUE":
            value = item.child()
            result.parameters[item.attrs.get("NAME", "").lower()] = None if value is None else _value(value, "")
    return result


def _extrinsic(message_id: str, call: Node) -> Call:
    place = call.child("LOCALINSTANCEPATH", "LOCALCLASSPATH")
    if place is None:
        raise ProtocolError(400, "request-not-valid", "no object to call")
    target = _value(place, "")
    result = Call(message_id, call.attrs["NAME"], target.namespace, False, target=target)
    for item in call.children:
        if item.tag == "PARAMVALUE":
            value = item.child()
            kind = item.attrs.get("PARAMTYPE", "")
            result.parameters[item.attrs.get("NAME", "").lower()] = None if value is None else _value(value, kind)
    return result


def _namespace(node: Node) -> str:
    return "/".join(item.attrs.get("NAME", "") for item in node.children if item.tag == "NAMESPACE")


def _value(node: Node, kind: str) -> Any:
    """What an element says: text, a list, a path, a class's name, an instance's values."""
    if node.tag == "VALUE":
        return node.text
    if node.tag in ("VALUE.ARRAY", "VALUE.REFARRAY"):
        return [None if item.tag == "VALUE.NULL" else _value(item, kind) for item in node.children]
    if node.tag == "CLASSNAME":
        return ClassPath(node.attrs.get("NAME", ""))
    if node.tag == "INSTANCENAME":
        return _instance_name(node)
    if node.tag in ("INSTANCEPATH", "LOCALINSTANCEPATH", "CLASSPATH", "LOCALCLASSPATH"):
        inner = _value(_need(node, "INSTANCENAME", "CLASSNAME"), kind)
        space = node.child("LOCALNAMESPACEPATH")
        if space is None:
            space = _need(_need(node, "NAMESPACEPATH"), "LOCALNAMESPACEPATH")
        inner.namespace = _namespace(space)
        return inner
    if node.tag == "INSTANCE":
        return read_properties(node)
    if node.tag in ("VALUE.REFERENCE", "VALUE.NAMEDINSTANCE", "VALUE.INSTANCEWITHPATH"):
        tags = ("INSTANCE",) if node.tag != "VALUE.REFERENCE" else ()
        value = _value(_need(node, *tags), kind)
        if tags:
            value[""] = _value(_need(node, "INSTANCENAME", "INSTANCEPATH"), kind)
        return value
    raise CimError(INVALID_PARAMETER, "unexpected element %s" % node.tag)


def read_properties(node: Node) -> dict[str, Any]:
    """The properties of an INSTANCE, by their lower-case names."""
    values: dict[str, Any] = {}
    for item in node.children:
        if item.tag in ("PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"):
            inner = item.child("VALUE", "VALUE.ARRAY", "VALUE.REFERENCE")
            values[item.attrs.get("NAME", "").lower()] = None if inner is None else _value(inner, "")
    return values


def _need(node: Node, *tags: str) -> Node:
    found = node.child(*tags)
    if found is None:
        raise ProtocolError(400, "request-not-valid", "%s without %s" % (node.tag, " or ".join(tags) or "content"))
    return found


def _instance_name(node: Node) -> Path:
    keys: dict[str, Any] = {}
    for binding in node.children:
        if binding.tag == "KEYBINDING":
            value = _need(binding)
            keys[binding.attrs.get("NAME", "")] = _key_value(value) if value.tag == "KEYVALUE" else _value(value, "")
    return Path(node.attrs.get("CLASSNAME", ""), keys)


def _key_value(node: Node) -> Any:
    kind = node.attrs.get("VALUETYPE", "string")
    if kind == "boolean":
        return node.text.strip().lower() == "true"
    if kind == "numeric":
        try:
            return int(node.text.strip(), 0)
        except ValueError as error:
            raise CimError(INVALID_PARAMETER, "a key's value is no number") from error
    return node.text
