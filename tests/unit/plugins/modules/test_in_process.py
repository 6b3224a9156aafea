# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task's result is the same whether its module has a process of its own or runs in a fork of Ansible's worker."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.unit.plugins.modules.conftest import Site
from ansible_collections.eternus.backup.tests.unit.support.play import Played, play

POLICY, INFO, BACKUP_INFO = (
    "eternus.backup.eternus_policy",
    "eternus.backup.eternus_info",
    "eternus.backup.eternus_backup_info",
)
OFF = {"ETERNUS_IN_PROCESS": "0"}
#: The first request never ends, at the second its process dies as of the fuse; from the third on all is well.
DEATH = """
import os, signal, time
import requests.adapters
original = requests.adapters.HTTPAdapter.send

def send(*args, **more):
    with open(os.environ["DEATH"], "a+") as file:
        file.write(f"{os.getpid()}\\n")
        file.seek(0)
        number = len(file.readlines())
    if number == 1:
        while True:
            time.sleep(1)
    if number == 2:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(60)
    return original(*args, **more)

requests.adapters.HTTPAdapter.send = send
"""


def tree() -> str:
    """Return the directory that holds ansible_collections."""
    return next(one for one in sys.path if Path(one, "ansible_collections/eternus").is_dir())


def both_ways(
    site: Site, directory: Path, tasks: list[dict[str, Any]], env: Mapping[str, str] | None = None
) -> tuple[Played, Played]:
    """Run tasks in a fork, then as modules, on the same catalog; compare what they return."""
    catalog = Path(site.url.partition("///")[2])
    copy = directory / "copy"
    shutil.copytree(catalog.parent, copy)
    here = play(directory / "play", tasks, env=env)
    shutil.rmtree(catalog.parent)
    shutil.copytree(copy, catalog.parent)
    there = play(directory / "play", tasks, env={**(env or {}), **OFF})
    assert there.here == 0
    assert len(here.results) == len(there.results) == len(tasks), here.text
    for one, other in zip(here.results, there.results, strict=True):
        assert plain(one) == plain(other)
    return here, there


def plain(result: Any) -> Any:
    """Return a result without what is Ansible's own, and without tracebacks in text: they name files of their own."""
    if isinstance(result, list):
        return [plain(one) for one in result]
    if not isinstance(result, dict):
        return result
    kept = {name: plain(value) for name, value in result.items() if not name.startswith("_ansible_")}
    return {**kept, "exception": "text"} if isinstance(kept.get("exception"), str) else kept


def test_results_are_those_of_the_module(site: Site, tmp_path: Path) -> None:
    catalog = {"catalog_url": site.url}
    policies = [{"volume": site.name("tv"), "media": "disk", "generations": 1}]
    declare = {POLICY: {**catalog, "policies": policies}}
    tasks = [
        {**declare, "check_mode": True, "diff": True},
        {**declare, "diff": True},
        declare,
        {POLICY: {**catalog, "policies": [{"volume": "nobody", "media": "disk"}]}},
        {POLICY: {**catalog, "policies": policies, "generations": 2}},
        {POLICY: {**catalog, "policies": [{"volume": site.name("tv"), "method": "magic"}]}},
        {
            POLICY: {
                **catalog,
                "policies": [{"volume": site.name("tv"), "generations": 9, "media": "disk"}],
                "strict": False,
            }
        },
        {POLICY: {**catalog, "policies": "{{ [dict(volume=item, media='disk')] }}"}, "loop": site.names("tv", "tv2")},
        {**declare, "no_log": True},
        {
            POLICY: {**catalog, "policies": [{"volume": "nobody"}]},
            "register": "one",
            "failed_when": "one is not failed",
        },
        {INFO: {**site.array.args(), "gather_subset": ["array", "pools"]}},
        {INFO: {**site.array.args(), "password": "a wrong one"}},
        {BACKUP_INFO: {**site.array.args(), **catalog, "gather_subset": ["policies"]}},
        {BACKUP_INFO: {"catalog_url": "nothing://of/{{ 'the' }}?kind=x"}},
    ]
    here, _there = both_ways(site, tmp_path, tasks)
    assert here.here == len(tasks) + 1  # the loop has two
    changed, failed = (
        [number for number, one in enumerate(here.results) if one.get(how)] for how in ("changed", "failed")
    )
    assert changed[:2] == [0, 1]
    assert {3, 4, 5, 11, 13} <= set(failed)
    assert here.results[0]["diff"] == here.results[1]["diff"]
    assert here.results[6]["warnings"]
    assert site.array.password not in here.text
    assert "a wrong one" not in here.text


