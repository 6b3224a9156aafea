# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Object paths and instances as values, without any XML."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timezone
from typing import Any, Callable, Optional, Union

Key = Union[str, int, bool, "Path"]
Ident = tuple[Any, ...]


class Path:
    """An instance's path: class, keys, namespace ("" where none was said). A host is never kept."""

    __slots__ = ("_ident", "cls", "keys", "namespace", "xml")

    def __init__(self, cls: str, keys: dict[str, Key], namespace: str = "") -> None:
        self.cls = cls
        self.keys = keys
        self.namespace = namespace
        self._ident: Optional[Ident] = None
        self.xml = ""

    @property
    def ident(self) -> Ident:
        """What two paths of one object have in common: class and keys, whatever the case of names, host and
        namespace and the type in which a key's value was written."""
        if self._ident is None:
            keys = sorted((name.lower(), _plain(value)) for name, value in self.keys.items())
            self._ident = (self.cls.lower(), tuple(keys))
        return self._ident

    def get(self, name: str) -> Optional[Key]:
        """A key's value, whatever the case of its name."""
        for known, value in self.keys.items():
            if known.lower() == name.lower():
                return value
        return None

    def text(self, name: str) -> str:
        """A key's value as text; empty where there is none."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def __repr__(self) -> str:
        return "%s.%s" % (self.cls, self.keys)


class ClassPath:
    """The path of a class."""

    __slots__ = ("cls", "namespace")

    def __init__(self, cls: str, namespace: str = "") -> None:
        self.cls = cls
        self.namespace = namespace


def _plain(value: Key) -> Any:
    if isinstance(value, Path):
        return value.ident
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Item:
    """An instance that can be served: its path, and its values when they are asked for.

    ``token`` changes whenever a value may have changed; with None the values are never kept.
    """

    __slots__ = ("path", "token", "values")

    def __init__(self, path: Path, values: Callable[[], dict[str, Any]], token: Optional[Hashable] = None) -> None:
        self.path = path
        self.values = values
        self.token = token


def cim_datetime(when: datetime) -> str:
    """A point in time as CIM writes it: yyyymmddhhmmss.mmmmmm+000, in UTC."""
    return when.astimezone(timezone.utc).strftime("%Y%m%d%H%M%S.%f+000")
