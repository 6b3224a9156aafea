# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_restore through its real argument spec, over a simulated array and real bytes (behaviour.md §6)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeCopy, TapePart, TapeState
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented


@pytest.fixture
def backed_up(site: Any) -> Any:
    """Return a site whose tv has one generation and other content since."""
    site.policy("tv")
    site.array.write(site.name("tv"), os.urandom(4096))
    site.backup("tv")
    return site


def test_a_generation_comes_back_onto_its_volume_and_check_mode_writes_nothing(backed_up: Any) -> None:
    site, tv = backed_up, backed_up.name("tv")
    kept = site.array.sha256(tv)
    site.array.write(tv, os.urandom(4096))
    changed, before = site.array.sha256(tv), site.state()
    planned = site.run("eternus_restore", check=True, diff=True, volume=tv, confirm=tv)
    assert planned["changed"] and planned["restore"]["state"] == "planned"
    assert site.state() == before and site.array.sha256(tv) == changed
    done = site.run("eternus_restore", diff=True, volume=tv, confirm=tv)
    assert done["changed"] and done["finished"] and done["diff"] == planned["diff"], done
    assert site.array.sha256(tv) == kept
    assert_documented("eternus_restore", done)
    with site.records() as records:
        assert not records.undefined_targets() and not records.readers()


def test_while_the_copy_runs_the_same_task_again_waits_for_it(backed_up: Any) -> None:
    site, asked = backed_up, {"volume": backed_up.name("tv"), "target": backed_up.name("free")}
    site.array.knobs(copy_rate=64 * 1024)
    started = site.done("eternus_restore", wait_timeout=0, **asked)
    assert started["changed"] and not started["finished"] and started["restore"]["state"] == "executing"
    site.array.knobs(copy_rate=0)
    again = site.done("eternus_restore", **asked)
    assert again["finished"] and site.array.sha256(site.name("free")) == site.array.sha256(site.name("tv"))


def test_a_cancelled_restore_leaves_its_target_marked(backed_up: Any) -> None:
    site, asked = backed_up, {"volume": backed_up.name("tv"), "confirm": backed_up.name("tv")}
    assert site.done("eternus_restore", state="cancelled", **asked)["restore"]["state"] == "none"
    site.array.knobs(copy_rate=1)
    site.done("eternus_restore", wait_timeout=0, **asked)
    before = site.state()["catalog"]
    planned = site.done("eternus_restore", state="cancelled", check=True, **asked)
    assert planned["changed"] and planned["restore"]["state"] == "cancelled" and site.state()["catalog"] == before
    done = site.done("eternus_restore", state="cancelled", **asked)
    assert done["changed"] and not done["finished"] and done["round_trips"] <= 8
    site.refused("target_undefined", "eternus_sync", volumes=site.names("tv"))


def test_an_array_that_refuses_leaves_everything_as_it_was(backed_up: Any) -> None:
    site = backed_up
    site.array.fail("CreateElementReplica", "refuse", code=4, times=100)
    site.refused("array_error", "eternus_restore", volume=site.name("tv"), target=site.name("free"))


def test_what_makes_no_sense_is_refused(backed_up: Any) -> None:
    site, tv = backed_up, backed_up.name("tv")
    assert tv in site.refused("confirmation_required", "eternus_restore", volume=tv)["next_step"]
    site.refused("no_such_generation", "eternus_restore", volume=tv, confirm=tv, generation=2)
    site.refused("no_such_backup", "eternus_restore", volume=tv, confirm=tv, at="2001-01-01T00:00:00Z")
    site.refused("invalid_option", "eternus_restore", volume=tv, confirm=tv, at="last night")
    site.refused("no_such_volume", "eternus_restore", volume=tv, target=site.name("nix"))
    site.refused("size_mismatch", "eternus_restore", volume=tv, target=site.name("big"))


@pytest.mark.parametrize("target", ["tv", "free"])
def test_a_snapshot_comes_back_while_its_own_background_copy_still_runs(site: Any, target: str) -> None:
    tv, onto = site.name("tv"), site.name(target)
    site.policy("tv", method="snapshot")
    site.array.write(tv, os.urandom(4096))
    kept = site.array.sha256(tv)
    site.array.knobs(copy_rate=1)
    site.done("eternus_backup", volumes=[tv])
    site.array.write(tv, os.urandom(4096))
    started = site.done("eternus_restore", volume=tv, target=onto, confirm=onto, wait_timeout=0)
    assert started["changed"] and started["restore"]["state"] == "executing"
    site.array.knobs(copy_rate=0)
    done = site.done("eternus_restore", volume=tv, target=onto, confirm=onto)
    assert done["finished"] and site.array.sha256(onto) == kept


def test_what_is_only_on_tape_is_found_and_left_to_the_tape_server(backed_up: Any) -> None:
    site, tv = backed_up, backed_up.name("tv")
    with site.records() as records:
        (backup,) = records.backups()
        part = TapePart(1, "WK0001L8", 1, 0, backup.size, "aa")
        at = backup.point_in_time
        records.put_tape_copy(backup.id, TapeCopy(1, TapeState.WRITTEN, "weekly", at, sha256="aa", parts=(part,)))
        records.drop_disk([backup.id])
    asked = {"volume": tv, "target": site.name("free")}
    site.refused("no_such_generation", "eternus_restore", **asked)
    site.done("eternus_restore", source="any", check=True, **asked)
    before = site.state()["catalog"][:-1]  # without what the client keeps of the array
    for source in ("any", "tape"):
        found = site.done("eternus_restore", source=source, **asked)
        assert not found["changed"] and not found["finished"] and found["restore"]["cartridges"] == ["WK0001L8"]
        assert_documented("eternus_restore", found)
    assert site.state()["catalog"][:-1] == before
