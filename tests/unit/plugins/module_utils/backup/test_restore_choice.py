# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backup a restore takes, from where, and what it shows before it overwrites anything: behaviour.md §6."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import restore
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice, Source
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore import RestoreRequest
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskCopy,
    DiskState,
    Method,
    Reader,
    ReaderPurpose,
    Role,
    TapeCopy,
    TapePart,
    TapeState,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import PATIENCE, House


@pytest.fixture
def oradata(house):
    """Return the ids of three backups, newest first: the two younger on disk, the middle one on tape too, the oldest
    on tape alone."""
    house.tv("oradata", 3)
    house.volume("scratch", None)
    for _cycle in range(2):
        house.cycle("oradata")
    middle = house.generations("oradata")[1]
    oldest = replace(middle, id="OLDEST", key="oldest", point_in_time=START, disk=None, tape=(written(1, START),))
    with house.catalog.begin() as records:
        records.put_tape_copy(middle.id, written(1, middle.point_in_time))
        records.add_backups([oldest])
    return [backup.id for backup in house.generations("oradata")] + ["OLDEST"]


def written(number, at):
    part = TapePart(1, "WK0001L8", 1, 0, 1048576, "aa")
    return TapeCopy(number, TapeState.WRITTEN, "pool", at, sha256="aa", parts=(part,))


def run(house, wait=PATIENCE, check=False, **request):
    choice = {name: request.pop(name) for name in ("generation", "backup_id", "at", "source") if name in request}
    values = {"volume": "oradata", "target": "scratch", "choice": Choice(**choice), **request}
    return restore.restore(house.context(check=check), RestoreRequest(**values), wait)


def shown(house, **request):
    return run(house, **request).values["restore"]


def drop(house, name):
    with house.catalog.begin() as records:
        records.drop_disk([name])


@pytest.mark.parametrize(
    ("source", "chosen"),
    [(Source.DISK, (0, 1)), (Source.ANY, (0, 1, 2)), (Source.TAPE, (1, 2))],
)
def test_a_relative_generation_counts_what_the_source_holds(house, oradata, source, chosen):
    for number, index in enumerate(chosen, 1):
        assert shown(house, source=source, generation=number, check=True)["backup_id"] == oradata[index]
    with pytest.raises(BackupError) as caught:
        run(house, source=source, generation=len(chosen) + 1)
    assert caught.value.error_class.value == "no_such_generation"
    assert str(len(chosen)) in caught.value.message


@pytest.mark.rule("R6.3")
def test_disk_comes_before_tape_for_the_same_backup(house, oradata):
    by_time = house.generations("oradata")[1].point_in_time
    for choice in ({"generation": 2}, {"backup_id": oradata[1]}, {"at": by_time}):
        found = shown(house, source=Source.ANY, check=True, **choice)
        assert (found["backup_id"], found["source"], found["cartridges"]) == (oradata[1], "disk", [])


@pytest.mark.rule("R6.3")
def test_by_time_the_newest_is_chosen_first_and_its_disk_copy_only_if_it_has_one(house, oradata):
    at = house.generations("oradata")[1].point_in_time
    drop(house, oradata[1])
    found = shown(house, source=Source.ANY, at=at)
    assert (found["backup_id"], found["source"]) == (oradata[1], "tape")
    assert shown(house, source=Source.ANY, at=at - timedelta(seconds=1))["backup_id"] == "OLDEST"


def test_what_has_to_come_from_tape_is_checked_and_nothing_is_copied(house, oradata):
    before, calls = house.everything(), list(house.array.calls)
    result = run(house, source=Source.ANY, generation=3)
    assert not result.changed
    assert not result.values["finished"]
    found = result.values["restore"]
    assert (found["source"], found["state"], found["backup_id"]) == ("tape", "on_tape", "OLDEST")
    assert (found["cartridges"], found["target"], found["size"]) == (["WK0001L8"], "scratch", 1048576)
    assert house.everything() == before
    assert house.array.calls == calls


def test_what_has_to_come_from_tape_is_refused_as_a_copy_would_be(house, oradata, refused):
    tape = {"source": Source.ANY, "generation": 3}
    refused("confirmation_required", run, house, target="oradata", **tape)
    house.volume("large", None, blocks=4096)
    assert "bytes" in refused("size_mismatch", run, house, target="large", **tape).message
    refused("volume_reserved", run, house, target="bv1", **tape)
    house.tv("redolog")
    refused("role_conflict", run, house, target="redolog", confirm="redolog", **tape)
    house.array.start(CopyType.OPC, [Pair(house.by_name["redolog"], house.by_name["scratch"])])
    refused("busy", run, house, **tape)
    house.equivalent("oradata")
    refused("busy", run, house, target="oradata", confirm="oradata", **tape)


def test_from_disk_alone_what_is_only_on_tape_is_refused_and_named(house, oradata, refused):
    error = refused("no_such_generation", run, house, backup_id="OLDEST")
    assert "tape_restore" in error.next_step
    refused("no_such_generation", run, house, source=Source.TAPE, backup_id=oradata[0])


def test_tape_alone_passes_over_what_is_only_on_disk(house, oradata):
    now = house.clock.now()
    assert shown(house, source=Source.TAPE, at=now)["backup_id"] == oradata[1]
    with pytest.raises(BackupError, match="before on tape"):
        run(house, source=Source.TAPE, at=START - timedelta(days=1))


def test_a_used_key_counts_wherever_the_backup_lies(house, oradata):
    run(house, key="job-9")
    drop(house, oradata[1])
    again = run(house, key="job-9", source=Source.ANY, generation=2)
    assert (again.changed, again.values["finished"]) == (False, True)


@pytest.fixture
def borrowed(house, oradata):
    """Add a newer backup of media tape: its volume is only borrowed, its tape copy has failed."""
    house.volume("bv9", Role.BACKUP)
    tv, bv, now = house.by_name["oradata"].ref, house.by_name["bv9"].ref, house.clock.now()
    house.fabric.content[bv] = [7, 7, 7]
    copy = TapeCopy(1, TapeState.FAILED, "pool", now)
    with house.catalog.begin() as records:
        records.allocate([Allocation(bv, tv, CopyType.OPC, now)])
        disk = DiskCopy(bv, DiskState.BORROWED, now)
        records.add_backups(
            [
                Backup(
                    "STAGED", tv, now, Method.TAPE_ONLY, CopyType.OPC, False, 1048576, "staged", disk=disk, tape=(copy,)
                )
            ]
        )
    return now


@pytest.mark.parametrize("source", [Source.DISK, Source.ANY])
def test_a_borrowed_copy_may_be_restored_from_by_id_and_by_time(house, borrowed, source):
    for choice in ({"backup_id": "STAGED"}, {"at": borrowed}):
        assert run(house, source=source, **choice).changed
        assert house.fabric.content[house.by_name["scratch"].ref] == [7, 7, 7]


def test_a_borrowed_copy_is_no_generation(house, oradata, borrowed):
    assert shown(house, check=True)["backup_id"] == oradata[0]
    assert shown(house, check=True, source=Source.ANY)["backup_id"] == "STAGED"


def test_a_copy_that_is_leaving_is_not_restored_from(house, oradata):
    with house.catalog.begin() as records:
        records.set_disk_leaving([oradata[0], oradata[1]])
    with pytest.raises(BackupError, match="being dropped"):
        run(house, source=Source.ANY, backup_id=oradata[0])
    assert shown(house, source=Source.ANY, backup_id=oradata[1])["source"] == "tape"


@pytest.mark.rule("R6.1a")
@pytest.mark.parametrize("target", ["scratch", "oradata"])
def test_a_restore_may_begin_while_the_bvs_own_background_copy_runs(house, borrowed, target):
    house.fabric.copy_seconds = 600.0
    tv, bv = house.by_name["oradata"], house.by_name["bv9"]
    house.fabric.content[tv.ref] = [5, 5, 5]
    house.array.start(CopyType.OPC, [Pair(tv, bv)])
    house.fabric.content[tv.ref] = [6, 6, 6]
    started = run(house, backup_id="STAGED", target=target, confirm=target, wait=Wait(1.0, 0.0))
    assert started.changed
    assert (tv.ref, bv.ref) in house.fabric.copies
    again = run(house, backup_id="STAGED", target=target, confirm=target, wait=Wait(10.0, 2000.0))
    assert again.values["finished"]
    assert house.fabric.content[house.by_name[target].ref] == [5, 5, 5]


@pytest.mark.rule("R9.3")
def test_check_mode_shows_volumes_sizes_and_what_is_overwritten(house, oradata):
    house.declare("oradata", mounted_on="db01", mount_point="/u01")
    with house.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(house.by_name["oradata"].ref, oradata[0], START, "a restore failed"))
    planned = run(house, check=True, target="oradata", confirm="oradata")
    newest = house.generations("oradata")[0]
    assert planned.values["restore"]["overwrites"] == {
        "role": "transaction",
        "policy": True,
        "newest_backup": newest.id,
        "newest_point_in_time": newest.point_in_time.isoformat(),
        "mounted_on": "db01",
        "mount_point": "/u01",
        "undefined": "a restore failed",
    }
    assert planned.before["oradata"]["newest_backup"] == newest.id
    bare = shown(house, check=True)
    assert (bare["overwrites"]["role"], bare["overwrites"]["policy"]) == (None, False)
    assert (bare["size"], bare["backup_volume"], bare["copy_type"]) == (1048576, "bv2", "OPC")


