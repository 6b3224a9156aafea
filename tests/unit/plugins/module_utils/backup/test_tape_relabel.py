# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cartridges are relabelled, retired, exported, imported; what lives is given up by the name of its label (R9.17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_present,
    ensure_relabelled,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_marks import (
    ensure_in_service,
    ensure_retired,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_places import ensure_exported, ensure_imported
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Cartridge
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual_drive import VirtualDrive
from ansible_collections.eternus.backup.tests.unit.support.tape_house import START, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """A house with a backup on A1, and A2 empty."""
    made = TapeHouse(tmp_path_factory.mktemp("template"))
    made.cartridges("A1", "A2")
    made.backup("B1", 11)
    made.copy()
    return made


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def row(house: TapeHouse, barcode: str = "A1") -> Cartridge:
    with house.catalog.read() as records:
        return records.cartridges(barcodes=[barcode])[0]


def mark(house: TapeHouse, barcode: str = "A1", **changes: Any) -> None:
    with house.catalog.begin() as records:
        records.put_cartridge(replace(row(house, barcode), **changes))


def forget(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.remove_tape_copies("B1", [1])


def relabel(
    house: TapeHouse, *barcodes: str, pool: str = "", check: bool = False, library: Any = None, **how: Any
) -> Result:
    return ensure_relabelled(house.context(check=check), library or house.bed.library, barcodes or ["A1"], pool, **how)


def refused(error_class: str, house: TapeHouse, act: Callable[..., Result], *args: Any, **kwargs: Any) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        act(*args, **kwargs)
    assert caught.value.error_class.value == error_class, caught.value
    assert caught.value.next_step
    assert house.everything() == before
    return caught.value


def test_a_cartridge_on_which_nothing_was_written_is_left_and_a_dead_one_gets_a_new_label(house: TapeHouse) -> None:
    assert not relabel(house, "A2").changed
    forget(house)
    mark(house, protected_until=None)
    old, before = row(house).uuid, house.everything()
    dry = relabel(house, "A1", "A2", check=True)
    assert house.everything() == before
    done = relabel(house, "A1", "A2")
    assert done.values["actions"] == dry.values["actions"] == {"A1": "label", "A2": "keep"}
    assert (done.before, done.after) == (dry.before, dry.after)
    assert row(house).uuid == house.bed.contents("A1").label.uuid != old
    assert (row(house).files, row(house).bytes_written, house.bed.contents("A1").entries) == (1, 0, ())
    assert not relabel(house, "A1", "A2").changed


@pytest.mark.rule("R9.17")
def test_a_living_cartridge_is_relabelled_by_its_label_alone(house: TapeHouse) -> None:
    mark(house, protected_until=None)
    uuid = row(house).uuid
    error = refused("confirmation_required", house, relabel, house, force=True)
    assert error.details["uuid"] == uuid
    refused("confirmation_required", house, relabel, house, force_labels=[row(house, "A2").uuid])
    relabel(house, force_labels=[uuid])
    assert house.get("B1").tape == ()
    assert not relabel(house, force_labels=[uuid]).changed, "the new label is not the one that was named"


@pytest.mark.rule("R9.17")
def test_a_dead_cartridge_is_not_relabelled_before_its_days_have_passed_unless_its_label_is_named(
    house: TapeHouse,
) -> None:
    forget(house)
    mark(house, protected_until=house.clock.now() + timedelta(days=1))
    refused("policy_violation", house, relabel, house, force=True)
    refused("policy_violation", house, ensure_present, house.context(), house.bed.library, ["A1"], "spare", force=True)
    house.clock.sleep(86400)
    assert relabel(house, check=True).changed
    house.clock.sleep(-86400)
    assert relabel(house, force_labels=[row(house).uuid]).changed
    assert row(house).protected_until is None


@pytest.mark.rule("R9.17")
def test_what_the_catalog_does_not_explain_is_given_up_by_the_label_on_the_tape(house: TapeHouse) -> None:
    uuid = row(house).uuid
    forget(house)
    with house.catalog.begin() as records:
        records.remove_cartridge("A1")
    refused("confirmation_required", house, relabel, house, pool="weekly", force=True)
    refused("invalid_option", house, relabel, house)
    assert relabel(house, pool="weekly", force_labels=[uuid], check=True).changed
    ensure_present(house.context(), house.bed.library, ["A1"], "weekly", force=False)
    assert row(house).unknown
    refused("confirmation_required", house, relabel, house)
    assert relabel(house, force_labels=[uuid]).changed
    assert not row(house).unknown


def test_a_tape_with_more_parts_than_the_catalog_knows_of_is_given_up_by_its_label(house: TapeHouse) -> None:
    forget(house)
    mark(house, files=1, bytes_written=0, full=True, protected_until=None)
    refused("confirmation_required", house, relabel, house)
    assert relabel(house, force_labels=[row(house).uuid]).changed


def test_retired_and_suspect_cartridges_are_not_relabelled_and_service_takes_both_marks_away(house: TapeHouse) -> None:
    forget(house)
    mark(house, suspect="it is worn", protected_until=None)
    refused("suspect_cartridge", house, relabel, house)
    assert relabel(house, force=True, check=True).changed
    assert ensure_retired(house.context(), ["A1"]).changed
    assert not ensure_retired(house.context(), ["A1"]).changed
    refused("policy_violation", house, relabel, house, force=True)
    kept = ensure_present(house.context(), house.bed.library, ["A1"], "weekly", force=False)
    assert not kept.changed and len(kept.warnings) == 2
    refused("no_cartridge", house, ensure_retired, house.context(), ["Z9"])
    assert ensure_in_service(house.context(), ["A1"]).changed
    assert not ensure_in_service(house.context(), ["A1"]).changed
    assert (row(house).retired, row(house).suspect) == (False, "")
    assert relabel(house).changed


class MeanwhileLibrary(VirtualLibrary):
    """A library in which something happens between the plan's load and that of the act."""

    def __init__(self, path: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(path)
        self._meanwhile, self._loads = meanwhile, 0

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[VirtualDrive]:
        self._loads += 1
        if self._loads == 2:
            self._meanwhile()
        with super().load(barcode, owner) as drive:
            yield drive


@pytest.mark.rule("R9.17")
def test_a_copy_that_is_written_between_the_plan_and_the_act_lives(house: TapeHouse) -> None:
    forget(house)
    mark(house, protected_until=None)
    house.backup("B2", 12)
    library = MeanwhileLibrary(house.bed.library.path, house.copy)
    with pytest.raises(BackupError) as caught:
        relabel(house, library=library)
    assert caught.value.error_class.value in ("confirmation_required", "policy_violation")
    assert {part.barcode for part in house.tape("B2").parts} == {"A1"}
    house.copy(backups=["B2"], verify=True)
    assert house.tape("B2").verified_ok is True


def test_a_cartridge_in_use_is_neither_relabelled_nor_exported(house: TapeHouse) -> None:
    forget(house)
    mark(house, protected_until=None)
    with house.bed.library.load("A1", "other"):
        for act in (
            lambda: relabel(house),
            lambda: ensure_exported(house.context(), house.bed.library, ["A1"]),
        ):
            with pytest.raises(BackupError) as caught:
                act()
            assert caught.value.error_class.value == "busy"
    assert row(house).exported_at is None


@pytest.mark.rule("R10.12")
def test_an_exported_cartridge_is_not_written_and_says_where_it_is(house: TapeHouse) -> None:
    library = house.bed.library
    done = ensure_exported(house.context(), library, ["A1"], "the safe")
    assert (done.values["actions"], done.values["elements"]) == ({"A1": "export"}, {"A1": "import/export"})
    assert (row(house).location, row(house).exported_at) == ("the safe", START)
    assert not ensure_exported(house.context(), library, ["A1"]).changed
    house.backup("B2", 12)
    house.copy()
    assert {part.barcode for part in house.tape("B2").parts} == {"A2"}
    (house.path / "library" / "import_export" / "A1").rename(house.path / "carried")
    assert not ensure_exported(house.context(), library, ["A1"]).changed
    error = refused("no_cartridge", house, ensure_imported, house.context(), library, ["A1"])
    assert "the safe" in error.message
    (house.path / "carried").rename(house.path / "library" / "A1")
    house.backup("B3", 13)
    house.copy()
    assert {part.barcode for part in house.tape("B3").parts} == {"A2"}, "it was brought back by hand, to be read"
    assert ensure_imported(house.context(), library, ["A1"]).values["actions"] == {"A1": "note"}
    assert not ensure_imported(house.context(), library, ["A1"]).changed
    assert (row(house).location, row(house).exported_at) == ("", None)


def test_one_cartridge_that_is_not_there_leaves_all_where_they_are(house: TapeHouse) -> None:
    refused("no_cartridge", house, ensure_exported, house.context(), house.bed.library, ["A1", "Z9"])
    refused("no_cartridge", house, ensure_imported, house.context(), house.bed.library, ["Z9"])


def test_cartridges_that_the_catalog_does_not_know_are_moved_too(house: TapeHouse) -> None:
    house.bed.library.create({"N1": 16 << 20})
    library = house.bed.library
    assert ensure_exported(house.context(check=True), library, ["N1"]).changed
    assert ensure_exported(house.context(), library, ["N1"]).values["actions"] == {"N1": "export"}
    assert not ensure_exported(house.context(), library, ["N1"]).changed
    assert ensure_imported(house.context(), library, ["N1"]).changed
    assert not ensure_imported(house.context(), library, ["N1"]).changed
