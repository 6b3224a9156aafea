# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire for a task, and who needs whom (DESIGN.md, "Where things run" and "One picture")."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.unit.support.payload import (
    MODULES,
    UTILS,
    reachable,
    shipped_bytes,
    source_bytes,
)

KB = 1024
ALL = sorted(MODULES.glob("*.py"))
FLOOR = {"_errors.py", "_options.py", "_result.py", "_waiter.py"}


def _packages(file: Path) -> set[str]:
    return {one.relative_to(UTILS).parts[0] for one in reachable(file)}


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_a_module_ships_at_most_110_kb_if_it_reads_130_if_it_does_tape_without_an_array_200_else(file: Path) -> None:
    tape = file.stem.startswith("tape_") and UTILS / "_array" / "wbem.py" not in reachable(file)
    # Narrow reads of a long history, and answers taken apart as they come, are 10 KB that save much more each task.
    most = 110 if file.stem.endswith("_info") else 130 if tape else 200
    shipped = shipped_bytes(file)
    assert shipped <= most * KB, f"{file.stem}: {shipped} bytes of {source_bytes(file)} of source"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_a_module_never_needs_more_than_520_kb_of_source(file: Path) -> None:
    assert source_bytes(file) <= 520 * KB


def test_what_every_module_needs_imports_no_adapter() -> None:
    assert _packages(UTILS / "_module.py") == FLOOR


@pytest.mark.parametrize("name", ["eternus_policy", "tape_pool", "tape_info", "tape_copy"])
def test_a_module_without_an_array_ships_no_array_client(name: str) -> None:
    values = {"_array/model.py", "_array/interface.py"}
    if name == "eternus_policy":  # reads what an array said that it can do, as the catalog keeps it
        values |= {"_array/mapping.py", "_array/cim.py"}
    reached = {one.relative_to(UTILS).as_posix() for one in reachable(MODULES / f"{name}.py")}
    assert {one for one in reached if one.startswith("_array/")} <= values
    assert not [one for one in reached if "import pywbem" in (UTILS / one).read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", ["_array", "_catalog", "_tape"])
def test_adapters_know_neither_each_other_nor_the_engine(name: str) -> None:
    values = {"_array/model.py"}  # the catalog remembers volumes
    for file in (UTILS / name).glob("*.py"):
        strangers = {
            one.relative_to(UTILS).as_posix()
            for one in reachable(file)
            if one.parent.name in {"_array", "_catalog", "_tape", "_backup"} - {name}
        }
        assert strangers <= values, f"{file.name} imports {sorted(strangers - values)}"
