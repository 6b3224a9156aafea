# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_volume through its real argument spec, over https."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Allocation, Policy
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated


class Site:
    """A simulated array with three volumes, and a catalog that is not there yet."""

    def __init__(self, array: Simulated, directory: Path) -> None:
        self.array = array
        self.path = directory / "state" / "catalog.db"
        self.url = f"sqlite:///{self.path}"
        array.create_volumes("oradata", "bv01", "bv02")

    def run(self, *volumes: str, check: bool = False, connection: bool = True, **more):
        options = self.array.args() if connection else {}
        args = {**options, "catalog_url": self.url, "volumes": list(volumes), **more}
        return run_module("eternus_volume", args, check=check, diff=True)

    def registered(self):
        with open_catalog(self.url, create=False, read_only=True).read() as records:
            return {one.name: one for one in records.volumes()}


@pytest.fixture
def site(simulated_array: Simulated, tmp_path: Path) -> Site:
    return Site(simulated_array, tmp_path)


@pytest.mark.rule("R8.1", "R1.1", "R1.2")
def test_volumes_are_registered_once_and_again_changes_nothing(site: Site) -> None:
    device = site.array.create_volume("bv03")["device_id"]
    planned = site.run("bv01", f"wwn-0x{device.lower()}", role="backup", check=True)
    assert not site.path.parent.exists()
    done = site.run("bv01", f"wwn-0x{device.lower()}", role="backup")
    assert (planned["changed"], planned["volumes"], planned["diff"]) == (True, done["volumes"], done["diff"])
    assert done["diff"]["before"] == {}
    assert [one["name"] for one in done["volumes"]] == ["bv01", "bv03"]
    assert done["volumes"][0]["size"] == 4 * MIB
    again = site.run("bv01", device, f"{site.array.serial}/bv03", role="backup")
    assert (again["changed"], again["volumes"]) == (False, done["volumes"])
    known = site.registered()
    assert "DeviceID" in known["bv01"].volume.path
    with open_catalog(site.url, create=False).read() as records:
        assert records.array(site.array.serial).known


def test_every_missing_volume_is_named_and_nothing_is_registered(site: Site) -> None:
    result = site.run("bv01", "nope", "neither", role="backup")
    assert (result["failed"], result["error_class"]) == (True, "no_such_volume")
    assert result["details"]["volumes"] == ["nope", "neither"]
    assert not site.path.exists()


def test_a_volume_in_use_is_neither_given_another_role_nor_unregistered(site: Site) -> None:
    assert site.run("oradata", role="transaction")["changed"]
    assert site.run("bv01", role="backup")["changed"]
    known = site.registered()
    tv, bv = known["oradata"].ref, known["bv01"].ref
    with open_catalog(site.url).begin() as records:
        records.put_policies([Policy(tv, 1)])
        records.allocate([Allocation(bv, tv, None, datetime(2026, 1, 1, tzinfo=timezone.utc))])
    for result in (
        site.run("oradata", role="backup"),
        site.run("bv01", role="transaction"),
        site.run("oradata", "bv01", state="absent"),
    ):
        assert (result["failed"], result["error_class"]) == (True, "role_conflict")
    assert site.registered() == known


def test_volumes_are_unregistered_by_the_catalog_alone(site: Site) -> None:
    site.run("bv01", "bv02", role="backup")
    planned = site.run("bv01", "never", state="absent", connection=False, check=True)
    assert set(site.registered()) == {"bv01", "bv02"}
    done = site.run("bv01", "never", state="absent", connection=False)
    assert (planned["changed"], planned["diff"]) == (True, done["diff"])
    assert set(site.registered()) == {"bv02"}
    assert site.run("bv01", state="absent", connection=False)["changed"] is False


def test_the_array_is_needed_to_register(site: Site) -> None:
    result = site.run("bv01", role="backup", connection=False)
    assert result["failed"]
    assert "host" in result["msg"]


def test_a_catalog_that_cannot_be_made_is_refused(site: Site) -> None:
    site.path.parent.write_text("in the way")
    result = site.run("bv01", role="backup")
    assert (result["failed"], result["error_class"]) == (True, "catalog_unavailable")


def test_the_documented_sample_has_the_keys_of_a_real_result(site: Site) -> None:
    from ansible_collections.eternus.backup.plugins.modules import eternus_volume

    sample = yaml.safe_load(eternus_volume.RETURN)["volumes"]["sample"][0]
    real = site.run("bv01", role="backup")["volumes"][0]
    assert {key: type(one) for key, one in sample.items()} == {key: type(one) for key, one in real.items()}


def test_requests_do_not_grow_with_the_volumes(site: Site) -> None:
    site.array.create_volumes(*[f"v{number}" for number in range(20)], size=MIB)
    counts = []
    for names in (["v0"], [f"v{number}" for number in range(20)]):
        site.array.reset_counters()
        assert not site.run(*names, role="backup")["failed"]
        counts.append(site.array.requests())
    assert counts[1] <= counts[0] <= 7  # what the array can do is asked the first time
