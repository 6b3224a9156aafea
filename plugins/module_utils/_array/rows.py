# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Instances taken out of an answer while it comes, one at a time: pywbem's decoder is the bottleneck (array.md, Cost).

It would hold the text, a tree of it and the objects of all instances at once. Here each plain instance becomes a
:class:`Row` and leaves the text; pywbem gets what is around them, and judges it as ever. Whatever is not plain (odd
types, markup that is no CIM-XML) stays in the text for pywbem, so that there is one judge of what is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union
from xml.etree import ElementTree as ET

from ansible_collections.eternus.backup.plugins.module_utils._array.cim import NAMESPACE

_OPEN, _CLOSE = b"<VALUE.NAMEDINSTANCE>", b"</VALUE.NAMEDINSTANCE>"

#: Bytes of the largest instance that is waited for; ours have some 2,000.
_LARGEST = 1 << 20

#: The largest number of a type, plus one.
_NUMBERS = {f"uint{bits}": 1 << bits for bits in (8, 16, 32, 64)}
_DIGITS = frozenset("0123456789")


class NotPlain(Exception):
    """An instance is of a form that is left to pywbem."""


class Named(dict[str, Any]):
    """Values by names, of which upper and lower case do not count (CIM)."""

    __slots__ = ()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value; names are mostly spelt as they were asked for."""
        try:
            return self[name]
        except KeyError:
            lower = name.lower()
            return next((value for key, value in self.items() if key.lower() == lower), default)


class Path:
    """The path of an instance with keys that are text or paths; a quick stand-in for pywbem's CIMInstanceName."""

    __slots__ = ("classname", "host", "keybindings", "namespace")

    def __init__(
        self, classname: str, keybindings: Named, namespace: Optional[str] = None, host: Optional[str] = None
    ) -> None:
        """Take the parts of a path."""
        self.classname, self.keybindings, self.namespace, self.host = classname, keybindings, namespace, host

    def copy(self) -> Path:
        """Return a path with the same keys."""
        return Path(self.classname, self.keybindings, self.namespace, self.host)

    def to_wbem_uri(self, format: str = "standard") -> str:  # noqa: A002, ARG002  # as pywbem's is called
        """Return the WBEM URI, in the standard format, as pywbem writes it."""
        keys = ",".join(f'{name}="{_escaped(self.keybindings[name])}"' for name in sorted(self.keybindings))
        host = "" if self.host is None else f"//{self.host}"
        return f"{host}/{self.namespace or ''}:{self.classname}.{keys}"

    def real(self) -> Any:
        """Return pywbem's own object, which its requests need."""
        import pywbem

        keys = {name: value.real() if isinstance(value, Path) else value for name, value in self.keybindings.items()}
        return pywbem.CIMInstanceName(self.classname, keys, namespace=self.namespace, host=self.host)


class Row:
    """One instance: its path, and properties by name."""

    __slots__ = ("_values", "path")

    def __init__(self, path: Path, values: Named) -> None:
        """Take a path and the values."""
        self.path, self._values = path, values

    def get(self, name: str, default: Any = None) -> Any:
        """Return a property; None where it is empty."""
        return self._values.get(name, default)


