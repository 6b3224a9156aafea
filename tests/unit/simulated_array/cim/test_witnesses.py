# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strangers' command-line clients: pywbemcli (PyPI) and wbemcli (Debian), over https with a verified certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import NAMESPACE, PASSWORD, USER, Site

# wbemcli takes user and password out of the URL, without any quoting.
PLAIN = "plain-password"


def tool(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found, f"{name} is missing: install {package}"
    return found


def run(words: list[str]) -> str:
    # A bundle or a proxy of the environment would take the place of what the test gives.
    outside = ("PROXY", "CA_BUNDLE", "SSL_CERT")
    env = {name: value for name, value in os.environ.items() if not any(word in name.upper() for word in outside)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestPywbemcli:
    @pytest.fixture
    def cli(self, site: Site) -> object:
        words = [
            tool("pywbemcli", "pywbemtools from PyPI"),
            "-s",
            site.https,
            "-u",
            USER,
            "-p",
            PASSWORD,
            "-d",
            NAMESPACE,
            "--ca-certs",
            str(site.ca_file),
            "--verify",
            "--warn",
        ]
        return lambda *more: run([*words, *more])

    def test_reads_instances_and_classes(self, site: Site, cli: object) -> None:
        site.make("one", "two")
        assert cli("instance", "enumerate", "CIM_StorageVolume").count("instance of FUJITSU_StorageVolume") == 2
        key = 'FUJITSU_ThinProvisioningPool.InstanceID="FUJITSU:TPP0004"'
        assert "TotalManagedSpace" in cli("instance", "get", key)
        assert cli("instance", "associators", key, "--ac", "CIM_AllocatedFromStoragePool").count("instance of") == 2
        assert cli("instance", "references", key, "--no").count("FUJITSU_AllocatedFromStoragePool") == 2
        assert "class FUJITSU_StorageVolume" in cli("class", "get", "FUJITSU_StorageVolume")
        assert "FUJITSU_ReplicationService" in cli("class", "enumerate", "--di", "--no")
        assert "interop" in cli("namespace", "list") and "Replication Services" in cli("profile", "list")

    def test_invokes_methods(self, site: Site, cli: object) -> None:
        source, target = site.make("one", "two")
        key = 'FUJITSU_ReplicationServiceCapabilities.InstanceID="FUJITSU:ReplicationServiceCapabilities"'
        assert "MaxValue=8" in cli(
            "instance", "invokemethod", key, "GetSupportedMaximum", "-p", "ReplicationType=2", "-p", "Component=5"
        )
        service = site.client().EnumerateInstanceNames("FUJITSU_ReplicationService")[0]
        said = cli(
            "instance",
            "invokemethod",
            service.to_wbem_uri(format="canonical").partition(":")[2],
            "CreateElementReplica",
            "-p",
            "SyncType=6",
            "-p",
            "Mode=2",
            "-p",
            f"SourceElement={source.to_wbem_uri(format='historical')}",
            "-p",
            f"TargetElement={target.to_wbem_uri(format='historical')}",
        )
        assert "ReturnValue=0" in said and len(site.array.sessions()) == 1


class TestWbemcli:
    @pytest.fixture
    def cli(self, site: Site) -> object:
        site.server.admit(USER, PLAIN)
        program = [tool("wbemcli", "Debian's sblim-wbemcli"), "-nl", "-cacert", str(site.ca_file)]
        place = f"https://{USER}:{PLAIN}@127.0.0.1:{site.server.https_port}/"

        def call(operation: str, thing: str, *more: str) -> str:
            options = [word for word in more if word.startswith("-") or word[:4] in {"CIM_", "FUJI"}]
            rest = [word for word in more if word not in options]
            said = run([*program, operation, *options, place + thing, *rest])
            assert "Exception" not in said, said
            return said

        return call

    def test_reads_instances_and_classes(self, site: Site, cli: object) -> None:
        one = site.make("one", "two")[0]
        volume = NAMESPACE + ":" + one.to_wbem_uri(format="historical").rpartition(":")[2]
        assert cli("ein", f"{NAMESPACE}:CIM_StorageVolume").count("DeviceID=") == 2
        assert '-ElementName="two"' in cli("ei", f"{NAMESPACE}:FUJITSU_StorageVolume")
        assert "-NumberOfBlocks=2048" in cli("gi", volume)
        assert "TPP0004" in cli("ain", volume, "-ac", "FUJITSU_AllocatedFromStoragePool")
        assert '-ElementName="thin"' in cli("ai", volume, "-arc", "CIM_StoragePool")
        assert "FUJITSU_SystemDevice" in cli("rin", volume)
        assert "-SpaceConsumed=1048576" in cli("ri", volume)
        assert "-NumberOfBlocks" in cli("gc", f"{NAMESPACE}:FUJITSU_StorageVolume")
        assert "FUJITSU_ReplicationService" in cli("ecn", f"{NAMESPACE}:CIM_ReplicationService")

    def test_invokes_methods(self, site: Site, cli: object) -> None:
        path = 'FUJITSU_ReplicationServiceCapabilities.InstanceID="FUJITSU:ReplicationServiceCapabilities"'
        said = cli("cm", f"{NAMESPACE}:{path}", "GetSupportedMaximum.ReplicationType=2,Component=5")
        assert "GetSupportedMaximum: 0" in said and "8" in said.splitlines()[1]

    def test_does_not_trust_an_unknown_authority(self, site: Site, cli: object) -> None:
        place = f"https://{USER}:{PLAIN}@127.0.0.1:{site.server.https_port}/{NAMESPACE}:CIM_System"
        done = subprocess.run(["wbemcli", "ein", place], capture_output=True, text=True, timeout=60, check=False)
        assert "certificate" in done.stdout + done.stderr
