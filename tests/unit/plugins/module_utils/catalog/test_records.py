# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the catalog remembers and what it refuses, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    ArrayRecord,
    Cartridge,
    DiskState,
    Policy,
    PoolKind,
    Reader,
    ReaderPurpose,
    Role,
    TapePart,
    TapePool,
    TapeState,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.conftest import House
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    ARRAY,
    NOW,
    allocation,
    backup,
    copy,
    ref,
    registered,
)


def ids(found):
    return [one.id for one in found]


def test_an_array_is_kept_and_replaced(catalog):
    record = ArrayRecord(ARRAY, "ET603", NOW, {"service": "root/eternus:X", "lists": "true"})
    with catalog.begin() as records:
        assert records.array(ARRAY) is None
        records.put_array(replace(record, model="?"))
        records.put_array(record)
    with catalog.read() as records:
        assert records.array(ARRAY) == record


def test_volumes_come_oldest_first_and_by_role(house: House):
    with house.catalog.read() as records:
        assert [one.name for one in records.volumes()] == ["vol1", "vol2", *[f"vol{n}" for n in range(10, 15)]]
        assert [one.name for one in records.volumes(role=Role.TRANSACTION)] == ["vol1", "vol2"]
        assert records.volumes([ref(2), ref(77)]) == [registered(2, Role.TRANSACTION)]
        assert records.volumes([]) == []


def test_a_volume_is_found_by_name_device_id_and_link_name_in_any_case(house: House):
    device = ref(10).device_id
    wanted = ["vol10", device, device.lower(), f"wwn-0x{device.lower()}", f"{ARRAY}/vol10", f"{ARRAY}/{device}"]
    with house.catalog.read() as records:
        found = records.find_volumes([*wanted, "vol99", "OTHER/vol10", "wwn-0x12"])
    assert found == dict.fromkeys(wanted, registered(10))


def test_a_name_that_two_arrays_bear_asks_for_the_serial(house: House):
    with house.catalog.begin() as records:
        records.put_volumes([registered(1, Role.BACKUP, "OTHER")])
    with house.catalog.read() as records:
        assert records.find_volumes(["OTHER/vol1"])["OTHER/vol1"].ref == ref(1, "OTHER")
        with pytest.raises(BackupError) as caught:
            records.find_volumes(["vol1"])
    assert caught.value.error_class is ErrorClass.INVALID_OPTION
    assert caught.value.details["candidates"] == [f"{ARRAY}/vol1", "OTHER/vol1"]


def test_more_volumes_than_a_statement_takes_are_read_and_removed(catalog):
    many = [registered(number) for number in range(1, 1301)]
    refs = [one.ref for one in many]
    with catalog.begin() as records:
        records.put_volumes(many)
        assert records.volumes(refs) == many
        assert len(records.find_volumes([one.name for one in many])) == 1300
        records.remove_volumes(refs)
        assert records.volumes() == []


@pytest.mark.parametrize("number", [1, 10])
def test_a_volume_with_an_allocation_is_not_unregistered(house: House, number):
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.remove_volumes([ref(number)])


def test_a_volume_with_a_policy_is_not_unregistered(house: House):
    with house.catalog.begin() as records:
        records.put_policies([Policy(ref(2), 1)])
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.remove_volumes([ref(2)])
    with house.catalog.begin() as records:
        records.remove_policies([ref(2)])
        records.remove_volumes([ref(2)])


def test_policies_are_declared_for_registered_volumes_only(house: House):
    policy = Policy(ref(1), 2, suspend=True, pinned=(ref(10), ref(11)), group="oracle", mount_point="/ora")
    with house.catalog.begin() as records:
        records.put_policies([replace(policy, generations=1)])
        records.put_policies([policy])
        assert records.policies() == records.policies([ref(1)]) == [policy]
        assert records.policies([ref(2)]) == []
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.put_policies([Policy(ref(99), 1)])


