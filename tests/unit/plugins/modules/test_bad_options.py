# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that make no sense are refused before anything is asked or opened, and by name (behaviour.md §4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

ARRAY = {"host": "array.invalid", "username": "backup", "password": "SECRET-IN-OPTIONS"}
RESTORE = {**ARRAY, "volume": "oradata", "confirm": "oradata"}
TAPE = {"volume": "oradata", "confirm": "oradata", "library": "/nonexistent"}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("eternus_info", {**ARRAY, "host": "https://array.invalid"}),
        ("eternus_info", {**ARRAY, "host": "backup:SECRET-IN-OPTIONS@array.invalid"}),
        ("eternus_info", {**ARRAY, "host": ""}),
        ("eternus_info", {**ARRAY, "username": " "}),
        ("eternus_sync", {**ARRAY, "wait_timeout": "nan"}),
        ("eternus_sync", {**ARRAY, "poll_interval": "inf"}),
        ("eternus_sync", {**ARRAY, "backup_volumes": ["bv1"]}),
        ("eternus_sync", {**ARRAY, "all": True}),
        ("eternus_restore", {**RESTORE, "at": ""}),
        ("eternus_restore", {**RESTORE, "backup_id": ""}),
        ("eternus_restore", {**RESTORE, "target": ""}),
        ("tape_restore", {**TAPE, "at": ""}),
        ("tape_restore", {**TAPE, "backup_id": ""}),
        ("eternus_backup_info", {"catalog_url": "postgresql+psycopg://u:SECRET-IN-OPTIONS@[::1/db"}),
    ],
)
def test_an_option_that_makes_no_sense_is_invalid_option(module: str, options: dict[str, Any], tmp_path: Path) -> None:
    Path(tmp_path / "library").mkdir()
    url = f"sqlite:///{tmp_path}/catalog.db"
    made = run_module("tape_pool", {"catalog_url": url, "names": ["p"], "kind": "private"})
    assert not made["failed"], made
    more = {"library": str(tmp_path / "library")} if "library" in options else {}
    catalog = {} if module == "eternus_info" else {"catalog_url": url}
    result = run_module(module, {**catalog, **options, **more})
    assert result["failed"], result
    assert result["error_class"] == "invalid_option", result
    assert result["next_step"]
    assert "SECRET-IN-OPTIONS" not in result["msg"]


def test_a_wrong_catalog_never_passes_for_nothing_to_copy(tmp_path: Path) -> None:
    result = run_module("tape_copy", {"catalog_url": f"sqlite:///{tmp_path}/catalog.db", "library": str(tmp_path)})
    assert result["failed"]
    assert result["error_class"] == "catalog_unavailable"
    assert list(tmp_path.iterdir()) == []
