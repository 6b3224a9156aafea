# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports, endpoints and affinity groups as CIM instances; ExposePaths and HidePaths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from .masking import NO_SUCH_TARGET, NO_SUCH_UNIT, Group, Masking, MaskRefused
from .methods import Args, Methods, Result
from .repository import ETERNUS, Association, Pair, Provider, Repository
from .storage import OK, ON, Storage, is_a
from .values import Item, Path

GROUP = "FUJITSU_AffinityGroupController"
FC = "FUJITSU_SCSIProtocolEndpoint"
ISCSI = "FUJITSU_iSCSIProtocolEndpoint"
TCP = "FUJITSU_TCPProtocolEndpoint"
IP = "FUJITSU_IPProtocolEndpoint"
PRIVILEGE = "FUJITSU_AuthorizedPrivilege"
SERVICE = "FUJITSU_ControllerConfigurationService"


class Access:
    """Providers and methods of who sees what."""

    def __init__(self, storage: Storage, masking: Masking) -> None:
        self._storage = storage
        self.masking = masking
        serial = storage.array.model[-6:]
        self._wwpns = ["500000E0D%s%s" % (serial[:5].rjust(5, "0"), port) for port in ("00", "01")]
        iqn = "iqn.2000-09.com.fujitsu:storage-system.eternus:%s" % serial
        self._iscsi = ["%s,t,0x%04x" % (iqn, port) for port in (1, 2)]
        self._addresses = ["192.0.2.11", "192.0.2.12"]

    # Ports

    def _named_items(self, cls: str, names: list[str], values: dict[str, Any]) -> Iterator[Item]:
        for name in names:
            everything = {**OK, **ON, "ElementName": name, **values}
            yield Item(self._storage.named_path(cls, name), lambda everything=everything: everything)

    def _iscsi_items(self) -> Iterator[Item]:
        for item in self._named_items(ISCSI, self._iscsi, {"ConnectionType": 7, "Role": 3, "RAMode": 0}):
            node = str(item.path.get("Name")).partition(",")[0]
            plain = item.values
            yield Item(item.path, lambda plain=plain, node=node: {**plain(), "iSCSINodeName": node})

    def _ip_items(self) -> Iterator[Item]:
        for address in self._addresses:
            values = {"IPv4Address": address, "SubnetMask": "255.255.255.0", "ProtocolIFType": 4096}
            yield from self._named_items(IP, [address], values)

    def _ports(self) -> dict[str, Path]:
        """The endpoints by the names that TargetPortIDs may use, lower case."""
        ports = {name.lower(): self._storage.named_path(FC, name) for name in self._wwpns}
        for name in self._iscsi:
            path = self._storage.named_path(ISCSI, name)
            ports[name.lower()] = ports[name.partition(",")[0].lower()] = path
        return ports

    def _bindings(self) -> Iterator[Pair]:
        for address, name in zip(self._addresses, self._iscsi):
            tcp = self._storage.named_path(TCP, address + ":3260")
            yield self._storage.named_path(IP, address), tcp, {}
            yield tcp, self._storage.named_path(ISCSI, name), {}

    # Groups

    def _group_path(self, group: Group) -> Path:
        return self._storage.device_path(GROUP, group.group_id)

    def _group_of(self, path: Optional[Path]) -> Optional[Group]:
        if path is None or not is_a(path, GROUP):
            return None
        return self.masking.get(path.text("DeviceID"))

    def _group_items(self) -> Iterator[Item]:
        for group in self.masking.groups():
            yield Item(
                self._group_path(group),
                lambda group=group: {
                    **OK,
                    **ON,
                    "ElementName": group.group_id,
                    "Name": group.group_id,
                },
            )

    def _units(self, group_path: Optional[Path], volume_path: Optional[Path]) -> Iterator[Pair]:
        if group_path is not None:
            found = self._group_of(group_path)
            groups = [] if found is None else [found]
        else:
            groups = self.masking.groups()
        volume = self._storage.volume_of(volume_path)
        if volume_path is not None and volume is None:
            return
        for group in groups:
            for unit, number in list(group.units.items()):
                if volume is None or volume.device_id == unit:
                    values = {"DeviceNumber": "%04X" % number, "DeviceAccess": group.access}
                    yield self._group_path(group), self._storage.volume_path(unit), values

    def _privilege_path(self, group: Group, initiator: str) -> Path:
        return Path(PRIVILEGE, {"InstanceID": "FUJITSU:%s:%s" % (group.group_id, initiator)}, ETERNUS)

    def _privileges(self) -> Iterator[Pair]:
        for group in self.masking.groups():
            for initiator in group.initiators:
                yield self._privilege_path(group, initiator), self._group_path(group), {}

    def _privilege_items(self) -> Iterator[Item]:
        for path, _group, _extra in self._privileges():
            yield Item(path, lambda: {"PrivilegeGranted": True})

    def _reachable(self) -> Iterator[Pair]:
        ports = self._ports()
        for group in self.masking.groups():
            for target in group.targets:
                if target.lower() in ports:
                    yield ports[target.lower()], self._group_path(group), {}

    # Methods

    def offer(self, methods: Methods) -> None:
        """Offers ExposePaths and HidePaths."""
        methods.add(SERVICE, "ExposePaths", self._expose_paths)
        methods.add(SERVICE, "HidePaths", self._hide_paths)

    def _expose_paths(self, _service: Path, args: Args) -> Result:
        try:
            targets = args.get("targetportids") or []
            if any(target.lower() not in self._ports() for target in targets):
                raise MaskRefused(NO_SUCH_TARGET)
            access = (args.get("deviceaccesses") or [2])[0]
            groups = self.masking.expose(
                self._unit_ids(args),
                args.get("initiatorportids") or [],
                targets,
                args.get("devicenumbers") or [],
                access,
                self._group_ids(args),
            )
        except MaskRefused as refused:
            return refused.code, {}
        except ValueError:
            return 5, {}
        numbers = ["%04X" % group.units[unit] for group in groups for unit in self._unit_ids(args)]
        return 0, {"DeviceNumbers": numbers, "ProtocolControllers": [self._group_path(group) for group in groups]}

    def _hide_paths(self, _service: Path, args: Args) -> Result:
        try:
            self.masking.hide(self._unit_ids(args), args.get("initiatorportids") or [], self._group_ids(args))
        except MaskRefused as refused:
            return refused.code, {}
        return 0, {}

    def _unit_ids(self, args: Args) -> list[str]:
        units = [name.upper() for name in args.get("lunames") or []]
        if not units or any(unit not in self._storage.array.volumes for unit in units):
            raise MaskRefused(NO_SUCH_UNIT)
        return units

    @staticmethod
    def _group_ids(args: Args) -> list[str]:
        return [path.text("DeviceID") for path in args.get("protocolcontrollers") or []]

    def register(self, repository: Repository) -> None:
        """Adds the providers."""
        add, fixed = repository.add, self._storage.fixed
        add(Provider(FC, lambda: self._named_items(FC, self._wwpns, {"ConnectionType": 2, "Role": 3, "RAMode": 0})))
        add(Provider(ISCSI, self._iscsi_items))
        add(
            Provider(
                TCP,
                lambda: self._named_items(
                    TCP,
                    [address + ":3260" for address in self._addresses],
                    {"PortNumber": 3260, "ProtocolIFType": 4111},
                ),
            )
        )
        add(Provider(IP, self._ip_items))
        add(Provider(GROUP, self._group_items))
        add(Provider(PRIVILEGE, self._privilege_items))
        add(Association("FUJITSU_BindsTo", ("Antecedent", "Dependent"), fixed(self._bindings)))
        add(Association("FUJITSU_ProtocolControllerForUnit", ("Antecedent", "Dependent"), self._units))
        add(Association("FUJITSU_AuthorizedTarget", ("Privilege", "TargetElement"), fixed(self._privileges)))
        add(Association("FUJITSU_SAPAvailableForElement", ("AvailableSAP", "ManagedElement"), fixed(self._reachable)))
