# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy session from within: what is shown, the maps of extents, and the ways on which data flows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .counters import Run
from .extents import Bitmap, Span
from .model import EXTENT, CopyState, CopyType, Key, Progress, Session

if TYPE_CHECKING:
    from .array import SimArray

_TIMES = ("when_started", "when_synced", "when_suspended")


class Flow(Enum):
    """What a host write to one of the two volumes means to the session."""

    MIRROR = "mirror"  # EC/REC executing or equivalent: the target follows
    HELD = "held"  # EC/REC paused or cut off: the source's changes are to be copied later
    TRACK = "track"  # both sides are independent, changes on either are remembered


@dataclass(frozen=True)
class Leg:
    """One way of a session: what is pending is still to be moved from one volume to the other.

    A frozen leg stands for a point in time: the target *is* the source as it was at ``seq``, from the first moment on.
    Its bytes are laid down when it begins, so that whoever opens the target's device reads them; what is pending is
    what the array has still to move behind that, at its rate.
    """

    replica: Replica
    from_id: str
    to_id: str
    pending: Bitmap
    frozen: bool
    seq: int


class Replica:
    """A session at work. All of it is guarded by the domain's lock."""

    def __init__(self, home: SimArray, view: Session, blocks: int, map_name: str, seq: int) -> None:
        self.home = home
        self.view = view
        self.blocks = blocks
        self.seq = seq
        self.back_seq = seq
        self.resume_to = int(Progress.SYNCHRONIZING)  # what a resume goes back to
        self.synced_once = False  # whether the next run is a differential one
        self.cursor = 0
        self.unfilled = ""  # of a frozen leg that has begun: "todo" or "back" until its bytes lie on the target
        self.spoilt: list[tuple[str, Span]] = []  # extents to be made unusable once the log has the session's end
        self.size = blocks * 512
        self.extents = (self.size + EXTENT - 1) // EXTENT
        self.run: Optional[Run] = None
        self.place(map_name)

    def place(self, map_name: str) -> None:
        """Make the maps, empty, in the file of that name below the home array."""
        self.map_name = map_name
        path = self.map_path
        step = (self.extents + 7) // 8
        self.todo, self.back, self.src, self.tgt = (Bitmap(self.extents, path, step * n) for n in range(4))

    @property
    def map_path(self) -> Path:
        """Return where the maps lie."""
        return self.home.maps_directory / self.map_name

    @property
    def key(self) -> Key:
        """Return what identifies the session."""
        return self.view.key

    @property
    def mirror(self) -> bool:
        """Tell EC and REC from the others."""
        return self.view.copy_type == CopyType.EC

    @property
    def snapshot_only(self) -> bool:
        """Tell whether nothing is copied in the background."""
        return self.view.copy_type == CopyType.SNAP

    @property
    def dead(self) -> bool:
        """Tell whether the session is broken or aborted."""
        return self.view.copy_state in {CopyState.BROKEN, CopyState.ABORTED}

    @property
    def running(self) -> bool:
        """Tell whether there is something for the copier to do."""
        return self.view.progress_status in {Progress.SYNCHRONIZING, Progress.RESYNCING, Progress.RESTORING}

    @property
    def restoring(self) -> bool:
        """Tell whether data flows from the target to the source."""
        return bool(self.back) or self.view.progress_status == Progress.RESTORING

    @property
    def suspended(self) -> bool:
        """Tell whether an EC or REC session is suspended, both sides being independent."""
        return self.mirror and self.view.copy_state in {CopyState.FRACTURED, CopyState.SPLIT, CopyState.RESTORED}

    @property
    def active_mirror(self) -> bool:
        """Tell whether an EC or REC session is not suspended: it owns its target."""
        return self.mirror and self.flow is not Flow.TRACK

    @property
    def copying(self) -> bool:
        """Tell whether data still flows or will flow without anybody's order."""
        return not self.dead and (self.active_mirror or bool(self.todo) or self.restoring)

    @property
    def flow(self) -> Flow:
        """Return what a write means to it."""
        if not self.mirror or self.dead or self.view.progress_status == Progress.RESTORING:
            return Flow.TRACK
        if self.view.copy_state in {CopyState.SUSPENDED, CopyState.PARTITIONED}:
            return Flow.HELD
        if self.view.copy_state in {CopyState.UNSYNCHRONIZED, CopyState.SYNCHRONIZED}:
            return Flow.MIRROR
        return Flow.TRACK

    def forward(self) -> Leg:
        """Return the way from source to target."""
        return Leg(self, self.view.source_id, self.view.target_id, self.todo, not self.mirror, self.seq)

    def backward(self) -> Leg:
        """Return the way from target to source (restore)."""
        return Leg(self, self.view.target_id, self.view.source_id, self.back, True, self.back_seq)

    def frozen_legs(self) -> list[Leg]:
        """Return the ways that stand for a point in time and are not at their end."""
        if self.dead:
            return []
        legs = [self.backward()] if self.back else []
        if self.todo and not self.mirror:
            legs.append(self.forward())
        return legs

    def unfilled_leg(self) -> Optional[Leg]:
        """Return the way whose point in time is still to be laid down on the volume that it leads to."""
        if not self.unfilled:
            return None
        return self.backward() if self.unfilled == "back" else self.forward()

    def give_up(self) -> None:
        """Note what has not arrived: without the session it is unusable (array.md, OPC target)."""
        for leg in self.frozen_legs():
            self.spoilt.extend((leg.to_id, span) for span in leg.pending.runs((0, self.extents)))

    def next_leg(self) -> Optional[Leg]:
        """Return the way on which the copier goes on, None when all is moved."""
        if self.back:
            return self.backward()
        if self.todo and not self.snapshot_only:
            return self.forward()
        return None

    def snapshot(self) -> Session:
        """Return the session as it is shown, a copy."""
        percent = 100
        if self.running or self.view.copy_state in {CopyState.SUSPENDED, CopyState.PARTITIONED} or self.dead:
            pending = self.back.count if self.restoring else self.todo.count
            percent = 100 * (self.extents - pending) // self.extents
        return replace(self.view, percent=percent)

    def to_record(self) -> dict[str, Any]:
        """Return what is written to the log."""
        record = dict(vars(self.view))
        for name in _TIMES:
            record[name] = record[name].isoformat() if record[name] else None
        return {
            "view": record,
            "blocks": self.blocks,
            "map": self.map_name,
            "seq": self.seq,
            "back_seq": self.back_seq,
            "resume_to": int(self.resume_to),
            "synced_once": self.synced_once,
            "unfilled": self.unfilled,
        }

    @classmethod
    def from_record(cls, home: SimArray, record: dict[str, Any]) -> Replica:
        """Return the session that was written, its maps read."""
        view = dict(record["view"])
        for name in _TIMES:
            view[name] = datetime.fromisoformat(view[name]) if view[name] else None
        replica = cls(home, Session(**view), record["blocks"], record["map"], record["seq"])
        replica.back_seq = record["back_seq"]
        replica.resume_to = record["resume_to"]
        replica.synced_once = record["synced_once"]
        replica.unfilled = record.get("unfilled", "")
        for bitmap in (replica.todo, replica.back, replica.src, replica.tgt):
            bitmap.load()
        # A crash between filling a map and writing the state leaves it full too early: such extents count as changed.
        if replica.suspended or replica.view.progress_status == Progress.COMPLETED:
            stray = [replica.back] if not replica.running else []
            if replica.suspended or (replica.view.sync_maintained and not replica.snapshot_only):
                stray.append(replica.todo)
            for bitmap in stray:
                if bitmap:
                    replica.src.unite(bitmap)
                    bitmap.clear()
        return replica
