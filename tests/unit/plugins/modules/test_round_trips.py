# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask for lists, pay once (DESIGN.md): the requests of one task, counted by the simulated array itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated

COUNTS = (1, 10, 100)


@pytest.fixture(params=[False, True], ids=["one by one", "lists"])
def lists(request: pytest.FixtureRequest) -> bool:
    """Whether the array takes lists."""
    return bool(request.param)


@pytest.fixture
def run(simulated_array: Simulated, tmp_path: Path, lists: bool) -> Any:
    """Run modules over an array with a hundred TVs, as many BVs, all registered and declared."""
    simulated_array.knobs(list_support=lists, copy_rate=1)
    url = f"sqlite:///{tmp_path}/catalog.db"
    tvs = [f"tv{number:03}" for number in range(sum(COUNTS))]
    bvs = [f"bv{number:03}" for number in range(sum(COUNTS))]
    simulated_array.door("POST", "volumes", [{"name": name, "size": MIB // 4} for name in [*tvs, *bvs]])

    def call(module: str, **options: Any) -> dict[str, Any]:
        reach = {} if module == "eternus_policy" else simulated_array.args()
        result = run_module(module, {**reach, "catalog_url": url, **options})
        assert not result["failed"], result
        return result

    call("eternus_volume", volumes=tvs, role="transaction")
    call("eternus_volume", volumes=bvs, role="backup")
    plain = [{"volume": tv, "generations": 1, "media": "disk"} for tv in tvs]
    call("eternus_policy", policies=plain, strict=False)
    return call


def _looks(array: Simulated) -> int:
    """Return how often the sessions, or a job, were looked at."""
    asked = array.counters()["requests"]
    return int(asked.get("EnumerateInstances", 0) + asked.get("GetInstance", 0))


def test_a_start_of_n_pairs_takes_n_plus_6_requests_or_8_with_lists(
    simulated_array: Simulated, run: Any, lists: bool
) -> None:
    first = 0
    for count in COUNTS:
        names = [f"tv{number:03}" for number in range(first, first + count)]
        first += count
        simulated_array.reset_counters()
        result = run("eternus_sync", volumes=names, state="started")
        sent = simulated_array.requests()
        assert len(result["synchronizations"]) == count
        assert sent == result["round_trips"]
        assert sent <= (8 if lists else count + 6)


def test_one_poll_reads_all_sessions_however_many_wait(simulated_array: Simulated, run: Any) -> None:
    names = [f"tv{number:03}" for number in range(max(COUNTS))]
    run("eternus_sync", volumes=names, state="started")
    simulated_array.reset_counters()
    waiting = {"poll_interval": 0.01, "wait_timeout": 3}
    result = run("eternus_sync", volumes=names, state="equivalent", **waiting)
    assert not result["equivalent"]
    assert result["looks"] > 1
    others = simulated_array.requests() - result["looks"]
    assert others <= 6


@pytest.mark.parametrize("suspend", [True, False], ids=["suspended", "plain"])
@pytest.mark.parametrize("jobs", [False, True], ids=["at once", "by jobs"])
def test_a_group_of_n_takes_n_plus_6_requests_or_8_with_lists_and_looks_do_not_grow_with_it(
    simulated_array: Simulated, run: Any, lists: bool, suspend: bool, jobs: bool
) -> None:
    names = [f"tv{number:03}" for number in range(20)]
    policies = [{"volume": tv, "generations": 1, "media": "disk", "suspend": suspend, "group": "erp"} for tv in names]
    run("eternus_policy", policies=policies, strict=False)
    simulated_array.knobs(copy_rate=0, jobs="always" if jobs else "never", job_seconds=0.05)
    for module, options, most in (
        ("eternus_sync", {"volumes": names, "state": "started"}, 20 + 6),
        ("eternus_sync", {"volumes": names, "state": "equivalent", "poll_interval": 0.1}, 6),
        ("eternus_backup", {"groups": ["erp"], "max_skew": "600s"}, (20 if suspend else 40) + 6),
    ):
        simulated_array.reset_counters()
        run(module, **options)
        looks = _looks(simulated_array)
        assert looks <= 12
        assert simulated_array.requests() - looks <= (8 if lists else most)


def test_a_thousand_other_volumes_in_the_array_cost_no_request(
    simulated_array: Simulated, run: Any, lists: bool
) -> None:
    def started(name: str) -> int:
        simulated_array.reset_counters()
        run("eternus_sync", volumes=[name], state="started")
        return simulated_array.requests()

    before = started("tv000")
    others = [{"name": f"other{number}", "size": MIB // 16} for number in range(1000)]
    simulated_array.door("POST", "volumes", others)
    assert abs(started("tv001") - before) <= 1
