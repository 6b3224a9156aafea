# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Properties and keys as the types that they should be; an agent may put anything there. No I/O, no pywbem.

What is not there is empty. What is there and makes no sense is :class:`OddAnswer`: it is never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import utc

#: Every number that is read counts something; a catalog holds no larger ones.
_NUMBERS = range(1 << 63)


class OddAnswer(Exception):
    """A well-formed answer says what cannot be meant; the text names the property."""


def whole(value: Any, name: str) -> int:
    """Return a number that is not negative; 0 where there is none."""
    if value is None:
        return 0
    try:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else -1
    except ValueError:
        number = -1
    if number not in _NUMBERS:
        raise OddAnswer(f"{name} is no number")
    return number


def number(instance: Any, name: str) -> int:
    """Return a property that is a number; 0 where it is empty."""
    return whole(instance.get(name), name)


def numbers(value: Any, name: str) -> frozenset[int]:
    """Return a list of numbers; empty where there is none."""
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise OddAnswer(f"{name} is no list of numbers")
    return frozenset(whole(item, name) for item in value)


def text(instance: Any, name: str) -> str:
    """Return a property that is text; empty where it is empty."""
    value = instance.get(name)
    if value is None:
        return ""
    if not isinstance(value, (str, int)):
        raise OddAnswer(f"{name} is no text")
    return str(value)


def moment(instance: Any, name: str) -> Optional[datetime]:
    """Return a property that is a time, in UTC; None where it is empty or an interval."""
    value = instance.get(name)
    try:
        return None if value is None or value.is_interval else utc(value.datetime)
    except (AttributeError, OverflowError):
        raise OddAnswer(f"{name} is no time") from None


def key(of: Any, name: str) -> str:
    """Return a key of a path that is text."""
    value = of.keybindings.get(name)
    if not isinstance(value, (str, int)) or not str(value):
        raise OddAnswer(f"a path has no {name}")
    return str(value)


def element(of: Any, name: str) -> Any:
    """Return a key of a path that is a path."""
    value = path(of.keybindings.get(name))
    if value is None:
        raise OddAnswer(f"a path has no {name}")
    return value


def path(value: Any) -> Optional[Any]:
    """Return a value that is the path of an instance; None for anything else."""
    return value if hasattr(value, "keybindings") else None
