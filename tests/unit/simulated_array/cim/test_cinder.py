# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What OpenStack's ETERNUS volume driver asks of an array, in its order, over http and https."""

from __future__ import annotations

from typing import Any

import pytest
import pywbem

from .conftest import PATIENCE, U16, Site

GIB = 1 << 30


class Driver:
    """The same requests as the driver makes."""

    def __init__(self, site: Site, conn: pywbem.WBEMConnection) -> None:
        self.site = site
        self.conn = conn

    def service(self, name: str) -> pywbem.CIMInstanceName:
        return self.conn.EnumerateInstanceNames(name)[0]

    def invoke(self, method: str, service: str, **options: Any) -> tuple[int, dict[str, Any]]:
        code, outs = self.conn.InvokeMethod(method, self.service(service), **options)
        if "Job" in outs:
            assert self.site.array.wait_for(lambda: all(j.state > 4 for j in self.site.array.jobs.values()), PATIENCE)
            code = self.conn.GetInstance(outs["Job"], LocalOnly=False)["ErrorCode"]
        return code, outs

    def pools(self) -> list[pywbem.CIMInstance]:
        thin = self.conn.EnumerateInstances("FUJITSU_ThinProvisioningPool")
        return [*thin, *self.conn.EnumerateInstances("FUJITSU_RAIDStoragePool")]

    def pool(self, name: str) -> pywbem.CIMInstance:
        return next(pool for pool in self.pools() if pool["ElementName"] == name)

    def create(self, name: str, size: int, pool: str = "thin", kind: int = 5) -> tuple[int, Any]:
        code, outs = self.invoke(
            "CreateOrModifyElementFromStoragePool",
            "FUJITSU_StorageConfigurationService",
            ElementName=name,
            InPool=self.pool(pool).path,
            ElementType=U16(kind),
            Size=pywbem.Uint64(size),
        )
        return code, outs.get("TheElement")

    def find(self, element: pywbem.CIMInstanceName) -> pywbem.CIMInstance | None:
        """From the parts that the driver keeps: class, SystemName, DeviceID."""
        keys = {
            "SystemName": element["SystemName"],
            "DeviceID": element["DeviceID"],
            "CreationClassName": element.classname,
            "SystemCreationClassName": "FUJITSU_StorageComputerSystem",
        }
        try:
            return self.conn.GetInstance(
                pywbem.CIMInstanceName(element.classname, namespace="root/eternus", keybindings=keys)
            )
        except pywbem.CIMError as error:
            assert error.args[0] == 6
            return None

    def delete(self, element: pywbem.CIMInstanceName) -> int:
        volume = self.find(element)
        assert volume is not None
        for session in self.conn.ReferenceNames(volume.path, ResultClass="FUJITSU_StorageSynchronized"):
            if session["SyncedElement"] == volume.path:
                found = self.conn.GetInstance(session, LocalOnly=False)
                operation = {4: 19, 5: 8, 3: 8}[found["CopyType"]]
                code, _outs = self.invoke(
                    "ModifyReplicaSynchronization",
                    "FUJITSU_ReplicationService",
                    Operation=U16(operation),
                    Synchronization=session,
                    Force=True,
                    WaitForCopyState=U16(15),
                )
                assert code in {0, 32793}
        return self.invoke("ReturnToStoragePool", "FUJITSU_StorageConfigurationService", TheElement=volume.path)[0]


