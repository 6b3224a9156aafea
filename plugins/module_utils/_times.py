# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Times and lengths of time as people give them in options."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._options import invalid

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")


def length_of(option: str, text: Optional[str]) -> Optional[timedelta]:
    """Return a length of time such as ``20h``, ``30m``, ``1d``, ``1d 12h`` or ``3600`` (seconds); None without one.

    :raises BackupError: ``invalid_option`` for anything else, and for no time at all.
    """
    if text is None:
        return None
    words = text.strip().lower()
    parts = _LENGTH.findall(words)
    whole = re.fullmatch(rf"(?:{_LENGTH.pattern}\s*)+", words)
    several_bare = len(parts) > 1 and any(not unit for _number, unit in parts)
    try:
        found = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        found = timedelta(0)
    if whole is None or several_bare or found <= timedelta(0):
        raise invalid(option, text, "Give a length of time such as 20h, 30m, 1d or 3600 (seconds).")
    return found


def moment_of(option: str, text: Optional[str]) -> Optional[datetime]:
    """Return a time in ISO 8601, in UTC; one without a zone is UTC; None without one.

    :raises BackupError: ``invalid_option`` for anything else.
    """
    if text is None:
        return None
    words = text.strip()
    if not words:
        raise invalid(option, text, "Give a time in ISO 8601, or leave it out.")
    try:
        found = datetime.fromisoformat(words[:-1] + "+00:00" if words[-1] in "zZ" else words)
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise invalid(option, text, "Give a time in ISO 8601, e.g. 2026-03-29T01:30:00Z.") from None
