# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program: serve, status, stop; several arrays; and how much it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pywbem
from eternus_sim.process import ended

from .conftest import FILES, U16, Site


def sim(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(FILES)}
    return subprocess.run(
        [sys.executable, "-m", "eternus_sim", *words], capture_output=True, text=True, timeout=90, env=env, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "sim"
    sim("stop", "--directory", str(tmp_path / "sim"))


def client(home: Path, index: int = 0) -> pywbem.WBEMConnection:
    found = json.loads((home / "endpoints.json").read_text())
    password = Path(found["password_file"]).read_text()
    conn = pywbem.WBEMConnection(
        found["arrays"][index]["https_url"],
        (found["user"], password),
        default_namespace="root/eternus",
        ca_certs=found["ca_file"],
    )
    conn.session.trust_env = False
    return conn


def test_it_starts_once_tells_where_it_listens_and_stops_whole(home: Path) -> None:
    place = ("--directory", str(home))
    assert sim("status", *place).returncode == 3
    first = json.loads(sim("serve", "--detach", *place).stdout)
    assert json.loads(sim("serve", "--detach", *place).stdout)["pid"] == first["pid"]
    assert sim("serve", *place).returncode == 1
    assert client(home).EnumerateInstances("FUJITSU_StorageProduct")[0]["IdentifyingNumber"] == first["model"]
    for private in (home / "password", home / "tls" / "server.key"):
        assert private.stat().st_mode & 0o777 == 0o600
    assert sim("stop", *place).returncode == 0
    assert not (home / "endpoints.json").exists() and ended(first["pid"])
    assert sim("stop", *place).returncode == 3


def test_what_was_made_is_there_after_a_restart(home: Path) -> None:
    place = ("--directory", str(home))
    sim("serve", "--detach", *place)
    conn = client(home)
    pool = conn.EnumerateInstanceNames("FUJITSU_ThinProvisioningPool")[0]
    config = conn.EnumerateInstanceNames("FUJITSU_StorageConfigurationService")[0]
    made = conn.InvokeMethod(
        "CreateOrModifyElementFromStoragePool",
        config,
        ElementName="kept",
        InPool=pool,
        ElementType=U16(5),
        Size=pywbem.Uint64(1 << 20),
    )[1]["TheElement"]
    sim("stop", *place)
    sim("serve", "--detach", *place)
    assert client(home).GetInstance(made)["ElementName"] == "kept"


def test_two_arrays_are_linked_for_remote_copies(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "two.json"
    models = ["ET603SA4621302115", "ET603SA4621302116"]
    config.write_text(json.dumps({"arrays": [{"model": model} for model in models]}))
    found = json.loads(sim("serve", "--detach", "--directory", str(home), "--config", str(config)).stdout)
    assert [item["model"] for item in found["arrays"]] == models
    ends = []
    for index in (0, 1):
        conn = client(home, index)
        pool = conn.EnumerateInstanceNames("FUJITSU_ThinProvisioningPool")[0]
        service = conn.EnumerateInstanceNames("FUJITSU_StorageConfigurationService")[0]
        ends.append(
            conn.InvokeMethod(
                "CreateOrModifyElementFromStoragePool",
                service,
                ElementName=f"v{index}",
                InPool=pool,
                ElementType=U16(5),
                Size=pywbem.Uint64(1 << 20),
            )[1]["TheElement"]
        )
    near = client(home)
    code, outs = near.InvokeMethod(
        "CreateElementReplica",
        near.EnumerateInstanceNames("FUJITSU_ReplicationService")[0],
        SyncType=U16(6),
        Mode=U16(3),
        SourceElement=ends[0],
        TargetElement=ends[1],
    )
    assert code == 0 and outs["Synchronization"]["SyncedElement"]["SystemName"] == models[1]
    for index, end in enumerate(ends):
        assert len(client(home, index).ReferenceNames(end, ResultClass="FUJITSU_StorageSynchronized")) == 1


def test_ten_thousand_volumes_are_listed_and_sessions_found_among_them(site: Site) -> None:
    site.array.create_volumes([(f"v{number}", 1 << 20) for number in range(10_000)], "TPP0004")
    conn = site.client()
    assert len(conn.EnumerateInstanceNames("FUJITSU_StorageVolume")) == 10_000
    found = conn.EnumerateInstances("FUJITSU_StorageVolume", PropertyList=["ElementName"])
    assert len({item["ElementName"] for item in found}) == 10_000
    assert conn.ReferenceNames(found[7].path, ResultClass="FUJITSU_StorageSynchronized") == []
