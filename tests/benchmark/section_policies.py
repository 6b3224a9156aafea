# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that has nothing to do: eternus_policy over policies that are declared already, beside ansible.builtin.ping.

Each way is a whole ansible-playbook: with one ping, with one eternus_policy, or with the role configure, which
registers the volumes first. ``in_process`` is how a local task runs; ``module`` gives each task a process of its own.
What one more eternus_info costs is told by a play with several of them, less a play with one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import Estate, estate
from ansible_collections.eternus.backup.tests.benchmark.figures import Paired, paired

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / ".cache" / "tree"
SIZE = 64 << 10  # bytes of a volume
COUNTS, FEW = (1, 100, 1000), (1, 100)
MORE = 10
WAYS = {"in_process": "1", "module": "0"}
_HOST = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
_INFO = {"eternus.backup.eternus_info": {"gather_subset": ["array"]}}
_ROLE = {"ansible.builtin.include_role": {"name": "eternus.backup.configure"}}


def measure(bench: Bench) -> None:
    """Measure each number of policies by all ways in turn, then further tasks."""
    for count in FEW if bench.small else COUNTS:
        tvs = [f"tv{number}" for number in range(count)]
        bvs = [f"bv{number}" for number in range(2)]
        with estate(bench.directory / f"n{count}") as place:
            place.provide(tvs, bvs, SIZE)
            wanted = [{"volume": name, "media": "disk", "generations": 1} for name in tvs]
            names = {"configure_transaction_volumes": tvs, "configure_backup_volumes": bvs}
            play = Play(place, {**names, "configure_policies": wanted, "configure_strict": False})
            policy = {"eternus.backup.eternus_policy": {"policies": "{{ configure_policies }}", "strict": False}}
            found = paired(
                {
                    "ping": play.of({"ansible.builtin.ping": {}}),
                    **{way: play.of(policy, way=way) for way in WAYS},
                    **{f"configure_{way}": play.of(_ROLE, way=way) for way in WAYS},
                },
                bench.rounds,
            )
            _put(bench, f"policies_n{count}", found)
            if count == 1:
                _further(bench, play)


def _put(bench: Bench, word: str, found: Paired) -> None:
    rounds = len(found.seconds["ping"])
    bench.figures.put(f"{word}_ping_seconds", found.median("ping"), "s", runs=rounds)
    for way in found.seconds:
        if way != "ping":
            name = word if way == "in_process" else f"{word}_{way.replace('_in_process', '')}"
            bench.figures.put(f"{name}_seconds", found.median(way), "s", runs=rounds)
            bench.figures.put(f"{name}_vs_ping", found.ratio(way, "ping"), "times", versus="ping", runs=rounds)


def _further(bench: Bench, play: Play) -> None:
    """Put what one more task costs in a play: ping, and eternus_info both ways."""
    kinds: Mapping[str, tuple[dict[str, Any], str]] = {
        "ping": ({"ansible.builtin.ping": {}}, "in_process"),
        **{f"info_{way}": (_INFO, way) for way in WAYS},
    }
    ways: dict[str, Callable[[], None]] = {}
    for name, (task, way) in kinds.items():
        ways[f"{name}_few"] = play.of(task, way=way)
        ways[f"{name}_many"] = play.of(*[task] * (1 + MORE), way=way)
    found = paired(ways, bench.rounds)
    for name in kinds:
        each = (found.median(f"{name}_many") - found.median(f"{name}_few")) / MORE
        bench.figures.put(f"policies_one_more_{name}_seconds", each, "s", runs=bench.rounds)


class Play:
    """Plays over one array and catalog, on the local host."""

    def __init__(self, place: Estate, given: Mapping[str, Any]) -> None:
        """Take an estate, and what plays are given as extra variables."""
        self._home = place.array.directory.parent
        self._reach = {**place.array.args(), "catalog_url": place.url}
        (self._home / "hosts").write_text(_HOST, encoding="utf-8")
        (self._home / "given.json").write_text(json.dumps(given), encoding="utf-8")
        self._number = 0

    def of(self, *tasks: Mapping[str, Any], way: str = "in_process") -> Callable[[], None]:
        """Write a play of these tasks; return what runs it. Nothing may change, nothing may fail."""
        self._number += 1
        file = self._home / f"play{self._number}.yml"
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/eternus.backup.eternus": self._reach},
            "tasks": list(tasks),
        }
        file.write_text(json.dumps([play]), encoding="utf-8")
        return partial(self._run, file, WAYS[way])

    def _run(self, file: Path, switch: str) -> None:
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts", file.name, "-e", "@given.json"]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ETERNUS_"))},
            "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_HOME": str(self._home / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self._home / "ansible" / "tmp"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ETERNUS_IN_PROCESS": switch,
        }
        done = subprocess.run(argv, cwd=self._home, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or " changed=0 " not in done.stdout:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")


BOUNDS = (Bound("policies_n100_vs_ping", 1.5),)
