# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back from tape (behaviour.md §6): choice, targets, refusals, the marker."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Session, SessionState, Volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import plan_restore, restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Policy,
    Reader,
    ReaderPurpose,
    Role,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip, noise
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Three backups on tape: OLD, MID and NEW, an hour apart."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2", capacity=10 * MIB)
    for name, bv, age in (("OLD", 11, 2), ("MID", 12, 1), ("NEW", 13, 0)):
        house.backup(name, bv, age=age)
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def wanted(**more: Any) -> Wanted:
    return Wanted(**{"volume": "oradata", "confirm": "oradata", **more})


def refused(error_class: str, house: TapeHouse, ctx: Context | None = None, **more: Any) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        restore(ctx or house.context(), house.desk, wanted(**more))
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    assert house.everything() == before
    return caught.value


def markers(house: TapeHouse) -> list[Any]:
    with house.catalog.read() as records:
        return list(records.undefined_targets())


class OneArray:
    """An array as far as a restore from tape asks it."""

    def __init__(self, *sessions: Session, volumes: tuple[Volume, ...] = ()) -> None:
        self.serial = "ET1"
        self.found = sessions
        self.known = {volume.name: volume for volume in volumes}

    def sessions(self) -> tuple[Session, ...]:
        return self.found

    def find_volumes(self, names: list[str]) -> dict[str, Volume]:
        return {name: self.known[name] for name in names if name in self.known}


@pytest.mark.rule("R6.2")
def test_the_newest_tape_generation_comes_back_onto_the_volume_itself(house: TapeHouse) -> None:
    plan = restore(house.context(), house.desk, wanted())
    assert house.file(1).read_bytes() == house.contents["NEW"]
    assert plan.sha256 == plan.copy.sha256 == hashlib.sha256(house.contents["NEW"]).hexdigest()
    assert not markers(house)
    assert house.tape("NEW").verified_ok is True
    with house.catalog.read() as records:
        assert not records.leases()


@pytest.mark.rule("R6.3")
@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"generation": 2}, "MID"),
        ({"generation": 3}, "OLD"),
        ({"backup_id": "MID"}, "MID"),
        ({"at": START - timedelta(minutes=1)}, "MID"),
        ({"at": START - timedelta(hours=1)}, "MID"),
    ],
)
def test_a_backup_is_chosen_by_generation_id_or_time(house: TapeHouse, choice: dict[str, Any], name: str) -> None:
    assert plan_restore(house.context(), house.desk, wanted(**choice)).backup.id == name


def test_one_key_never_restores_twice_onto_a_volume(house: TapeHouse) -> None:
    assert restore(house.context(), house.desk, wanted(key="job-9")).needed
    before = house.everything()
    again = restore(house.context(), house.desk, wanted(key="job-9"))
    assert not again.needed
    assert house.everything() == before
    assert restore(house.context(), house.desk, wanted(key="job-10")).needed


def test_what_is_not_on_tape_cannot_be_chosen(house: TapeHouse) -> None:
    house.backup("DISK", 14, tape=False)
    assert plan_restore(house.context(), house.desk, wanted()).backup.id == "NEW"
    refused("no_such_backup", house, backup_id="DISK")
    refused("no_such_backup", house, at=START - timedelta(hours=5))
    refused("no_such_generation", house, generation=4)
    refused("no_such_generation", house, generation=0)
    refused("not_registered", house, volume="nope")


@pytest.mark.rule("R9.7")
def test_a_transaction_volume_is_overwritten_only_when_confirmed(house: TapeHouse) -> None:
    refused("confirmation_required", house, confirm="")
    refused("confirmation_required", house, confirm="bv11")


def test_a_wrong_confirmation_is_said_to_be_wrong(house: TapeHouse) -> None:
    assert "confirm is 'ORADATA'" in refused("confirmation_required", house, confirm="ORADATA").message
    assert "confirm is not given" in refused("confirmation_required", house, confirm="").message


