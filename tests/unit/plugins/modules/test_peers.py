# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several arrays in one task, and the other end of a remote copy that is not reached (behaviour.md §2.7, §3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)

LOCAL = [2, 6, 7, 10, 11]
_WAITING = ("eternus_sync", "eternus_backup", "eternus_restore")


@dataclass(frozen=True)
class Remote:
    """Two linked arrays and a catalog: ``tv``, ``scratch`` here; ``far1``, ``far2`` there; ``same`` on both."""

    here: Simulated
    there: Simulated
    url: str

    @property
    def peers(self) -> list[dict[str, Any]]:
        """What leads to the second array, beside the options of the first."""
        return [{"host": self.there.endpoint["host"], "port": self.there.endpoint["https_port"]}]

    def run(self, module: str, *, peers: bool = True, check: bool = False, **options: Any) -> dict[str, Any]:
        reach = {} if module == "eternus_policy" else self.here.args(**({"peers": self.peers} if peers else {}))
        quick = {"poll_interval": 0.1, "wait_timeout": 60} if module in _WAITING else {}
        return run_module(module, {**reach, "catalog_url": self.url, **quick, **options}, check=check)

    def done(self, module: str, **options: Any) -> dict[str, Any]:
        result = self.run(module, **options)
        assert not result["failed"], result
        return result

    def refused(self, error_class: str, module: str, **options: Any) -> dict[str, Any]:
        before = self.here.sessions(), self.there.sessions()
        result = self.run(module, **options)
        assert result.get("error_class") == error_class, result
        assert self.here.password not in str({**result, "invocation": None})
        assert (self.here.sessions(), self.there.sessions()) == before
        return result

    def requests(self) -> int:
        return self.here.requests() + self.there.requests()


@pytest.fixture
def remote(tmp_path: Path, certificates: Path) -> Iterator[Remote]:
    directory = tmp_path / "two"
    config = {"arrays": [{"model": "ET603SA4621302115"}, {"model": "ET603SA4621302116", "name": "remote"}]}
    here, there = start_simulated(directory, tls_directory=certificates, config=config)
    here.create_volumes("tv", "scratch", "same", size=MIB)
    there.create_volumes("far1", "far2", "same", size=MIB)
    try:
        yield Remote(here, there, f"sqlite:///{tmp_path}/catalog.db")
    finally:
        stop_simulated(directory)


@pytest.fixture
def declared(remote: Remote) -> Remote:
    remote.done("eternus_volume", volumes=["tv"], role="transaction")
    remote.done("eternus_volume", volumes=["far1", "far2"], role="backup")
    policy = {"volume": "tv", "generations": 1, "media": "disk", "suspend": True}
    remote.done("eternus_policy", policies=[policy])
    return remote


def test_volumes_of_several_arrays_are_registered_by_one_task(remote: Remote) -> None:
    rows = remote.done("eternus_volume", volumes=["scratch", "far1"], role="backup")["volumes"]
    assert [row["array"] for row in rows] == [remote.here.serial, remote.there.serial]


def test_a_name_on_two_arrays_is_told_apart_by_the_serial(remote: Remote) -> None:
    assert "SERIAL/NAME" in remote.refused("invalid_option", "eternus_volume", volumes=["same"], role="backup")["msg"]
    rows = remote.done("eternus_volume", volumes=[f"{remote.there.serial}/same"], role="backup")["volumes"]
    assert [row["array"] for row in rows] == [remote.there.serial]


def test_what_is_missing_is_missing_on_all_arrays(remote: Remote) -> None:
    result = remote.refused("no_such_volume", "eternus_volume", volumes=["tv", "nowhere"], role="backup")
    assert remote.here.serial in result["error"] and remote.there.serial in result["error"]


def test_one_array_by_two_names_is_refused(remote: Remote) -> None:
    again = [{"host": "localhost", "port": remote.here.endpoint["http_port"], "use_tls": False}]
    given = {**remote.here.args(peers=again), "catalog_url": remote.url, "volumes": ["tv"], "role": "transaction"}
    result = run_module("eternus_volume", given)
    assert result["error_class"] == "invalid_option"
    assert remote.here.serial in result["error"]


def test_a_peer_that_does_not_answer_is_named(remote: Remote) -> None:
    gone = [{"host": "127.0.0.1", "port": 1}]
    given = {**remote.here.args(peers=gone), "catalog_url": remote.url, "volumes": ["tv"], "role": "transaction"}
    result = run_module("eternus_volume", given)
    assert result["error_class"] == "array_unreachable"
    assert "127.0.0.1:1" in result["error"]


def _without_the_peer(remote: Remote, module: str, **options: Any) -> dict[str, Any]:
    gone = remote.here.args(peers=[{"host": "127.0.0.1", "port": 1}])
    return run_module(module, {**gone, "catalog_url": remote.url, "poll_interval": 0.1, **options})


def test_a_task_goes_on_without_a_peer_that_is_gone_and_warns_of_it(declared: Remote) -> None:
    result = _without_the_peer(declared, "eternus_sync")
    assert result["equivalent"]
    assert "127.0.0.1:1" in str(result["warnings"])