@pytest.mark.rule("R6.4b", "R6.4a")
def test_a_bv_that_another_volumes_restore_reserved_is_no_target(house, oradata, refused):
    house.tv("redolog", 2)
    run(house, target="bv3")
    house.cycle("redolog")
    error = refused("volume_reserved", run, house, volume="redolog", target="bv3")
    assert "backup_volumes" in error.next_step


def test_a_target_of_a_session_by_other_hands_is_busy_even_when_it_is_suspended(house, oradata, refused):
    house.volume("other", None)
    pair = Pair(house.by_name["other"], house.by_name["scratch"])
    house.array.start(CopyType.EC, [pair])
    refused("busy", run, house)
    house.clock.sleep(60)
    house.fabric.set_state(*pair.key, SessionState.SUSPENDED)
    assert "End that session" in refused("busy", run, house).next_step
    house.array.release(CopyType.EC, [pair])
    assert run(house).changed


def test_the_next_operation_ends_the_reading_of_a_restore_test_that_died(house, oradata):
    reader = Reader(house.by_name["bv1"].ref, oradata[1], ReaderPurpose.RESTORE, "compare:ET1/X", START)
    with house.catalog.begin() as records:
        records.add_reader(reader)
        lease = records.take_leases(["compare:ET1/X"], "elsewhere", house.clock.now(), 120.0)
    run(house)
    assert reader.bv in house.look().readers
    with house.catalog.begin() as records:
        records.drop_leases(lease)
    run(house)
    assert house.look().readers == {}


@pytest.mark.parametrize("target", ["scratch", "oradata"])
def test_a_snapshot_is_restored_while_its_own_copy_still_runs(house, target):
    tv = house.tv("oradata", 2, method="snapshot")
    house.volume("scratch", None)
    house.fabric.copy_seconds = 600.0
    kept = list(house.fabric.content[tv])
    house.backup("oradata")
    house.fabric.write(tv, 0, 99)
    started = run(house, target=target, confirm=target, wait=Wait(1.0, 0.0))
    assert started.changed
    assert len(house.fabric.copies) == 2
    assert run(house, target=target, confirm=target, wait=Wait(10.0, 2000.0)).values["finished"]
    assert house.fabric.content[house.by_name[target].ref] == kept


class TestTwoArrays:
    """A volume on ET1 whose backup volumes are on ET2 (REC), brought back by ROPC."""

    @pytest.fixture
    def house(self, tmp_path):
        house = House(tmp_path, arrays=("ET1", "ET2"))
        house.tv("oradata")
        house.volume("bv1", Role.BACKUP, array="ET2")
        house.volume("near", None, array="ET2")
        house.volume("far", None)
        house.cycle("oradata")
        return house

    def only(self, house, serial):
        ctx = house.context()
        return replace(ctx, arrays={serial: house.arrays[serial]})

    def test_onto_another_array_it_is_ropc_and_sent_to_the_backup_volumes_array(self, house):
        assert shown(house, target="far")["copy_type"] == "ROPC"
        assert house.arrays["ET2"].calls[-1] == ("start", 1)
        assert shown(house, target="near")["copy_type"] == "OPC"

    def test_both_ends_arrays_are_needed_and_the_missing_one_is_named(self, house):
        request = RestoreRequest("oradata", target="oradata", confirm="oradata")
        for missing, there in (("ET1", "ET2"), ("ET2", "ET1")):
            with pytest.raises(BackupError, match=f"lies on array {missing}") as caught:
                restore.restore(self.only(house, there), request, PATIENCE)
            assert caught.value.error_class.value == "array_unreachable"
        with pytest.raises(BackupError, match="lies on array ET1"):
            restore.cancel_restore(self.only(house, "ET2"), request)

    def test_a_volume_beside_the_backup_volume_needs_that_array_alone(self, house):
        result = restore.restore(self.only(house, "ET2"), RestoreRequest("oradata", target="near"), PATIENCE)
        assert result.values["finished"]
        assert house.fabric.content[house.by_name["near"].ref] == house.fabric.content[house.by_name["bv1"].ref]

    def test_ropc_is_refused_unless_both_arrays_offer_it(self, tmp_path, house):
        offered = house.arrays["ET1"]._capabilities
        house.arrays["ET1"]._capabilities = replace(offered, copies=frozenset({CopyType.EC, CopyType.OPC}))
        with pytest.raises(BackupError) as caught:
            run(house, target="far")
        assert caught.value.error_class.value == "unsupported_copy"
        assert "ET1" in caught.value.message
