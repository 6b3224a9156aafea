# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes that the array serves, read from schema/*.cim.

A line of such a file is one of (a description follows after `` -- ``)::

    enum NAME VALUE=WORD ...
    class NAME [: SUPER] [abstract] [association] [interop]
      [key] TYPE NAME [{ENUM}]          TYPE: string, uint16[], ..., ref CLASS
      method NAME {ENUM}                every method answers an uint32
        in|out|inout TYPE NAME [{ENUM}] TYPE also: ref[] CLASS, embedded CLASS (an instance in a string)

Classes marked ``interop`` are served in the interop namespaces only, all others in every namespace.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Optional

Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Element:
    """A property or a parameter: name, CIM type (``reference`` for REFs), and what is said about it.

    ``ref_class`` is the class of a REF, or of the instance that a string embeds.
    """

    name: str
    type: str
    array: bool = False
    ref_class: str = ""
    key: bool = False
    direction: str = ""
    values: Values = ()
    description: str = ""
    origin: str = ""


@dataclass(frozen=True)
class Method:
    """An extrinsic method; the return value is an uint32."""

    name: str
    values: Values
    description: str
    parameters: tuple[Element, ...]
    origin: str = ""


@dataclass
class CimClass:
    """One class: what it declares itself (own) and what it has altogether, the superclass's first."""

    name: str
    super_name: str = ""
    abstract: bool = False
    association: bool = False
    interop: bool = False
    description: str = ""
    own: dict[str, Element] = field(default_factory=dict)
    own_methods: dict[str, Method] = field(default_factory=dict)
    properties: dict[str, Element] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    ancestors: tuple[str, ...] = ()

    @property
    def keys(self) -> list[Element]:
        """The key properties, in order of declaration."""
        return [item for item in self.properties.values() if item.key]

    @property
    def references(self) -> list[Element]:
        """The properties that refer to other objects."""
        return [item for item in self.properties.values() if item.type == "reference"]


class Schema:
    """All classes; names are found whatever their case."""

    def __init__(self, classes: dict[str, CimClass]) -> None:
        self._classes = {name.lower(): item for name, item in classes.items()}
        self._children: dict[str, list[CimClass]] = {}
        for item in classes.values():
            self._children.setdefault(item.super_name.lower(), []).append(item)
        self._families: dict[str, frozenset[str]] = {
            name: frozenset(item.name.lower() for item in self.subclasses(name)) | {name} for name in self._classes
        }

    def get(self, name: str) -> Optional[CimClass]:
        """The class of that name, or None."""
        return self._classes.get(name.lower())

    def __iter__(self) -> Iterator[CimClass]:
        return iter(self._classes.values())

    def children(self, name: str) -> list[CimClass]:
        """The direct subclasses; of "" the classes without a superclass."""
        return self._children.get(name.lower(), [])

    def subclasses(self, name: str) -> list[CimClass]:
        """All subclasses, however deep."""
        found: list[CimClass] = []
        for child in self.children(name):
            found.append(child)
            found.extend(self.subclasses(child.name))
        return found

    def family(self, name: str) -> frozenset[str]:
        """The class and all its subclasses, lower case; empty when there is no such class."""
        return self._families.get(name.lower(), frozenset())

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether class ``name`` is ``ancestor`` or one of its subclasses."""
        return name.lower() in self.family(ancestor)


class _Reader:
    """Turns the lines of the schema files into classes."""

    def __init__(self) -> None:
        self.classes: dict[str, CimClass] = {}
        self.enums: dict[str, Values] = {}
        self.current: Optional[CimClass] = None
        self.method: Optional[Method] = None

    def feed(self, text: str) -> None:
        self.enums = {}
        for raw in text.splitlines():
            line, _dashes, description = raw.partition(" -- ")
            words = shlex.split(line, comments=True)
            if words:
                self._line(words, description.strip())
        self._end_class()

    def _line(self, words: list[str], description: str) -> None:
        if words[0] == "enum":
            self.enums[words[1]] = tuple((word.partition("=")[0], word.partition("=")[2]) for word in words[2:])
        elif words[0] == "class":
            self._end_class()
            flags = words[4:] if ":" in words else words[2:]
            self.current = CimClass(
                words[1],
                words[3] if ":" in words else "",
                "abstract" in flags,
                "association" in flags,
                "interop" in flags,
                description,
            )
        elif words[0] == "method":
            self._end_method()
            assert self.current is not None
            self.method = Method(words[1], self._values(words), description, (), self.current.name)
        else:
            self._element(words, description)

    def _values(self, words: list[str]) -> Values:
        return self.enums[words[-1][1:-1]] if words[-1].startswith("{") else ()

    def _element(self, words: list[str], description: str) -> None:
        assert self.current is not None
        values = self._values(words)
        if values:
            words = words[:-1]
        key = words[0] == "key"
        direction = words[0] if words[0] in ("in", "out", "inout") else ""
        rest = words[1:] if key or direction else words
        array = rest[0].endswith("[]")
        kind = rest[0][:-2] if array else rest[0]
        ref_class = rest[1] if kind in ("ref", "embedded") else ""
        item = Element(
            rest[-1],
            {"ref": "reference", "embedded": "string"}.get(kind, kind),
            array,
            ref_class,
            key,
            direction,
            values,
            description,
            self.current.name,
        )
        if direction:
            assert self.method is not None
            self.method = Method(
                self.method.name,
                self.method.values,
                self.method.description,
                self.method.parameters + (item,),
                self.method.origin,
            )
        else:
            self.current.own[item.name.lower()] = item

    def _end_method(self) -> None:
        if self.method is not None and self.current is not None:
            self.current.own_methods[self.method.name.lower()] = self.method
        self.method = None

    def _end_class(self) -> None:
        self._end_method()
        if self.current is not None:
            parent = self.classes.get(self.current.super_name)
            if parent is not None:
                self.current.ancestors = (parent.name,) + parent.ancestors
                self.current.properties = dict(parent.properties)
                self.current.methods = dict(parent.methods)
            elif self.current.super_name:
                raise ValueError(
                    "%s: superclass %s is not declared before it" % (self.current.name, self.current.super_name)
                )
            self.current.properties.update(self.current.own)
            self.current.methods.update(self.current.own_methods)
            self.classes[self.current.name] = self.current
        self.current = None


def load() -> Schema:
    """Reads schema/*.cim in the order of their names."""
    reader = _Reader()
    for file in sorted((FilePath(__file__).parent / "schema").glob("*.cim")):
        reader.feed(file.read_text(encoding="utf-8"))
    return Schema(reader.classes)