def test_a_backup_volume_serves_one_transaction_volume(house: House):
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.allocate([allocation(13, 2), allocation(10, 2)])
    with house.catalog.read() as records:
        assert [one.bv for one in records.allocations(tvs=[ref(1)])] == [ref(10), ref(11), ref(12)]
        assert records.allocations(bvs=[ref(13)]) == []


def test_only_a_registered_volume_is_allocated(house: House):
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.allocate([allocation(99)])


@pytest.mark.parametrize(
    "changed",
    [
        replace(registered(13), role=Role.TRANSACTION),
        replace(registered(13), unknown=True),
        replace(registered(13), volume=replace(registered(13).volume, blocks=4096)),
        None,
    ],
    ids=["another role", "unknown", "another size", "unregistered"],
)
def test_a_volume_that_changed_since_it_was_planned_is_not_allocated(house: House, changed):
    with house.catalog.begin() as records:
        if changed is None:
            records.remove_volumes([ref(13)])
        else:
            records.put_volumes([changed])
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.allocate([allocation(14), allocation(13)])
    with house.catalog.read() as records:
        assert records.allocations(bvs=[ref(13), ref(14)]) == []


def test_a_volume_that_is_only_reserved_may_have_another_size_than_the_tv_has_now(house: House):
    with house.catalog.begin() as records:
        records.put_volumes([replace(registered(13), volume=replace(registered(13).volume, blocks=4096))])
        records.allocate([replace(allocation(13), copy_type=None)])


def test_the_time_of_a_suspend_is_kept_and_taken_back(house: House):
    with house.catalog.begin() as records:
        records.set_suspended([ref(10)], NOW)
        assert records.allocations(bvs=[ref(10)])[0].suspended_at == NOW
        records.set_suspended([ref(10)], None)
        assert records.allocations(bvs=[ref(10)]) == [allocation(10)]
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.set_suspended([ref(10), ref(14)], NOW)


def test_a_reserved_volume_has_no_copy_type(house: House):
    with house.catalog.begin() as records:
        records.allocate([replace(allocation(14), copy_type=None)])
        assert records.allocations(bvs=[ref(14)])[0].copy_type is None


@pytest.mark.rule("R4.37")
def test_a_volume_with_a_generation_is_not_freed(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10)])
    with pytest.raises(Conflict, match="carries backup A"), house.catalog.begin() as records:
        records.free([ref(10), ref(11)])
    with house.catalog.begin() as records:
        records.drop_disk(["A"])
        records.free([ref(10), ref(14)])
        assert [one.bv for one in records.allocations()] == [ref(11), ref(12)]


@pytest.mark.rule("R4.37", "R5.2a")
def test_a_volume_with_a_reader_is_neither_freed_nor_dropped(house: House):
    reader = Reader(ref(10), "A", ReaderPurpose.TAPE, "me", NOW)
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10)])
        records.add_reader(reader)
        records.add_reader(Reader(ref(11), "B", ReaderPurpose.RESTORE, "me", NOW))
        assert records.readers([ref(10)]) == [reader]
        assert len(records.readers()) == 2
    with pytest.raises(Conflict, match="is read by me"), house.catalog.begin() as records:
        records.drop_disk(["A"])
    with pytest.raises(Conflict, match="is read by me"), house.catalog.begin() as records:
        records.free([ref(11)])
    with house.catalog.begin() as records:
        records.remove_reader(ref(10), "somebody else")
        records.remove_reader(ref(11), "me")
        records.free([ref(11)])
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.remove_reader(ref(10), "somebody else")
        records.drop_disk(["A"])


def test_only_an_allocated_volume_is_read(house: House):
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.add_reader(Reader(ref(14), "A", ReaderPurpose.TAPE, "me", NOW))


