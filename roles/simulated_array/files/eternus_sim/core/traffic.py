# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where bytes flow: host writes, the moves of copies, points in time, and what was written past the door."""

from __future__ import annotations

from typing import Optional

from . import media
from .domain import Domain
from .model import EXTENT, Code, CopyState, Refused
from .replica import Flow, Leg, Replica

_LATEST = 1 << 62  # after every point in time there is


class Traffic:
    """All reading and writing of volumes. Callers hold the domain's lock."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.fingerprints: dict[str, Optional[media.Fingerprint]] = {}  # None: written past the door, not yet compared

    # hosts

    def host_write(self, device_id: str, offset: int, data: bytes) -> None:
        """Write for a host. Refused (32786) on a volume that a mirror owns, (5) beyond the volume's end."""
        self._check(device_id, offset, len(data))
        for replica in self._domain.of_volume(device_id):
            if replica.view.target_id == device_id and replica.active_mirror:
                raise Refused(Code.VOLUME_BUSY, f"{device_id} is the target of a mirror that is not suspended")
        if data:
            self._write(device_id, offset, data)
            self._count(device_id, "host_written", len(data))

    def host_read(self, device_id: str, offset: int, length: int) -> bytes:
        """Read for a host. Refused (32786) on a mirror's target before it is equivalent."""
        self._check(device_id, offset, length)
        for replica in self._domain.of_volume(device_id):
            owned = replica.view.target_id == device_id and replica.active_mirror
            if owned and replica.view.copy_state != CopyState.SYNCHRONIZED:
                raise Refused(Code.VOLUME_BUSY, f"{device_id} is the target of a mirror that is not equivalent")
        if not length:
            return b""
        self._count(device_id, "host_read", length)
        return media.read(self._domain.volume(device_id).path, offset, length)

    def _check(self, device_id: str, offset: int, length: int) -> None:
        size = self._domain.volume(device_id).size
        if offset < 0 or length < 0 or offset + length > size:
            raise Refused(Code.INVALID_PARAMETER, f"{offset}+{length} is beyond the end of {device_id}, {size} bytes")

    def _count(self, device_id: str, name: str, number: int) -> None:
        owner = self._domain.owner(device_id)
        if owner is not None:
            owner.counters.add_bytes(name, number)

    # copies

    def fill(self, leg: Leg) -> None:
        """Lay the point in time of a leg down: its target holds it from now on, for whoever opens its device."""
        size = leg.replica.size
        spans = leg.pending.runs((0, leg.replica.extents))
        paths = [self._domain.volume(device_id).path for device_id in (leg.from_id, leg.to_id)]
        ours = self.unchanged(leg.to_id)
        fresh = media.copy(paths[0], paths[1], [(first * EXTENT, min(last * EXTENT, size)) for first, last in spans])
        self.fingerprints[leg.to_id] = fresh if ours else None

    def spoil(self, replica: Replica) -> None:
        """Make the extents unusable that had not arrived when a copy was given up."""
        for device_id, (first, last) in replica.spoilt:
            owner = self._domain.owner(device_id)
            if owner is None:
                continue
            path = owner.volumes[device_id].path
            self.overwritten(device_id, replica, [(first, last)])
            for other in self._domain.of_volume(device_id):
                if other.view.source_id == device_id and other.flow is not Flow.TRACK:
                    other.todo.add((first, last))
            ours = self.unchanged(device_id)
            for extent in range(first, last):
                end = min((extent + 1) * EXTENT, replica.size)
                fresh = media.spoil(path, extent * EXTENT, end)
                self.fingerprints[device_id] = fresh if ours else None
        replica.spoilt.clear()

    def move(self, leg: Leg, span: tuple[int, int]) -> None:
        """Move a span of pending extents along a leg. On a frozen leg the bytes lie there already."""
        self._settle(leg.from_id, span, leg.seq if leg.frozen else _LATEST)
        offset = span[0] * EXTENT
        length = min(span[1] * EXTENT, leg.replica.size) - offset
        if not leg.frozen:
            self._write(leg.to_id, offset, media.read(self._domain.volume(leg.from_id).path, offset, length))
        # Only now: a crash before this line moves the span again, and nothing has changed the source meanwhile.
        leg.pending.discard(span)
        if leg.replica.run is not None:
            leg.replica.run.bytes_moved += length
        self._count(leg.from_id, "copy_read", length)
        self._count(leg.to_id, "copy_written", length)

    def _settle(self, device_id: str, span: tuple[int, int], before: int) -> None:
        """Move what is pending to a volume, by legs that began earlier, before it is moved on."""
        for replica in self._domain.of_volume(device_id):
            for leg in replica.frozen_legs():
                if leg.to_id == device_id and leg.seq < before:
                    for run in list(leg.pending.runs(span)):
                        self.move(leg, run)

    def _write(self, device_id: str, offset: int, data: bytes) -> None:
        """Write: move what others still need, mark maps, write, let mirrors follow."""
        span = _span(offset, len(data))
        touching = list(self._domain.of_volume(device_id))
        for replica in touching:
            for leg in replica.frozen_legs():
                # Copy on write, and what is pending to this volume is brought in before it is written over: an array
                # moves these extents at once.
                for run in list(leg.pending.runs(span)):
                    self.move(leg, run)
        followers = [replica for replica in touching if self._mark(replica, device_id, span)]
        self.put(device_id, offset, data)
        for replica in followers:
            self._follow(replica, offset, data)

    def _mark(self, replica: Replica, device_id: str, span: tuple[int, int]) -> bool:
        """Remember a write in a session's maps, on disk before the bytes are. True: the target must follow at once."""
        if replica.view.target_id == device_id:
            if replica.flow is Flow.TRACK:
                replica.tgt.add(span)
            return False
        if replica.flow is Flow.MIRROR and not self._domain.reachable(replica):
            replica.home.cut_off(replica)
        if replica.flow is Flow.MIRROR:
            return True
        (replica.todo if replica.flow is Flow.HELD else replica.src).add(span)
        return False

    def _follow(self, replica: Replica, offset: int, data: bytes) -> None:
        """Carry a write to the mirror's target, but for extents that the copy will bring anyway."""
        end = min(offset + len(data), replica.size)
        for extent in range(*_span(offset, max(0, end - offset))):
            if extent in replica.todo:
                continue
            first, last = max(offset, extent * EXTENT), min(end, (extent + 1) * EXTENT)
            self._write(replica.view.target_id, first, data[first - offset : last - offset])
            self._count(replica.view.target_id, "mirrored", last - first)
            if replica.run is not None:
                replica.run.bytes_mirrored += last - first

    def put(self, device_id: str, offset: int, data: bytes) -> None:
        """Write to the file, and keep in mind whether someone else had written to it before."""
        path = self._domain.volume(device_id).path
        ours = self.unchanged(device_id)
        fresh = media.write(path, offset, data)
        self.fingerprints[device_id] = fresh if ours else None

    def overwritten(self, device_id: str, source: Replica, spans: list[tuple[int, int]]) -> None:
        """Mark in the other sessions of a volume that these extents of it are, from this moment, something else."""
        for replica in self._domain.of_volume(device_id):
            if replica is not source and replica.flow is Flow.TRACK:
                for span in spans:
                    (replica.tgt if replica.view.target_id == device_id else replica.src).add(span)

    # past the door

    def unchanged(self, device_id: str) -> bool:
        """Tell whether nobody but the array has written the file since the array last looked."""
        seen = self.fingerprints.get(device_id)
        return seen is not None and seen == media.fingerprint(self._domain.volume(device_id).path)

    def notice(self, device_id: str) -> None:
        """Find what was written past the door, by comparing with the other side of each session, and mark it."""
        if self.unchanged(device_id):
            return
        volume = self._domain.volume(device_id)
        if media.fingerprint(volume.path)[2] != volume.size:
            media.resize(volume.path, volume.size)
        self.fingerprints[device_id] = media.fingerprint(volume.path)
        for replica in list(self._domain.of_volume(device_id)):
            self._compare(replica, device_id)

    def _compare(self, replica: Replica, device_id: str) -> None:
        if self._domain.owner(replica.view.target_id) is None or not self._domain.reachable(replica):
            return
        flow = replica.flow
        changed = replica.tgt if device_id == replica.view.target_id else replica.src
        here = changed if flow is Flow.TRACK else replica.todo
        # A mirror's files differ where it has still to copy; what stands for a point in time was laid down at once.
        known = [replica.todo] if replica.mirror else []
        known += [replica.src, replica.tgt] if flow is Flow.TRACK else []
        source, target = (self._domain.volume(key).path for key in replica.key)
        step = 16
        for first in range(0, replica.extents, step):
            length = min((first + step) * EXTENT, replica.size) - first * EXTENT
            left, right = (media.read(path, first * EXTENT, length) for path in (source, target))
            if left == right:
                continue
            for extent in range(first, min(first + step, replica.extents)):
                part = slice((extent - first) * EXTENT, (extent - first + 1) * EXTENT)
                if left[part] != right[part] and not any(extent in bitmap for bitmap in known):
                    here.add((extent, extent + 1))
        if flow is Flow.MIRROR and replica.view.copy_state == CopyState.SYNCHRONIZED:
            for run in list(replica.todo.runs((0, replica.extents), step)):
                self.move(replica.forward(), run)


def _span(offset: int, length: int) -> tuple[int, int]:
    return (offset // EXTENT, (offset + length + EXTENT - 1) // EXTENT if length else offset // EXTENT)
