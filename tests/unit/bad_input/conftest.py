# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world of a simulated array, a catalog with a backup in it, and tapes, for whatever the options are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.fault.world import World
from ansible_collections.eternus.backup.tests.unit.bad_input.calls import Calls
from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment

VOLUMES = ["tv", "tv2", "bv1", "bv2", "bv3", "free", "odd"]


class Place:
    """The world, and what runs modules in it."""

    def __init__(self, world: World, calls: Calls, backup: str) -> None:
        self.world, self.calls = world, calls
        self.known: dict[str, list[Any]] = {
            "volume": ["tv", "tv2", "bv1"],
            "volumes": [["tv"], ["tv", "tv2"], ["free"], []],
            "backup_volumes": [["bv1"], []],
            "target": ["tv", "free", "bv2"],
            "backup_id": [backup],
            "backup_ids": [[backup]],
            "backups": [[backup]],
            "tape_pool": ["weekly"],
            "pool": ["weekly"],
            "barcodes": [["WK0001L8"], ["WK0002L8"]],
            "path": [str(world.directory / "export.json"), "../export.json", "a\0b", ""],
            "key": ["job-1", "job-2"],
        }

    @property
    def catalog(self) -> Path:
        """Return the catalog's file."""
        return Path(self.world.url.partition("///")[2])

    def state(self) -> dict[str, Any]:
        """Return all that a refusal, and check mode, leave as it is: all but who held a lease, which is counted."""
        with closing(sqlite3.connect(self.catalog)) as db:
            rows = [row for row in db.iterdump() if not re.search("eternus_(leases|schema)", row)]
        library = self.world.library
        tapes = [
            (str(one.relative_to(library)), one.stat().st_size if one.is_file() else 0)
            for one in sorted(library.rglob("*"))
        ]
        array = self.world.array.state()
        for session in array["sessions"]:
            session.pop("percent_synced", None)
        return {"catalog": rows, "array": array, "tapes": tapes}

    def changes(self, before: Mapping[str, Any]) -> list[str]:
        """Return what is not as it was."""
        after = self.state()
        return [
            f"{name}: {mark} {row}"
            for name, old in before.items()
            for mark, one, other in (("-", old, after[name]), ("+", after[name], old))
            for row in (one if isinstance(one, list) else [*one["volumes"], *one["sessions"]])
            if row not in (other if isinstance(other, list) else [*other["volumes"], *other["sessions"]])
        ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Place]:
    """A world with a backup of tv; ``odd`` is a block larger than the others, ``free`` is not registered."""
    root = tmp_path_factory.mktemp("bad")
    world = World.template(root / "a" / "b" / "c", tls=certificates)
    calls = None
    try:
        world.array.create_volumes(*VOLUMES[:-1], size=1 << 20)
        world.array.create_volume("odd", (1 << 20) + 512)
        (world.library / "WK0001L8").mkdir(parents=True)
        (world.library / "WK0002L8").mkdir()
        world.done("eternus_volume", volumes=["tv", "tv2"], role="transaction")
        world.done("eternus_volume", volumes=["bv1", "bv2", "bv3", "odd"], role="backup")
        world.done("tape_pool", names=["weekly"])
        world.done("tape_cartridge", barcodes=["WK0001L8"], pool="weekly", capacity=20_000_000)
        world.done("eternus_policy", policies=[{"volume": "tv", "generations": 1, "media": "disk"}])
        world.done("eternus_sync", volumes=["tv"])
        backup = world.done("eternus_backup", volumes=["tv"])["backups"][0]["id"]
        world.quiet()
        calls = Calls(module_environment(), world.directory)
        yield Place(world, calls, backup)
    finally:
        if calls is not None:
            calls.close()
        world.remove()
