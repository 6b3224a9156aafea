# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients read: instances, classes, associations, pieces."""

from __future__ import annotations

import pytest
import pywbem

from .conftest import NAMESPACE, U16, Site


def test_cim_names_find_the_vendors_instances(site: Site, conn: pywbem.WBEMConnection) -> None:
    site.make("one", "two")
    for name in ("FUJITSU_StorageVolume", "CIM_StorageVolume", "cim_storageextent"):
        found = {item["ElementName"] for item in conn.EnumerateInstances(name) if "DeviceID" in item}
        assert {"one", "two"} <= found


def test_a_volume_says_size_number_and_kind(site: Site, conn: pywbem.WBEMConnection) -> None:
    thin, raid = site.make("thin"), site.make("thick", size=2 << 20, pool="RSP0005")
    volume = conn.GetInstance(thin[0])
    assert volume["BlockSize"] * volume["NumberOfBlocks"] == 1 << 20
    assert volume["Name"] == volume["DeviceID"] == thin[0]["DeviceID"]
    assert (int(volume["Purpose"][8:10], 16), int(conn.GetInstance(raid[0])["Purpose"][8:10], 16)) == (6, 0)


def test_a_change_shows_although_instances_are_kept(site: Site, conn: pywbem.WBEMConnection) -> None:
    path = site.make("grows")[0]
    assert conn.GetInstance(path)["NumberOfBlocks"] == 2048
    site.array.extend_volume(path["DeviceID"], 2 << 20)
    assert conn.GetInstance(path)["NumberOfBlocks"] == 4096


def test_a_property_list_limits_what_comes_back(site: Site, conn: pywbem.WBEMConnection) -> None:
    path = site.make("one")[0]
    assert list(conn.GetInstance(path, PropertyList=["ElementName"]).keys()) == ["ElementName"]
    assert len(conn.GetInstance(path).keys()) > 25
    assert [list(item.keys()) for item in conn.EnumerateInstances("CIM_StorageVolume", PropertyList=[])] == [[]]


def test_shallow_inheritance_shows_only_what_the_named_class_has(site: Site, conn: pywbem.WBEMConnection) -> None:
    site.make("one")
    shallow = conn.EnumerateInstances("CIM_StorageVolume", DeepInheritance=False)[0]
    assert "ElementName" in shallow and "IsCompressed" not in shallow
    assert "IsCompressed" in conn.EnumerateInstances("CIM_StorageVolume", DeepInheritance=True)[0]


def test_local_only_hides_what_is_inherited_but_the_keys(site: Site, conn: pywbem.WBEMConnection) -> None:
    path = site.make("one")[0]
    local = conn.GetInstance(path, LocalOnly=True)
    assert "IsCompressed" in local and "DeviceID" in local and "ElementName" not in local


def test_class_origins_are_said_when_asked_for(site: Site, conn: pywbem.WBEMConnection) -> None:
    path = site.make("one")[0]
    found = conn.GetInstance(path, IncludeClassOrigin=True)
    assert found.properties["BlockSize"].class_origin == "CIM_StorageExtent"
    assert conn.GetInstance(path).properties["BlockSize"].class_origin is None


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c: c.EnumerateInstances("CIM_Nothing"), pywbem.CIM_ERR_INVALID_CLASS),
        (lambda c: c.EnumerateInstances("CIM_StorageVolume", namespace="root/cimv2"), pywbem.CIM_ERR_INVALID_NAMESPACE),
        (lambda c: c.GetClass("CIM_Nothing"), pywbem.CIM_ERR_NOT_FOUND),
        (lambda c: c.ExecQuery("DMTF:CQL", "select * from CIM_StorageVolume"), pywbem.CIM_ERR_NOT_SUPPORTED),
        (
            lambda c: c.GetInstance(pywbem.CIMInstanceName("FUJITSU_StorageVolume", {"DeviceID": "X"})),
            pywbem.CIM_ERR_NOT_FOUND,
        ),
        (lambda c: c.CreateInstance(pywbem.CIMInstance("FUJITSU_StorageVolume")), pywbem.CIM_ERR_NOT_SUPPORTED),
        (lambda c: c.EnumerateInstances("CIM_Namespace"), pywbem.CIM_ERR_INVALID_CLASS),
    ],
)
def test_mistakes_have_the_standards_status(conn: pywbem.WBEMConnection, call: object, code: int) -> None:
    with pytest.raises(pywbem.CIMError) as caught:
        call(conn)  # type: ignore[operator]
    assert caught.value.status_code == code


def test_every_declared_class_can_be_read_whole(conn: pywbem.WBEMConnection) -> None:
    classes = conn.EnumerateClasses(DeepInheritance=True, LocalOnly=False)
    names = set(conn.EnumerateClassNames(DeepInheritance=True))
    assert {item.classname for item in classes} == names and len(names) > 80
    assert all(item.superclass in names for item in classes if item.superclass)
    assert all("Description" in prop.qualifiers for item in classes for prop in item.properties.values())


def test_value_maps_serve_pywbems_value_mapping(conn: pywbem.WBEMConnection) -> None:
    states = pywbem.ValueMapping.for_property(conn, NAMESPACE, "FUJITSU_StorageSynchronized", "CopyState")
    assert (states.tovalues(4), states.tovalues(6)) == ("Synchronized", "Fractured")