def test_a_used_key_counts_only_while_the_target_is_not_undefined(house: TapeHouse) -> None:
    restore(house.context(), house.desk, wanted(key="job-9"))
    with house.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(house.ref(1), "MID", START, "a restore was cancelled"))
    assert restore(house.context(), house.desk, wanted(key="job-9")).needed
    assert not markers(house)
    assert not restore(house.context(), house.desk, wanted(key="job-9")).needed


def test_the_plan_shows_what_is_overwritten(house: TapeHouse) -> None:
    shown = plan_restore(house.context(check=True), house.desk, wanted(generation=2)).overwrites
    assert (shown["role"], shown["policy"], shown["newest_backup"]) == ("transaction", True, "NEW")
    assert shown["undefined"] is None


def test_a_target_on_another_array_is_named_with_its_serial(house: TapeHouse) -> None:
    ref = house.volume(40, None, "spare")
    plan = plan_restore(house.context(), house.desk, wanted(target=f"ET2/{ref.device_id}", confirm=""))
    assert (plan.target.ref.array, plan.target.ref.device_id) == ("ET2", ref.device_id)


def test_planning_changes_nothing(house: TapeHouse) -> None:
    before = house.everything()
    plan_restore(house.context(check=True), house.desk, wanted())
    assert house.everything() == before


def test_a_volume_that_is_not_registered_is_named_by_its_device_id(house: TapeHouse) -> None:
    ref = house.volume(40, None, "spare")
    name = f"wwn-0x{ref.device_id.lower()}"
    plan = restore(house.context(), house.desk, wanted(target=name, confirm=""))
    assert house.file(40).read_bytes() == house.contents["NEW"]
    assert plan.target.ref == ref
    assert not markers(house)
    refused("no_such_volume", house, target="spare")


def test_the_array_knows_the_name_of_a_volume_that_is_not_registered(house: TapeHouse) -> None:
    ref = house.volume(40, None, "spare")
    array = OneArray(volumes=(Volume(ref, "spare", SIZE // 512),))
    ctx = Context(house.catalog, arrays={"ET1": array}, clock=house.clock)
    assert plan_restore(ctx, house.desk, wanted(target="spare")).target.ref == ref


def test_an_unused_backup_volume_is_reserved(house: TapeHouse) -> None:
    plan = restore(house.context(), house.desk, wanted(target="bv14", confirm=""))
    assert plan.target.reserve
    assert house.file(14).read_bytes() == house.contents["NEW"]
    with house.catalog.read() as records:
        (row,) = records.allocations(bvs=[house.ref(14)])
    assert (row.tv, row.copy_type) == (house.ref(1), None)
    restore(house.context(), house.desk, wanted(target="bv14", generation=2, confirm=""))
    assert house.file(14).read_bytes() == house.contents["MID"]


def test_a_backup_volume_under_generation_management_is_refused(house: TapeHouse) -> None:
    assert "generation management" in refused("volume_reserved", house, target="bv11").message


def test_a_backup_volume_of_unknown_content_is_refused(house: TapeHouse) -> None:
    from dataclasses import replace

    with house.catalog.begin() as records:
        (row,) = records.volumes([house.ref(14)])
        records.put_volumes([replace(row, unknown=True)])
    refused("volume_reserved", house, target="bv14")


@pytest.mark.rule("R6.4a")
def test_another_policys_volume_is_refused(house: TapeHouse) -> None:
    ref = house.volume(2, Role.TRANSACTION, "redolog")
    with house.catalog.begin() as records:
        records.put_policies([Policy(ref, 1)])
    refused("role_conflict", house, target="redolog", confirm="redolog")


def test_a_target_of_another_size_is_refused(house: TapeHouse) -> None:
    house.volume(15, Role.BACKUP, "large", size=2 * SIZE)
    refused("size_mismatch", house, target="large")
    ref = house.volume(40, None, "spare", size=MIB)
    refused("size_mismatch", house, target=ref.device_id)


def test_a_running_session_by_the_catalog_refuses(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.allocate([Allocation(house.ref(14), house.ref(1), CopyType.EC, START)])
    assert "executing or equivalent" in refused("busy", house).message
    with house.catalog.begin() as records:
        records.set_suspended([house.ref(14)], START)
    restore(house.context(), house.desk, wanted())


@pytest.mark.rule("R6.4")
@pytest.mark.parametrize("state", [SessionState.EXECUTING, SessionState.EQUIVALENT])
def test_a_running_session_by_the_array_refuses(house: TapeHouse, state: SessionState) -> None:
    session = Session(house.ref(1), house.ref(14), CopyType.EC, state)
    refused("busy", house, Context(house.catalog, arrays={"ET1": OneArray(session)}, clock=house.clock))


def test_suspended_sessions_do_not_refuse(house: TapeHouse) -> None:
    session = Session(house.ref(1), house.ref(11), CopyType.EC, SessionState.SUSPENDED)
    ctx = Context(house.catalog, arrays={"ET1": OneArray(session)}, clock=house.clock)
    assert plan_restore(ctx, house.desk, wanted()).backup.id == "NEW"


def test_a_volume_on_which_another_operation_works_is_busy(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.take_leases([f"volume:{house.ref(1)}"], "other", house.clock.now(), 120.0)
    assert "other" in refused("busy", house).message


def test_a_missing_cartridge_refuses_before_anything_is_written(house: TapeHouse) -> None:
    for barcode in ("A1", "A2"):
        (house.path / "library" / barcode).rename(house.path / barcode)
    refused("no_cartridge", house)


@pytest.mark.rule("R6.5a")
def test_a_broken_restore_leaves_a_marker_that_a_good_one_clears(house: TapeHouse) -> None:
    part = house.tape("NEW").parts[0]
    file = house.bed.file(part.barcode, part.data_file)
    flip(file, 1000)
    with pytest.raises(BackupError) as caught:
        restore(house.context(), house.desk, wanted())
    assert caught.value.error_class.value == "checksum_mismatch"
    assert "undefined" in caught.value.unchanged
    assert caught.value.changed
    (marker,) = markers(house)
    assert (marker.volume, marker.backup_id) == (house.ref(1), "NEW")
    with house.catalog.read() as records:
        assert not records.leases()
        assert any(one.suspect for one in records.cartridges())
    restore(house.context(), house.desk, wanted(generation=2))
    assert not markers(house)
    assert house.file(1).read_bytes() == house.contents["MID"]


def test_a_restore_that_dies_leaves_the_marker(house: TapeHouse) -> None:
    import os

    child = os.fork()
    if child == 0:
        house.desk.library.load = lambda *_args: os._exit(9)
        restore(house.context(owner="dead"), house.desk, wanted())
        os._exit(0)
    os.waitpid(child, 0)
    assert [marker.volume for marker in markers(house)] == [house.ref(1)]
    with pytest.raises(BackupError, match="volume:"):
        restore(house.context(), house.desk, wanted())
    house.clock.sleep(121)
    restore(house.context(), house.desk, wanted())
    assert not markers(house)


def test_a_copy_that_was_found_different_is_used_last(house: TapeHouse) -> None:
    from dataclasses import replace

    good = house.tape("NEW")
    house.change("NEW", verified_ok=False)
    with house.catalog.begin() as records:
        records.put_tape_copy("NEW", replace(good, number=2, verified_ok=None))
    assert plan_restore(house.context(), house.desk, wanted()).copy.number == 2


def test_a_volume_that_is_read_is_no_target(house: TapeHouse) -> None:
    restore(house.context(), house.desk, wanted(target="bv14"))
    with house.catalog.begin() as records:
        records.add_reader(Reader(house.ref(14), "NEW", ReaderPurpose.RESTORE, "other", START))
    refused("volume_reserved", house, target="bv14")


def test_the_target_keeps_its_size_and_gets_nothing_beyond(house: TapeHouse) -> None:
    ref = house.volume(40, None, "spare")
    house.bed.volume(ref.device_id, noise(SIZE, 99))
    restore(house.context(), house.desk, wanted(target=ref.device_id))
    assert house.file(40).stat().st_size == SIZE
