# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue of tape legs (behaviour.md §5): many processes, one queue; and what becomes of a borrowed BV (§3)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import default_owner
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskState,
    JournalEntry,
    StepState,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, START, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2")
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


class Meddling(VirtualLibrary):
    """Between plan and claim, when the leg looks at the library, something happens; once."""

    def __init__(self, path: str, happens: Callable[[], object]) -> None:
        super().__init__(path)
        self._happens = [happens]

    def inventory(self):
        if self._happens:
            self._happens.pop()()
        return super().inventory()


def meddle(house: TapeHouse, happens: Callable[[], object]):
    return replace(house.desk, library=Meddling(house.bed.library.path, happens))


def borrow(house: TapeHouse, name: str, bv: int, **changes) -> None:
    """Turn a backup's disk copy into one that is only borrowed for tape, on a BV without a session."""
    values = {"copy_type": CopyType.OPC, "suspended_at": None, **changes}
    with house.catalog.begin() as records:
        records.allocate([Allocation(house.ref(bv), house.ref(1), allocated_at=START, **values)])
    house.backup(name, bv, state=DiskState.BORROWED)


def bound(house: TapeHouse, bv: int) -> bool:
    with house.catalog.read() as records:
        return bool(records.allocations(bvs=[house.ref(bv)]))


def fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def dead_owner() -> str:
    """Return the owner that a process of this host was, which lives no more."""
    read, write = os.pipe()
    os.waitpid(fork(lambda: os.write(write, default_owner().encode())), 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        return pipe.read()


def claim(house: TapeHouse, name: str, owner: str) -> None:
    with house.catalog.begin() as records:
        records.claim_tape_copy(name, 1, owner, house.clock.now(), 120.0)


def test_the_queue_is_written_oldest_first(house: TapeHouse) -> None:
    house.backup("B1", 11, age=1)
    house.backup("B2", 12, age=2)
    assert [copy["backup_id"] for copy in house.copy().values["copies"]] == ["B2", "B1"]


def test_what_is_queued_while_a_leg_is_written_is_taken_too(house: TapeHouse) -> None:
    house.backup("B1", 11, age=1)
    done = house.copy(desk=meddle(house, lambda: house.backup("B2", 12)))
    assert [copy["backup_id"] for copy in done.values["copies"]] == ["B1", "B2"]


def test_a_limit_ends_the_work_early(house: TapeHouse) -> None:
    house.backup("B1", 11, age=1)
    house.backup("B2", 12)
    assert [copy["backup_id"] for copy in house.copy(limit=1).values["copies"]] == ["B1"]
    assert house.tape("B2").state is TapeState.QUEUED


def test_a_negative_limit_is_refused(house: TapeHouse) -> None:
    with pytest.raises(BackupError) as caught:
        house.copy(limit=-1)
    assert caught.value.error_class.value == "invalid_option"


@pytest.mark.rule("R5.2a")
def test_a_leg_that_another_process_takes_first_is_passed_over(house: TapeHouse) -> None:
    house.backup("B1", 11, age=1)
    house.backup("B2", 12)
    done = house.copy(desk=meddle(house, lambda: claim(house, "B1", "other:1")))
    assert [copy["backup_id"] for copy in done.values["copies"]] == ["B2"]
    assert house.tape("B1").owner == "other:1"


def test_a_leg_that_another_process_ends_meanwhile_is_passed_over(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    done = house.copy(desk=meddle(house, lambda: house.copy(owner="other:1")))
    assert done.values["copies"] == []
    assert house.tape("B1").state is TapeState.WRITTEN


@pytest.mark.parametrize("verify", [False, True])
def test_several_processes_write_each_leg_once(house: TapeHouse, verify: bool) -> None:
    names = ["B1", "B2", "B3", "B4"]
    for number, name in enumerate(names):
        house.backup(name, 11 + number)
    house.catalog.close()

    def drain(owner: str) -> None:
        house.catalog = open_catalog(house.url)
        try:
            house.copy(verify=verify, owner=owner)
        except BackupError as error:
            assert error.error_class is ErrorClass.BUSY  # the other's cartridge: the leg has gone back to the queue

    children = [fork(partial(drain, owner)) for owner in ("one", "two")]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    house.copy(verify=verify)  # what went back to the queue, its cartridge being in the other's drive
    assert [house.tape(name).state for name in names] == [TapeState.WRITTEN] * 4
    written = [entry.header.backup_id for barcode in ("A1", "A2") for entry in house.bed.contents(barcode).entries]
    assert sorted(written) == names
    assert all(house.tape(name).verified_ok for name in names) == verify
    assert not house.readers()


@pytest.mark.rule("R9.11")
def test_a_leg_of_a_process_that_died_on_this_host_is_taken_at_once(house: TapeHouse) -> None:
    house.backup("B1", 11)
    claim(house, "B1", dead_owner())
    assert house.copy().changed
    assert house.tape("B1").state is TapeState.WRITTEN


@pytest.mark.rule("R9.11")
def test_a_leg_of_another_host_is_taken_when_its_lease_has_run_out(house: TapeHouse) -> None:
    house.backup("B1", 11)
    claim(house, "B1", "tape02:77:1234:4026531836-00000000")
    assert not house.copy().changed
    house.clock.sleep(121)
    assert house.copy().changed
    assert house.tape("B1").state is TapeState.WRITTEN


def test_failed_legs_are_left_alone_when_asked(house: TapeHouse) -> None:
    house.backup("B1", 11)
    house.change("B1", state=TapeState.FAILED, error="x")
    assert not house.copy(retry_failed=False).changed
    assert house.copy().changed


def test_a_leg_that_failed_in_another_process_meanwhile_is_left_alone(house: TapeHouse) -> None:
    house.backup("B1", 11, age=1)
    house.backup("B2", 12)

    def fail() -> None:
        house.clock.sleep(1)
        house.change("B2", state=TapeState.FAILED, started_at=house.clock.now())

    assert [copy["backup_id"] for copy in house.copy(desk=meddle(house, fail)).values["copies"]] == ["B1"]
    assert house.tape("B2").state is TapeState.FAILED


def test_a_copy_that_somebody_else_verifies_is_passed_over(house: TapeHouse) -> None:
    house.backup("B1", 11)
    house.copy()
    with house.catalog.begin() as records:
        records.take_leases(["tape:B1:1"], "other:1", house.clock.now(), 120.0)
    assert house.copy(verify=True).values["copies"] == []


def test_a_cartridge_that_is_in_no_drive_is_preferred(house: TapeHouse) -> None:
    house.backup("B1", 11)
    with house.bed.library.load("A1", "another job"):
        house.copy()
    assert [part.barcode for part in house.tape("B1").parts] == ["A2"]


def test_two_copies_of_a_backup_never_share_a_cartridge_that_another_drive_has_just_left(house: TapeHouse) -> None:
    house.backup("B1", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("B1", TapeCopy(2, TapeState.QUEUED, "weekly", START, bytes_total=SIZE))
    loads: list[str] = []

    class Left(VirtualLibrary):
        """Before the second copy gets its cartridge, the first one is written there by another process."""

        def load(self, barcode, owner):
            if not loads:
                loads.append(barcode)
                house.copy(owner="other:1", limit=1)
            return super().load(barcode, owner)

    claim(house, "B1", "other:0")  # so that the process of this test takes the second copy
    with house.catalog.begin() as records:
        records.drop_leases(records.leases())
        house_copy = records.backups(ids=["B1"])[0].tape[0]
        records.put_tape_copy("B1", replace(house_copy, state=TapeState.FAILED, started_at=START.replace(year=2027)))
    house.copy(desk=replace(house.desk, library=Left(house.bed.library.path)))
    first, second = (house.get("B1").tape[number].parts for number in (0, 1))
    assert {part.barcode for part in first}.isdisjoint(part.barcode for part in second)


def test_a_backup_volume_has_no_tape_copies_of_its_own(house: TapeHouse) -> None:
    house.backup("B1", 11)
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.copy(volumes=["bv11"])
    assert caught.value.error_class.value == "role_conflict"
    assert house.everything() == before


def test_a_new_copy_is_not_claimed_when_its_disk_copy_began_to_go(house: TapeHouse) -> None:
    house.backup("B1", 11, tape=False)

    def leave() -> None:
        with house.catalog.begin() as records:
            records.set_disk_leaving(["B1"])

    with pytest.raises(BackupError) as caught:
        house.copy(backups=["B1"], desk=meddle(house, leave))
    assert caught.value.error_class.value == "no_such_generation"
    assert house.get("B1").tape == ()


def test_a_new_copy_that_another_process_made_meanwhile_is_busy(house: TapeHouse) -> None:
    house.backup("B1", 11, tape=False)
    with pytest.raises(BackupError) as caught:
        house.copy(backups=["B1"], desk=meddle(house, lambda: house.copy(backups=["B1"], owner="other:1")))
    assert caught.value.error_class.value == "busy"
    assert house.tape("B1").state is TapeState.WRITTEN


@pytest.mark.rule("R5.2c")
def test_a_failed_leg_of_a_disk_copy_that_leaves_is_not_written(house: TapeHouse) -> None:
    house.backup("B1", 11)
    house.change("B1", state=TapeState.FAILED)
    with house.catalog.begin() as records:
        records.set_disk_leaving(["B1"])
    assert not house.copy().changed


@pytest.mark.rule("R3.5", "R3.10", "R5.3")
@pytest.mark.rule("R3.5")
def test_a_borrowed_volume_is_written_then_freed(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    assert bound(house, 11)
    house.copy()
    assert house.tape("B1").state is TapeState.WRITTEN
    assert house.get("B1").disk is None
    assert not bound(house, 11)


@pytest.mark.rule("R3.10a")
def test_a_borrowed_volume_stays_until_the_last_copy_is_written(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    with house.catalog.begin() as records:
        records.put_tape_copy("B1", TapeCopy(2, TapeState.QUEUED, "weekly", START, bytes_total=SIZE))
    house.copy(limit=1)
    assert house.get("B1").disk.state is DiskState.BORROWED
    assert bound(house, 11)
    house.copy()
    assert house.get("B1").disk is None
    assert not bound(house, 11)


@pytest.mark.rule("R3.10a")
def test_a_failed_leg_keeps_the_borrowed_volume_until_it_is_run_again(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    house.bed.library.create({"Z1": MIB})
    for barcode in ("A1", "A2"):
        (house.path / "library" / barcode / "00000").unlink()
    with pytest.raises(BackupError):
        house.copy()
    assert house.tape("B1").state is TapeState.FAILED
    assert house.get("B1").disk.state is DiskState.BORROWED
    assert bound(house, 11)
    house.cartridges("A3")
    house.copy()
    assert not bound(house, 11)


@pytest.mark.parametrize(
    ("copy_type", "suspended_at"), [(CopyType.EC, START), (CopyType.QUICK_OPC, None)], ids=["suspended", "tracked"]
)
def test_a_session_keeps_a_borrowed_volume_bound(house: TapeHouse, copy_type: CopyType, suspended_at) -> None:
    borrow(house, "B1", 11, copy_type=copy_type, suspended_at=suspended_at)
    house.copy()
    assert house.get("B1").disk is None
    assert bound(house, 11)


def test_a_journalled_step_keeps_a_borrowed_volume_bound(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    bv = house.ref(11)
    payload = {"bv": [bv.array, bv.device_id], "copy_type": "OPC"}
    entry = JournalEntry("J1", "O1", "stop", house.ref(1), payload, StepState.INTENDED, START)
    with house.catalog.begin() as records:
        records.intend([entry])
    house.copy()
    assert house.get("B1").disk is None
    assert bound(house, 11)


@pytest.mark.rule("R3.10")
def test_what_is_borrowed_is_no_generation(house: TapeHouse) -> None:
    borrow(house, "B1", 11)
    backup: Backup = house.get("B1")
    assert not backup.good_on_disk
    assert backup.whole_on_disk
