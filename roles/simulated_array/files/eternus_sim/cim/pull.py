# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open enumerations that a client reads piece by piece."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict

from .errors import INVALID_ENUMERATION_CONTEXT, CimError


class _Open:
    def __init__(self, kind: str, parts: list[str], seconds: int) -> None:
        self.kind = kind
        self.parts = parts
        self.next = 0
        self.seconds = seconds
        self.until = time.monotonic() + seconds


class Enumerations:
    """The enumerations under way. One that nobody reads is forgotten after its time, the oldest when there are many."""

    LIMIT = 256
    SECONDS = 120

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, kind: str, parts: list[str], count: int, seconds: int) -> tuple[list[str], str, bool]:
        """Begins one: the first parts, its context, whether these were all."""
        with self._lock:
            now = time.monotonic()
            for context in [key for key, item in self._open.items() if item.until < now]:
                del self._open[context]
            while len(self._open) >= self.LIMIT:
                self._open.popitem(last=False)
            context = secrets.token_hex(8)
            self._open[context] = _Open(kind, parts, seconds or self.SECONDS)
            return self._take(context, count)

    def pull(self, kind: str, context: str, count: int) -> tuple[list[str], str, bool]:
        """The next parts. Raises INVALID_ENUMERATION_CONTEXT."""
        with self._lock:
            self._known(context, kind)
            return self._take(context, count)

    def close(self, context: str) -> None:
        """Forgets one. Raises INVALID_ENUMERATION_CONTEXT."""
        with self._lock:
            self._known(context)
            del self._open[context]

    def _known(self, context: str, kind: str = "") -> None:
        item = self._open.get(context)
        if item is None or item.until < time.monotonic() or kind not in ("", item.kind):
            raise CimError(INVALID_ENUMERATION_CONTEXT, "there is no such enumeration")

    def _take(self, context: str, count: int) -> tuple[list[str], str, bool]:
        item = self._open[context]
        parts = item.parts[item.next : item.next + count]
        item.next += len(parts)
        item.until = time.monotonic() + item.seconds
        if item.next < len(item.parts):
            return parts, context, False
        del self._open[context]
        return parts, "", True