def test_local_only_classes_show_their_own_declarations(conn: pywbem.WBEMConnection) -> None:
    own = conn.GetClass("FUJITSU_StorageVolume", LocalOnly=True)
    assert sorted(own.properties) == ["IsCompressed", "IsDeduplicated"]
    assert own.superclass == "CIM_StorageVolume"
    assert len(conn.GetClass("FUJITSU_StorageVolume", LocalOnly=False).properties) > 25


def test_pools_and_volumes_find_each_other(site: Site, conn: pywbem.WBEMConnection) -> None:
    volume = site.make("one")[0]
    pools = conn.Associators(volume, AssocClass="FUJITSU_AllocatedFromStoragePool", ResultClass="CIM_StoragePool")
    assert [pool["InstanceID"] for pool in pools] == ["FUJITSU:TPP0004"]
    back = conn.AssociatorNames(pools[0].path, AssocClass="CIM_AllocatedFromStoragePool")
    assert [path["DeviceID"] for path in back] == [volume["DeviceID"]]
    used = conn.References(volume, ResultClass="CIM_AllocatedFromStoragePool")[0]
    assert used["SpaceConsumed"] == 1 << 20
    assert pools[0]["TotalManagedSpace"] - pools[0]["RemainingManagedSpace"] == 1 << 20


def test_roles_and_result_classes_filter(
    site: Site, conn: pywbem.WBEMConnection, service: pywbem.CIMInstanceName
) -> None:
    source, target = site.make("source", "target")
    conn.InvokeMethod("CreateElementReplica", service, SyncType=U16(6), SourceElement=source, TargetElement=target)
    assert len(conn.AssociatorNames(source, ResultClass="CIM_StorageVolume", Role="SystemElement")) == 1
    assert conn.AssociatorNames(source, ResultClass="CIM_StorageVolume", Role="SyncedElement") == []
    assert len(conn.AssociatorNames(target, AssocClass="CIM_Synchronized", ResultRole="SystemElement")) == 1
    assert len(conn.ReferenceNames(target, ResultClass="CIM_Synchronized", Role="SyncedElement")) == 1
    assert conn.ReferenceNames(target, ResultClass="CIM_Synchronized", Role="SystemElement") == []
    with pytest.raises(pywbem.CIMError) as caught:
        conn.AssociatorNames(source, AssocClass="CIM_Nothing")
    assert caught.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER


def test_free_space_of_raid_groups_has_extents(conn: pywbem.WBEMConnection) -> None:
    raid = conn.EnumerateInstanceNames("FUJITSU_RAIDStoragePool")[0]
    free = conn.Associators(
        raid,
        AssocClass="FUJITSU_AssociatedRemainingExtent",
        ResultClass="FUJITSU_FreeExtent",
        PropertyList=["NumberOfBlocks"],
    )
    assert free[0]["NumberOfBlocks"] > 0


def test_classes_are_associated_too(conn: pywbem.WBEMConnection) -> None:
    found = {name.classname for name in conn.ReferenceNames("FUJITSU_StorageVolume")}
    assert "FUJITSU_AllocatedFromStoragePool" in found
    found = {name.classname for name in conn.AssociatorNames("CIM_StoragePool", AssocClass="CIM_SystemComponent")}
    assert "CIM_ManagedElement" in found


def test_interop_discovery_works(conn: pywbem.WBEMConnection) -> None:
    server = pywbem.WBEMServer(conn)
    assert server.interop_ns == "interop"
    assert {"root/eternus", "interop"} <= set(server.namespaces)
    assert server.brand == "CIM Object Manager for FUJITSU storage system"
    array = server.get_selected_profiles("SNIA", "Array")[0]
    central = server.get_central_instances(array.path)
    assert [path.classname for path in central] == ["FUJITSU_StorageComputerSystem"]
    assert conn.GetInstance(central[0])["Dedicated"] == [3, 15]


@pytest.mark.parametrize("pull", [True, False])
def test_pulled_and_plain_enumerations_say_the_same(site: Site, pull: bool) -> None:
    site.make(*[f"v{number}" for number in range(10)])
    site.array.knobs.pull_support = pull
    conn = site.client(use_pull_operations=None)
    found = list(conn.IterEnumerateInstances("CIM_StorageVolume", MaxObjectCount=3))
    assert len(found) == 10 and all(item.path["DeviceID"] for item in found)
    assert ("PullInstancesWithPath" in site.requests()) is pull
    assert (
        len(
            list(
                conn.IterAssociatorInstancePaths(
                    conn.EnumerateInstanceNames("FUJITSU_StorageComputerSystem")[0],
                    ResultClass="CIM_StorageVolume",
                    MaxObjectCount=4,
                )
            )
        )
        == 10
    )


def test_pulls_end_with_their_context(site: Site, conn: pywbem.WBEMConnection) -> None:
    site.make("a", "b", "c")
    opened = conn.OpenEnumerateInstancePaths("CIM_StorageVolume", MaxObjectCount=1)
    assert not opened.eos
    conn.CloseEnumeration(opened.context)
    with pytest.raises(pywbem.CIMError) as caught:
        conn.PullInstancePaths(opened.context, MaxObjectCount=1)
    assert caught.value.status_code == pywbem.CIM_ERR_INVALID_ENUMERATION_CONTEXT
    with pytest.raises(pywbem.CIMError) as caught:
        conn.OpenEnumerateInstances("CIM_StorageVolume", FilterQueryLanguage="DMTF:FQL", FilterQuery="x = 1")
    assert caught.value.status_code == pywbem.CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED
