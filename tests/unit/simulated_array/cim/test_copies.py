# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions over CIM-XML: start, look, operate, end; lists, jobs, capabilities."""

from __future__ import annotations

import pytest
import pywbem

from .conftest import PATIENCE, U16, Site

Path = pywbem.CIMInstanceName
Conn = pywbem.WBEMConnection


def mirror(conn: Conn, service: Path, source: Path, target: Path) -> tuple[int, Path]:
    code, outs = conn.InvokeMethod(
        "CreateElementReplica", service, SyncType=U16(6), Mode=U16(2), SourceElement=source, TargetElement=target
    )
    return code, outs.get("Synchronization")


def operate(conn: Conn, service: Path, operation: int, session: Path, **more: object) -> int:
    return conn.InvokeMethod(
        "ModifyReplicaSynchronization", service, Operation=U16(operation), Synchronization=session, **more
    )[0]


def test_a_mirror_goes_through_its_states(site: Site, conn: Conn, service: Path) -> None:
    source, target = site.make("source", "target")
    code, session = mirror(conn, service, source, target)
    assert code == 0 and session["SystemElement"] == source and session["SyncedElement"] == target
    site.wait(source, target, 4)
    seen = conn.GetInstance(session)
    assert (seen["CopyType"], seen["CopyState"], seen["ProgressStatus"], seen["PercentSynced"]) == (3, 4, 2, 100)
    assert operate(conn, service, 21, session) == 0
    suspended = conn.GetInstance(session)
    assert suspended["CopyState"] == 7 and suspended["WhenSuspended"] is not None
    assert operate(conn, service, 14, session) == 0
    site.wait(source, target, 4)
    assert operate(conn, service, 8, session, Force=True, WaitForCopyState=U16(15)) == 0
    assert conn.ReferenceNames(source, ResultClass="FUJITSU_StorageSynchronized") == []
    assert operate(conn, service, 8, session, Force=True) == 32793


def test_refusals_are_return_codes(site: Site, conn: Conn, service: Path) -> None:
    source, target, large = *site.make("source", "target"), *site.make("large", size=2 << 20)
    assert mirror(conn, service, source, large)[0] == 4097
    assert mirror(conn, service, source, site.path("600000E00D00000000000000FFFF0000"))[0] == 32807
    site.array.knobs.copy_rate = 1
    _code, session = mirror(conn, service, source, target)
    assert operate(conn, service, 12, session) == 32794
    site.array.knobs.max_sessions_per_source = 1
    assert mirror(conn, service, source, site.make("third")[0])[0] == 35333
    config = conn.EnumerateInstanceNames("FUJITSU_StorageConfigurationService")[0]
    assert conn.InvokeMethod("ReturnToStoragePool", config, TheElement=source)[0] == 32786


def test_calls_that_make_no_sense_are_cim_errors(conn: Conn, service: Path) -> None:
    for name, options, code in (
        ("Nothing", {}, pywbem.CIM_ERR_METHOD_NOT_FOUND),
        ("CreateElementReplica", {"Unheard": "x"}, pywbem.CIM_ERR_INVALID_PARAMETER),
        ("CreateElementReplica", {"SyncType": "six"}, pywbem.CIM_ERR_INVALID_PARAMETER),
    ):
        with pytest.raises(pywbem.CIMError) as caught:
            conn.InvokeMethod(name, service, **options)
        assert caught.value.status_code == code
    with pytest.raises(pywbem.CIMError):
        conn.InvokeMethod("CreateElementReplica", "FUJITSU_ReplicationService")


def test_lists_start_and_split_many_in_one_request(site: Site, conn: Conn, service: Path) -> None:
    sources, targets = site.make(*[f"s{n}" for n in range(20)]), site.make(*[f"t{n}" for n in range(20)])
    site.array.counters.reset()
    code, outs = conn.InvokeMethod(
        "CreateListReplica", service, SyncType=U16(6), Mode=U16(2), SourceElements=sources, TargetElements=targets
    )
    assert code == 0 and len(outs["Synchronizations"]) == 20
    for source, target in zip(sources, targets):
        site.wait(source, target, 4)
    code, _outs = conn.InvokeMethod(
        "ModifyListSynchronization",
        service,
        Operation=U16(21),
        Synchronization=outs["Synchronizations"],
        SyncType=U16(6),
        Mode=U16(2),
    )
    assert code == 0
    assert {session.copy_state for session in site.array.sessions()} == {7}
    assert site.requests() == {"CreateListReplica": 1, "ModifyListSynchronization": 1}


def test_without_list_support_lists_are_neither_offered_nor_taken(site: Site, conn: Conn, service: Path) -> None:
    site.array.knobs.list_support = False
    source, target = site.make("source", "target")
    assert (
        conn.InvokeMethod(
            "CreateListReplica", service, SyncType=U16(6), SourceElements=[source], TargetElements=[target]
        )[0]
        == 1
    )
    capabilities = conn.Associators(service, AssocClass="CIM_ElementCapabilities")[0]
    assert 19 not in capabilities["SupportedSynchronousActions"] and 2 in capabilities["SupportedSynchronousActions"]


