# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crash matrix of playbooks: its points are drawn by the seed alone, and its host sees what is wrong with it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.fault.playbook_host import Host
from ansible_collections.eternus.backup.tests.fault.playbook_points import NAMES, POINTS, drawn, job

EVENTS = ["hook:pre", "commit", "wbem:EnumerateInstances", "freeze", "wbem:ModifyReplicaSynchronization", "commit"]
EVENTS += ["thaw", "hook:post"]


def test_the_same_seed_draws_the_same_points_and_every_kind_of_event() -> None:
    found = drawn("backup", 7, EVENTS)
    assert found == drawn("backup", 7, EVENTS)
    assert {EVENTS[one.at - 1].partition(":")[0] for one in found} == {"hook", "commit", "wbem", "freeze", "thaw"}
    assert len(set(found)) == len(found) >= POINTS


def test_a_job_of_few_events_is_struck_before_and_after_each() -> None:
    assert len(set(drawn("cancel", 7, ["hook:pre", "commit"]))) == 4


def test_every_workflow_of_the_matrix_is_a_playbook_too(tmp_path: Path) -> None:
    wanted = {"start", "resume", "backup", "backup_suspend", "backup_snapshot", "backup_differential", "backup_group"}
    wanted |= {"tape_copy", "restore", "tape_restore", "delete", "cancel", "retention", "catalog_import"}
    assert {job(name, tmp_path).name for name in NAMES} == {f"playbook_{name}" for name in wanted}


@pytest.mark.parametrize(
    ("does", "wrong"),
    [
        (["hook pre", "fsfreeze -f u01", "fsfreeze -u u01", "hook post"], ""),
        (["hook pre", "umount u01", "mount -t xfs -o rw,noatime /dev/sdx u01", "hook post"], ""),
        (["hook pre"], "the order was"),
        (["hook pre", "hook post", "fsfreeze -f u01"], "frozen-u01 after the job"),
        (["hook pre", "umount u01", "hook post"], "u01 is not mounted"),
        (["fsfreeze -f u01", "hook pre", "fsfreeze -u u01", "hook post"], "the order was"),
    ],
)
def test_a_host_says_what_a_job_has_left_wrong(tmp_path: Path, does: Sequence[str], wrong: str) -> None:
    host = Host(tmp_path / "host")
    host.reset(["u01"])
    environment = host.environment()
    for one in does:
        program, *args = one.split()
        subprocess.run([str(host.programs / program), *args], env=environment, check=True)
    found = "; ".join(host.complaints(["u01"], hooks=True))
    assert wrong in found
    assert bool(found) == bool(wrong)
