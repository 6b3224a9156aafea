# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients ask first: which server this is, its namespaces, the agreements it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .repository import ETERNUS, INTEROP, NAMESPACES, Association, Pair, Provider, Repository
from .storage import ON, SYSTEM, Storage
from .values import Item, Path

MANAGER = "FUJITSU_ObjectManager"
PROFILES = (
    ("SNIA:Server:1.6.1", 11, "Server", "1.6.1"),
    ("SNIA:Array:1.6.1", 11, "Array", "1.6.1"),
    ("SNIA:Replication Services:1.6.1", 11, "Replication Services", "1.6.1"),
    ("SNIA:Block Services:1.6.1", 11, "Block Services", "1.6.1"),
    ("SNIA:Masking and Mapping:1.6.1", 11, "Masking and Mapping", "1.6.1"),
)


class Interop:
    """Providers of the interop namespace."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._manager = Path(
            MANAGER,
            {
                "SystemCreationClassName": SYSTEM,
                "SystemName": storage.array.model,
                "CreationClassName": MANAGER,
                "Name": "FUJITSU:ObjectManager",
            },
            INTEROP,
        )

    def _managers(self) -> list[Item]:
        words = "CIM Object Manager for FUJITSU storage system"
        return [
            Item(
                self._manager,
                lambda: {
                    **ON,
                    "ElementName": words,
                    "Description": words + " (simulated)",
                    "Version": "1.0",
                    "Started": True,
                },
                "manager",
            )
        ]

    def _namespace_path(self, name: str) -> Path:
        return Path(
            "CIM_Namespace",
            {
                "SystemCreationClassName": SYSTEM,
                "SystemName": self._storage.array.model,
                "ObjectManagerCreationClassName": MANAGER,
                "ObjectManagerName": "FUJITSU:ObjectManager",
                "CreationClassName": "CIM_Namespace",
                "Name": name,
            },
            INTEROP,
        )

    def _namespaces(self) -> Iterator[Item]:
        for name in NAMESPACES:
            yield Item(self._namespace_path(name), lambda name=name: {"ElementName": name, "ClassType": 2}, name)

    @staticmethod
    def _profile_path(instance_id: str) -> Path:
        return Path("FUJITSU_RegisteredProfile", {"InstanceID": instance_id}, INTEROP)

    def _profiles(self) -> Iterator[Item]:
        for instance_id, organization, name, version in PROFILES:
            values: dict[str, Any] = {
                "ElementName": name,
                "RegisteredOrganization": organization,
                "RegisteredName": name,
                "RegisteredVersion": version,
                "AdvertiseTypes": [3 if name in ("Server", "Array") else 2],
            }
            yield Item(self._profile_path(instance_id), lambda values=values: values, instance_id)

    def _conforming(self) -> Iterator[Pair]:
        for instance_id, _organization, name, _version in PROFILES:
            element = self._manager if name == "Server" else self._storage.system
            yield self._profile_path(instance_id), element, {}

    def register(self, repository: Repository) -> None:
        """Adds the providers."""
        repository.add(Provider(MANAGER, self._managers, INTEROP))
        repository.add(Provider("CIM_Namespace", self._namespaces, INTEROP))
        repository.add(Provider("FUJITSU_RegisteredProfile", self._profiles, INTEROP))
        fixed = self._storage.fixed
        repository.add(
            Association(
                "FUJITSU_ElementConformsToProfile",
                ("ConformantStandard", "ManagedElement"),
                fixed(self._conforming),
                INTEROP,
            )
        )
        repository.add(
            Association(
                "CIM_NamespaceInManager",
                ("Antecedent", "Dependent"),
                fixed(lambda: [(self._manager, self._namespace_path(name), {}) for name in NAMESPACES]),
                INTEROP,
            )
        )


__all__ = ["ETERNUS", "Interop"]
