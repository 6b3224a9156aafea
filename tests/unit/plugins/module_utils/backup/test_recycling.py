# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cartridge is written over only when nothing on it lives, and never before its days have passed (§1, §5, §9)."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import (
    explain,
    recyclable,
    release_emptied,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.relabelling import successor
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_supply import candidates
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Cartridge,
    PoolKind,
    TapeCopy,
    TapePart,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import DriveStatus, Inventory, Slot
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual_drive import VirtualDrive
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, TrippingDrive, TrippingLibrary, die
from ansible_collections.eternus.backup.tests.unit.support.tape_house import START, TapeHouse

DAY = timedelta(days=1)
WRITTEN = Cartridge("A1", "u", "weekly", START, 16 * MIB, 3 * MIB, 4)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    return TapeHouse(tmp_path_factory.mktemp("template"))


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def row(house: TapeHouse, barcode: str = "A1") -> Cartridge:
    with house.catalog.read() as records:
        return records.cartridges(barcodes=[barcode])[0]


def mark(house: TapeHouse, barcode: str, **changes: Any) -> None:
    with house.catalog.begin() as records:
        records.put_cartridge(replace(row(house, barcode), **changes))


def forget(house: TapeHouse, *names: str) -> None:
    """Let the tape copies of backups go, as retention does."""
    with house.catalog.begin() as records:
        for name in names:
            records.remove_tape_copies(name, [1])


def used_up(house: TapeHouse, barcode: str = "A1", **changes: Any) -> str:
    """Write a backup on a cartridge, fill the cartridge, and let the backup's copy go; return the label's uuid."""
    house.cartridges(barcode)
    house.backup("old", 11, age=1)
    house.copy()
    forget(house, "old")
    mark(house, barcode, full=True, protected_until=None, **changes)
    return row(house, barcode).uuid


def refused(error_class: str, house: TapeHouse) -> BackupError:
    with pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == error_class
    return caught.value


@pytest.mark.rule("R10.6")
@pytest.mark.parametrize(
    ("changes", "living", "free"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"full": True, "bytes_written": 0, "files": 1}, False, True),
        ({"bytes_written": 0, "files": 1}, False, False),
        ({"labelled_at": None}, False, False),
        ({"suspect": "it is worn"}, False, False),
        ({"retired": True}, False, False),
        ({"exported_at": START}, False, False),
        ({"unknown": True}, False, False),
        ({"protected_until": START + DAY}, False, False),
        ({"protected_until": START}, False, True),
        ({"protected_until": START - DAY}, True, False),
    ],
)
def test_recyclable_is_what_was_written_and_is_dead_and_known_and_in_service_and_past_its_days(
    changes: dict[str, Any], living: bool, free: bool
) -> None:
    assert recyclable(replace(WRITTEN, **changes), living, START) is free


def test_a_dead_full_cartridge_is_labelled_anew_with_another_uuid_and_written_from_the_beginning(
    house: TapeHouse,
) -> None:
    old = used_up(house)
    house.backup("new", 12)
    house.copy(verify=True)
    label = house.bed.contents("A1").label
    assert label.uuid == row(house).uuid == successor(old) != old
    assert (label.pool, label.barcode) == ("weekly", "A1")
    assert [entry.header.backup_id for entry in house.bed.contents("A1").entries] == ["new"]
    assert (row(house).full, row(house).files, row(house).capacity) == (False, 4, 16 * MIB)
    assert house.tape("new").verified_ok is True


@pytest.mark.rule("R10.6")
def test_a_cartridge_is_never_written_over_before_its_days_have_passed(house: TapeHouse) -> None:
    old = used_up(house)
    mark(house, "A1", protected_until=START + DAY)
    house.backup("new", 12)
    refused("cartridge_full", house)
    house.clock.sleep(DAY.total_seconds() - 1)
    refused("cartridge_full", house)
    assert house.bed.contents("A1").label.uuid == old
    house.clock.sleep(1)
    house.copy()
    assert house.bed.contents("A1").label.uuid == successor(old)


