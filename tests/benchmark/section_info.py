# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_info on an array of 10,000 volumes and 2,048 sessions: seconds, CPU seconds, peak memory and round trips.

Each part by itself, all of them, and a query that keeps a little; against a script that takes the same classes with
all properties by pywbem's EnumerateInstances, and shows them as JSON. Then the peak memory of every module that reads
an array, and how it grows from 100 volumes to 10,000. Each run is a new process, its start and imports included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill, served
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.figures import paired
from ansible_collections.eternus.backup.tests.benchmark.module_cost import Cost, middle, module_cost, script_cost
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

LIMIT = 150.0  # MB
TASKS = ("info", "sync", "backup_info", "reconcile", "volume")
BOUNDS = tuple(Bound("info_peak_memory" if one == "info" else f"info_{one}_peak_memory", LIMIT) for one in TASKS)

PARTS = ("all", "volumes", "sessions", "capabilities", "pools", "array")
QUERY = "volumes[?size > `1099511627776`].name"
TVS = 10

PLAIN = """
import json, pywbem
given = json.load(sys.stdin)
wbem = pywbem.WBEMConnection(given["url"], (given["username"], given["password"]), "root/eternus",
                             ca_certs=given["ca"], timeout=600)
wbem.session.trust_env = False
shown = {}
for name in ("FUJITSU_StorageVolume", "FUJITSU_StorageSynchronized"):
    rows = [{key: str(value) for key, value in found.items()} for found in wbem.EnumerateInstances(name)]
    shown[name] = len(rows)
    text = json.dumps(rows)
print(json.dumps(shown))
"""


def measure(bench: Bench) -> None:
    """Measure a small array, then a large one."""
    few, many, sessions = (20, 200, 40) if bench.small else (100, 10_000, 2048)
    with served(bench.directory / "few") as array:
        _filled(array, few, few // 5)
        small = module_cost("eternus_info", array.args())
        _put(bench, f"info_vol{few}_all", small)
    with served(bench.directory / "many", {"knobs": {"max_sessions_device": sessions + 100}}) as array:
        _filled(array, many, sessions)
        size = f"info_vol{many}"
        whole = _parts(bench, array, size)
        peaks = {"info": whole, **_modules(bench, array, size, many)}
    for task, cost in peaks.items():
        bench.figures.put("info_peak_memory" if task == "info" else f"info_{task}_peak_memory", cost.peak, "MB")
    growth = (whole.peak - small.peak) * 1e6 / (many - few)
    bench.figures.put(f"info_growth_vol{few}_to_vol{many}", growth, "bytes per volume")


def _filled(array: Simulated, volumes: int, sessions: int) -> None:
    """Make volumes, and equivalent pairs of the last of them."""
    names = [f"vol{number:05}" for number in range(volumes)]
    fill(array, names, MIB)
    with closing(array.connect()) as client:
        found = {volume.name: volume for volume in client.volumes()}
        used = [found[name] for name in names[-2 * sessions :]]
        pairs = [Pair(source, target) for source, target in zip(used[:sessions], used[sessions:], strict=True)]
        for first in range(0, sessions, 256):
            outcomes = client.start(CopyType.EC, pairs[first : first + 256])
            wrong = [outcome.error for outcome in outcomes if outcome.error]
            if wrong:
                raise wrong[0]


def _parts(bench: Bench, array: Simulated, size: str) -> Cost:
    """Measure each part of eternus_info, a query, and the plain way; return what all parts cost."""
    costs: dict[str, list[Cost]] = {}

    def kept(way: str, run: Callable[[], Cost]) -> Callable[[], float]:
        def once() -> float:
            costs.setdefault(way, []).append(run())
            return costs[way][-1].seconds

        return once

    def info(**options: Any) -> Callable[[], Cost]:
        return lambda: module_cost("eternus_info", array.args(**options))

    ways = {part: kept(part, info(gather_subset=[part])) for part in PARTS}
    ways["query"] = kept("query", info(gather_subset=["volumes"], query=QUERY))
    ways["both"] = kept("both", info(gather_subset=["volumes", "sessions"]))
    ways["plain"] = kept("plain", lambda: script_cost(PLAIN, _plain(array)))
    times = paired(ways, bench.rounds)
    for way, found in costs.items():
        _put(bench, f"{size}_{way}", middle(found), bench.rounds)
    same = "plain pywbem, the same classes, all properties"
    bench.figures.put(f"{size}_plain_ratio", times.ratio("plain", "both"), "x", versus=same, runs=bench.rounds)
    return middle(costs["all"])


def _plain(array: Simulated) -> Mapping[str, str]:
    end = array.options()
    return {"url": end.url, "username": end.username, "password": end.password, "ca": end.ca_path}


def _modules(bench: Bench, array: Simulated, size: str, volumes: int) -> dict[str, Cost]:
    """Run the other modules over a catalog that knows all volumes, ten of them with a policy."""
    names = [f"vol{number:05}" for number in range(volumes)]
    catalog = {"catalog_url": f"sqlite:///{bench.directory}/catalog.db"}
    reach = array.args(**catalog)
    module_cost("eternus_volume", {**reach, "volumes": names[:TVS], "role": "transaction"})
    found = {"volume": module_cost("eternus_volume", {**reach, "volumes": names[TVS:], "role": "backup"})}
    policies = [{"volume": name, "media": "disk", "generations": 1} for name in names[:TVS]]
    module_cost("eternus_policy", {**catalog, "policies": policies})
    waits = {"poll_interval": 0.2, "wait_timeout": 300}
    found["sync"] = module_cost("eternus_sync", {**reach, **waits, "volumes": names[:TVS], "state": "equivalent"})
    found["backup_info"] = module_cost("eternus_backup_info", reach)
    found["reconcile"] = module_cost("eternus_reconcile", reach)
    for task, cost in found.items():
        _put(bench, f"{size}_{task}", cost)
    return found


def _put(bench: Bench, name: str, cost: Cost, runs: int = 1) -> None:
    bench.figures.put(f"{name}_seconds", cost.seconds, "s", runs=runs)
    bench.figures.put(f"{name}_cpu", cost.cpu, "s", runs=runs)
    bench.figures.put(f"{name}_peak", cost.peak, "MB", runs=runs)
    if "round_trips" in cost.result:
        bench.figures.put(f"{name}_round_trips", int(cost.result["round_trips"]), "round trips", runs=runs)
