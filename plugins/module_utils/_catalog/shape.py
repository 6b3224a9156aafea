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
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

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
        for name, (kind, _null) in self._kinds.items():
            if name in self._inner:
                more[name] = self._inner[name].value(row)
            elif kind is VolumeRef:
                more[name] = ref_of(row, name)
            else:
                more[name] = None if row[name] is None else _loaded(kind, row[name])
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


def _loaded(kind: Any, stored: Any) -> Any:
    if kind is datetime:
        return _EPOCH + timedelta(microseconds=stored)
    if kind is tuple:
        return tuple(VolumeRef(*ref) for ref in json.loads(stored))
    return json.loads(stored) if kind is dict else kind(stored)
