# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The array, its services, pools and volumes as CIM instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from ..core.array import SimArray
from ..core.model import Pool, Volume
from .repository import ETERNUS, Association, Pair, Provider, Repository
from .values import Item, Path

SYSTEM = "FUJITSU_StorageComputerSystem"
VOLUME = "FUJITSU_StorageVolume"
THIN_POOL = "FUJITSU_ThinProvisioningPool"
RAID_POOL = "FUJITSU_RAIDStoragePool"
SERVICE_NAME = "FUJITSU:ETERNUS SMI-S Agent"
SERVICES = (
    "FUJITSU_ReplicationService",
    "FUJITSU_StorageConfigurationService",
    "FUJITSU_ControllerConfigurationService",
)
OK = {"OperationalStatus": [2], "StatusDescriptions": ["OK"], "HealthState": 5}
ON = {"EnabledState": 2, "RequestedState": 12}
# Purpose[8:10]: which kind of volume it is. Volumes of the array's own, which clients skip, have a code of their own.
STANDARD, THIN, HIDDEN = "00", "06", "FF"


def is_a(path: Optional[Path], *classes: str) -> bool:
    """Whether a path is of one of the classes, whatever their case."""
    return path is not None and path.cls.lower() in {name.lower() for name in classes}


class Storage:
    """Providers of everything but copies and access."""

    def __init__(self, array: SimArray) -> None:
        self.array = array
        self.system = Path(SYSTEM, {"CreationClassName": SYSTEM, "Name": array.model}, ETERNUS)
        self._volumes: dict[str, Path] = {}

    def device_path(self, cls: str, device_id: str, system: str = "") -> Path:
        """The path of a logical device of this array, or of another one."""
        return Path(
            cls,
            {
                "SystemCreationClassName": SYSTEM,
                "SystemName": system or self.array.model,
                "CreationClassName": cls,
                "DeviceID": device_id,
            },
            ETERNUS,
        )

    def named_path(self, cls: str, name: str = SERVICE_NAME) -> Path:
        """The path of a service or an access point."""
        return Path(
            cls,
            {
                "SystemCreationClassName": SYSTEM,
                "SystemName": self.array.model,
                "CreationClassName": cls,
                "Name": name,
            },
            ETERNUS,
        )

    def volume_path(self, device_id: str, system: str = "") -> Path:
        """A volume's path; ``system`` names the array where it is another one."""
        if system:
            return self.device_path(VOLUME, device_id, system)
        path = self._volumes.get(device_id)
        if path is None:
            path = self._volumes[device_id] = self.device_path(VOLUME, device_id)
        return path

    def pool_path(self, pool: Pool) -> Path:
        """A pool's path."""
        cls = THIN_POOL if pool.kind == "thin" else RAID_POOL
        return Path(cls, {"InstanceID": "FUJITSU:" + pool.pool_id}, ETERNUS)

    def pool_of(self, path: Optional[Path]) -> Optional[Pool]:
        """The pool of a path, if there is one."""
        if not is_a(path, THIN_POOL, RAID_POOL) or path is None:
            return None
        pool = self.array.pools.get(path.text("InstanceID").rpartition(":")[2])
        return pool if pool is not None and self.pool_path(pool).ident == path.ident else None

    def volume_of(self, path: Optional[Path]) -> Optional[Volume]:
        """The volume of a path, if it lies on this array."""
        if not is_a(path, VOLUME) or path is None:
            return None
        volume = self.array.volumes.get(path.text("DeviceID").upper())
        if volume is None or self.volume_path(volume.device_id).ident != path.ident:
            return None
        return volume

    # Items

    def volume_item(self, volume: Volume) -> Item:
        """A volume as an instance."""
        token = (volume.name, volume.blocks, volume.thin, volume.hidden, volume.pool_id)
        return Item(self.volume_path(volume.device_id), lambda: self._volume_values(volume), token)

    @staticmethod
    def _volume_values(volume: Volume) -> dict[str, Any]:
        purpose = HIDDEN if volume.hidden else THIN if volume.thin else STANDARD
        return {
            **OK,
            **ON,
            "ElementName": volume.name,
            "Name": volume.device_id,
            "Caption": volume.name,
            "BlockSize": volume.block_size,
            "NumberOfBlocks": volume.blocks,
            "ConsumableBlocks": volume.blocks,
            "Access": 3,
            "Purpose": "00000000%s000000" % purpose,
            "Primordial": False,
            "NoSinglePointOfFailure": True,
            "IsBasedOnUnderlyingRedundancy": True,
            "DataRedundancy": 2,
            "PackageRedundancy": 1,
            "ExtentStatus": [2],
            "NameFormat": 9,
            "NameNamespace": 2,
            "Usage": 2,
            "OtherUsageDescription": "",
            "ThinlyProvisioned": volume.thin,
            "IsCompressed": False,
            "IsDeduplicated": False,
        }

    def _volume_items(self) -> Iterator[Item]:
        return (self.volume_item(volume) for volume in list(self.array.volumes.values()))

    def _find_volume(self, path: Path) -> Optional[Item]:
        volume = self.volume_of(path)
        return None if volume is None else self.volume_item(volume)

    def _pool_items(self, kind: str) -> Iterator[Item]:
        for pool in list(self.array.pools.values()):
            if pool.kind == kind:
                yield Item(self.pool_path(pool), lambda pool=pool: self._pool_values(pool))

    @staticmethod
    def _pool_values(pool: Pool) -> dict[str, Any]:
        values = {
            **OK,
            **ON,
            "ElementName": pool.name,
            "PoolID": pool.name,
            "Name": pool.name,
            "Primordial": False,
            "TotalManagedSpace": pool.total,
            "RemainingManagedSpace": pool.remaining,
            "SpaceLimitDetermination": 0,
            "ThinProvisionMetaDataSpace": False,
        }
        if pool.kind != "thin":
            values["RAIDLevel"] = "RAID1+0"
        return values

    def _system_values(self) -> dict[str, Any]:
        return {
            **OK,
            **ON,
            "ElementName": self.array.name,
            "NameFormat": "Other",
            "Dedicated": [3, 15],
            "Description": "A simulated ETERNUS storage system",
            "OtherIdentifyingInfo": [self.array.model],
            "IdentifyingDescriptions": ["SCSI Vendor Specific Name"],
        }

    @property
    def product(self) -> Path:
        """The product's path."""
        return Path(
            "FUJITSU_StorageProduct",
            {
                "Name": "ETERNUS",
                "IdentifyingNumber": self.array.model,
                "Vendor": "FUJITSU",
                "Version": "V11L40-0000",
            },
            ETERNUS,
        )

    def _free_extents(self, pool: Pool) -> Iterator[Path]:
        if pool.kind != "thin" and pool.remaining > 0:
            yield self.device_path("FUJITSU_FreeExtent", "FREE:" + pool.pool_id)

    def _free_items(self) -> Iterator[Item]:
        for pool in list(self.array.pools.values()):
            for path in self._free_extents(pool):
                values = {**OK, "BlockSize": 512, "NumberOfBlocks": pool.remaining // 512, "ExtentStatus": [2]}
                yield Item(path, lambda values=values: values)

    def service_items(self, cls: str) -> Iterator[Item]:
        """The one instance of a service."""
        yield Item(
            self.named_path(cls),
            lambda: {
                **OK,
                **ON,
                "ElementName": cls.partition("_")[2],
                "Started": True,
            },
            token=cls,
        )

    # Associations

    def _volume_pool(self, pool_path: Optional[Path], volume_path: Optional[Path]) -> Iterator[Pair]:
        if volume_path is not None:
            volume = self.volume_of(volume_path)
            volumes = [] if volume is None else [volume]
        else:
            pool = self.pool_of(pool_path)
            if pool_path is not None and pool is None:
                return
            volumes = [
                item for item in list(self.array.volumes.values()) if pool is None or item.pool_id == pool.pool_id
            ]
        for volume in volumes:
            pool = self.array.pools.get(volume.pool_id)
            if pool is not None:
                yield self.pool_path(pool), self.volume_path(volume.device_id), {"SpaceConsumed": volume.size}

    def _system_volume(self, system: Optional[Path], device: Optional[Path]) -> Iterator[Pair]:
        if device is not None:
            volume = self.volume_of(device)
            if volume is not None:
                yield self.system, self.volume_path(volume.device_id), {}
        elif system is None or system.ident == self.system.ident:
            for volume in list(self.array.volumes.values()):
                yield self.system, self.volume_path(volume.device_id), {}

    def _fixed(self, pairs: Any) -> Any:
        """Pairs of a short list, filtered by whichever end is asked for."""

        def find(left: Optional[Path], right: Optional[Path]) -> Iterator[Pair]:
            for pair in pairs():
                if (left is None or left.ident == pair[0].ident) and (right is None or right.ident == pair[1].ident):
                    yield pair

        return find

    def register(self, repository: Repository) -> None:
        """Adds the providers."""
        add = repository.add
        add(Provider(SYSTEM, lambda: [Item(self.system, self._system_values, "system")]))
        add(Provider("FUJITSU_StorageProduct", lambda: [Item(self.product, lambda: {"ElementName": "ETERNUS"}, 0)]))
        add(Provider(VOLUME, self._volume_items, find=self._find_volume))
        add(Provider(THIN_POOL, lambda: self._pool_items("thin")))
        add(Provider(RAID_POOL, lambda: self._pool_items("raid")))
        add(Provider("FUJITSU_FreeExtent", self._free_items))
        for cls in SERVICES:
            add(Provider(cls, lambda cls=cls: self.service_items(cls)))
        parts = ("GroupComponent", "PartComponent")
        ends = ("Antecedent", "Dependent")
        add(Association("FUJITSU_SystemDevice", parts, self._system_volume))
        add(
            Association(
                "FUJITSU_AllocatedFromStoragePool",
                ends,
                self._volume_pool,
            )
        )
        add(
            Association(
                "FUJITSU_ProductElementComponent", parts, self._fixed(lambda: [(self.product, self.system, {})])
            )
        )
        add(
            Association(
                "FUJITSU_HostedService",
                ends,
                self._fixed(lambda: [(self.system, self.named_path(cls), {}) for cls in SERVICES]),
            )
        )
        add(
            Association(
                "FUJITSU_HostedStoragePool",
                parts,
                self._fixed(
                    lambda: [(self.system, self.pool_path(pool), {}) for pool in list(self.array.pools.values())]
                ),
            )
        )
        add(
            Association(
                "FUJITSU_AssociatedRemainingExtent",
                parts,
                self._fixed(
                    lambda: [
                        (self.pool_path(pool), path, {})
                        for pool in list(self.array.pools.values())
                        for path in self._free_extents(pool)
                    ]
                ),
            )
        )

    fixed = _fixed
