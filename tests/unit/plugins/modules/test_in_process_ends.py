# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""However a run is ended, a module in a fork of Ansible's worker goes on for no longer than one that is a process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.plugins.modules.conftest import Site
from ansible_collections.eternus.backup.tests.unit.support.module_paths import TREE
from ansible_collections.eternus.backup.tests.unit.support.play import Playing, begin, play

INFO = "eternus.backup.eternus_info"
WAYS = ({}, {"ETERNUS_IN_PROCESS": "0"})
ENDS: dict[str, Callable[[Playing], None]] = {
    "its process group is killed": lambda playing: os.killpg(playing.process.pid, signal.SIGKILL),
    "ansible-playbook alone is killed": lambda playing: playing.process.kill(),
}
#: The first request never ends, the next processes die as of the fuse and by force; then all is well.
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
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **more)

requests.adapters.HTTPAdapter.send = send
"""
#: The first request waits until it may go on, and then says that it does.
WAITING = """
import os, time
import requests.adapters
original = requests.adapters.HTTPAdapter.send

def send(*args, **more):
    requests.adapters.HTTPAdapter.send = original
    with open(os.environ["WAITING"] + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(os.environ["WAITING"] + ".new", os.environ["WAITING"])
    while not os.path.exists(os.environ["WAITING"] + ".go"):
        time.sleep(0.01)
    with open(os.environ["WAITING"] + ".on", "w") as file:
        file.write("on")
    return original(*args, **more)

requests.adapters.HTTPAdapter.send = send
"""


def injected(directory: Path, text: str) -> dict[str, str]:
    """Return the environment by which every Python runs this text as it begins."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": f"{directory}:{TREE}"}


def waiting(site: Site, directory: Path, way: Mapping[str, str]) -> tuple[Playing, Path]:
    """Return a play whose module waits before its first request, and the file beside which it will say so."""
    directory.mkdir()
    mark = directory / "mark"
    env = {**injected(directory / "fault", WAITING), "WAITING": str(mark), **way}
    playing = begin(directory / "play", [{INFO: {**site.array.args(), "gather_subset": ["array"]}}], env=env)
    until(mark.exists, playing)
    return playing, mark


def until(holds: Callable[[], object], playing: Playing) -> None:
    """Wait until it holds; a play that takes minutes for it is killed, and has failed."""
    deadline = time.monotonic() + 120
    while not holds():
        if time.monotonic() > deadline:
            for pid in playing.left():
                os.kill(pid, signal.SIGKILL)
            pytest.fail("has waited in vain")
        time.sleep(0.02)


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_is_killed_leaves_what_it_leaves_of_modules(end: str, site: Site, tmp_path: Path) -> None:
    went_on = []
    for number, way in enumerate(WAYS):
        playing, mark = waiting(site, tmp_path / f"way{number}", way)
        ENDS[end](playing)
        playing.process.wait()
        Path(f"{mark}.go").touch()
        until(lambda playing=playing: not playing.left(), playing)
        went_on.append(Path(f"{mark}.on").exists())
    here, as_module = went_on
    assert here <= as_module


def test_a_run_that_is_asked_to_end_leaves_nothing(site: Site, tmp_path: Path) -> None:
    for number, way in enumerate(WAYS):
        playing, mark = waiting(site, tmp_path / f"way{number}", way)
        os.killpg(playing.process.pid, signal.SIGTERM)
        playing.process.wait()
        until(lambda playing=playing: not playing.left(), playing)
        assert not Path(f"{mark}.on").exists()


def test_a_task_that_is_out_of_time_and_one_that_is_killed_fail_and_the_next_goes_on(
    site: Site, tmp_path: Path
) -> None:
    args = {**site.array.args(), "gather_subset": ["array"]}
    env = {**injected(tmp_path / "fault", DEATH), "DEATH": str(tmp_path / "death")}
    tasks: list[dict[str, Any]] = [
        {INFO: args, "timeout": 3},
        {INFO: args},
        {INFO: args},
        {INFO: args},
    ]
    done = play(tmp_path / "play", tasks, env=env)
    assert [one["failed"] for one in done.results] == [True, True, True, False]
    assert {"3", "(3)"} & set(done.results[0]["msg"].split())  # seconds
    for number, death in ((1, signal.SIGALRM), (2, signal.SIGKILL)):
        assert done.results[number]["rc"] == 128 + death
        assert f"{INFO} was ended by signal {int(death)}." in done.results[number]["msg"]
    pids = [int(line) for line in Path(env["DEATH"]).read_text(encoding="utf-8").split()]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