@pytest.fixture(params=["https", "http"])
def driver(site: Site, request: pytest.FixtureRequest) -> Driver:
    return Driver(site, site.client(https=request.param == "https"))


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_volumes_are_created_found_extended_and_deleted(driver: Driver, jobs: str) -> None:
    driver.site.array.knobs.jobs = jobs
    product = driver.conn.EnumerateInstances("FUJITSU_StorageProduct")[0]["IdentifyingNumber"]
    assert product[4] == "3"
    code, element = driver.create("FJosv_one", GIB)
    assert code == 0 and element["SystemName"] == product and int(element["DeviceID"][24:28], 16) == 0
    assert driver.create("FJosv_one", GIB)[0] == 32788
    assert driver.create("FJosv_thick", GIB, "raid", 2)[0] == 0
    volume = driver.find(element)
    assert volume is not None and volume["ElementName"] == "FJosv_one"
    names = driver.conn.AssociatorNames(
        driver.pool("thin").path, AssocClass="FUJITSU_AllocatedFromStoragePool", ResultClass="FUJITSU_StorageVolume"
    )
    assert len(names) == 1
    pools = driver.conn.Associators(
        volume.path, AssocClass="FUJITSU_AllocatedFromStoragePool", ResultClass="CIM_StoragePool"
    )
    code, _outs = driver.invoke(
        "CreateOrModifyElementFromStoragePool",
        "FUJITSU_StorageConfigurationService",
        ElementName="FJosv_one",
        InPool=pools[0].path,
        ElementType=U16(5),
        Size=pywbem.Uint64(2 * GIB),
        TheElement=volume.path,
    )
    assert code == 0 and driver.conn.GetInstance(volume.path)["NumberOfBlocks"] * 512 == 2 * GIB
    assert driver.delete(element) == 0 and driver.find(element) is None


def test_a_volume_is_found_by_name_in_the_list(driver: Driver) -> None:
    driver.create("FJosv_listed", GIB)
    wanted = [
        "SystemName",
        "DeviceID",
        "ElementName",
        "Purpose",
        "BlockSize",
        "NumberOfBlocks",
        "Name",
        "OtherUsageDescription",
        "IsCompressed",
        "IsDeduplicated",
    ]
    found = driver.conn.EnumerateInstances("FUJITSU_StorageVolume", PropertyList=wanted)
    assert [sorted(item.keys()) for item in found] == [sorted(wanted)]
    assert found[0]["ElementName"] == "FJosv_listed" and found[0].path["DeviceID"] == found[0]["DeviceID"]


def test_a_clone_finishes_and_its_session_disappears(driver: Driver) -> None:
    (_code, source), (_code2, target) = driver.create("src", GIB), driver.create("dst", 2 * GIB)
    driver.site.array.write(source["DeviceID"], 4096, b"payload")
    assert (
        driver.invoke(
            "CreateElementReplica",
            "FUJITSU_ReplicationService",
            SyncType=U16(8),
            SourceElement=source,
            TargetElement=target,
        )[0]
        == 0
    )
    assert driver.site.array.wait_for(lambda: not driver.site.array.sessions(), PATIENCE)
    assert driver.site.array.read(target["DeviceID"], 4096, 7) == b"payload"
    assert driver.delete(source) == 0 and driver.delete(target) == 0


@pytest.mark.parametrize("jobs", ["never", "always"])
def test_a_snapshot_makes_its_volume_and_goes_with_it(driver: Driver, jobs: str) -> None:
    _code, source = driver.create("src", GIB)
    driver.site.array.knobs.jobs = jobs
    driver.site.array.write(source["DeviceID"], 0, b"before")
    code, outs = driver.invoke(
        "CreateElementReplica",
        "FUJITSU_ReplicationService",
        ElementName="snap",
        TargetPool=driver.pool("raid").path,
        SyncType=U16(7),
        SourceElement=source,
    )
    assert code == 0
    driver.site.array.write(source["DeviceID"], 0, b"after!")
    target = outs["TargetElement"]
    assert driver.site.array.read(target["DeviceID"], 0, 6) == b"before"
    session = driver.conn.ReferenceNames(target, ResultClass="FUJITSU_StorageSynchronized")[0]
    assert driver.conn.GetInstance(session, LocalOnly=False)["CopyType"] == 4
    assert driver.delete(target) == 0 and driver.site.array.sessions() == []
    assert driver.delete(source) == 0


