# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task's result is the same whether its module has a process of its own or runs in a fork of Ansible's worker."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.tests.unit.plugins.modules.conftest import Site
from ansible_collections.eternus.backup.tests.unit.support.module_paths import TREE
from ansible_collections.eternus.backup.tests.unit.support.play import Played, play

POLICY, INFO, BACKUP_INFO = (
    "eternus.backup.eternus_policy",
    "eternus.backup.eternus_info",
    "eternus.backup.eternus_backup_info",
)
OFF = {"ETERNUS_IN_PROCESS": "0"}


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
    invoked = {"ANSIBLE_INJECT_INVOCATION": "1"}  # from ansible-core 2.21 on one has to ask for it
    here, _there = both_ways(site, tmp_path, tasks, env=invoked)
    assert here.here == len(tasks) + 1  # the loop has two
    changed, failed = (
        [number for number, one in enumerate(here.results) if one.get(how)] for how in ("changed", "failed")
    )
    assert changed[:2] == [0, 1]
    assert {3, 4, 5, 11, 13} <= set(failed)
    assert here.results[0]["diff"] == here.results[1]["diff"]
    assert here.results[6]["warnings"]
    assert '"module_args"' in here.text
    assert site.array.password not in here.text
    assert "a wrong one" not in here.text


def test_of_a_task_with_no_log_nothing_is_shown(site: Site, tmp_path: Path) -> None:
    policy = {"volume": site.name("tv"), "media": "disk"}
    tasks = [
        {POLICY: {"catalog_url": site.url, "policies": [policy]}, "diff": True},
        {POLICY: {"catalog_url": site.url, "policies": [policy], "state": "absent"}},
        {POLICY: {"catalog_url": site.url, "policies": [{**policy, "volume": "c0nfidential"}]}},
        {POLICY: {"catalog_url": site.url, "policies": [{**policy, "volume": "c0nfidential", "method": "magic"}]}},
    ]
    here, there = both_ways(site, tmp_path, [{**task, "no_log": True} for task in tasks])
    assert here.here == len(tasks)
    for played in (here, there):
        assert site.name("tv") not in played.text.partition("PLAY [")[2]
    # From ansible-core 2.19 on the reason of a failure is told all the same, whatever the module.
    assert here.text.count("c0nfidential") <= there.text.count("c0nfidential")


def test_a_secret_in_a_warning_is_no_secret_told(site: Site, tmp_path: Path) -> None:
    name = site.name("tv")
    policies = [{"volume": name, "media": "disk", "generations": 9}]
    args = {"catalog_url": site.url, "policies": policies, "strict": False, "password": name}
    for played in both_ways(site, tmp_path, [{POLICY: args}]):
        (warning,) = played.results[0]["warnings"]
        assert name not in warning
        assert "********" in warning


def test_a_missing_library_is_told_as_by_the_module(site: Site, tmp_path: Path) -> None:
    fake = tmp_path / "fake" / "pywbem"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ModuleNotFoundError('no', name='pywbem')\n", encoding="utf-8")
    here, _there = both_ways(
        site, tmp_path, [{INFO: site.array.args()}], env={"PYTHONPATH": f"{tmp_path / 'fake'}:{TREE}"}
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
    assert play(tmp_path / "play", [task], environment={"A": "b"}).here == 0


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
