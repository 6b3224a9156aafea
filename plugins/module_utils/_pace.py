# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""When to look again: after a share of the time that a copy still seems to take. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Optional

#: How much of each part that still moves is done, from 0 to 1; None where that is not told.
Shares = Mapping[Hashable, Optional[float]]

#: The shortest pause is this part of the interval; where nothing is known, pauses double from it up to the interval.
SHORTEST = 0.1
#: No pause is longer than so many intervals: a copy that breaks is seen by then.
LONGEST = 12
#: So many looks more than at a fixed interval are spent in all, at most, on seeing the end sooner.
EXTRA = 10

#: Arrays tell whole percents, cut off or rounded: a share may be that much more, or less, than is told.
_STEP = 0.01
#: Pauses have doubled up to the interval by then, whatever they began with.
_GROWN = 10
#: The part of the expected time that is let pass: the next look then knows better.
_PART = 0.6


@dataclass
class _Track:
    """One part's way since it was first seen, or since it fell back; ``changed`` is when its share was news."""

    since: float
    begun: float
    changed: float
    share: float

    def left(self, at: float) -> Optional[float]:
        """Return the seconds that it should still take, at the rate seen so far; None while none has been seen."""
        gained = self.share - self.begun
        if gained <= 0 or self.changed <= self.since:
            return None
        return self.changed + (1 - self.share) * (self.changed - self.since) / gained - at

    def least(self, at: float) -> float:
        """Return the seconds that it takes at least if its rate is steady, whatever its shares were rounded from."""
        most = self.share + _STEP
        return max(0.0, (1 - most) * (at - self.since) / (most - max(0.0, self.begun - _STEP)))


class Pace:
    """The pauses of one wait.

    While every part shows progress, 0.6 of the time that the slowest one should still take, never shorter than 0.1 and
    never longer than 12 intervals; longer than one interval only where no steady copy can end before. Where there is
    no progress to go by (none is told, none was seen yet, or it should have been over by now), pauses double from 0.1
    of the interval up to the interval. Whatever is told, at most 10 looks are spent beyond those of a fixed interval.
    """

    def __init__(self, interval: float, *, fresh: bool = True) -> None:
        """Take the interval in seconds, above 0.

        :param fresh: whether what is waited for begins now; otherwise pauses do not begin with short ones, since it is
            no more likely to end at once than later.
        """
        self._interval = interval
        self._tracks: dict[Hashable, _Track] = {}
        self._quiet = 0 if fresh else _GROWN
        self._looks = 0
        self._paused = 0.0

    def pause(self, at: float, shares: Shares, cost: float = 0.0) -> float:
        """Return how long to pause after a look.

        :param at: when the look was over.
        :param shares: what the look has shown; a part that is missing has ended.
        :param cost: how long the look took: the array has rest for as long, or for an interval if that is shorter.
        """
        known = self._learn(at, shares)
        pause = max(self._wanted(at, known), min(cost, self._interval))
        if self._looks * self._interval >= self._paused + EXTRA * self._interval:
            pause = max(pause, self._interval)
        self._looks += 1
        self._paused += pause
        return pause

    def _learn(self, at: float, shares: Shares) -> bool:
        """Keep what is new; tell whether every part tells its share."""
        told = {part: share for part, share in shares.items() if share is not None}
        for part in [part for part in self._tracks if part not in told]:
            del self._tracks[part]
        for part, share in told.items():
            track = self._tracks.get(part)
            if track is None or share < track.share:
                self._tracks[part] = _Track(since=at, begun=share, changed=at, share=share)
            elif share > track.share:
                track.changed, track.share = at, share
        return bool(told) and len(told) == len(shares)

    def _wanted(self, at: float, known: bool) -> float:
        left = [track.left(at) for track in self._tracks.values()] if known else []
        foreseen = [seconds for seconds in left if seconds is not None]
        slowest = max(foreseen) if foreseen and len(foreseen) == len(left) else 0.0
        shortest = self._interval * SHORTEST
        if slowest <= 0:
            ramp = shortest * 2.0 ** min(self._quiet, _GROWN)
            self._quiet += 1
            return min(ramp, self._interval)
        self._quiet = 0
        surely = min(max(track.least(at) for track in self._tracks.values()), self._interval * LONGEST)
        return min(max(slowest * _PART, shortest), max(surely, self._interval))