@pytest.mark.rule("R10.8")
@pytest.mark.parametrize(
    "changes", [{"retired": True}, {"suspect": "it is worn"}, {"exported_at": START}, {"unknown": True}]
)
def test_what_is_retired_suspect_away_or_unexplained_is_not_written_over(
    house: TapeHouse, changes: dict[str, Any]
) -> None:
    old = used_up(house, **changes)
    house.backup("new", 12)
    refused("cartridge_full" if "unknown" in changes else "no_cartridge", house)
    assert house.bed.contents("A1").label.uuid == old


def test_dead_bytes_beside_a_living_copy_do_not_let_its_cartridge_be_written_over(house: TapeHouse) -> None:
    house.cartridges("A1")
    for number, name in enumerate(("one", "two")):
        house.backup(name, 11 + number, age=2 - number)
    house.copy()
    forget(house, "one")
    mark(house, "A1", full=True)
    house.backup("new", 13)
    refused("cartridge_full", house)
    assert [entry.header.backup_id for entry in house.bed.contents("A1").entries] == ["one", "two"]


@pytest.mark.parametrize("state", [TapeState.WRITING, TapeState.QUEUED, TapeState.WRITTEN])
def test_a_part_of_a_copy_that_is_not_whole_yet_lives(house: TapeHouse, state: TapeState) -> None:
    old = used_up(house)
    part = TapePart(0, "A1", 2, 0, MIB, "")
    with house.catalog.begin() as records:
        records.put_tape_copy("old", TapeCopy(2, state, "elsewhere", START, owner="dead:1", parts=(part,)))
    house.backup("new", 12)
    with pytest.raises(BackupError):
        house.copy(backups=["new"])
    assert house.bed.contents("A1").label.uuid == old


def test_a_tape_that_holds_more_than_the_catalog_knows_is_not_written_over(house: TapeHouse) -> None:
    """The catalog was brought back from an older export: what was written since may live."""
    house.cartridges("A1")
    house.backup("one", 11, age=2)
    house.copy()
    before = row(house)
    house.backup("two", 12, age=1)
    house.copy()
    forget(house, "one", "two")
    with house.catalog.begin() as records:
        records.put_cartridge(replace(before, full=True))
    house.backup("new", 13)
    refused("cartridge_full", house)
    assert row(house).unknown and row(house).uuid == before.uuid
    assert len(house.bed.contents("A1").entries) == 2


def test_begun_comes_before_empty_before_dead_before_blank_and_idle_in_a_drive_before_its_equals() -> None:
    known = [
        replace(WRITTEN, barcode="begun"),
        replace(WRITTEN, barcode="dead", full=True),
        replace(WRITTEN, barcode="dead-too", full=True),
        replace(WRITTEN, barcode="empty", bytes_written=0, files=1),
        replace(WRITTEN, barcode="freed", pool=""),
        replace(WRITTEN, barcode="kept", pool="", files=9),
        replace(WRITTEN, barcode="other", pool="other"),
        replace(WRITTEN, barcode="used", bytes_written=9 * MIB),
    ]
    drives = {"dead-too": "d0", "used": "d1"}
    slots = [Slot(one.barcode, drives.get(one.barcode, "")) for one in known]
    slots += [Slot("blank"), Slot("outside", outside=True), Slot("CLN001L1", cleaning=True)]
    inventory = Inventory(tuple(slots), (DriveStatus("d0", "dead-too"), DriveStatus("d1", "used", "me")))
    recycle = {"dead", "dead-too", "freed", "other"}
    scratch = TapePool("weekly", PoolKind.SCRATCH, START)
    found = candidates(scratch, known, inventory, frozenset(), recycle)
    assert found == ("begun", "empty", "dead-too", "dead", "freed", "blank", "used")
    private = replace(scratch, kind=PoolKind.PRIVATE)
    assert candidates(private, known, inventory, frozenset(), recycle) == ("begun", "empty", "dead-too", "dead", "used")
    apart = replace(private, append=False)
    assert candidates(apart, known, inventory, frozenset({"dead"}), recycle) == ("empty", "dead-too")
    assert candidates(apart, known, inventory, frozenset(), {"begun"}) == ("empty", "begun")