def test_older_models_snapshots_work_too(driver: Driver) -> None:
    _code, source = driver.create("src", GIB)
    code, outs = driver.invoke(
        "CreateReplica",
        "FUJITSU_StorageConfigurationService",
        ElementName="snap",
        TargetPool=driver.pool("thin").path,
        CopyType=U16(4),
        SourceElement=source,
    )
    assert code == 0 and driver.find(outs["TargetElement"])["ElementName"] == "snap"  # type: ignore[index]


@pytest.mark.parametrize(
    ("endpoint", "kind", "initiator"),
    [
        ("FUJITSU_SCSIProtocolEndpoint", 2, "10000000C9ABCDEF"),
        ("FUJITSU_iSCSIProtocolEndpoint", 7, "iqn.1993-08.org.debian:01:host"),
    ],
)
def test_a_volume_is_shown_to_a_host_and_taken_back(driver: Driver, endpoint: str, kind: int, initiator: str) -> None:
    conn = driver.conn
    _code, element = driver.create("mapped", GIB)
    volume = driver.find(element)
    assert volume is not None
    ports = [
        port
        for port in conn.EnumerateInstances(endpoint)
        if port["ConnectionType"] == kind and not port["RAMode"] & 0x7B and "SCGroupNo" not in port
    ]
    for port in ports:
        assert (
            driver.invoke(
                "ExposePaths",
                "FUJITSU_ControllerConfigurationService",
                LUNames=[volume["Name"]],
                InitiatorPortIDs=[initiator],
                TargetPortIDs=[port["Name"]],
                DeviceAccesses=[U16(2)],
            )[0]
            == 0
        )
    groups = conn.AssociatorNames(
        volume.path, AssocClass="FUJITSU_ProtocolControllerForUnit", ResultClass="FUJITSU_AffinityGroupController"
    )
    assert len(groups) == len(ports) == 2
    granted = conn.Associators(
        groups[0], AssocClass="FUJITSU_AuthorizedTarget", ResultClass="FUJITSU_AuthorizedPrivilege"
    )
    assert initiator.lower() in granted[0]["InstanceID"].lower()
    of_group = conn.ReferenceNames(groups[0], ResultClass="CIM_ProtocolControllerForUnit")
    of_volume = conn.ReferenceNames(volume.path, ResultClass="CIM_ProtocolControllerForUnit")
    shared = [path for path in of_volume if path in of_group]
    assert int(conn.GetInstance(shared[0], LocalOnly=False)["DeviceNumber"], 16) == 0
    reached = conn.AssociatorNames(groups[0], AssocClass="FUJITSU_SAPAvailableForElement", ResultClass=endpoint)
    assert reached[0]["Name"] == ports[0]["Name"]
    expose = {"LUNames": [volume["Name"]], "ProtocolControllers": [groups[0]]}
    assert driver.invoke("ExposePaths", "FUJITSU_ControllerConfigurationService", **expose)[0] == 4102
    for group in groups:
        assert (
            driver.invoke(
                "HidePaths",
                "FUJITSU_ControllerConfigurationService",
                LUNames=[volume["Name"]],
                ProtocolControllers=[group],
            )[0]
            == 0
        )
    assert conn.EnumerateInstanceNames("FUJITSU_AffinityGroupController") == []


def test_iscsi_addresses_lead_to_the_endpoints(driver: Driver) -> None:
    conn = driver.conn
    for address in conn.EnumerateInstanceNames("FUJITSU_IPProtocolEndpoint"):
        assert conn.GetInstance(address)["IPv4Address"]
        tcp = conn.AssociatorNames(address, AssocClass="CIM_BindsTo", ResultClass="FUJITSU_TCPProtocolEndpoint")
        iscsi = conn.Associators(tcp[0], AssocClass="CIM_BindsTo", ResultClass="FUJITSU_iSCSIProtocolEndpoint")
        assert iscsi[0]["Name"].split(",")[0].startswith("iqn.")
