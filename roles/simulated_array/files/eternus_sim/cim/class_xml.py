# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Class declarations as CIM-XML, with the qualifiers that clients look at."""

from __future__ import annotations

from typing import Optional

from . import xml_out
from .schema import CimClass, Element, Method, Values


def _qualifier(name: str, kind: str, value: str, flavour: str = "") -> str:
    return '<QUALIFIER NAME="%s" TYPE="%s"%s>%s</QUALIFIER>' % (name, kind, flavour, value)


def _true(name: str, restricted: bool = False) -> str:
    return _qualifier(name, "boolean", "<VALUE>TRUE</VALUE>", ' TOSUBCLASS="false"' if restricted else "")


def _description(text: str) -> str:
    flavour = ' TRANSLATABLE="true"'
    return _qualifier("Description", "string", "<VALUE>%s</VALUE>" % xml_out.text(text), flavour) if text else ""


def _value_map(values: Values) -> str:
    if not values:
        return ""
    codes = xml_out.value_xml([code for code, _word in values])
    words = xml_out.value_xml([word for _code, word in values])
    return _qualifier("ValueMap", "string", codes) + _qualifier("Values", "string", words, ' TRANSLATABLE="true"')


def _element_qualifiers(item: Element) -> str:
    parts = [_description(item.description)]
    if item.key:
        parts.append(_true("Key"))
    if item.direction:
        for name, ways in (("In", ("in", "inout")), ("Out", ("out", "inout"))):
            word = "TRUE" if item.direction in ways else "FALSE"
            parts.append(_qualifier(name, "boolean", "<VALUE>%s</VALUE>" % word))
    if item.ref_class and item.type != "reference":
        parts.append(_qualifier("EmbeddedInstance", "string", f"<VALUE>{item.ref_class}</VALUE>"))
    parts.append(_value_map(item.values))
    return "".join(parts)


def _parameter(item: Element, qualifiers: bool) -> str:
    inner = _element_qualifiers(item) if qualifiers else ""
    suffix = ".REFARRAY" if item.array and item.type == "reference" else ".ARRAY" if item.array else ""
    if item.type == "reference":
        tag, kind = "PARAMETER" + (suffix or ".REFERENCE"), 'REFERENCECLASS="%s"' % item.ref_class
    else:
        tag, kind = "PARAMETER" + suffix, 'TYPE="%s"' % item.type
    return '<%s NAME="%s" %s>%s</%s>' % (tag, item.name, kind, inner, tag)


def _method(item: Method, qualifiers: bool, origin: bool, propagated: str) -> str:
    inner = _description(item.description) + _value_map(item.values) if qualifiers else ""
    inner += "".join(_parameter(parameter, qualifiers) for parameter in item.parameters)
    mark = ' CLASSORIGIN="%s"' % item.origin if origin else ""
    return '<METHOD NAME="%s" TYPE="uint32"%s%s>%s</METHOD>' % (item.name, mark, propagated, inner)


def class_xml(
    cls: CimClass, local_only: bool, qualifiers: bool, origin: bool, wanted: Optional[frozenset[str]] = None
) -> str:
    """CLASS. ``wanted`` are the lower-case names of the properties to show; None shows all."""
    parts: list[str] = []
    if qualifiers:
        parts.append(_description(cls.description))
        if cls.association:
            parts.append(_true("Association"))
        if cls.abstract:
            parts.append(_true("Abstract", restricted=True))
    for name, item in (cls.own if local_only else cls.properties).items():
        if wanted is None or name in wanted:
            parts.append(xml_out.property_xml(item, None, origin, _element_qualifiers(item) if qualifiers else ""))
    for name, method in (cls.own_methods if local_only else cls.methods).items():
        propagated = "" if name in cls.own_methods else ' PROPAGATED="true"'
        parts.append(_method(method, qualifiers, origin, propagated))
    parent = ' SUPERCLASS="%s"' % cls.super_name if cls.super_name else ""
    return '<CLASS NAME="%s"%s>%s</CLASS>' % (cls.name, parent, "".join(parts))
