# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_backup through its real argument spec, over a simulated array (behaviour.md §2.3-2.6, §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._backup.wait_tape import wait_for_tape
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind, TapePool, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented

ONE_LOOK = Wait(interval=0.01, timeout=0)


def _policy_with_tape(site: Any, **policy: Any) -> None:
    with site.records() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, SystemClock().now()))
    site.policy("tv", media="both", tape_pool="weekly", **policy)


def _write_tape(site: Any, ident: str, state: TapeState, **more: Any) -> None:
    """Do what the tape server does: the copies of a backup reach a state."""
    with site.records() as records:
        for copy in records.backups(ids=[ident])[0].tape:
            records.put_tape_copy(ident, replace(copy, state=state, **more))


@pytest.mark.rule("R2.5a")
def test_a_backup_is_taken_once_for_a_key_and_check_mode_takes_none(site: Any) -> None:
    _policy_with_tape(site, suspend=True)
    site.synchronize("tv")
    before = site.state()
    planned = site.run("eternus_backup", check=True, diff=True, key="night")
    assert planned["changed"] and planned["backups"][0]["taken"] and site.state() == before
    done = site.run("eternus_backup", diff=True, key="night", wait_for="tape", wait_timeout=0)
    assert done["changed"] and done["diff"]["before"] == planned["diff"]["before"] != done["diff"]["after"]
    taken = done["backups"][0]
    assert (taken["generation"], taken["disk"]["state"], taken["tape_state"]) == (1, "valid", "queued")
    assert not done["tape_written"]
    assert_documented("eternus_backup", done)
    before = site.state()
    again = site.done("eternus_backup", key="night")
    assert not again["changed"] and again["backups"][0]["id"] == taken["id"] and not again["backups"][0]["taken"]
    young = site.done("eternus_backup", max_age="20h")
    assert not young["changed"] and young["backups"][0]["id"] == taken["id"]
    assert site.state()["array"] == before["array"]


def test_before_the_pair_is_equivalent_a_backup_is_refused_and_the_pair_goes_on(site: Any) -> None:
    site.policy("tv")
    assert "No synchronization" in site.refused("not_equivalent", "eternus_backup")["error"]
    site.array.knobs(copy_rate=1)
    site.done("eternus_sync", state="started")
    refused = site.run("eternus_backup")
    assert refused["error_class"] == "not_equivalent" and "executing" in refused["error"]
    assert "goes on copying" in refused["unchanged"]


def test_an_array_that_refuses_the_split_leaves_everything_as_it_was(site: Any) -> None:
    site.policy("tv")
    site.synchronize("tv")
    site.array.fail("ModifyReplicaSynchronization", "refuse", code=4, times=100)
    refused = site.refused("array_error", "eternus_backup")
    assert refused["details"]["code"] == 4


def test_a_length_of_time_that_makes_no_sense_is_refused(site: Any) -> None:
    assert "max_age" in site.refused("invalid_option", "eternus_backup", max_age="yesterday")["error"]


@pytest.mark.rule("R2.5")
def test_waiting_for_tape_ends_when_every_copy_is_written(site: Any) -> None:
    _policy_with_tape(site)
    ident = site.backup("tv", key="a")[0]["id"]
    _write_tape(site, ident, TapeState.WRITTEN, sha256="00", written_at=SystemClock().now())
    done = site.done("eternus_backup", key="a", wait_for="tape")
    assert not done["changed"] and done["tape_written"]
    assert done["backups"][0]["tape_state"] == done["volumes"][0]["backups"][0]["tape_state"] == "written"


def test_waiting_for_tape_ends_at_a_copy_that_failed_with_a_warning_and_the_disk_generation_stays(site: Any) -> None:
    _policy_with_tape(site)
    ident = site.backup("tv", key="a")[0]["id"]
    _write_tape(site, ident, TapeState.FAILED, error="the drive is broken")
    with site.engine() as ctx:
        taken = take_backup(ctx, site.names("tv"), BackupRequest("a"))
        result = wait_for_tape(ctx, taken, Wait(interval=0.01, timeout=600))
    assert not result.values["tape_written"] and result.values["backups"][0]["disk"]["state"] == "valid"
    assert any("the drive is broken" in warning and "tape_copy" in warning for warning in result.warnings)


def test_waiting_for_tape_runs_out_and_says_how_far_the_copies_are(site: Any) -> None:
    _policy_with_tape(site)
    ident = site.backup("tv", key="a")[0]["id"]
    _write_tape(site, ident, TapeState.WRITING, bytes_done=512, bytes_total=1024)
    with site.engine() as ctx:
        taken = take_backup(ctx, site.names("tv"), BackupRequest("a"))
        result = wait_for_tape(ctx, taken, ONE_LOOK)
    assert not result.values["tape_written"] and not result.warnings
    assert result.values["backups"][0]["tape"][0]["bytes_done"] == 512
    assert result.after[site.name("tv")]["backups"][0]["tape_state"] == "writing"


def test_waiting_for_tape_where_the_policy_wants_none_ends_at_once_with_a_warning(site: Any) -> None:
    site.policy("tv")
    site.backup("tv", key="a")
    with site.engine() as ctx:
        taken = take_backup(ctx, site.names("tv"), BackupRequest("a"))
        result = wait_for_tape(ctx, taken, Wait(interval=0.01, timeout=600))
    assert not result.values["tape_written"] and "media" in str(result.warnings)


def test_a_catalog_that_is_not_there_never_passes_for_nothing_to_back_up(empty: Any) -> None:
    refused = empty.refused("catalog_unavailable", "eternus_backup")
    assert "eternus_volume" in refused["next_step"]
    planned = empty.done("eternus_backup", check=True)
    assert not planned["changed"] and planned["backups"] == [] and "nothing was done" in str(planned["warnings"])
    assert empty.state()["catalog"] == ()
