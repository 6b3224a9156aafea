# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared state that is as declared: 1, 100 and 1,000 unchanged policies by one task, and by the role ``configure``.

Each run is a whole ansible-playbook with that one task or role, on a local connection; it is compared with one of
ansible.builtin.ping alone. Each way twice: in a fork of Ansible's worker, and with a process for each module. The cost
of one more task of eternus_info is the difference between a play of many and a play of one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import Estate, estate
from ansible_collections.eternus.backup.tests.benchmark.figures import Paired, paired
from ansible_collections.eternus.backup.tests.unit.support.module_paths import TREE
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

BOUNDS = (Bound("policies_n100_vs_ping", 1.5),)

#: How the names of figures tell the ways apart, and what each needs of the environment.
WAYS: Mapping[str, Mapping[str, str]] = {"": {}, "_as_module": {"ETERNUS_IN_PROCESS": "0"}}
MORE = 10


def measure(bench: Bench) -> None:
    """Measure the numbers of policies, each with a catalog of its own, then one more task."""
    for number in (1, 10) if bench.small else (1, 100, 1000):
        with estate(bench.directory / f"n{number}") as place:
            tvs = [f"tv{one:04}" for one in range(number)]
            bvs = [f"bv{one:04}" for one in range(2 * number)]
            place.provide(tvs, bvs, MIB)
            _policies(bench, place, number, tvs, bvs)
    with estate(bench.directory / "info") as place:
        _one_more(bench, place)


def _policies(bench: Bench, place: Estate, number: int, tvs: Sequence[str], bvs: Sequence[str]) -> None:
    """Measure a number of policies beside ping."""
    wanted = [{"volume": name, "media": "disk", "generations": 1} for name in tvs]
    given = {
        "configure_transaction_volumes": tvs,
        "configure_backup_volumes": bvs,
        "configure_policies": wanted,
        "wanted": wanted,
    }
    task = {"eternus.backup.eternus_policy": {"policies": "{{ wanted }}"}}
    play = Play(place, given)
    ways: dict[str, Callable[[], None]] = {"ping": lambda: play.run("ping", tasks=[{"ansible.builtin.ping": {}}])}
    for way, env in WAYS.items():
        ways[f"n{number}{way}"] = lambda way=way, env=env: play.run(f"task{way}", env, tasks=[task])  # type: ignore[misc]
        ways[f"configure_n{number}{way}"] = lambda way=way, env=env: play.run(  # type: ignore[misc]
            f"role{way}", env, roles=["eternus.backup.configure"]
        )
    taken = paired(ways, bench.rounds)
    bench.figures.put(f"policies_ping_beside_n{number}_seconds", taken.median("ping"), "s", runs=bench.rounds)
    for name in [name for name in ways if name != "ping"]:
        _put(bench, taken, f"policies_{name}", name)


def _put(bench: Bench, taken: Paired, figure: str, way: str) -> None:
    bench.figures.put(f"{figure}_seconds", taken.median(way), "s", runs=bench.rounds)
    bench.figures.put(f"{figure}_vs_ping", taken.ratio(way, "ping"), "times", versus="ping", runs=bench.rounds)


def _one_more(bench: Bench, place: Estate) -> None:
    """Measure what another task costs: of eternus_info (its array alone), and of ping."""
    play = Play(place, {})
    tasks = {
        "info": {"eternus.backup.eternus_info": {"gather_subset": ["array"], "catalog_url": "{{ omit }}"}},
        "ping": {"ansible.builtin.ping": {}},
    }
    ways: dict[str, Callable[[], None]] = {}
    for name, task in tasks.items():
        for way, env in WAYS.items() if name == "info" else [("", {})]:
            for times in (1, 1 + MORE):
                ways[f"{name}{way} {times}"] = lambda name=name, task=task, env=env, times=times: play.run(  # type: ignore[misc]
                    f"{name}{times}", env, tasks=[task] * times
                )
    taken = paired(ways, bench.rounds)
    for name in ("info", "info_as_module", "ping"):
        spent = (taken.median(f"{name} {1 + MORE}") - taken.median(f"{name} 1")) / MORE
        bench.figures.put(f"policies_one_more_{name}_task_seconds", spent, "s", runs=bench.rounds)


class Play:
    """Runs plays on a local connection; nothing of them may change anything."""

    def __init__(self, place: Estate, given: Mapping[str, Any]) -> None:
        self._home = place.array.directory.parent
        reach = {**place.array.args(), "catalog_url": place.url}
        self._defaults = {
            "group/eternus.backup.eternus": reach,
        }
        (self._home / "given.json").write_text(json.dumps(given), encoding="utf-8")
        python = "ansible_python_interpreter='{{ ansible_playbook_python }}'"
        (self._home / "hosts").write_text(f"localhost ansible_connection=local {python}\n", encoding="utf-8")

    def run(self, name: str, env: Mapping[str, str] | None = None, **what: Any) -> None:
        """Run one play to its end."""
        file = self._home / f"{name}.yml"
        play = {"hosts": "all", "gather_facts": False, "module_defaults": self._defaults, **what}
        file.write_text(json.dumps([play]), encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "ETERNUS_"))}
        around = {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_HOME": str(self._home / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self._home / "ansible" / "tmp"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            **(env or {}),
        }
        program = str(Path(sys.executable).parent / "ansible-playbook")
        argv = [program, "-i", "hosts", file.name, "-e", "@given.json"]
        done = subprocess.run(argv, cwd=self._home, env=around, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "changed=0" not in done.stdout:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
