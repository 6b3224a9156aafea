# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes and pools: names, numbers, files, and the links by which hosts find them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import media
from .model import BLOCK, Code, Pool, Refused, Volume

if TYPE_CHECKING:
    from .array import SimArray

_NUMBERS = 0xFFFF  # a volume's number has four hex digits
_MAX_SIZE = 1 << 53
_RECORDED = ("number", "name", "blocks", "pool_id", "thin", "hidden", "block_size")


class Volumes:
    """The volumes of one array. Callers hold the lock."""

    def __init__(self, array: SimArray) -> None:
        self._array = array
        self.by_id: dict[str, Volume] = {}
        self._by_name: dict[str, Volume] = {}
        self._by_number: dict[int, Volume] = {}
        self._next = 0
        # 600000E is Fujitsu's registered part; the rest of the 24 digits is the array's own.
        own = hashlib.sha256(array.serial.encode()).hexdigest()[:14].upper()
        self._prefix = f"600000E00D{own}"
        self.pools: dict[str, Pool] = {
            pool.pool_id: Pool(pool.pool_id, pool.kind, pool.name, pool.total) for pool in array.config.pools
        }
        self._files = array.directory / "volumes"
        self._links = array.directory / "by-id"
        for path in (self._files, self._links):
            path.mkdir(mode=0o700, exist_ok=True)
            path.chmod(0o700)
        for device_id, record in array.log.all("volume").items():
            volume = Volume(device_id=device_id, path=self._path(device_id), **record)
            self._add(volume)
            if not volume.path.exists():
                media.make(volume.path, volume.size)
            self._link(volume)

    def _path(self, device_id: str) -> Path:
        return (self._files / f"{device_id}.img").absolute()

    def _add(self, volume: Volume) -> None:
        self.by_id[volume.device_id] = volume
        self._by_name[volume.name] = volume
        self._by_number[volume.number] = volume
        if volume.pool_id in self.pools:
            self.pools[volume.pool_id].used += volume.size

    def _link(self, volume: Volume) -> None:
        link = self._links / f"wwn-0x{volume.device_id.lower()}"
        if not link.is_symlink():
            link.symlink_to(Path("..") / "volumes" / volume.path.name)

    @staticmethod
    def _record(volume: Volume) -> dict[str, Any]:
        return {name: getattr(volume, name) for name in _RECORDED}

    def find(self, name_or_id: str) -> Volume:
        """Return a volume by DeviceID (in either case) or name."""
        volume = self.by_id.get(name_or_id.upper()) or self._by_name.get(name_or_id)
        if volume is None:
            raise Refused(Code.UNKNOWN_VOLUME, f"no volume {name_or_id}")
        return volume

    def by_number(self, number: int) -> Volume:
        """Return a volume by number."""
        if number not in self._by_number:
            raise Refused(Code.UNKNOWN_VOLUME, f"no volume of number {number}")
        return self._by_number[number]

    def create(self, wanted: Sequence[tuple[str, int]], pool_id: str, hidden: bool) -> list[Volume]:
        """Make volumes, all or none."""
        pool = self.pools.get(pool_id)
        if pool is None:
            raise Refused(Code.INVALID_PARAMETER, f"no pool {pool_id}")
        names = [name for name, _size in wanted]
        if len(set(names)) != len(names):
            raise Refused(Code.NAME_IN_USE, "a name is given twice")
        for name, size in wanted:
            if not name:
                raise Refused(Code.INVALID_PARAMETER, "a volume has a name")
            if name in self._by_name:
                raise Refused(Code.NAME_IN_USE, f"there is a volume {name}")
            self._check_size(size)
        if sum(size for _name, size in wanted) > pool.remaining:
            raise Refused(Code.SIZE, f"pool {pool_id} has {pool.remaining} bytes left")
        if len(self._by_number) + len(wanted) > _NUMBERS:
            raise Refused(Code.FAILED, "the array has no volume number left")
        made = [self._make(name, size, pool, hidden) for name, size in wanted]
        self._array.log.put([("volume", volume.device_id, self._record(volume)) for volume in made])
        return made

    def _make(self, name: str, size: int, pool: Pool, hidden: bool) -> Volume:
        while self._next in self._by_number:
            self._next = (self._next + 1) % _NUMBERS
        device_id = f"{self._prefix}{self._next:04X}0000"
        volume = Volume(
            device_id=device_id,
            number=self._next,
            name=name,
            blocks=size // BLOCK,
            pool_id=pool.pool_id,
            path=self._path(device_id),
            thin=pool.kind == "thin",
            hidden=hidden,
        )
        self._array.traffic.fingerprints[device_id] = media.make(volume.path, size)
        self._link(volume)
        self._add(volume)
        return volume

    @staticmethod
    def _check_size(size: int) -> None:
        if size <= 0 or size % BLOCK or size > _MAX_SIZE:
            raise Refused(Code.SIZE, f"{size} bytes are not a number of blocks of {BLOCK}")

    def extend(self, device_id: str, size: int) -> Volume:
        """Make a volume larger."""
        volume = self._free(device_id)
        self._check_size(size)
        pool = self.pools[volume.pool_id]
        if size < volume.size or size - volume.size > pool.remaining:
            raise Refused(Code.SIZE, f"{volume.name} has {volume.size} bytes, its pool {pool.remaining} left")
        pool.used += size - volume.size
        volume.blocks = size // BLOCK
        self._array.traffic.fingerprints[volume.device_id] = media.resize(volume.path, size)
        self._array.log.put([("volume", volume.device_id, self._record(volume))])
        return volume

    def delete(self, device_id: str) -> None:
        """Remove a volume, its file and its link."""
        volume = self._free(device_id)
        self._array.log.put([("volume", volume.device_id, None), ("file", volume.device_id, None)])
        del self.by_id[volume.device_id], self._by_name[volume.name], self._by_number[volume.number]
        self.pools[volume.pool_id].used -= volume.size
        self._array.traffic.fingerprints.pop(volume.device_id, None)
        (self._links / f"wwn-0x{volume.device_id.lower()}").unlink(missing_ok=True)
        volume.path.unlink(missing_ok=True)

    def _free(self, device_id: str) -> Volume:
        volume = self.by_id.get(device_id)
        if volume is None:
            raise Refused(Code.UNKNOWN_VOLUME, f"no volume {device_id}")
        if self._array.domain.of_volume(device_id):
            raise Refused(Code.VOLUME_BUSY, f"{volume.name} has a copy session")
        return volume
