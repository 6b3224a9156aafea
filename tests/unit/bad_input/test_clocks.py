# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clocks that jump, the product's and the array's alike (behaviour.md §2, §4): the order of backups stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.fault.ledger import Ledger
from ansible_collections.eternus.backup.tests.fault.workflows_disk import cycle, history, site, states
from ansible_collections.eternus.backup.tests.fault.world import Crash, World

DAY = 86400.0


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[World]:
    """Two generations of tv, taken under the keys a and b."""
    world = World.template(tmp_path_factory.mktemp("clocks") / "world", tls=certificates)
    try:
        ledger = Ledger()
        site(world, ledger, ["tv"], ["bv1", "bv2", "bv3"], generations=2)
        cycle(world, ledger, "tv", key="a")
        world.later(60)
        cycle(world, ledger, "tv", key="b")
        world.stop()
        yield world
    finally:
        world.remove()


@pytest.fixture
def world(origin: World, tmp_path: Path) -> Iterator[World]:
    made = World(origin.directory).clone(tmp_path / "world")
    try:
        yield made
    finally:
        made.remove()


def keys(world: World) -> list[str]:
    """Return the keys of the generations on disk, newest first."""
    return [backup.key for backup in history(world, "tv") if backup.good_on_disk]


@pytest.mark.parametrize("jump", [-DAY, -400 * DAY, 366 * DAY])
def test_after_a_clock_has_jumped_a_new_backup_is_the_newest_and_the_oldest_goes(world: World, jump: float) -> None:
    world.later(jump)
    world.done("eternus_sync", volumes=["tv"])
    world.done("eternus_backup", volumes=["tv"], key="c")
    assert keys(world) == ["c", "b"]
    moments = [backup.point_in_time for backup in history(world, "tv")]
    assert moments == sorted(set(moments), reverse=True)


def test_a_clock_a_year_ahead_lets_no_generation_on_disk_go(world: World) -> None:
    world.later(366 * DAY)
    assert not world.done("eternus_generation", state="expired", volumes=["tv"])["changed"]
    assert keys(world) == ["b", "a"]


def test_the_lease_of_a_dead_task_hinders_nobody_after_the_clock_went_back(world: World) -> None:
    world.done("eternus_sync", volumes=["tv"])
    assert world.call("eternus_sync", {"volumes": ["tv"], "state": "cancelled"}, crash=Crash(4, "after")).killed
    world.later(-30 * DAY)
    assert world.done("eternus_sync", volumes=["tv"], state="cancelled")["changed"]
    assert states(world, "tv") == []