@pytest.mark.rule("R10.11")
def test_in_a_pool_that_does_not_append_each_copy_begins_on_an_empty_cartridge(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.put_pool(replace(records.pools(["weekly"])[0], append=False))
    house.cartridges("A1", "A2")
    for number, name in enumerate(("one", "two", "three")):
        house.backup(name, 11 + number, age=3 - number)
    error = refused("cartridge_full", house)
    assert "A1: begun, and the pool does not append" in error.message
    assert [{part.barcode for part in house.tape(name).parts} for name in ("one", "two")] == [{"A1"}, {"A2"}]
    forget(house, "one")
    mark(house, "A1", protected_until=None)
    house.copy()
    assert {part.barcode for part in house.tape("three").parts} == {"A1"}
    assert [entry.header.backup_id for entry in house.bed.contents("A1").entries] == ["three"]


@pytest.mark.rule("R10.7")
@pytest.mark.rule("R1.12")
def test_a_scratch_cartridge_leaves_with_its_last_backup_and_serves_another_pool_while_private_ones_stay(
    house: TapeHouse,
) -> None:
    with house.catalog.begin() as records:
        records.put_pool(TapePool("other", PoolKind.SCRATCH, START))
    house.cartridges("P1")
    house.bed.library.create({"S1": 16 * MIB})
    house.backup("old", 11, pool="spare", age=2)
    house.backup("mine", 12, age=1)
    house.copy()
    assert (row(house, "S1").pool, row(house, "P1").pool) == ("spare", "weekly")
    old = row(house, "S1").uuid
    forget(house, "old", "mine")
    mark(house, "S1", protected_until=START + DAY)
    house.copy()
    assert row(house, "S1").pool == "spare", "its days have not passed"
    house.clock.sleep(DAY.total_seconds())
    house.copy(check=True)
    assert row(house, "S1").pool == "spare", "check mode changes nothing"
    house.copy()
    assert (row(house, "S1").pool, row(house, "P1").pool) == ("", "weekly")
    assert house.bed.contents("S1").label.uuid == old, "it stays labelled until it is needed"
    house.backup("new", 13, pool="other")
    house.copy(verify=True)
    assert (row(house, "S1").pool, row(house, "S1").uuid) == ("other", successor(old))
    assert house.bed.contents("S1").label.pool == "other"


def test_while_a_copy_is_written_into_a_scratch_pool_no_cartridge_leaves_it(house: TapeHouse) -> None:
    house.bed.library.create({"S1": 16 * MIB})
    house.backup("old", 11, pool="spare", age=1)
    house.copy()
    forget(house, "old")
    mark(house, "S1", protected_until=None)
    house.backup("new", 12, pool="spare")
    now = house.clock.now()
    with house.catalog.begin() as records:
        records.claim_tape_copy("new", 1, "other:1", now, 120.0)
        assert release_emptied(records, now) == ()
        assert [one.barcode for one in release_emptied(records, now + DAY)] == ["S1"]


class MeanwhileLibrary(VirtualLibrary):
    """A library in which something happens between the decision for a cartridge and its loading, once."""

    def __init__(self, path: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(path)
        self._todo = [meanwhile]

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[VirtualDrive]:
        while self._todo:
            self._todo.pop()()
        with super().load(barcode, owner) as drive:
            yield drive


def test_whoever_comes_late_to_a_dead_cartridge_finds_that_something_lives_on_it_again(house: TapeHouse) -> None:
    used_up(house)
    house.backup("first", 12, age=1)
    house.backup("second", 13)
    library = MeanwhileLibrary(house.bed.library.path, lambda: house.copy(backups=["first"]))
    house.copy(desk=replace(house.desk, library=library), backups=["second"])
    # Begun by the first meanwhile: the second is behind it, or nowhere, and never in its place.
    house.copy(verify=True)
    assert house.tape("first").verified_ok is True and house.tape("second").verified_ok is True


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda house: mark(house, "A1", retired=True),
        lambda house: mark(house, "A1", protected_until=house.clock.now() + DAY),
        lambda house: mark(house, "A1", unknown=True),
        lambda house: mark(house, "A1", pool="spare"),
    ],
    ids=["retired", "protected", "unknown", "another pool"],
)
def test_what_became_of_a_dead_cartridge_meanwhile_is_seen_with_its_drive_held(
    house: TapeHouse, meanwhile: Callable[[TapeHouse], object]
) -> None:
    old = used_up(house)
    house.backup("new", 12)
    library = MeanwhileLibrary(house.bed.library.path, lambda: meanwhile(house))
    with pytest.raises(BackupError):
        house.copy(desk=replace(house.desk, library=library))
    assert house.bed.contents("A1").label.uuid == old


