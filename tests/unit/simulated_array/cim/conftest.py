# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An array behind its server, in this process, and clients of it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

FILES = Path(__file__).resolve().parents[4] / "roles" / "simulated_array" / "files"
if str(FILES) not in sys.path:
    sys.path.insert(0, str(FILES))

from eternus_sim import certs
from eternus_sim.core.array import SimArray
from eternus_sim.core.model import Session
from eternus_sim.server import ArrayServer

MIB = 1 << 20
USER, PASSWORD = "software", "s3cret:with colon"
NAMESPACE = "root/eternus"
PATIENCE = 30.0
U16 = pywbem.Uint16


class Site:
    """An array, its server, and short words."""

    def __init__(self, array: SimArray, server: ArrayServer, ca_file: Path) -> None:
        self.array = array
        self.server = server
        self.ca_file = ca_file

    @property
    def https(self) -> str:
        return f"https://127.0.0.1:{self.server.https_port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.server.http_port}"

    def client(self, *, https: bool = True, **options: Any) -> pywbem.WBEMConnection:
        if https:
            options.setdefault("ca_certs", str(self.ca_file))
        creds = options.pop("creds", (USER, PASSWORD))
        conn = pywbem.WBEMConnection(
            self.https if https else self.http, creds, default_namespace=NAMESPACE, timeout=30, **options
        )
        conn.session.trust_env = False
        return conn

    def make(self, *names: str, size: int = MIB, pool: str = "TPP0004") -> list[pywbem.CIMInstanceName]:
        return [self.path(volume.device_id) for volume in self.array.create_volumes([(n, size) for n in names], pool)]

    def path(self, device_id: str) -> pywbem.CIMInstanceName:
        keys = {
            "SystemCreationClassName": "FUJITSU_StorageComputerSystem",
            "SystemName": self.array.model,
            "CreationClassName": "FUJITSU_StorageVolume",
            "DeviceID": device_id,
        }
        return pywbem.CIMInstanceName("FUJITSU_StorageVolume", keys, namespace=NAMESPACE)

    def wait(self, source: pywbem.CIMInstanceName, target: pywbem.CIMInstanceName, state: int) -> Session:
        """Waits until the session has this CopyState and rests."""
        key = (source["DeviceID"], target["DeviceID"])

        def there() -> bool:
            session = self.array.session(*key)
            return session.copy_state == state and session.progress_status == 2

        assert self.array.wait_for(there, PATIENCE)
        return self.array.session(*key)

    def requests(self) -> dict[str, int]:
        return self.array.counters.requests()


@pytest.fixture(scope="session")
def sim_certificates(tmp_path_factory: pytest.TempPathFactory) -> certs.Certificates:
    return certs.ensure(tmp_path_factory.mktemp("sim-tls"))


@pytest.fixture
def site(tmp_path: Path, sim_certificates: certs.Certificates) -> Iterator[Site]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sim_certificates.cert_file, sim_certificates.key_file)
    array = SimArray(tmp_path / "array")
    server = ArrayServer(array, {USER: PASSWORD}, https_port=0, tls=tls)
    server.start()
    yield Site(array, server, sim_certificates.ca_file)
    server.stop()
    array.close()


@pytest.fixture
def conn(site: Site) -> pywbem.WBEMConnection:
    return site.client()


@pytest.fixture
def service(conn: pywbem.WBEMConnection) -> pywbem.CIMInstanceName:
    return conn.EnumerateInstanceNames("FUJITSU_ReplicationService")[0]
