# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock for tests: time passes only by sleeping."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class FakeClock:
    """Implements :class:`Clock`; ``slept`` holds every sleep in seconds."""

    def __init__(self, start: datetime = datetime(2026, 2, 1, 20, tzinfo=timezone.utc)) -> None:
        self._start = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the time of day."""
        return self._start + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
