# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done, in whatever order: a tape copy that the catalog calls written is on tape (§5, R9.17)."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._backup.recycling import release_emptied
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_present,
    ensure_relabelled,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_marks import (
    ensure_absent,
    ensure_in_service,
    ensure_retired,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_places import ensure_exported, ensure_imported
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents, read_contents
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, TrippingDrive, TrippingLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse

BARCODES = ("A1", "A2", "S1")
DAY = timedelta(days=1)
NAMES = st.integers(0, 3)
CODES = st.sampled_from(BARCODES)
COMMON = st.one_of(
    st.tuples(st.sampled_from(["rewrite", "rewrite", "copy", "forget"]), NAMES),
    st.tuples(st.just("fill"), st.none()),
    st.tuples(st.just("wait"), st.integers(0, 2)),
)
RARE = st.one_of(
    st.tuples(st.just("killed"), st.integers(1, 12)),
    st.tuples(
        st.sampled_from(
            ["relabel", "move", "absent", "present", "retire", "serve", "export", "import", "protect", "unprotect"]
        ),
        CODES,
    ),
)
ACTIONS = st.one_of(COMMON, COMMON, RARE)


class Killed(BaseException):
    """The process ends here, and says nothing to anybody."""


def _killed() -> None:
    raise Killed


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    made = TapeHouse(tmp_path_factory.mktemp("template"))
    made.cartridges("A1", "A2", capacity=12 * MIB)
    made.bed.library.create({"S1": 12 * MIB})
    for number in range(4):
        made.backup(f"B{number}", 11 + number, pool=("weekly", "spare")[number % 2], age=9 - number)
    made.copy()
    return made


def change(house: TapeHouse, barcode: str, **changes: object) -> None:
    with house.catalog.begin() as records:
        for row in records.cartridges(barcodes=[barcode]):
            records.put_cartridge(replace(row, **changes))  # type: ignore[arg-type]


def act(house: TapeHouse, action: str, what: object) -> None:
    ctx, library = house.context(), house.bed.library
    if action in ("copy", "rewrite"):
        if action == "rewrite":
            act(house, "forget", what)
        house.copy(backups=[f"B{what}"])
    elif action == "killed":
        TrippingDrive.count, TrippingDrive.at, TrippingDrive.trip = 0, int(str(what)), staticmethod(_killed)
        with suppress(Killed):
            house.copy(desk=replace(house.desk, library=TrippingLibrary(library.path)))
        house.clock.sleep(600)
    elif action == "forget":
        with house.catalog.begin() as records:
            records.remove_tape_copies(f"B{what}", [1])
            release_emptied(records, house.clock.now())
    elif action == "wait":
        house.clock.sleep(int(str(what)) * 86400)
    elif action == "fill":
        for barcode in BARCODES:
            change(house, barcode, full=True)
    elif action == "unprotect":
        change(house, str(what), protected_until=None)
    elif action == "protect":
        change(house, str(what), protected_until=house.clock.now() + DAY)
    else:
        code = [str(what)]
        {
            "relabel": lambda: ensure_relabelled(ctx, library, code, "", force=True),
            "move": lambda: ensure_present(ctx, library, code, "spare", force=True),
            "absent": lambda: ensure_absent(ctx, code),
            "present": lambda: ensure_present(ctx, library, code, "weekly", force=False),
            "retire": lambda: ensure_retired(ctx, code),
            "serve": lambda: ensure_in_service(ctx, code),
            "export": lambda: ensure_exported(ctx, library, code, "the safe"),
            "import": lambda: ensure_imported(ctx, library, code),
        }[action]()


def look(house: TapeHouse) -> dict[str, Contents]:
    """Return what is on the cartridges, wherever they are."""
    found = {}
    for barcode in BARCODES:
        with suppress(BackupError), house.bed.library.load(barcode, "test") as drive:
            contents = read_contents(drive)
            if isinstance(contents, Contents):
                found[barcode] = contents
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@example(actions=[("fill", None), ("rewrite", 0)])
@example(actions=[("forget", 2), ("protect", "A1"), ("fill", None), ("rewrite", 0)])
@given(actions=st.lists(ACTIONS, min_size=3, max_size=12))
def test_what_the_catalog_calls_written_is_on_tape_and_nothing_protected_was_written_over(
    template: TapeHouse, actions: list[tuple[str, object]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        house = template.clone(Path(place))
        house.clock.seconds = 0.0
        for action, what in actions:
            before = look(house)
            with house.catalog.read() as records:
                protected = [
                    one.barcode
                    for one in records.cartridges()
                    if one.protected_until is not None and one.protected_until > house.clock.now()
                ]
            with suppress(BackupError):
                act(house, action, what)
            after = look(house)
            for barcode in protected:
                if barcode in before and barcode in after:
                    assert after[barcode].label == before[barcode].label, (action, barcode)
                    assert after[barcode].entries[: len(before[barcode].entries)] == before[barcode].entries
        with house.catalog.read() as records:
            backups = records.backups()
        for barcode in BARCODES:
            with suppress(BackupError):
                ensure_imported(house.context(), house.bed.library, [barcode])
        for backup in backups:
            if any(copy.state is TapeState.WRITTEN for copy in backup.tape):
                house.copy(backups=[backup.id], verify=True)
                assert house.tape(backup.id).verified_ok is True
        house.catalog.close()
