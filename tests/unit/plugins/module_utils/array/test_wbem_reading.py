# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a simulated array over https: few requests, each thing asked once (array.md)."""

from __future__ import annotations

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._array.reading import device_of
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated


@pytest.fixture(scope="module")
def filled(module_array: Simulated) -> Simulated:
    """An array with volumes: thin ones, one of a RAID group, one of another size."""
    module_array.create_volumes("tv1", "tv2", "bv1", "bv2")
    module_array.create_volume("raid", 4 * MIB, "RSP0005")
    module_array.create_volume("large", 8 * MIB)
    return module_array


def test_nothing_is_sent_before_the_first_question(filled: Simulated) -> None:
    filled.reset_counters()
    array = filled.connect()
    assert (array.round_trips, filled.requests()) == (0, 0)


def test_the_serial_is_identifyingnumber_and_asked_once(filled: Simulated) -> None:
    array = filled.connect()
    assert (array.serial, array.serial) == ("ET603SA4621302115",) * 2
    assert array.round_trips == 1


def test_volumes_are_read_by_one_enumeration(filled: Simulated) -> None:
    array = filled.connect()
    assert array.serial
    before = array.round_trips
    volumes = {volume.name: volume for volume in array.volumes()}
    assert array.round_trips - before == 1
    assert set(volumes) == {"tv1", "tv2", "bv1", "bv2", "raid", "large"}
    assert (volumes["large"].size, volumes["tv1"].size) == (8 * MIB, 4 * MIB)
    assert (volumes["tv1"].thin, volumes["raid"].thin) == (True, False)
    assert (filled.device_dir / volumes["tv1"].device_name).exists()


def test_round_trips_are_those_that_the_array_counts(filled: Simulated) -> None:
    filled.reset_counters()
    array = filled.connect()
    array.capabilities()
    array.volumes()
    array.sessions()
    array.pools()
    assert array.round_trips == filled.requests()


def test_volumes_are_found_by_name_deviceid_and_wwn_and_missing_ones_left_out(filled: Simulated) -> None:
    array = filled.connect()
    tv1 = array.find_volumes(["tv1"])["tv1"]
    names = [tv1.ref.device_id, tv1.ref.device_id.lower(), tv1.device_name, "tv2", "nix", "F" * 32]
    found = array.find_volumes(names)
    assert set(found) == set(names) - {"nix", "F" * 32}
    assert {found[name] for name in names[:3]} == {tv1}


def test_a_few_deviceids_are_read_one_by_one_and_many_by_one_enumeration(filled: Simulated) -> None:
    array = filled.connect()
    everything = {volume.device_name: volume for volume in array.volumes()}
    few = [*list(everything)[:2], "wwn-0x" + "f" * 32]
    filled.reset_counters()
    assert filled.connect().find_volumes(few) == {name: everything[name] for name in few[:2]}
    assert filled.counters()["requests"] == {"EnumerateInstanceNames": 2, "GetInstance": 3}
    many = [*everything, *(f"wwn-0x{number:032x}" for number in range(9))]
    filled.reset_counters()
    assert filled.connect().find_volumes(many) == everything
    assert filled.counters()["requests"]["EnumerateInstances"] == 1


def test_capabilities_are_asked_once(filled: Simulated) -> None:
    array = filled.connect()
    first = array.capabilities()
    asked = array.round_trips
    assert array.capabilities() == first
    assert array.round_trips == asked == 6
    assert first.copies == frozenset(CopyType)
    assert (first.create_list, first.modify_list, first.max_sessions_per_source) == (True, True, 8)


def test_what_was_kept_is_not_asked_again(filled: Simulated) -> None:
    first = filled.connect()
    capabilities = first.capabilities()
    second = filled.connect(known=first.known)
    assert second.capabilities() == capabilities
    assert second.round_trips == 1
    assert second.known == first.known


def test_what_was_kept_of_another_array_is_not_believed(filled: Simulated) -> None:
    kept = {**filled.connect().known, "serial": "ET000000000000000", "capabilities": '{"types": []}'}
    array = filled.connect(known=kept)
    assert array.capabilities().copies
    assert array.known["serial"] == filled.serial


def test_what_is_kept_holds_no_secret(filled: Simulated) -> None:
    array = filled.connect()
    array.capabilities()
    assert filled.password not in repr(array.known)


def test_a_capability_that_is_not_offered_is_not_there(simulated_array: Simulated) -> None:
    simulated_array.knobs(replication_types=[10, 11], list_support=False, quick_opc=False)
    found = simulated_array.connect().capabilities()
    assert found.copies == {CopyType.OPC}
    assert (found.create_list, found.modify_list) == (False, False)


def test_all_sessions_are_read_by_one_enumeration(simulated_array: Simulated) -> None:
    simulated_array.create_volumes("a", "b", "c", "d", "e", "f")
    array = simulated_array.connect()
    found = array.find_volumes(list("abcdef"))
    array.start(CopyType.EC, [Pair(found["a"], found["b"]), Pair(found["c"], found["d"])])
    array.start(CopyType.OPC, [Pair(found["e"], found["f"])], track=True)
    before = array.round_trips
    sessions = {session.key: session for session in array.sessions()}
    assert array.round_trips - before == 1
    assert {session.copy_type for session in sessions.values()} == {CopyType.EC, CopyType.QUICK_OPC}
    mirror = sessions[found["a"].ref, found["b"].ref]
    assert mirror.state in (SessionState.EXECUTING, SessionState.EQUIVALENT)
    assert not mirror.tracked
    assert sessions[found["e"].ref, found["f"].ref].tracked


def test_pools_have_their_space_in_bytes(filled: Simulated) -> None:
    pools = {pool.pool_id: pool for pool in filled.connect().pools()}
    assert set(pools) == {"FUJITSU:TPP0004", "FUJITSU:RSP0005"}
    raid = pools["FUJITSU:RSP0005"]
    assert (raid.thin, raid.total - raid.remaining) == (False, 4 * MIB)


def test_device_names_are_understood_as_they_are_made(filled: Simulated) -> None:
    assert all(device_of(volume.device_name) == volume.ref.device_id for volume in filled.connect().volumes())
