# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_restore_test through its real argument spec, over a simulated array and real bytes (behaviour.md §6)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented


@pytest.fixture
def restored(site: Any) -> Any:
    """Return a site whose tv has a generation that was restored onto the volume free."""
    site.policy("tv")
    site.array.write(site.name("tv"), os.urandom(4096))
    site.backup("tv")
    done = site.done("eternus_restore", volume=site.name("tv"), target=site.name("free"))
    return site, done["restore"]


def asked(site: Any, made: dict[str, Any], **more: Any) -> dict[str, Any]:
    devices = str(site.array.device_dir)
    target = made["target_device_id"]
    return {"volume": made["volume"], "backup_id": made["backup_id"], "target": target, "device_dir": devices, **more}


def remembered(site: Any) -> list[Any]:
    with site.records() as records:
        return list(records.restore_tests())


def test_what_came_back_is_compared_and_remembered_and_check_mode_only_says_so(restored: Any) -> None:
    site, made = restored
    before = site.state()
    planned = site.run("eternus_restore_test", check=True, diff=True, **asked(site, made))
    assert planned["changed"] and planned["test"]["state"] == "planned", planned
    assert planned["test"]["compared_with"][0]["what"] == f"backup volume {made['backup_volume']}"
    assert site.state() == before and not remembered(site)
    done = site.run("eternus_restore_test", diff=True, **asked(site, made))
    assert done["changed"] and done["test"]["ok"] and done["diff"] == planned["diff"], done
    assert done["test"]["sha256"] == site.array.sha256(site.name("free"))
    assert_documented("eternus_restore_test", done)
    assert site.state() == before and [one.ok for one in remembered(site)] == [True]


def test_a_target_that_was_written_since_fails_and_is_remembered(restored: Any) -> None:
    site, made = restored
    site.array.write(site.name("free"), os.urandom(4096))
    result = site.run("eternus_restore_test", **asked(site, made))
    assert result["failed"] and result["error_class"] == "checksum_mismatch", result
    assert result["details"]["test"]["state"] == "different"
    assert [one.ok for one in remembered(site)] == [False]


def test_what_makes_no_sense_is_refused(restored: Any) -> None:
    site, made = restored
    module = "eternus_restore_test"
    site.refused("no_such_backup", module, **asked(site, made, backup_id="nope"))
    site.refused("no_such_backup", module, **asked(site, made, source="tape"))
    site.refused("no_such_volume", module, **asked(site, made, target=site.name("free")))
    site.refused("no_such_volume", module, **asked(site, made, device_dir="/nonexistent"))
    site.refused("not_registered", module, **asked(site, made, volume=site.name("free")))
    site.refused("invalid_option", module, **asked(site, made, target=made["backup_volume"]))
    site.refused("invalid_option", module, **asked(site, made, rate_limit=-1))
    for option in ("volume", "backup_id", "target"):
        site.refused("invalid_option", module, **asked(site, made, **{option: " "}))
