# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs that are killed, the rest: restores from disk, cancelling, moving the catalog (behaviour.md §2, §6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.eternus.backup.tests.fault.crash import Workflow
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.workflows_disk import cycle, history, site, states
from ansible_collections.eternus.backup.tests.fault.workflows_tape import nothing_more, to_tape, with_tape
from ansible_collections.eternus.backup.tests.fault.world import SIZE, World

#: A restore takes half a second.
RATE = 2 * SIZE


def _restorable(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2"], suspend=True)
    world.array.create_volume("spare", SIZE)
    cycle(world, ledger, "tv")
    ledger.restored["tv"] = ledger.versions["tv"][0].sha256


def _elsewhere(world: World, ledger: Ledger) -> None:
    _restorable(world, ledger)
    ledger.restored["spare"] = ledger.restored.pop("tv")


def _pair(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2"])
    cycle(world, ledger, "tv")
    world.done("eternus_sync", volumes=["tv"])


def _several(world: World, ledger: Ledger) -> None:
    site(world, ledger, ["tv"], ["bv1", "bv2", "bv3"], suspend=True, generations=2)
    for _cycle in range(3):
        cycle(world, ledger, "tv")
    world.done("eternus_sync", volumes=["tv"])


def _no_session(world: World, _ledger: Ledger) -> list[str]:
    return [f"tv has sessions in the states {found}" for found in [states(world, "tv")] if found]


def _moving(world: World, ledger: Ledger) -> None:
    """A catalog was exported, and is lost."""
    with_tape(world, ledger, ["A0"])
    cycle(world, ledger, "tv")
    to_tape(world, ledger)
    world.done("eternus_catalog", state="exported", path=str(world.directory / "export"))
    for file in _files(world):
        file.unlink()


def _replacing(world: World, ledger: Ledger) -> None:
    """A catalog was exported, and has changed since in what an import may take back."""
    with_tape(world, ledger, ["A0"])
    cycle(world, ledger, "tv")
    to_tape(world, ledger)
    world.done("eternus_catalog", state="exported", path=str(world.directory / "export"))
    world.done("tape_pool", name="monthly", kind="scratch")


def _files(world: World) -> Sequence[Path]:
    return sorted((world.directory / "state").glob("catalog.db*"))


def _whole(world: World, ledger: Ledger) -> list[str]:
    with world.records() as records:
        assert records is not None
        pools = [pool.name for pool in records.pools()]
    found = [f"there are the pools {pools}"] if pools != ["weekly"] else []
    return found + [f"{len(history(world, 'tv'))} backups" for _one in [0] if not history(world, "tv")]


def _exported(world: World, _ledger: Ledger) -> list[str]:
    place = world.directory / "out" / "export"
    return [] if place.is_file() else ["there is no export"]


def _exporting(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, ["A0"])
    cycle(world, ledger, "tv")
    (world.directory / "out").mkdir()


_BACK = {"volume": "tv", "confirm": "tv", "key": "night"}
_IMPORT = {"state": "imported", "path": "{world}/export", "trust": True}

REST = (
    Workflow("restore", _restorable, "eternus_restore", _BACK, nothing_more, copy_rate=RATE),
    Workflow(
        "restore_elsewhere",
        _elsewhere,
        "eternus_restore",
        {"volume": "tv", "target": "spare", "key": "night"},
        nothing_more,
        writes=("tv",),
        copy_rate=RATE,
    ),
    Workflow("cancel", _pair, "eternus_sync", {"volumes": ["tv"], "state": "cancelled"}, _no_session, writes=("tv",)),
    Workflow(
        "cancel_all",
        _several,
        "eternus_sync",
        {"volumes": ["tv"], "state": "cancelled", "all": True},
        _no_session,
        writes=("tv",),
    ),
    Workflow("catalog_import", _moving, "eternus_catalog", _IMPORT, _whole, writes=("tv",), always=False),
    Workflow("catalog_import_force", _replacing, "eternus_catalog", {**_IMPORT, "force": True}, _whole, writes=("tv",)),
    Workflow(
        "catalog_export",
        _exporting,
        "eternus_catalog",
        {"state": "exported", "path": "{world}/out/export"},
        _exported,
        writes=("tv",),
    ),
)
