# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same work for a hundred volumes: by one task, by a loop over single items, and by plain pywbem.

The work: start, wait until equivalent, split, release, record. Tasks run in a whole ansible-playbook, which tells the
clock between them. The loop sends the same requests with and without list support, since it has one item at a time: it
is measured once at each latency, and told against both. ``modules``: each item is a process of its own, as storage
collections do it; ``in_process``: where the collection's action plugins spare that. Plain pywbem keeps no catalog and
no order; it is there to show what the requests of a volume driver cost.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ansible_collections.eternus.backup.plugins.module_utils._array.cim import NAMESPACE
from ansible_collections.eternus.backup.tests.benchmark import plain_pywbem
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill
from ansible_collections.eternus.backup.tests.benchmark.bounds import Bound
from ansible_collections.eternus.backup.tests.benchmark.estate import Estate, estate

if TYPE_CHECKING:
    from ansible_collections.eternus.backup.tests.benchmark.run import Bench

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / ".cache" / "tree"
SIZE = 64 << 10  # bytes of a volume
VOLUMES, FEW = 100, 3
LATENCIES = (0, 5)  # milliseconds
WAYS = {"lists": True, "single": False}
_MARK = re.compile(r"mark ([0-9.]+)")
_PLAY = """
- name: Beside each other
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/eternus.backup.eternus: "{{ reach }}"
  tasks:
    - name: Begin
      ansible.builtin.debug:
        msg: "mark {{ now().timestamp() }}"
    - name: Synchronize
      eternus.backup.eternus_sync:
        volumes: "{{ [item] if loops else tvs }}"
        state: equivalent
      loop: "{{ tvs if loops else ['all'] }}"
    - name: Between
      ansible.builtin.debug:
        msg: "mark {{ now().timestamp() }}"
    - name: Back up
      eternus.backup.eternus_backup:
        volumes: "{{ [item] if loops else tvs }}"
      loop: "{{ tvs if loops else ['all'] }}"
    - name: End
      ansible.builtin.debug:
        msg: "mark {{ now().timestamp() }}"
"""


def measure(bench: Bench) -> None:
    """Measure at each latency, all ways in turn."""
    count = FEW if bench.small else VOLUMES
    tvs = [f"tv{number}" for number in range(count)]
    bvs = [f"bv{number}" for number in range(2 * count + 1)]
    plain = [(f"plain{number}", f"target{number}") for number in range(count)]
    with ExitStack() as stack:
        places = {}
        for way, lists in WAYS.items():
            config = {"knobs": {"list_support": lists}}
            places[way] = stack.enter_context(estate(bench.directory / way, config))
            places[way].provide(tvs, bvs, SIZE)
        fill(places["lists"].array, [name for pair in plain for name in pair], SIZE)
        for latency in LATENCIES:
            for place in places.values():
                place.array.knobs(latency=latency / 1000)
            _measure(bench, f"beside_n{count}_lat{latency}", places, tvs, plain)


def _measure(
    bench: Bench,
    word: str,
    places: Mapping[str, Estate],
    tvs: Sequence[str],
    plain: Sequence[tuple[str, str]],
) -> None:
    """Put what the ways cost at one latency: the short ones as often as there are rounds, before and after the loop."""
    names = [f"task_{way}" for way in WAYS]
    rounds: dict[str, list[float]] = {name: [] for name in (*names, "plain_pywbem")}
    requests: dict[str, int] = {}

    def short() -> None:
        for way, place in places.items():
            place.array.reset_counters()
            rounds[f"task_{way}"].append(_played(place, tvs, loops=False, modules=False))
            requests[f"task_{way}"] = place.array.requests()
        places["lists"].array.reset_counters()
        rounds["plain_pywbem"].append(_plain(places["lists"], plain))
        requests["plain_pywbem"] = places["lists"].array.requests()

    for _round in range((bench.rounds + 1) // 2):
        short()
    loops = {"loop_modules": True, **({"loop_in_process": False} if _in_process() else {})}
    for name, modules in loops.items():
        places["lists"].array.reset_counters()
        rounds[name] = [_played(places["lists"], tvs, loops=True, modules=modules)]
        requests[name] = places["lists"].array.requests()
    for _round in range(bench.rounds // 2):
        short()
    for name, seconds in rounds.items():
        bench.figures.put(f"{word}_{name}_seconds", median(seconds), "s", runs=len(seconds))
        bench.figures.put(f"{word}_{name}_round_trips", requests[name], "requests")
    for name in names:
        for other in (*loops, "plain_pywbem"):
            ratio = median(rounds[other]) / median(rounds[name])
            bench.figures.put(f"{word}_{name}_vs_{other}", ratio, "times", versus=other, runs=len(rounds[name]))


def _in_process() -> bool:
    """Tell whether the collection spares local tasks a process."""
    return (ROOT / "plugins" / "action" / "eternus_sync.py").exists()


def _played(place: Estate, tvs: Sequence[str], *, loops: bool, modules: bool) -> float:
    """Run the tasks; return the seconds from the first to the last of them."""
    home = place.array.directory.parent
    (home / "play.yml").write_text(_PLAY, encoding="utf-8")
    (home / "hosts").write_text(
        "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n",
        encoding="utf-8",
    )
    given = {"reach": {**place.array.args(), "catalog_url": place.url}, "tvs": list(tvs), "loops": loops}
    (home / "given.json").write_text(json.dumps(given), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ETERNUS_"))},
        "ANSIBLE_COLLECTIONS_PATH": str(TREE),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "ansible" / "tmp"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
        **({"ETERNUS_IN_PROCESS": "0"} if modules else {}),
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    argv = [program, "-i", "hosts", "play.yml", "-e", "@given.json"]
    done = subprocess.run(argv, cwd=home, env=environment, capture_output=True, text=True, check=False)
    marks = [float(mark) for mark in _MARK.findall(done.stdout)]
    if done.returncode != 0 or len(marks) != 3:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return marks[-1] - marks[0]


def _plain(place: Estate, pairs: Sequence[tuple[str, str]]) -> float:
    """Run the script over pairs of its own; return the seconds that it tells."""
    with place.engine() as ctx:
        paths = {volume.name: volume.path for volume in ctx.arrays[place.array.serial].volumes()}
    reach = place.array.args()
    given = {
        "url": f"https://{reach['host']}:{reach['port']}",
        "user": reach["username"],
        "password": reach["password"],
        "ca": reach["ca_path"],
        "namespace": NAMESPACE,
        "pairs": [[paths[source], paths[target]] for source, target in pairs],
    }
    place.array.reset_counters()
    script = str(Path(plain_pywbem.__file__))
    done = subprocess.run(
        [sys.executable, script], input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


BOUNDS = tuple(
    Bound(f"beside_n{VOLUMES}_lat{latency}_task_lists_vs_loop_modules", 20, least=True) for latency in LATENCIES
)
