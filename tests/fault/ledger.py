# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true: what hosts wrote and when, and what somebody was told is done. It is kept beside its world."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, TapeState
from ansible_collections.eternus.backup.tests.fault.world import SIZE, World


@dataclass
class Version:
    """What a volume held. It stood from ``since`` (written whole) until the next one began to be written (``until``).

    Times as ISO 8601, UTC; ``begun`` is when its writing began, ``until`` is empty while it stands.
    """

    number: int
    sha256: str
    begun: str
    since: str
    until: str = ""


@dataclass
class Reported:
    """A backup that somebody was told is done: its TV, its point in time, whether it was on disk, which tape copies."""

    volume: str
    point_in_time: str
    disk: bool
    tape: list[int] = field(default_factory=list)


@dataclass
class Ledger:
    """Versions by volume name, backups by id.

    :ivar gone_disk: ids whose disk copy somebody has asked to delete; ``gone_tape``: whose tape copies.
    :ivar restored: the checksum that a volume must have since a restore, by volume name.
    """

    versions: dict[str, list[Version]] = field(default_factory=dict)
    reported: dict[str, Reported] = field(default_factory=dict)
    gone_disk: list[str] = field(default_factory=list)
    gone_tape: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Keep it with a world."""
        (directory / "ledger.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Ledger:
        """Return what was kept with a world."""
        found = json.loads((directory / "ledger.json").read_text(encoding="utf-8"))
        return cls(
            {name: [Version(**one) for one in versions] for name, versions in found["versions"].items()},
            {ident: Reported(**one) for ident, one in found["reported"].items()},
            found["gone_disk"],
            found["gone_tape"],
            found["restored"],
        )

    def write(self, world: World, *volumes: str) -> None:
        """Write a new version of each volume through the array's door, as hosts do; each is there at one moment."""
        for volume in volumes:
            versions = self.versions.setdefault(volume, [])
            content = bytes_of(volume, len(versions))
            array = world.on(volume)
            begun = world.now().isoformat(timespec="microseconds")
            if versions:
                versions[-1].until = begun
            array.write(volume, content)
            digest = hashlib.sha256(content).hexdigest()
            versions.append(Version(len(versions), digest, begun, world.now().isoformat(timespec="microseconds")))
            self.restored.pop(volume, None)

    def at(self, volume: str, moment: datetime) -> list[Version]:
        """Return the version that stood at a moment; two while one was being written over by the other."""
        when = moment.isoformat(timespec="microseconds")
        return [
            one
            for one in self.versions.get(volume, [])
            if one.begun <= when and (not one.until or when <= _next_since(self.versions[volume], one))
        ]

    def report(self, world: World) -> None:
        """Take down all that the catalog holds now as done: a run that ended well has just told its caller."""
        with world.records() as records:
            if records is None:
                return
            names = {volume.ref: volume.name for volume in records.volumes()}
            for backup in records.backups():
                disk = backup.disk is not None and backup.disk.state is not DiskState.LEAVING
                written = [copy.number for copy in backup.tape if copy.state is TapeState.WRITTEN]
                moment = backup.point_in_time.isoformat(timespec="microseconds")
                self.reported[backup.id] = Reported(names[backup.tv], moment, disk, written)

    def newest(self, volume: str) -> Optional[Version]:
        """Return what a host wrote last."""
        return next(reversed(self.versions.get(volume, [])), None)


def _next_since(versions: list[Version], one: Version) -> str:
    """Return until when a version may still have been seen: the next one's writing has ended then."""
    return versions[one.number + 1].since if one.number + 1 < len(versions) else one.until


@functools.lru_cache(maxsize=64)
def bytes_of(volume: str, number: int, size: int = SIZE) -> bytes:
    """Return the bytes of a version: all of them differ from those of every other one."""
    return random.Random(f"{volume}:{number}").randbytes(size)
