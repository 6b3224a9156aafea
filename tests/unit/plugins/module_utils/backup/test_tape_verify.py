# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tape copies are read as a whole, and the result is kept with its date (behaviour.md §5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import in_service
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk, tape_lease
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_places import ensure_exported
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import TapeAction, TapeStep
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_verify import (
    ToVerify,
    by_cartridge,
    verify_tapes,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapePart, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import FaultyLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import START, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Return a house with three backups, oldest first; the second spans A1 and A2."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2", capacity=8 * MIB)
    for number, name in enumerate(("B1", "B2", "B3")):
        house.backup(name, 11 + number, age=3 - number)
    house.copy()
    return house


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def verify(house: TapeHouse, *, check: bool = False, library: Any = None, **wanted: Any) -> Result:
    desk = replace(house.desk, library=library) if library else house.desk
    return verify_tapes(house.context(check=check), desk, ToVerify(**wanted))


def read(result: Result) -> list[str]:
    return [one["backup_id"] for one in result.values["copies"]]


def failed(house: TapeHouse, **wanted: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        verify(house, **wanted)
    return caught.value


@pytest.mark.rule("R10.16")
def test_all_copies_are_read_and_the_result_is_kept_with_its_date(house: TapeHouse) -> None:
    result = verify(house)
    assert result.changed
    assert read(result) == ["B1", "B2", "B3"]
    for name in ("B1", "B2", "B3"):
        assert (house.tape(name).verified_at, house.tape(name).verified_ok) == (START, True)


def test_check_mode_says_what_would_be_read_and_reads_nothing(house: TapeHouse) -> None:
    before = house.everything()
    dry = verify(house, check=True)
    assert dry.changed
    assert house.everything() == before
    done = verify(house)
    assert read(dry) == read(done)
    assert (dry.before, dry.after) == (done.before, done.after)


def test_max_age_leaves_out_what_was_found_equal_since_and_only_that(house: TapeHouse) -> None:
    verify(house, backups=("B1", "B2"))
    house.change("B2", verified_ok=False)
    house.clock.seconds += 3600
    assert read(verify(house, max_age=timedelta(hours=2))) == ["B2", "B3"]
    again = verify(house, max_age=timedelta(hours=2))
    assert (again.changed, read(again)) == (False, [])
    assert read(verify(house, max_age=timedelta(minutes=30))) == ["B1"]


def test_a_limit_takes_what_was_read_the_longest_time_ago(house: TapeHouse) -> None:
    nights = []
    for _night in range(4):
        house.clock.seconds += 1
        nights += read(verify(house, limit=1))
    assert nights == ["B1", "B2", "B3", "B1"]
    assert failed(house, limit=-1).error_class.value == "invalid_option"


@pytest.mark.rule("R10.16")
def test_a_flipped_bit_is_told_with_the_others_read_and_its_cartridge_is_suspect(house: TapeHouse) -> None:
    flip(house.bed.file("A1", 2), 5)
    error = failed(house)
    assert error.error_class.value == "checksum_mismatch"
    assert error.changed
    assert [one["verified_ok"] for one in error.details["copies"]] == [False, True, True]
    assert house.tape("B1").verified_ok is False
    with house.catalog.read() as records:
        assert not in_service(records.cartridges(barcodes=["A1"])[0])


def test_a_copy_that_is_away_is_told_with_where_it_is_and_fails_only_where_it_is_named(house: TapeHouse) -> None:
    ensure_exported(house.context(), house.bed.library, ["A2"], "the safe")
    result = verify(house)
    assert read(result) == ["B1"]
    place = {"barcode": "A2", "place": "in import/export"}
    away = {one["backup_id"]: one["cartridges"] for one in result.values["away"]}
    assert away == {"B2": [place], "B3": [place]}
    assert len(result.warnings) == 2
    (house.path / "library" / "import_export" / "A2").rename(house.path / "A2")
    told = verify(house).values["away"][0]["cartridges"]
    assert told == [{"barcode": "A2", "place": "exported 2026-01-05, kept in the safe"}]
    for wanted in ({"backups": ("B1", "B3")}, {"barcodes": ("A1",)}):
        error = failed(house, **wanted)
        assert error.error_class.value == "no_cartridge"
        assert "the safe" in error.message
        assert [one["backup_id"] for one in error.details["copies"]] == ["B1"], "the others are read all the same"
    assert house.tape("B3").verified_ok is None


def test_what_is_named_must_be_there(house: TapeHouse) -> None:
    assert failed(house, backups=("B1", "nope")).error_class.value == "no_such_backup"
    assert failed(house, barcodes=("Z1",)).error_class.value == "no_cartridge"
    assert failed(house, volumes=("nope",)).error_class.value == "not_registered"
    assert read(verify(house, volumes=("oradata",), limit=1)) == ["B1"]
    assert read(verify(house, barcodes=("A2",))) == ["B2", "B3"]


def test_what_another_task_reads_is_passed_over_unless_it_is_named(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.take_leases([tape_lease("B1", 1)], "another", START, 60.0)
    assert read(verify(house)) == ["B2", "B3"]
    assert failed(house, backups=("B1",)).error_class.value == "busy"


def test_copies_are_read_as_they_lie_so_that_a_cartridge_is_fetched_once(house: TapeHouse) -> None:
    library = FaultyLibrary(house.bed.library)
    verify(house, library=library)
    order = [barcode for barcode, _drive in library.drives]
    changes = [barcode for number, barcode in enumerate(order) if number == 0 or order[number - 1] != barcode]
    assert changes == ["A1", "A2"]


def test_a_library_that_is_away_is_told(house: TapeHouse, tmp_path: Path) -> None:
    with pytest.raises(BackupError) as caught:
        verify_tapes(house.context(), TapeDesk(type(house.bed.library)(str(tmp_path / "nowhere"))), ToVerify())
    assert caught.value.error_class.value == "tape_unavailable"


runs = st.lists(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3, unique=True), max_size=8)


@given(runs=runs, loaded=st.sets(st.sampled_from("ABCD")))
def test_every_copy_has_its_place_in_the_order_and_those_of_one_cartridge_stand_together(
    runs: list[list[str]], loaded: set[str]
) -> None:
    steps = []
    for number, barcodes in enumerate(runs):
        parts = tuple(TapePart(n, barcode, 2 + 3 * number, n, 1, "x") for n, barcode in enumerate(barcodes))
        copy = TapeCopy(number, TapeState.WRITTEN, "weekly", START, parts=parts)
        steps.append(TapeStep(None, copy, TapeAction.VERIFY, verify=True))  # type: ignore[arg-type]
    ordered = by_cartridge(steps, loaded)
    assert sorted(one.copy.number for one in ordered) == list(range(len(runs)))
    firsts = [one.copy.parts[0].barcode for one in ordered]
    changes = [one for number, one in enumerate(firsts) if number == 0 or firsts[number - 1] != one]
    assert len(changes) == len(set(changes))