def _copy_and_die(house: TapeHouse, write: int) -> None:
    house.catalog = open_catalog(house.url)
    TrippingDrive.count, TrippingDrive.at, TrippingDrive.trip = 0, write, staticmethod(die)
    house.copy(desk=replace(house.desk, library=TrippingLibrary(house.bed.library.path)))


@pytest.mark.parametrize("write", [1, 2, 3, 4, 6])
def test_a_process_that_dies_while_it_writes_over_a_cartridge_is_followed_by_the_next_one(
    house: TapeHouse, write: int
) -> None:
    old = used_up(house)
    house.backup("new", 12)
    child = multiprocessing.get_context("fork").Process(target=_copy_and_die, args=(house, write))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert row(house).uuid == successor(old)
    house.clock.sleep(1000)
    house.copy(verify=True)
    assert house.tape("new").verified_ok is True
    assert not row(house).suspect


def test_a_relabelling_that_was_intended_is_not_finished_on_a_cartridge_that_was_swapped(house: TapeHouse) -> None:
    used_up(house)
    mark(house, "A1", uuid="intended", labelled_at=None, full=False, bytes_written=0, files=0)
    house.backup("new", 12)
    refused("suspect_cartridge", house)
    assert [entry.header.backup_id for entry in house.bed.contents("A1").entries] == ["old"]


def _work(url: str, house: TapeHouse, number: int) -> None:
    with closing(open_catalog(url)) as house.catalog:
        try:
            house.copy(owner=f"worker-{number}")
        except BackupError:
            return  # busy, or full: whoever is left goes on


def test_many_processes_on_few_dead_cartridges_lose_nothing(house: TapeHouse) -> None:
    """Four processes, two drives: whatever they write over and behind each other, what is written is whole."""
    barcodes = ("A1", "A2", "A3")
    house.cartridges(*barcodes, capacity=9 * MIB)
    for number, name in enumerate(("old1", "old2")):
        house.backup(name, 11 + number, age=10 - number)
    house.copy()
    forget(house, "old1", "old2")
    with house.catalog.begin() as records:
        records.drop_disk(["old1", "old2"])
    for barcode in barcodes:
        mark(house, barcode, full=True, files=max(row(house, barcode).files, 1), protected_until=None)
    for round_ in range(2):
        names = [f"new{round_}{number}" for number in range(2)]
        for number, name in enumerate(names):
            house.backup(name, 11 + 2 * round_ + number, age=5 - round_)
        house.catalog.close()
        workers = [
            multiprocessing.get_context("fork").Process(target=_work, args=(house.url, house, number))
            for number in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        house.catalog = open_catalog(house.url)
        house.clock.sleep(1000)
        house.copy(verify=True)
    for name in ("new00", "new01", "new10", "new11"):
        assert house.tape(name).verified_ok is True, name
    assert not any(row(house, barcode).suspect for barcode in barcodes)


def test_what_is_adopted_from_a_scan_explains_a_cartridge_and_what_is_not_keeps_it_unknown(house: TapeHouse) -> None:
    """As many parts in the history as on the tape: three files each, behind the label."""
    house.cartridges("A1")
    house.backup("one", 11, age=2)
    house.backup("two", 12, age=1)
    house.copy()
    copies = {name: house.tape(name) for name in ("one", "two")}
    forget(house, "one", "two")
    mark(house, "A1", unknown=True)
    for name, unknown in (("one", True), ("two", False)):
        with house.catalog.begin() as records:
            records.put_tape_copy(name, copies[name])
            explain(records, ["A1"])
        assert row(house).unknown is unknown