def test_what_needs_a_peer_that_is_gone_is_refused_with_its_name(declared: Remote) -> None:
    declared.done("eternus_sync")
    declared.done("eternus_backup")
    result = _without_the_peer(declared, "eternus_restore", volume="tv", confirm="tv")
    assert result["error_class"] == "array_unreachable"
    assert declared.there.serial in result["error"]
    assert "127.0.0.1:1" in result["error"]


def test_a_pair_on_two_arrays_is_one_session_and_every_request_is_counted(declared: Remote) -> None:
    for array in (declared.here, declared.there):
        array.reset_counters()
    result = declared.done("eternus_sync")
    assert result["round_trips"] == declared.requests()
    (row,) = result["synchronizations"]
    assert (row["copy_type"], row["state"]) == ("REC", "equivalent")
    info = declared.done("eternus_backup_info", gather_subset=["sessions"])
    assert len(info["sessions"]) == 1


def test_a_remote_synchronization_and_its_backup_need_the_source_s_array_alone(declared: Remote) -> None:
    declared.there.reset_counters()
    result = declared.done("eternus_sync", peers=False)
    assert result["synchronizations"][0]["copy_type"] == "REC"
    assert declared.done("eternus_backup", peers=False)["backups"][0]["taken"]
    assert declared.there.requests() == 0


def test_what_each_array_offers_is_kept_for_it(declared: Remote) -> None:
    with closing(open_catalog(declared.url)) as catalog, catalog.read() as records:
        kept = [records.array(array.serial) for array in (declared.here, declared.there)]
    assert [record.known["serial"] for record in kept if record] == [declared.here.serial, declared.there.serial]
    assert all("capabilities" in record.known for record in kept if record)


@pytest.mark.rule("R2.7")
@pytest.mark.parametrize("peers", [True, False])
@pytest.mark.parametrize("end", ["here", "there"])
def test_a_remote_copy_that_one_end_does_not_offer_is_refused(declared: Remote, end: str, peers: bool) -> None:
    getattr(declared, end).knobs(replication_types=LOCAL)
    declared.run("eternus_volume", volumes=["far1"], role="backup")  # asks both arrays anew
    result = declared.refused("unsupported_copy", "eternus_sync", peers=peers)
    assert "peers" in result["next_step"]


def test_what_the_catalog_says_of_the_other_end_is_asked_anew_by_a_task_that_reaches_it(declared: Remote) -> None:
    declared.there.knobs(replication_types=LOCAL)
    declared.run("eternus_volume", volumes=["far1"], role="backup")
    declared.there.knobs(replication_types=[2, 4, 5, 10, 11, 12, 13])
    declared.refused("unsupported_copy", "eternus_sync", peers=False)
    assert declared.done("eternus_sync")["equivalent"]


@pytest.mark.rule("R2.7")
def test_an_array_that_is_not_registered_here_serves_no_remote_copy(remote: Remote) -> None:
    remote.done("eternus_volume", volumes=["tv"], role="transaction")
    remote.done("eternus_policy", policies=[{"volume": "tv", "generations": 1, "media": "disk"}], strict=False)
    remote.refused("no_unused_volume", "eternus_sync")


def test_without_the_path_the_start_is_refused_with_the_array_s_code(declared: Remote) -> None:
    declared.here.knobs(peer_reachable=False)
    result = declared.refused("array_error", "eternus_sync")
    assert result["details"]["code"] == 32818


def test_a_remote_backup_is_restored_by_a_copy_from_its_own_array(declared: Remote) -> None:
    declared.here.write("tv", b"first" * 50_000)
    declared.done("eternus_sync")
    declared.done("eternus_backup")
    declared.here.write("tv", b"spoilt" * 50_000)
    wanted = {"volume": "tv", "confirm": "tv"}
    declared.refused("array_unreachable", "eternus_restore", peers=False, **wanted)
    restored = declared.done("eternus_restore", **wanted)
    assert restored["finished"] and restored["restore"]["copy_type"] == "ROPC"
    assert declared.here.sha256("tv") == declared.there.sha256(restored["restore"]["backup_volume"])


def test_a_snapshot_goes_to_the_other_array_though_that_is_not_reached(declared: Remote) -> None:
    policy = {"volume": "tv", "generations": 1, "media": "disk", "method": "snapshot"}
    declared.done("eternus_policy", policies=[policy])
    declared.here.knobs(copy_rate=1)
    (backup,) = declared.done("eternus_backup", peers=False)["backups"]
    declared.here.write("tv", b"later")
    assert backup["copy_type"] == "ROPC"
    assert declared.there.sha256(backup["disk"]["backup_volume"]) != declared.here.sha256("tv")
    with closing(open_catalog(declared.url)) as catalog, catalog.read() as records:
        names = {volume.name: volume.volume.device_name for volume in records.volumes()}
    device = declared.there.device_dir / names[backup["disk"]["backup_volume"]]
    assert device.read_bytes() == bytes(MIB)