def test_capabilities_tell_what_is_offered(site: Site, conn: Conn, service: Path) -> None:
    path = conn.AssociatorNames(
        service, AssocClass="CIM_ElementCapabilities", ResultClass="CIM_ReplicationServiceCapabilities"
    )[0]
    assert 2 in conn.GetInstance(path)["SupportedReplicationTypes"]

    def ask(method: str, **options: object) -> dict[str, object]:
        code, outs = conn.InvokeMethod(method, path, **options)
        return dict(outs) if code == 0 else {"code": code}

    assert 21 in ask("GetSupportedOperations", ReplicationType=U16(2))["SupportedOperations"]
    assert 14 in ask("GetSupportedOperations", ReplicationType=U16(10))["SupportedOperations"]
    assert 21 in ask("GetSupportedListOperations", ReplicationType=U16(2))["SupportedListOperations"]
    assert 4 in ask("GetSupportedCopyStates", ReplicationType=U16(2))["SupportedCopyStates"]
    assert ask("GetSupportedMaximum", ReplicationType=U16(2), Component=U16(5))["MaxValue"] == 8
    assert ask("ConvertSyncTypeToReplicationType", SyncType=U16(8), Mode=U16(3), LocalOrRemote=U16(3)) == {
        "SupportedReplicationTypes": 13
    }
    assert ask("ConvertReplicationTypeToSyncType", ReplicationType=U16(2)) == {
        "SyncType": 6,
        "Mode": 2,
        "LocalOrRemote": 2,
    }
    site.array.knobs.replication_types = [10]
    assert ask("GetSupportedOperations", ReplicationType=U16(2)) == {"code": 1}
    assert conn.GetInstance(path)["SupportedReplicationTypes"] == [10]


def test_a_clone_ends_its_session_unless_it_is_incremental(site: Site, conn: Conn, service: Path) -> None:
    source, plain, tracked = site.make("source", "plain", "tracked")
    for target, wish in (
        (plain, {}),
        (
            tracked,
            {
                "ReplicationSettingData": pywbem.CIMInstance(
                    "CIM_ReplicationSettingData", {"DesiredCopyMethodology": U16(4)}
                )
            },
        ),
    ):
        assert (
            conn.InvokeMethod(
                "CreateElementReplica", service, SyncType=U16(8), SourceElement=source, TargetElement=target, **wish
            )[0]
            == 0
        )
    assert site.array.wait_for(lambda: len(site.array.sessions()) == 1, PATIENCE)
    left = conn.References(source, ResultClass="FUJITSU_StorageSynchronized")
    assert [item["SyncedElement"]["DeviceID"] for item in left] == [tracked["DeviceID"]]
    assert left[0]["SyncMaintained"] and left[0]["CopyMethodology"] == 4


def test_with_jobs_a_method_answers_4096_and_the_job_acts(site: Site, conn: Conn, service: Path) -> None:
    site.array.knobs.jobs = "always"
    source, target = site.make("source", "target")
    code, outs = conn.InvokeMethod(
        "CreateElementReplica", service, SyncType=U16(6), SourceElement=source, TargetElement=target
    )
    assert code == 4096 and "Synchronization" not in outs
    assert site.array.wait_for(lambda: all(job.state == 7 for job in site.array.jobs.values()), PATIENCE)
    job = conn.GetInstance(outs["Job"])
    assert (job["JobState"], job["ErrorCode"], job["PercentComplete"]) == (7, 0, 100)
    assert [path.classname for path in conn.AssociatorNames(outs["Job"], AssocClass="CIM_OwningJobElement")] == [
        "FUJITSU_ReplicationService"
    ]
    affected = conn.AssociatorNames(outs["Job"], AssocClass="CIM_AffectedJobElement")
    assert {path["DeviceID"] for path in affected} == {source["DeviceID"], target["DeviceID"]}
    assert conn.InvokeMethod("GetError", outs["Job"]) == (0, {})


def test_a_job_that_is_refused_ends_in_exception_with_the_arrays_code(site: Site, conn: Conn, service: Path) -> None:
    site.array.knobs.jobs = "always"
    source, large = *site.make("source"), *site.make("large", size=2 << 20)
    code, outs = conn.InvokeMethod(
        "CreateElementReplica", service, SyncType=U16(6), SourceElement=source, TargetElement=large
    )
    assert code == 4096
    assert site.array.wait_for(lambda: all(job.state == 10 for job in site.array.jobs.values()), PATIENCE)
    assert conn.GetInstance(outs["Job"])["ErrorCode"] == 4097
    code, told = conn.InvokeMethod("GetError", outs["Job"])
    assert code == 0 and told["Error"].classname == "CIM_Error" and told["Error"]["MessageID"] == "4097"


def test_a_restore_and_a_reversal_are_operations_like_others(site: Site, conn: Conn, service: Path) -> None:
    source, target = site.make("source", "target")
    _code, session = mirror(conn, service, source, target)
    site.wait(source, target, 4)
    assert operate(conn, service, 12, session) == 0
    code, outs = conn.InvokeMethod("ModifyReplicaSynchronization", service, Operation=U16(20), Synchronization=session)
    assert code == 0 and outs["UpdatedSynchronization"]["SystemElement"]["DeviceID"] == target["DeviceID"]
    assert conn.GetInstance(outs["UpdatedSynchronization"])["CopyType"] == 3
