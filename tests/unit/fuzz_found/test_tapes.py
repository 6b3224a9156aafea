# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cartridges that a fuzzer found: what is damaged is said to be so, at once (make fuzz, tape_text and tape_library)."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Label, label_bytes, parse_label
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.fuzz.targets import target

LABEL = label_bytes(Label("A1", "u", "weekly", datetime(2026, 1, 5, tzinfo=timezone.utc)))


@pytest.mark.parametrize("moment", [b"null", b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"', b'"noon"'])
def test_a_label_without_a_time_that_can_be_told_is_suspect(moment: bytes) -> None:
    with pytest.raises(BackupError) as caught:
        parse_label(LABEL.replace(b'"2026-01-05T00:00:00Z"', moment), "A1")
    assert caught.value.error_class is ErrorClass.SUSPECT_CARTRIDGE


def library(place: Path, name: str, **changes: Any) -> VirtualLibrary:
    made = VirtualLibrary(str(place / "library"))
    made.create({"A1": 1 << 20})
    file = place / "library" / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return made


@pytest.mark.parametrize("drives", [0, -1, 2**31, True, "2", None, 1.5])
def test_a_library_with_an_impossible_number_of_drives_is_damaged(tmp_path: Path, drives: Any) -> None:
    with pytest.raises(BackupError) as caught:
        library(tmp_path, "library.json", drives=drives).inventory()
    assert caught.value.error_class is ErrorClass.TAPE_UNAVAILABLE


@pytest.mark.parametrize(
    "damage",
    [
        {"block_size": 0},
        {"block_size": -1},
        {"files": -1},
        {"files": 500},
        {"files": 10**12},
        {"capacity": "1"},
        {"early_warning": None},
    ],
)
def test_a_cartridge_with_impossible_numbers_is_suspect(tmp_path: Path, damage: dict[str, Any]) -> None:
    damaged = library(tmp_path, "A1/cartridge.json", **damage)
    assert damaged.inventory().slot("A1") is not None
    with pytest.raises(BackupError) as caught, damaged.load("A1", "test"):
        pass
    assert caught.value.error_class is ErrorClass.SUSPECT_CARTRIDGE


@pytest.mark.parametrize("name", ["tape_text", "tape_library"])
def test_real_labels_and_cartridges_pass_their_fuzzer(tmp_path: Path, name: str) -> None:
    subject = target(name)
    (tmp_path / "made").mkdir()
    subject.prepare(tmp_path)
    for seed in subject.seeds(tmp_path / "made").values():
        subject.one(seed)