def test_history_comes_oldest_first_with_its_copies(house: House):
    part = TapePart(1, "A00001", 2, 0, 67108864, "ab" * 32, 77)
    written = copy(1, TapeState.WRITTEN, written_at=NOW, verified_at=NOW, verified_ok=True, parts=(part,))
    whole = [backup("B", 10, age=2, tape=(written, copy(2))), backup("A", 11, age=1), backup("C", 12, age=1)]
    with house.catalog.begin() as records:
        records.add_backups([whole[2], whole[0], whole[1], backup("T", tv=2, tape=(copy(),))])
    with house.catalog.read() as records:
        assert records.backups(tvs=[ref(1)]) == whole
        assert ids(records.backups()) == ["B", "A", "C", "T"]
        assert ids(records.backups(ids=["C", "B", "Z"], tvs=[ref(1), ref(2)])) == ["B", "C"]
        assert ids(records.copies_on("A00001")) == ["B"]
        assert records.backups(tvs=[]) == []


def test_a_key_makes_one_backup_of_a_volume(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10, key="night"), backup("B", key="night", tv=2), backup("C"), backup("D")])
        assert records.used_keys("night", [ref(1), ref(2)]) == {ref(1): "A", ref(2): "B"}
        assert records.used_keys("night", [ref(2)]) == {ref(2): "B"}
        assert records.used_keys("", [ref(1)]) == {}
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.add_backups([backup("E", 11), backup("F", 12, key="night")])
    with house.catalog.read() as records:
        assert len(records.backups()) == 4


def test_a_key_stays_used_when_its_backup_has_gone(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10, key="night")])
        records.drop_disk(["A"])
        assert records.backups() == []
        assert records.used_keys("night", [ref(1)]) == {ref(1): "A"}


@pytest.mark.parametrize(
    "second", [backup("A", 11), backup("B", 10), backup("B", 14)], ids=["same id", "carrying BV", "unallocated BV"]
)
def test_a_second_backup_never_takes_an_id_or_a_volume_of_another(house: House, second):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10)])
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.add_backups([second])


def test_a_leaving_disk_copy_is_no_generation(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10), backup("B", 11)])
        records.set_disk_leaving(["A"])
        first, second = records.backups()
        assert (first.disk.state, first.good_on_disk, second.good_on_disk) == (DiskState.LEAVING, False, True)
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.set_disk_leaving(["A", "Z"])


@pytest.mark.rule("R5.5", "R1.10")
def test_a_backup_without_disk_and_tape_vanishes_and_one_on_tape_stays(house: House):
    tape = (copy(1, TapeState.WRITTEN), copy(2, TapeState.FAILED))
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10), backup("B", 11, tape=tape), backup("C", 12, tape=tape[1:])])
        records.drop_disk(["A", "B", "C"])
        (left,) = records.backups()
        assert (left.id, left.disk, left.tape) == ("B", None, tape[:1])
        records.drop_disk(["B", "Z"])
        records.remove_tape_copies("B", [1])
        assert records.backups() == []


def test_a_disk_copy_outlives_its_tape_copies(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10, tape=(copy(1), copy(2)))])
        records.remove_tape_copies("A", [1, 2, 3])
        assert records.backups() == [backup("A", 10)]


def test_a_hold_is_set_and_released(house: House):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10)])
        records.set_hold(["A"], True)
        assert records.backups()[0].hold is True
        records.set_hold(["A"], False)
        assert records.backups()[0].hold is False
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.set_hold(["Z"], True)


def test_a_tape_copy_is_replaced_with_its_parts(house: House):
    parts = tuple(TapePart(n, f"A{n}", 2, n * 10, 10, "00") for n in (1, 2, 3))
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10, tape=(copy(parts=parts),))])
        records.put_tape_copy("A", copy(state=TapeState.WRITTEN, sha256="ff", parts=parts[:2]))
        records.put_tape_copy("A", copy(2))
        assert records.backups()[0].tape == (copy(state=TapeState.WRITTEN, sha256="ff", parts=parts[:2]), copy(2))
        assert records.copies_on("A3") == []
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.put_tape_copy("Z", copy())


