# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog that many arrays share: a run reads what lies near its volumes, and plans as if it had read everything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup import synchronize, take
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.near import BeyondSight
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import observe, refresh
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest, plan_backup
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_start import plan_start
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import Plan
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media, Method, Policy, Role
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

NAMES = ("a0", "a1", "a2")
METHODS = (Method.SYNCHRONIZED, Method.SYNCHRONIZED, Method.SNAPSHOT, Method.DIFFERENTIAL, Method.AUTO)


def connected_to_one(house: House) -> Context:
    """Return the context of a process that is connected to ET1 alone; what the others offer is known."""
    offers = {serial: array.capabilities() for serial, array in house.arrays.items()}
    return replace(house.context(), arrays={"ET1": house.arrays["ET1"]}, offers=offers)


@st.composite
def policies(draw: st.DrawFn, bvs: Sequence[str]) -> dict[str, Any]:
    """Return a policy for a volume that may pin some of these BVs, on whichever array."""
    return {
        "pinned": draw(st.lists(st.sampled_from(bvs), max_size=2, unique=True)) if bvs else [],
        "sync_slot": draw(st.sampled_from(["", "", "one"])),
        "suspend": draw(st.booleans()),
        "method": draw(st.sampled_from(METHODS)),
        "generations": draw(st.integers(1, 2)),
    }


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Return what is declared and done, in order, on three arrays."""
    bvs = {name: f"ET{1 + number % 3}" for number, name in enumerate(f"b{n}" for n in range(draw(st.integers(0, 9))))}
    tvs = {**dict.fromkeys(NAMES, "ET1"), "x0": "ET2", "x1": "ET3"}
    told: list[tuple[str, Any]] = [
        ("bv", (name, array, draw(st.sampled_from([8, 8, 8, 9])))) for name, array in bvs.items()
    ]
    told += [("tv", (name, array, draw(policies(sorted(bvs))))) for name, array in tvs.items()]
    acts = st.tuples(st.sampled_from(["start", "backup", "cancel"]), st.sampled_from(sorted(tvs)))
    return told + draw(st.lists(acts, max_size=8))


def lived(house: House, told: Sequence[tuple[str, Any]]) -> None:
    """Do all of it, by a process that is connected to every array; what is refused is left out."""
    for what, how in told:
        with suppress(BackupError):
            if what == "bv":
                house.volume(how[0], Role.BACKUP, array=how[1], blocks=how[2])
            elif what == "tv":
                house.volume(how[0], Role.TRANSACTION, array=how[1], blocks=8)
                _declared(house, *how)
            elif what == "start":
                house.equivalent(how)
            elif what == "backup":
                house.backup(how)
            else:
                house.cancel(how)
        house.clock.sleep(60)


def _declared(house: House, name: str, _array: str, policy: dict[str, Any]) -> None:
    """Put a policy into the catalog, whatever the arrays offer."""
    pinned = tuple(house.by_name[bv].ref for bv in policy["pinned"])
    with house.catalog.begin() as records:
        records.put_policies([Policy(house.by_name[name].ref, **{**policy, "media": Media.DISK, "pinned": pinned})])


def outcome(plan: Plan) -> tuple[Any, ...]:
    """Return what a plan comes to; of a refused one, which classes."""
    refusals = sorted(refusal.error_class.value for refusal in plan.refusals)
    return (refusals, () if refusals else [repr(step) for step in plan.steps])


@settings(max_examples=150, deadline=None)
@given(histories(), st.sampled_from([NAMES, NAMES[:1]]), st.booleans())
def test_a_plan_from_what_is_near_is_the_plan_from_everything(
    told: list[tuple[str, Any]], names: Sequence[str], drop_untaped: bool
) -> None:
    house = House(Path(), arrays=("ET1", "ET2", "ET3"), memory=True)
    lived(house, told)
    ctx = connected_to_one(house)
    tvs = [house.by_name[name].ref for name in names]
    near = observe(ctx, tvs)
    whole = refresh(ctx, near, None, tvs, wide=True)
    assert near.near == {"ET1"} and whole.near is None

    def starting(world: World) -> Plan:
        return plan_start(world, tvs, drop_untaped=drop_untaped)

    def backing_up(world: World) -> Plan:
        return plan_backup(world, tvs, BackupRequest(drop_untaped=drop_untaped), lambda _now: "new")

    for planned in (starting, backing_up):
        with suppress(BeyondSight):
            assert outcome(planned(near)) == outcome(planned(whole))


def test_where_no_volume_is_left_near_one_of_another_array_is_taken(tmp_path: Path) -> None:
    house = House(tmp_path, arrays=("ET1", "ET2"))
    house.tv("a0", 0)
    house.volume("far", Role.BACKUP, array="ET2")
    started = synchronize.start(connected_to_one(house), ["a0"]).values["synchronizations"][0]
    assert (started["backup_volume"], started["copy_type"]) == ("far", "REC")


def test_check_mode_sees_the_volume_of_another_array_too(tmp_path: Path) -> None:
    house = House(tmp_path, arrays=("ET1", "ET2"))
    house.tv("a0", 0, method="snapshot", generations=1)
    house.volume("far", Role.BACKUP, array="ET2")
    ctx = replace(connected_to_one(house), check_mode=True)
    foreseen = take.take_backup(ctx, ["a0"], BackupRequest()).values["backups"][0]
    assert foreseen["disk"]["backup_volume"] == "far"


def _other_arrays(house: House, volumes: int) -> None:
    """Let another array have so many volumes, each with a policy and half of them with a copy that is being started."""
    refs: list[VolumeRef] = []
    for number in range(volumes):
        refs.append(house.volume(f"x{number}", Role.TRANSACTION, array="ET2").ref)
        house.volume(f"y{number}", Role.BACKUP, array="ET2")
        house.declare(f"x{number}")
    house.start(*(f"x{number}" for number in range(0, volumes, 2)))


@pytest.mark.parametrize("group", ["", "app"])
def test_a_run_reads_no_row_more_however_many_volumes_other_arrays_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    read = Rows._all
    counts: list[int] = []

    def counted(self: Rows, what: Any, where: Any) -> Any:
        found = read(self, what, where)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Rows, "_all", counted)
    figures = []
    for volumes in (2, 40):
        house = House(tmp_path / str(volumes), arrays=("ET1", "ET2"))
        _other_arrays(house, volumes)
        names = ("a0", "a1")
        house.group(*names, bvs=4, group=group)
        counts.clear()
        ctx = connected_to_one(house)
        synchronize.start(ctx, names, wait=synchronize.Wait(1.0, 120.0))
        take.take_backup(ctx, names, BackupRequest())
        figures.append((len(counts), sum(counts)))
    assert figures[0] == figures[1]
