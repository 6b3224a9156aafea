# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes answers: values, paths, instances and messages as CIM-XML (DSP0201), by plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Optional
from xml.sax.saxutils import escape, quoteattr

from .errors import CimError
from .schema import CimClass, Element
from .values import ClassPath, Item, Path, cim_datetime

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
Out = tuple[str, str, Any, bool]


def text(value: str) -> str:
    """Character data; characters that XML cannot carry become question marks."""
    return escape(_ILLEGAL.sub("?", value)).replace("\r", "&#13;")


def attribute(value: str) -> str:
    """A quoted attribute."""
    return quoteattr(_ILLEGAL.sub("?", value))


def scalar(value: Any) -> str:
    """A value as the text of a VALUE element."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return cim_datetime(value)
    return text(str(value))


def namespace_path(namespace: str) -> str:
    """LOCALNAMESPACEPATH."""
    parts = "".join("<NAMESPACE NAME=%s/>" % attribute(part) for part in namespace.split("/"))
    return "<LOCALNAMESPACEPATH>%s</LOCALNAMESPACEPATH>" % parts


def instance_name(path: Path) -> str:
    """INSTANCENAME; kept on the path, as many answers repeat it."""
    if not path.xml:
        keys: list[str] = []
        for name, value in path.keys.items():
            if isinstance(value, Path):
                inner = reference(value)
            elif isinstance(value, bool):
                inner = '<KEYVALUE VALUETYPE="boolean">%s</KEYVALUE>' % scalar(value)
            elif isinstance(value, int):
                inner = '<KEYVALUE VALUETYPE="numeric">%d</KEYVALUE>' % value
            else:
                inner = '<KEYVALUE VALUETYPE="string">%s</KEYVALUE>' % text(value)
            keys.append('<KEYBINDING NAME="%s">%s</KEYBINDING>' % (name, inner))
        path.xml = '<INSTANCENAME CLASSNAME="%s">%s</INSTANCENAME>' % (path.cls, "".join(keys))
    return path.xml


def reference(path: Path) -> str:
    """VALUE.REFERENCE; with the namespace, without a host, as the array answers."""
    inner = instance_name(path)
    if path.namespace:
        inner = "<LOCALINSTANCEPATH>%s%s</LOCALINSTANCEPATH>" % (namespace_path(path.namespace), inner)
    return "<VALUE.REFERENCE>%s</VALUE.REFERENCE>" % inner


def value_xml(value: Any) -> str:
    """VALUE, VALUE.ARRAY, VALUE.REFERENCE or VALUE.REFARRAY."""
    if isinstance(value, Path):
        return reference(value)
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], Path):
            return "<VALUE.REFARRAY>%s</VALUE.REFARRAY>" % "".join(reference(item) for item in value)
        return "<VALUE.ARRAY>%s</VALUE.ARRAY>" % "".join("<VALUE>%s</VALUE>" % scalar(item) for item in value)
    return "<VALUE>%s</VALUE>" % scalar(value)


def property_xml(item: Element, value: Any, origin: bool, qualifiers: str = "") -> str:
    """One property of an instance or of a class; None is NULL."""
    name = '"%s"' % item.name + (' CLASSORIGIN="%s"' % item.origin if origin else "")
    inner = qualifiers + ("" if value is None else value_xml(value))
    if item.type == "reference":
        target = ' REFERENCECLASS="%s"' % item.ref_class if item.ref_class else ""
        return "<PROPERTY.REFERENCE NAME=%s%s>%s</PROPERTY.REFERENCE>" % (name, target, inner)
    tag = "PROPERTY.ARRAY" if item.array else "PROPERTY"
    return '<%s NAME=%s TYPE="%s">%s</%s>' % (tag, name, item.type, inner, tag)


class InstanceWriter:
    """INSTANCE elements, kept as long as an item's token stays the same.

    10,000 volumes are written once, and then only those that changed.
    """

    LIMIT = 300_000

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], tuple[Any, str]] = {}

    def write(self, item: Item, cls: CimClass, wanted: Optional[frozenset[str]], origin: bool) -> str:
        """INSTANCE with the wanted properties (lower-case names; None: all)."""
        if item.token is None:
            return self._build(item, cls, wanted, origin)
        key = (item.path.ident, wanted, origin)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == item.token:
            return kept[1]
        xml = self._build(item, cls, wanted, origin)
        if len(self._kept) >= self.LIMIT:
            self._kept.clear()
        self._kept[key] = (item.token, xml)
        return xml

    @staticmethod
    def _build(item: Item, cls: CimClass, wanted: Optional[frozenset[str]], origin: bool) -> str:
        values = {name.lower(): value for name, value in item.values().items()}
        for name, value in item.path.keys.items():
            values[name.lower()] = value
        parts = [
            property_xml(prop, values.get(name), origin)
            for name, prop in cls.properties.items()
            if wanted is None or name in wanted
        ]
        return '<INSTANCE CLASSNAME="%s">%s</INSTANCE>' % (cls.name, "".join(parts))


class PathWriter:
    """Full paths, with the host that this server calls itself."""

    def __init__(self, host: str) -> None:
        self._host = "<HOST>%s</HOST>" % text(host)
        self._spaces: dict[str, str] = {}

    def _space(self, namespace: str) -> str:
        if namespace not in self._spaces:
            self._spaces[namespace] = "<NAMESPACEPATH>%s%s</NAMESPACEPATH>" % (self._host, namespace_path(namespace))
        return self._spaces[namespace]

    def instance(self, path: Path) -> str:
        """INSTANCEPATH."""
        return "<INSTANCEPATH>%s%s</INSTANCEPATH>" % (self._space(path.namespace), instance_name(path))

    def cls(self, path: ClassPath) -> str:
        """CLASSPATH."""
        return '<CLASSPATH>%s<CLASSNAME NAME="%s"/></CLASSPATH>' % (self._space(path.namespace), path.cls)


def message(message_id: str, inner: str) -> bytes:
    """A whole answer."""
    return (
        '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
        '<MESSAGE ID=%s PROTOCOLVERSION="1.0"><SIMPLERSP>%s</SIMPLERSP></MESSAGE></CIM>\n'
        % (attribute(message_id), inner)
    ).encode("utf-8")


def error_xml(error: CimError) -> str:
    """ERROR."""
    return '<ERROR CODE="%d" DESCRIPTION=%s/>' % (error.code, attribute(error.description))


def intrinsic_response(name: str, parts: Optional[Iterable[str]], extra: str = "") -> str:
    """IMETHODRESPONSE with what an operation returns; None where it returns nothing."""
    inner = "" if parts is None else "<IRETURNVALUE>%s</IRETURNVALUE>" % "".join(parts)
    return "<IMETHODRESPONSE NAME=%s>%s%s</IMETHODRESPONSE>" % (attribute(name), inner, extra)


def out_parameter(name: str, kind: str, value: Any, embedded: bool = False) -> str:
    """PARAMVALUE of an answer; ``embedded`` tells that a string holds an instance."""
    mark = ' EmbeddedObject="instance"' if embedded else ""
    return '<PARAMVALUE NAME="%s" PARAMTYPE="%s"%s>%s</PARAMVALUE>' % (name, kind, mark, value_xml(value))


def method_response(name: str, code: int, outs: Iterable[Out]) -> str:
    """METHODRESPONSE with the return code and the parameters (name, type, value, embedded) that come back."""
    parts = ['<RETURNVALUE PARAMTYPE="uint32"><VALUE>%d</VALUE></RETURNVALUE>' % code]
    parts += [out_parameter(*out) for out in outs]
    return "<METHODRESPONSE NAME=%s>%s</METHODRESPONSE>" % (attribute(name), "".join(parts))


def failed_response(name: str, intrinsic: bool, error: CimError) -> str:
    """The answer that an operation or method could not be carried out."""
    tag = "IMETHODRESPONSE" if intrinsic else "METHODRESPONSE"
    return "<%s NAME=%s>%s</%s>" % (tag, attribute(name), error_xml(error), tag)
