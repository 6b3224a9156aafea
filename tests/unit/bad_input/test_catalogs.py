# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a catalog's URL may lead to instead of a catalog: every module says so, and leaves it as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

#: A call of each module that opens a catalog, which would do something in the world of these tests.
CALLS: dict[str, dict[str, Any]] = {
    "eternus_backup": {"volumes": ["tv"]},
    "eternus_backup_info": {},
    "eternus_catalog": {"state": "exported", "path": "export.json"},
    "eternus_generation": {"volumes": ["tv"], "state": "held", "backup_ids": ["x"]},
    "eternus_policy": {"policies": [{"volume": "tv", "generations": 1, "media": "disk"}]},
    "eternus_reconcile": {},
    "eternus_restore": {"volume": "tv", "confirm": "tv"},
    "eternus_restore_test": {"backup_id": "x", "volume": "tv", "target": "free"},
    "eternus_sync": {"volumes": ["tv"]},
    "eternus_volume": {"volumes": ["tv"], "role": "transaction"},
    "tape_cartridge": {"barcodes": ["WK0001L8"], "pool": "weekly"},
    "tape_copy": {},
    "tape_info": {},
    "tape_pool": {"names": ["weekly"]},
    "tape_restore": {"volume": "tv", "confirm": "tv"},
    "tape_verify": {},
}

#: Those that make a catalog where there is none: there, that is the first thing to do.
MAKERS = ("eternus_volume", "tape_pool")
#: Those that would make one, and find before that there is nothing to do it for.
EARLY = {"eternus_policy": "not_registered", "tape_cartridge": "no_cartridge"}


def _garbage(path: Path) -> None:
    path.write_bytes(b"SQLite format 4\0" + bytes(range(256)) * 64)


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE eternus_schema (id INTEGER, version TEXT)")
        db.execute("INSERT INTO eternus_schema VALUES (1, 'many')")
        db.commit()


ODD: dict[str, Callable[[Path], object]] = {"a directory": Path.mkdir, "no database": _garbage, "another's": _other}


def _shown(path: Path) -> object:
    return sorted(path.iterdir()) if path.is_dir() else path.read_bytes()


@pytest.mark.parametrize("odd", list(ODD))
@pytest.mark.parametrize("module", list(CALLS))
def test_what_is_no_catalog_is_named_and_left_as_it_was(place: Any, tmp_path: Path, module: str, odd: str) -> None:
    path = tmp_path / "catalog.db"
    ODD[odd](path)
    path.chmod(0o700 if path.is_dir() else 0o600)
    before = _shown(path)
    given = place.world.arguments(module, **CALLS[module]) | {"catalog_url": f"sqlite:///{path}"}
    called = place.calls.call(module, given)
    assert called["result"].get("error_class") in ("catalog_unavailable", "catalog_schema"), called["text"]
    assert str(path) in called["result"]["msg"]
    assert "Traceback" not in called["text"]
    assert _shown(path) == before


@pytest.mark.parametrize("module", [name for name in CALLS if name not in MAKERS])
def test_a_catalog_that_is_not_there_is_named_and_a_wrong_url_makes_none(
    place: Any, tmp_path: Path, module: str
) -> None:
    path = tmp_path / "catalog.db"
    given = place.world.arguments(module, **CALLS[module]) | {"catalog_url": f"sqlite:///{path}"}
    called = place.calls.call(module, given)
    assert called["result"].get("error_class") == EARLY.get(module, "catalog_unavailable"), called["text"]
    assert module in EARLY or str(path) in called["result"]["msg"]
    assert not path.exists()
