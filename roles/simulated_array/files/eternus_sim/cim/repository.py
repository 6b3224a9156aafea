# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where instances come from: a provider per class, and the ways between instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple, Optional

from .errors import INVALID_CLASS, INVALID_NAMESPACE, NOT_FOUND, CimError
from .schema import CimClass, Schema
from .values import Item, Path

ETERNUS = "root/eternus"
INTEROP = "interop"
# Names that clients use, and the namespace that they mean.
NAMESPACES = {"root/eternus": ETERNUS, "interop": INTEROP, "root/interop": INTEROP}

Pair = tuple[Path, Path, dict[str, Any]]
Pairs = Callable[[Optional[Path], Optional[Path]], Iterable[Pair]]


class Provider:
    """The instances of one class. ``items`` lists them; ``find`` may be given where a list would be too long."""

    def __init__(
        self,
        cls: str,
        items: Callable[[], Iterable[Item]],
        namespace: str = ETERNUS,
        find: Optional[Callable[[Path], Optional[Item]]] = None,
    ) -> None:
        self.cls = cls
        self.namespace = namespace
        self.items = items
        self._find = find

    def find(self, path: Path) -> Optional[Item]:
        """The instance of that path, or None."""
        if self._find is not None:
            item = self._find(path)
            return item if item is not None and item.path.ident == path.ident else None
        return next((item for item in self.items() if item.path.ident == path.ident), None)


class Reference(NamedTuple):
    """An association instance seen from one of its ends."""

    item: Item
    role: str
    other_role: str
    other: Path


class Association(Provider):
    """The instances of an association of two ends.

    ``pairs(left, right)`` yields what it connects: everything for (None, None), else what lies at the given end.
    """

    def __init__(
        self,
        cls: str,
        roles: tuple[str, str],
        pairs: Pairs,
        namespace: str = ETERNUS,
        find: Optional[Callable[[Path], Optional[Item]]] = None,
    ) -> None:
        super().__init__(cls, self._all, namespace, find)
        self.roles = roles
        self.pairs = pairs

    def _item(self, pair: Pair) -> Item:
        left, right, extra = pair
        return Item(Path(self.cls, {self.roles[0]: left, self.roles[1]: right}, self.namespace), lambda: extra)

    def _all(self) -> Iterator[Item]:
        return (self._item(pair) for pair in self.pairs(None, None))

    def find(self, path: Path) -> Optional[Item]:
        """The association of that path, or None."""
        if self._find is not None:
            return super().find(path)
        left = path.get(self.roles[0])
        right = path.get(self.roles[1])
        if not isinstance(left, Path) or not isinstance(right, Path):
            return None
        for pair in self.pairs(left, None):
            if pair[0].ident == left.ident and pair[1].ident == right.ident:
                return self._item(pair)
        return None

    def references(self, path: Path) -> Iterator[Reference]:
        """What connects the given object with others."""
        for pair in self.pairs(path, None):
            yield Reference(self._item(pair), self.roles[0], self.roles[1], pair[1])
        for pair in self.pairs(None, path):
            yield Reference(self._item(pair), self.roles[1], self.roles[0], pair[0])


class Repository:
    """All providers, by class; answers by class and all its subclasses."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._providers: dict[str, Provider] = {}

    def add(self, provider: Provider) -> None:
        """Takes a provider in; its class must be declared."""
        if self.schema.get(provider.cls) is None:
            raise ValueError("no such class: %s" % provider.cls)
        self._providers[provider.cls.lower()] = provider

    @staticmethod
    def namespace(name: str) -> str:
        """The namespace that a client means. Raises INVALID_NAMESPACE."""
        found = NAMESPACES.get(name.strip("/").lower())
        if found is None:
            raise CimError(INVALID_NAMESPACE, "there is no namespace %s" % name)
        return found

    def cls(self, namespace: str, name: str, code: int = INVALID_CLASS) -> CimClass:
        """A class of the namespace. Raises the given status where there is none."""
        found = self.schema.get(name)
        if found is None or (found.interop and namespace != INTEROP):
            raise CimError(code, "there is no class %s in %s" % (name, namespace))
        return found

    def providers(self, name: str, namespace: Optional[str] = None) -> Iterator[Provider]:
        """The providers of a class and its subclasses."""
        family = self.schema.family(name)
        for key, provider in self._providers.items():
            if key in family and namespace in (None, provider.namespace):
                yield provider

    def associations(self, name: str = "") -> list[Association]:
        """The association providers, all or those of a class and its subclasses."""
        family = self.schema.family(name)
        return [
            provider
            for key, provider in self._providers.items()
            if isinstance(provider, Association) and (not name or key in family)
        ]

    def find(self, namespace: str, path: Path) -> Item:
        """The instance of that path. Raises INVALID_CLASS or NOT_FOUND."""
        cls = self.cls(namespace, path.cls)
        provider = self._providers.get(cls.name.lower())
        if provider is not None and provider.namespace == namespace:
            item = provider.find(path)
            if item is not None:
                return item
        raise CimError(NOT_FOUND, "there is no such instance of %s" % cls.name)
