# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs that are killed, those with tape: copies, restores, labels, retention (behaviour.md §5, §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.fault.crash import Workflow, note
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.workflows_disk import cycle, history, site
from ansible_collections.eternus.backup.tests.fault.world import MIB, World

#: Half a volume fits on the smaller cartridge: each copy spans two at least.
SMALL, LARGE = 3 * MIB, 32 * MIB


def with_tape(world: World, ledger: Ledger, cartridges: Sequence[str], capacity: int = LARGE, **policy: Any) -> None:
    """Make a site whose backups go to the pool ``weekly``, with these cartridges."""
    pool = {"kind": policy.pop("kind", "private"), "append": policy.pop("append", True)}
    world.done("tape_pool", name="weekly", **pool)
    VirtualLibrary(str(world.library)).create(dict.fromkeys(cartridges, capacity))
    world.done("tape_cartridge", barcodes=list(cartridges), pool="weekly")
    site(world, ledger, ["tv"], ["bv1", "bv2", "bv3"], **{"media": "both", "tape_pool": "weekly", **policy})


def to_tape(world: World, ledger: Ledger) -> None:
    """Write what waits, and take it down as done."""
    world.done("tape_copy", volumes=["tv"])
    ledger.report(world)


def all_written(count: int = 1) -> Any:
    """Expect that the newest backup has so many tape copies, all written."""

    def missing(world: World, _ledger: Ledger) -> list[str]:
        copies = history(world, "tv")[0].tape
        found = [f"tape copy {copy.number} is {copy.state.value}" for copy in copies if copy.state != TapeState.WRITTEN]
        return found if len(copies) == count else [f"there are {len(copies)} tape copies, wanted {count}"]

    return missing


def nothing_more(_world: World, _ledger: Ledger) -> list[str]:
    """Expect nothing besides the invariants."""
    return []


def _two_copies(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, [f"A{number}" for number in range(8)], SMALL, tape_copies=2)
    cycle(world, ledger, "tv", key="before")


def _appended(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, ["A0"])
    cycle(world, ledger, "tv")
    to_tape(world, ledger)
    cycle(world, ledger, "tv")


def _borrowed(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, ["A0", "A1"], media="tape", suspend=True)
    cycle(world, ledger, "tv")
    to_tape(world, ledger)
    cycle(world, ledger, "tv")


def _tape_only(world: World, ledger: Ledger) -> None:
    """Nothing is borrowed yet."""
    with_tape(world, ledger, ["A0"], media="tape", method="tape_only")


def _queued(world: World, _ledger: Ledger) -> list[str]:
    found = [backup for backup in history(world, "tv") if backup.key == "night" and backup.whole_on_disk]
    return [] if len(found) == 1 else [f"{len(found)} backups wait for tape, wanted 1"]


def _waiting_drop(world: World, ledger: Ledger) -> None:
    """Two backups, one generation: the older waits for tape before its BV is given back."""
    with_tape(world, ledger, ["A0", "A1"])
    cycle(world, ledger, "tv")
    cycle(world, ledger, "tv")


def _on_tape(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, [f"A{number}" for number in range(4)], SMALL)
    cycle(world, ledger, "tv")
    to_tape(world, ledger)
    ledger.restored["tv"] = ledger.versions["tv"][0].sha256


def _expiring(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, ["A0", "A1", "A2"], kind="scratch", append=False, tape_generations=1)
    for _cycle in range(3):
        cycle(world, ledger, "tv")
        to_tape(world, ledger)
    ledger.gone_tape += [backup.id for backup in history(world, "tv")[1:]]


def _expired(world: World, _ledger: Ledger) -> list[str]:
    found = [backup for backup in history(world, "tv") if backup.good_on_tape]
    return [] if len(found) == 1 else [f"{len(found)} backups are on tape, wanted 1"]


def _recyclable(world: World, ledger: Ledger) -> None:
    with_tape(world, ledger, ["A0", "A1"], append=False)
    for _cycle in range(2):
        cycle(world, ledger, "tv")
        to_tape(world, ledger)
    (old,) = history(world, "tv")[1:]
    world.done("eternus_generation", backup_ids=[old.id], state="absent", media="both")
    ledger.gone_tape.append(old.id)
    ledger.gone_disk.append(old.id)
    note(world, barcodes=sorted({part.barcode for copy in old.tape for part in copy.parts}))


def _empty_labels(world: World, _ledger: Ledger) -> list[str]:
    with world.records() as records:
        assert records is not None
        mine = [one for one in records.cartridges() if one.barcode.startswith("A")]
    written = {part.barcode for backup in history(world, "tv") for copy in backup.tape for part in copy.parts}
    return [f"{one.barcode} has {one.files} files" for one in mine if one.barcode not in written and one.files > 1]


def _shelf(world: World, _ledger: Ledger) -> None:
    world.done("tape_pool", name="weekly", kind="private")
    world.done("tape_cartridge", barcodes=["A0"], pool="weekly", capacity=LARGE)


def _labelled(world: World, _ledger: Ledger) -> list[str]:
    with world.records() as records:
        assert records is not None
        found = {one.barcode for one in records.cartridges() if one.pool == "weekly"}
    return [f"{barcode} is in no pool" for barcode in ("A0", "B0", "B1") if barcode not in found]


def _deleting(world: World, ledger: Ledger, **policy: Any) -> None:
    with_tape(world, ledger, ["A0"], generations=2, **policy)
    for _cycle in range(2):
        cycle(world, ledger, "tv")
        to_tape(world, ledger)
    old = history(world, "tv")[1].id
    ledger.gone_disk.append(old)
    ledger.gone_tape.append(old)
    note(world, backup_ids=[old])


def _deleted(world: World, ledger: Ledger) -> list[str]:
    left = [backup.id for backup in history(world, "tv") if backup.id in ledger.gone_disk]
    return [f"{ident} is still in the history" for ident in left]


_TV = {"volumes": ["tv"]}
_BACK = {"volume": "tv", "confirm": "tv", "key": "night"}

TAPE = (
    Workflow("tape_copy", _two_copies, "tape_copy", _TV, all_written(2), writes=("tv",)),
    Workflow("tape_append", _appended, "tape_copy", {**_TV, "verify": True}, all_written(), writes=("tv",)),
    Workflow("tape_borrowed", _borrowed, "tape_copy", _TV, all_written(), writes=("tv",)),
    Workflow("tape_waiting_drop", _waiting_drop, "tape_copy", _TV, all_written(), writes=("tv",)),
    Workflow("backup_tape_only", _tape_only, "eternus_backup", {**_TV, "key": "night"}, _queued, writes=("tv",)),
    Workflow("tape_restore", _on_tape, "tape_restore", _BACK, nothing_more),
    Workflow("delete", _deleting, "eternus_generation", {"state": "absent"}, _deleted, writes=("tv",)),
    Workflow(
        "delete_suspended",
        lambda world, ledger: _deleting(world, ledger, suspend=True),
        "eternus_generation",
        {"state": "absent"},
        _deleted,
        writes=("tv",),
    ),
    Workflow("retention", _expiring, "eternus_generation", {"state": "expired"}, _expired, writes=("tv",)),
    Workflow("relabel", _recyclable, "tape_cartridge", {"state": "relabelled"}, _empty_labels),
    Workflow(
        "label",
        _shelf,
        "tape_cartridge",
        {"barcodes": ["B0", "B1"], "pool": "weekly", "capacity": LARGE},
        _labelled,
    ),
)
