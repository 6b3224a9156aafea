# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two Tower jobs on one volume, tape copy or drive: one works, the other says who holds it, and since when."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.crowd import Call, Crowd, Member
from ansible_collections.eternus.backup.tests.unit.support.field import Field, until_expired
from ansible_collections.eternus.backup.tests.unit.support.pausing import SHORT, before_the_look, in_a_block
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse

JOB_1, JOB_2 = {"AWX_JOB_ID": "4711"}, {"AWX_JOB_ID": "4712"}


def assert_tells_who(result: dict[str, Any], what: str, holder: Member) -> None:
    """Assert that a refusal names job, host, process, and since when in UTC."""
    assert result["error_class"] == "busy", result
    who = f"job 4711 on {socket.gethostname()}, process {holder.pid} ["
    assert result["error"].startswith(what), result
    assert who in result["error"], result
    since = re.search(r" since (\S+?)[.,]?( |$)", result["error"])
    assert since, result
    told = datetime.fromisoformat(since[1])
    assert told.utcoffset() == timedelta(0), result
    assert timedelta(0) <= SystemClock().now() - told < timedelta(minutes=5), result
    assert result["next_step"]


@pytest.mark.rule("R4.25")
def test_of_two_jobs_on_one_volume_one_works_and_the_other_says_who_holds_it(either: Field) -> None:
    either.volumes(1, 2)
    either.policies("tv0")
    first = either.start("eternus_sync", "tv0", env=JOB_1, prelude=before_the_look())
    first.until_stopped()
    before = either.state()
    for module in ("eternus_sync", "eternus_backup"):
        second = either.run(module, "tv0", env=JOB_2)
        assert_tells_who(second, f"Volume {either.name('tv0')} is held by ", first)
    assert either.state() == before
    first.wake()
    code, result = first.ended()
    assert (code, result["equivalent"]) == (0, True)
    assert either.done("eternus_backup", "tv0", env=JOB_2)["changed"]
    either.assert_sound()


class Tapes:
    """A tape server with one drive, two cartridges and two backups that wait; processes at it."""

    def __init__(self, path: Path, crowd: Crowd, drives: int) -> None:
        self.house, self._crowd = TapeHouse(path), crowd
        self.house.bed.library.create({"A1": 32 << 20, "A2": 32 << 20}, drives)
        self.house.cartridges("A1", "A2", capacity=32 << 20)
        self.house.backup("B1", 11)
        self.house.backup("B2", 12, age=1)

    def copy(self, backup: str, job: dict[str, str], prelude: str = "") -> Member:
        env = {
            "ETERNUS_TAPE_LIBRARY": self.house.bed.library.path,
            "ETERNUS_CATALOG": self.house.url,
            "ETERNUS_DEVICE_DIR": str(self.house.bed.devices),
            **job,
        }
        return self._crowd.start(Call("tape_copy", {"backup": backup, "verify": True}, env, prelude))


def test_of_two_jobs_on_one_tape_copy_or_drive_the_second_says_who_holds_it(tmp_path: Path, crowd: Crowd) -> None:
    tapes = Tapes(tmp_path, crowd, drives=1)
    first = tapes.copy("B1", JOB_1, in_a_block())
    first.until_stopped()
    assert_tells_who(tapes.copy("B1", JOB_2).ended()[1], "Tape copy 1 of backup B1 is taken by ", first)
    assert_tells_who(tapes.copy("B2", JOB_2).ended()[1], "Cartridge A1 is in use in drive0 by ", first)
    assert tapes.house.tape("B2").state is TapeState.QUEUED
    first.wake()
    assert first.ended()[0] == 0
    assert tapes.copy("B2", JOB_2).ended()[0] == 0
    assert [tapes.house.tape(one).verified_ok for one in ("B1", "B2")] == [True, True]


def test_a_tape_owner_that_wakes_after_its_lease_touches_nothing_that_another_wrote(
    tmp_path: Path, crowd: Crowd
) -> None:
    """Its drive is locked as long as it lives: what it still writes there lies behind all that the catalog knows."""
    tapes = Tapes(tmp_path, crowd, drives=2)
    first = tapes.copy("B1", JOB_1, SHORT + in_a_block())
    first.until_stopped()
    until_expired(tapes.house.catalog)
    assert tapes.copy("B1", JOB_2).ended()[0] == 0
    before = tapes.house.get("B1")
    assert before.tape[0].state is TapeState.WRITTEN
    assert [part.barcode for part in before.tape[0].parts] == ["A2"]
    first.wake()
    code, result = first.ended()
    assert (code, result["error_class"]) == (1, "busy"), result
    assert tapes.house.get("B1") == before
    assert tapes.house.readers() == []
    with tapes.house.catalog.read() as records:
        assert records.leases() == []
    assert tapes.copy("B2", JOB_2).ended()[0] == 0
    assert [tapes.house.tape(one).verified_ok for one in ("B1", "B2")] == [True, True]


PLAYBOOKS = sorted((Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("file", PLAYBOOKS, ids=lambda file: file.stem)
def test_a_playbook_that_works_on_hosts_tells_them_its_job(file: Path) -> None:
    """AWX gives its job's id to the playbook alone: a module on another host would not know it."""
    for play in yaml.safe_load(file.read_text(encoding="utf-8")):
        if "eternus_hosts" in str(play.get("hosts")):
            assert "awx_job_id" in play["environment"]["AWX_JOB_ID"]