@pytest.mark.parametrize("state", [TapeState.QUEUED, TapeState.FAILED])
def test_a_tape_leg_is_claimed_once(house: House, state):
    with house.catalog.begin() as records:
        records.add_backups([backup("A", 10, tape=(copy(state=state, error="cartridge_full"),))])
        claimed = records.claim_tape_copy("A", 1, "me", NOW, 60)
        assert claimed == copy(state=TapeState.WRITING, owner="me", started_at=NOW)
        assert records.backups()[0].tape == (claimed,)
        assert [one.name for one in records.leases()] == ["tape:A:1"]
    with pytest.raises(Conflict, match="held by me"), house.catalog.begin() as records:
        records.claim_tape_copy("A", 1, "other", NOW + timedelta(seconds=59), 60)
    with house.catalog.begin() as records:
        assert records.claim_tape_copy("A", 1, "other", NOW + timedelta(seconds=60), 60).owner == "other"


@pytest.mark.parametrize("number", [1, 2])
def test_a_written_or_missing_tape_leg_is_not_claimed(house: House, number):
    with pytest.raises(Conflict), house.catalog.begin() as records:
        records.add_backups([backup("A", 10, tape=(copy(state=TapeState.WRITTEN),))])
        records.claim_tape_copy("A", number, "me", NOW, 60)


def test_an_undefined_target_is_marked_until_a_restore_succeeds(catalog):
    marks = [UndefinedTarget(ref(2), "B", NOW, "cancelled"), UndefinedTarget(ref(1), "A", NOW, "copy_failed")]
    with catalog.begin() as records:
        for mark in marks:
            records.mark_undefined(mark)
        records.mark_undefined(replace(marks[0], since=NOW - timedelta(days=1)))
        assert [one.volume for one in records.undefined_targets()] == [ref(2), ref(1)]
        records.clear_undefined(ref(2))
        assert records.undefined_targets([ref(1), ref(2)]) == marks[1:]


def test_a_pool_with_cartridges_is_not_removed(catalog):
    pool = TapePool("weekly", PoolKind.PRIVATE, NOW)
    inside, outside = Cartridge("A00001", "u-1", "weekly", NOW, 10**13, 5, 3), Cartridge("A00002", "u-2", "")
    with catalog.begin() as records:
        records.put_pool(replace(pool, kind=PoolKind.SCRATCH))
        records.put_pool(pool)
        records.put_cartridge(outside)
        records.put_cartridge(inside)
        assert records.pools() == records.pools(["weekly"]) == [pool]
        assert records.cartridges() == [inside, outside]
        assert records.cartridges(pool="weekly") == [inside]
        assert records.cartridges(pool="") == records.cartridges(barcodes=["A00002"]) == [outside]
    with pytest.raises(Conflict, match="cartridges"), catalog.begin() as records:
        records.remove_pool("weekly")
    with pytest.raises(Conflict), catalog.begin() as records:
        records.put_cartridge(replace(inside, pool="monthly"))
    with catalog.begin() as records:
        records.remove_cartridge("A00001")
        records.remove_pool("weekly")
        assert records.pools() == []


def test_a_cartridge_with_a_part_of_a_backup_is_not_removed(house: House):
    with pytest.raises(Conflict, match="backup A"), house.catalog.begin() as records:
        part = TapePart(1, "A00001", 2, 0, 10, "00")
        records.put_cartridge(Cartridge("A00001", "u-1", ""))
        records.add_backups([backup("A", tape=(copy(parts=(part,)),))])
        records.remove_cartridge("A00001")


def test_an_exception_leaves_nothing_of_a_transaction(house: House):
    with pytest.raises(ZeroDivisionError), house.catalog.begin() as records:
        records.allocate([allocation(13)])
        records.take_leases(["tv:a"], "me", NOW, 60)
        raise ZeroDivisionError
    with house.catalog.read() as records:
        assert records.allocations(bvs=[ref(13)]) == []
        assert records.leases() == []


def test_a_reader_of_the_catalog_sees_one_state_and_cannot_write(house: House):
    with house.catalog.read() as before:
        seen = before.allocations()
        with house.catalog.begin() as records:
            records.free([ref(12)])
        assert before.allocations() == seen
    with pytest.raises(BackupError) as caught, house.catalog.read() as records:
        records.allocate([allocation(13)])
    assert caught.value.error_class is ErrorClass.CATALOG_UNAVAILABLE
    assert CopyType.EC is seen[0].copy_type
