# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task whose module runs in a fork of Ansible's worker returns what one returns whose module has its own process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment
from ansible_collections.eternus.backup.tests.unit.support.simulated import MIB, Simulated

FORKED = "runs in a fork of this worker"
_TOLD = re.compile(r'"msg": "RESULTS (.*)"$', re.MULTILINE)
_SHOWN = re.compile(r"^(?:ok|changed|fatal): [^\n]* => (\{.*?^\})", re.MULTILINE | re.DOTALL)
#: Stands for a library that is not there, in ansible-playbook and in modules.
_WITHOUT_SQLALCHEMY = """
import sys
sys.modules["sqlalchemy"] = None
"""
_HOST = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}' "


def _play(
    place: Path,
    tasks: Sequence[Mapping[str, Any]],
    *,
    env: Mapping[str, str],
    host: str = _HOST,
    words: Sequence[str] = (),
) -> tuple[list[dict[str, Any]], str]:
    """Run tasks, which may fail, by a whole ansible-playbook; return their results as a play sees them, and the log."""
    (place / "hosts").write_text(host, encoding="utf-8")
    numbered = [{**task, "register": f"result_{n}", "ignore_errors": True} for n, task in enumerate(tasks)]
    names = ", ".join(f"result_{n}" for n in range(len(tasks)))
    show = {"ansible.builtin.debug": {"msg": f"RESULTS {{{{ [{names}] | to_json }}}}"}}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [*numbered, show]}]
    (place / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts", "play.yml", "-vvv", *words],
        cwd=place,
        env={
            **module_environment(env),
            "ANSIBLE_COLLECTIONS_PATH": module_environment()["PYTHONPATH"].partition(os.pathsep)[0],
            "ANSIBLE_HOME": str(place / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(place / "ansible" / "local"),
            "ANSIBLE_REMOTE_TMP": str(place / "ansible" / "remote"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    text = done.stdout + done.stderr
    told = _TOLD.search(done.stdout)
    assert done.returncode == 0 and told is not None, text[-4000:]
    results: list[dict[str, Any]] = json.loads(json.loads(f'"{told.group(1)}"'))
    return results, text


def _both_ways(
    place: Path, tasks: Sequence[Mapping[str, Any]], forked: int, env: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Run tasks both ways, compare their results whole, as a play sees them and as ``-vvv`` shows them; return them."""
    found = []
    for switch, expected in (("1", forked), ("0", 0)):
        results, text = _play(place, tasks, env={**env, "ETERNUS_IN_PROCESS": switch})
        assert text.count(FORKED) == expected, text[-4000:]
        shown = [json.loads(one) for one in _SHOWN.findall(text)][: len(tasks)]
        assert all("invocation" in one for one in shown)
        found.append((results, shown))
    assert found[0] == found[1]
    return found[0][0]


def test_results_are_the_same_whole(simulated_array: Simulated, tmp_path: Path) -> None:
    simulated_array.door("POST", "volumes", [{"name": name, "size": MIB} for name in ("tv", "bv")])
    reach = {**simulated_array.args(), "catalog_url": f"sqlite:///{tmp_path}/catalog.db"}
    catalog = {"catalog_url": reach["catalog_url"]}
    policy = {"volume": "tv", "media": "disk", "generations": 1}
    wrong = {"catalog_url": "postgresql://user:v3rysecret@127.0.0.1:1/none"}
    tasks: list[dict[str, Any]] = [
        {"eternus.backup.eternus_info": {**reach, "gather_subset": ["volumes"], "query": "volumes[].name"}},
        {"eternus.backup.eternus_info": {**reach, "query": "volumes[?"}},
        {"eternus.backup.eternus_info": {**reach, "password": "v3rysecret"}},
        {"eternus.backup.eternus_info": {**reach, "prot": 1}},
        {
            "eternus.backup.eternus_volume": {**reach, "volumes": ["tv"], "role": "transaction"},
            "check_mode": True,
            "diff": True,
        },
        {"eternus.backup.eternus_policy": {**catalog, "policies": []}, "no_log": False},
        {"eternus.backup.eternus_policy": {**catalog, "policies": [policy]}, "check_mode": True, "diff": True},
        {"eternus.backup.eternus_policy": {**catalog, "policies": [{**policy, "method": "magic"}]}},
        {"eternus.backup.eternus_policy": {**wrong, "policies": [policy]}},
        {"eternus.backup.eternus_sync": {**reach, "state": "started"}, "check_mode": True, "diff": True},
    ]
    results = _both_ways(tmp_path, tasks, len(tasks), {})
    assert [bool(result.get("failed")) for result in results[:4]] == [False, True, True, True]
    assert any(result.get("warnings") for result in results)
    assert any("diff" in result for result in results)
    assert "v3rysecret" not in str(results)


def test_a_library_that_is_missing_is_told_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_WITHOUT_SQLALCHEMY, encoding="utf-8")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), module_environment()["PYTHONPATH"]])}
    task = {"eternus.backup.eternus_policy": {"catalog_url": f"sqlite:///{tmp_path}/c.db", "policies": []}}
    [result] = _both_ways(tmp_path, [task], 0, env)
    assert "SQLAlchemy" in result["msg"]


_TASK = {"eternus.backup.eternus_policy": {"catalog_url": "sqlite:////nowhere/at/all.db", "policies": []}}


@pytest.mark.parametrize("forked", [0, 1])
def test_whatever_is_not_the_plain_case_has_a_process_of_its_own(tmp_path: Path, forked: int) -> None:
    others = f"\nother ansible_connection=local ansible_python_interpreter={sys.executable}"
    others += f"\nanother ansible_connection=local ansible_python_interpreter={sys.executable}-x"
    plain: list[dict[str, Any]] = [{}, {"delegate_to": "other"}, {"environment": {}}]
    special: list[dict[str, Any]] = [
        {"environment": {"ANY": "thing"}},
        {"vars": {"eternus_in_process": False}},
        {"become": True, "vars": {"ansible_become_exe": "/bin/false"}},
        {"vars": {"ansible_python_interpreter": "auto_silent"}},
        {"async": 60, "poll": 1},
        {"delegate_to": "another"},
    ]
    tasks = [{**_TASK, **more} for more in (plain if forked else special)]
    assert _play(tmp_path, tasks, env={}, host=_HOST + others)[1].count(FORKED) == (len(plain) if forked else 0)
