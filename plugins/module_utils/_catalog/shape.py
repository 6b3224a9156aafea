# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Values to rows and back, by the types of their fields: one place that knows how each kind is stored.

Times are whole microseconds since 1970 UTC (they sort alike on both databases), a volume is two columns, lists and
mappings are JSON text, a value within a value lies flat beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Callable, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(value: datetime) -> int:
    """Return microseconds since 1970 UTC; ValueError for a time without zone, which nobody can place."""
    if value.tzinfo is None:
        raise ValueError(f"time without zone: {value.isoformat()}")
    return (value - _EPOCH) // timedelta(microseconds=1)


def ref_of(row: Mapping[str, Any], prefix: str) -> VolumeRef:
    """Return the volume that two columns name."""
    return VolumeRef(row[f"{prefix}_array"], row[f"{prefix}_device"])


class Shape(Generic[T]):
    """How a frozen dataclass lies in a table. ``omit``: fields that live in tables of their own."""

    def __init__(self, made: type[T], *omit: str) -> None:
        self._made = made
        hints = get_type_hints(made)
        self._kinds = {one.name: _kind(hints[one.name]) for one in fields(made) if one.name not in omit}  # type: ignore[arg-type]
        self._inner = {name: Shape(kind) for name, (kind, _null) in self._kinds.items() if _nested(kind)}
        plain = {name: kind for name, (kind, _null) in self._kinds.items() if name not in self._inner}
        self._refs = [(name, f"{name}_array", f"{name}_device") for name, kind in plain.items() if kind is VolumeRef]
        # As they are stored, or by a function: thousands of rows are read, and this is done for each field of each.
        self._same = [name for name, kind in plain.items() if kind in (str, int, bool)]
        self._others = [
            (name, _loader(kind)) for name, kind in plain.items() if kind not in (str, int, bool, VolumeRef)
        ]

    def columns(self) -> dict[str, tuple[Any, bool]]:
        """Return name -> (type of the column: str, int or bool; whether it may be NULL)."""
        found: dict[str, tuple[Any, bool]] = {}
        for name, (kind, null) in self._kinds.items():
            if name in self._inner:
                found.update(self._inner[name].columns())
            elif kind is VolumeRef:
                found.update({f"{name}_array": (str, null), f"{name}_device": (str, null)})
            else:
                found[name] = (bool if kind is bool else int if kind in (int, datetime) else str, null)
        return found

    def row(self, value: T, **more: Any) -> dict[str, Any]:
        """Return a value's row, with further columns."""
        row = dict(more)
        for name, (kind, _null) in self._kinds.items():
            part = getattr(value, name)
            if name in self._inner:
                row.update(self._inner[name].row(part))
            elif kind is VolumeRef:
                row.update({f"{name}_array": part.array, f"{name}_device": part.device_id})
            else:
                row[name] = None if part is None else _stored(part)
        return row

    def value(self, row: Mapping[str, Any], **more: Any) -> T:
        """Return a row's value, with the fields that were omitted."""
        for name in self._same:
            more[name] = row[name]
        for name, load in self._others:
            stored = row[name]
            more[name] = None if stored is None else load(stored)
        for name, array, device in self._refs:
            more[name] = VolumeRef(row[array], row[device])
        for name, inner in self._inner.items():
            more[name] = inner.value(row)
        return self._made(**more)


def _kind(hint: Any) -> tuple[Any, bool]:
    """Return the plain type behind a hint, and whether None is allowed."""
    if get_origin(hint) is Union:
        return next(one for one in get_args(hint) if one is not type(None)), True
    return get_origin(hint) or hint, False


def _nested(kind: Any) -> bool:
    return is_dataclass(kind) and kind is not VolumeRef


def _stored(part: Any) -> Any:
    if isinstance(part, datetime):
        return moment(part)
    if isinstance(part, Enum):
        return part.value
    if isinstance(part, tuple):
        return json.dumps([[ref.array, ref.device_id] for ref in part])
    return json.dumps(part, sort_keys=True, ensure_ascii=False) if isinstance(part, dict) else part


def _loader(kind: Any) -> Callable[[Any], Any]:
    if kind is datetime:
        return _datetime
    if kind is tuple:
        return _refs
    return json.loads if kind is dict else _member(kind)


def _datetime(stored: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stored)


def _refs(stored: str) -> tuple[VolumeRef, ...]:
    return tuple(VolumeRef(*ref) for ref in json.loads(stored))


def _member(kind: type[Enum]) -> Callable[[Any], Enum]:
    """Return what finds an enum's member by its value; ValueError for another's, as the enum itself raises it."""
    known = {one.value: one for one in kind}

    def member(stored: Any) -> Enum:
        found = known.get(stored)
        return kind(stored) if found is None else found

    return member