class Taker:
    """Takes the instances out of one answer, which comes in parts."""

    def __init__(self) -> None:
        """Begin idle: then parts go through as they are."""
        self._found: Optional[list[Row]] = None
        self._held = b""
        self._looked = 0
        self._through = False
        self._same: dict[str, str] = {}

    @contextmanager
    def taking(self) -> Iterator[list[Row]]:
        """Take instances within the block; the list is filled when the answer to the block's request has come."""
        found: list[Row] = []
        self._found = found
        try:
            yield found
        finally:
            self._found = None
            self._held, self._same = b"", {}

    def begin(self) -> None:
        """Forget what an earlier answer brought: the request is sent once more."""
        self._held, self._looked, self._through = b"", 0, False
        if self._found is not None:
            self._found.clear()

    def feed(self, part: bytes) -> bytes:
        """Return what remains of a part; the beginning of an instance is held until the rest comes."""
        if self._found is None or self._through:
            return part
        held, begun, out = self._held + part, 0, []
        while True:
            first = held.find(_OPEN, begun)
            if first < 0:
                kept = max(begun, len(held) - len(_OPEN) + 1)
                self._looked = 0
                break
            last = held.find(_CLOSE, max(first, self._looked))
            if last < 0:
                self._through = len(held) - first > _LARGEST
                kept, self._looked = len(held) if self._through else first, len(held) - first - len(_CLOSE)
                break
            last += len(_CLOSE)
            out.append(held[begun:first])
            try:
                self._found.append(self._row(held[first:last]))
            except NotPlain:
                out.append(held[first:last])
            begun, self._looked = last, 0
        out.append(held[begun:kept])
        self._held = held[kept:]
        return b"".join(out)

    def rest(self) -> bytes:
        """Return what was held when the answer ended."""
        held, self._held = self._held, b""
        return held

    def _row(self, text: bytes) -> Row:
        # Document types and entities, however they come here; and in CDATA the end of an instance may be a text.
        if b"<!" in text or b"<?" in text:
            raise NotPlain
        try:
            named = ET.fromstring(text)  # noqa: S314  # no document type can be in it
        except (ET.ParseError, ValueError):
            raise NotPlain from None
        if [part.tag for part in named] != ["INSTANCENAME", "INSTANCE"]:
            raise NotPlain
        values = Named()
        for part in named[1]:
            if part.tag != "PROPERTY":
                raise NotPlain
            values[self._once(_given(part, "NAME"))] = self._value(part)
        return Row(self._path(named[0], NAMESPACE), values)

    def _path(self, name: Any, namespace: Optional[str], host: Optional[str] = None) -> Path:
        keys = Named()
        for binding in name:
            if binding.tag != "KEYBINDING" or len(binding) != 1:
                raise NotPlain
            keys[self._once(_given(binding, "NAME"))] = self._key(binding[0])
        if not keys:
            raise NotPlain
        return Path(self._once(_given(name, "CLASSNAME")), keys, namespace, host)

    def _key(self, key: Any) -> Union[str, Path]:
        if key.tag == "KEYVALUE" and len(key) == 0:
            if key.get("VALUETYPE", "string") == "string" and key.get("TYPE", "string") == "string" and key.text:
                return self._once(str(key.text))
        elif key.tag == "VALUE.REFERENCE" and len(key) == 1:
            return self._reference(key[0])
        raise NotPlain

    def _reference(self, to: Any) -> Path:
        if to.tag == "INSTANCENAME":
            return self._path(to, None)
        if len(to) == 2 and to[1].tag == "INSTANCENAME":
            if to.tag == "LOCALINSTANCEPATH":
                return self._path(to[1], self._namespace(to[0]))
            if to.tag == "INSTANCEPATH" and [part.tag for part in to[0]] == ["HOST", "LOCALNAMESPACEPATH"]:
                return self._path(to[1], self._namespace(to[0][1]), self._once(to[0][0].text or ""))
        raise NotPlain

    def _namespace(self, local: Any) -> str:
        names = [_given(part, "NAME") for part in local]
        if local.tag != "LOCALNAMESPACEPATH" or not names:
            raise NotPlain
        return self._once("/".join(names))

    def _value(self, part: Any) -> Any:
        kind = part.get("TYPE")
        if part.get("EmbeddedObject") or part.get("EMBEDDEDOBJECT") or len(part) > 1:
            raise NotPlain
        if len(part) == 0:
            return None
        value = part[0]
        if value.tag != "VALUE" or len(value):
            raise NotPlain
        text = value.text or ""
        if kind == "string":
            return self._once(text)
        return _typed(kind, text)

    def _once(self, text: str) -> str:
        """Return the same object for the same text: most keys and many values are alike."""
        return self._same.setdefault(text, text)


def _typed(kind: Optional[str], text: str) -> Any:
    if kind in _NUMBERS:
        if not text or len(text) > 20 or not _DIGITS.issuperset(text) or int(text) >= _NUMBERS[kind]:
            raise NotPlain
        return int(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "datetime":
        import pywbem

        try:
            return pywbem.CIMDateTime(text)
        except ValueError:
            raise NotPlain from None
    raise NotPlain


def _given(of: Any, name: str) -> str:
    found = of.get(name)
    if not found:
        raise NotPlain
    return str(found)


def _escaped(value: Union[str, Path]) -> str:
    text = value.to_wbem_uri() if isinstance(value, Path) else value
    return text.replace("\\", "\\\\").replace('"', '\\"')


def real(path: Union[Path, Any]) -> Any:
    """Return pywbem's object of a path of either kind."""
    return path.real() if isinstance(path, Path) else path