def test_a_missing_library_is_told_as_by_the_module(site: Site, tmp_path: Path) -> None:
    fake = tmp_path / "fake" / "pywbem"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ModuleNotFoundError('no', name='pywbem')\n", encoding="utf-8")
    here, _there = both_ways(
        site, tmp_path, [{INFO: site.array.args()}], env={"PYTHONPATH": f"{tmp_path / 'fake'}:{tree()}"}
    )
    assert "pywbem" in here.results[0]["msg"]


def test_whatever_is_not_plain_is_a_module(site: Site, tmp_path: Path) -> None:
    task = {POLICY: {"catalog_url": site.url, "policies": [{"volume": site.name("tv"), "media": "disk"}]}}
    tasks = [
        {**task, "vars": {"eternus_in_process": False}},
        {**task, "vars": {"eternus_in_process": "{{ 1 == 2 }}"}},
        {**task, "vars": {"ansible_python_interpreter": "auto_silent"}},
        {**task, "vars": {"ansible_python_interpreter": "/usr/bin/python3"}},
        {**task, "environment": {"A": "b"}},
        {**task, "async": 60, "poll": 1},
        {**task, "become": True, "become_method": "ansible.builtin.su"},
    ]
    done = play(tmp_path / "play", [*tasks, task])
    assert done.here == 1
    assert len(done.results) >= len(tasks) + 1
    assert play(tmp_path / "play", [task], env={"ANSIBLE_KEEP_REMOTE_FILES": "1"}).here == 0


def test_another_name_of_the_same_python_will_do_and_a_delegated_task_asks_its_own_host(
    site: Site, tmp_path: Path
) -> None:
    task = {POLICY: {"catalog_url": site.url, "policies": [{"volume": site.name("tv"), "media": "disk"}]}}
    names = sorted({str(one) for one in Path(sys.executable).parent.glob("python3*") if one.is_symlink()})
    tasks: list[dict[str, Any]] = [{**task, "vars": {"ansible_python_interpreter": name}} for name in names]
    delegated = {**task, "delegate_to": "localhost"}
    assert play(tmp_path / "play", [*tasks, delegated]).here == len(tasks) + 1
    far = {"ansible_connection": "ssh", "ansible_python_interpreter": "/nowhere/python"}
    assert play(tmp_path / "play", [delegated], variables=far).here == 1


def test_a_task_that_is_out_of_time_and_one_that_is_killed_fail_and_the_worker_goes_on(
    site: Site, tmp_path: Path
) -> None:
    args = {**site.array.args(), "gather_subset": ["array"]}
    hangs = tmp_path / "fault"
    hangs.mkdir()
    (hangs / "sitecustomize.py").write_text(DEATH, encoding="utf-8")
    env = {"PYTHONPATH": f"{hangs}:{tree()}", "DEATH": str(tmp_path / "death")}
    tasks: list[dict[str, Any]] = [
        {INFO: args, "timeout": 3},
        {INFO: args},
        {INFO: args},
    ]
    done = play(tmp_path / "play", tasks, env=env)
    assert [one["failed"] for one in done.results] == [True, True, False]
    assert {"3", "(3)"} & set(done.results[0]["msg"].split())  # seconds
    assert done.results[1]["rc"] == 128 + signal.SIGALRM
    assert "signal 14" in done.results[1]["msg"]
    pids = [int(line) for line in Path(env["DEATH"]).read_text(encoding="utf-8").split()]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
