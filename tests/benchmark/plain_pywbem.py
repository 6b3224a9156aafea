# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a volume driver does with plain pywbem, volume by volume: copies started, awaited, split and ended.

For each method: look up the service, GetInstance of both volumes, invoke, poll the job. No catalog, no generations, no
leases, no journal; one connection for all, which is more than separate tasks would have.

Reads JSON on stdin: url, user, password, ca, namespace, pairs of object paths (URIs). Prints the seconds of the work.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pywbem

SERVICE = "FUJITSU_ReplicationService"
JOB_STARTED, RUNNING = 4096, (2, 3, 4)
MIRROR, SYNCHRONOUS, EQUIVALENT = 6, 2, 4
SPLIT, DETACH, NOT_APPLICABLE = 21, 8, 15
PAUSE = 0.1  # seconds between two looks; drivers take longer ones


class Driver:
    """One connection, as a volume driver uses it."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Prepare the connection."""
        self._wbem = pywbem.WBEMConnection(
            given["url"], (given["user"], given["password"]), given["namespace"], ca_certs=given["ca"]
        )
        self._wbem.session.trust_env = False

    def start(self, source: Any, target: Any) -> Any:
        """Start a copy; return the path of its session."""
        return self._invoke(
            "CreateElementReplica",
            source,
            target,
            SyncType=pywbem.Uint16(MIRROR),
            Mode=pywbem.Uint16(SYNCHRONOUS),
            SourceElement=source,
            TargetElement=target,
        )["Synchronization"]

    def wait(self, session: Any) -> None:
        """Look at the session until it is equivalent."""
        while self._wbem.GetInstance(session, PropertyList=["CopyState"])["CopyState"] != EQUIVALENT:
            time.sleep(PAUSE)

    def split(self, source: Any, target: Any, session: Any) -> None:
        """Split the pair, then end the session."""
        self._invoke(
            "ModifyReplicaSynchronization", source, target, Operation=pywbem.Uint16(SPLIT), Synchronization=session
        )
        self._invoke(
            "ModifyReplicaSynchronization",
            source,
            target,
            Operation=pywbem.Uint16(DETACH),
            Synchronization=session,
            Force=True,
            WaitForCopyState=pywbem.Uint16(NOT_APPLICABLE),
        )

    def _invoke(self, method: str, source: Any, target: Any, **params: Any) -> Any:
        service = self._wbem.EnumerateInstanceNames(SERVICE)[0]
        for volume in (source, target):
            self._wbem.GetInstance(volume)
        code, out = self._wbem.InvokeMethod(method, service, **params)
        if code == JOB_STARTED:
            while self._wbem.GetInstance(out["Job"])["JobState"] in RUNNING:
                time.sleep(PAUSE)
        elif code != 0:
            raise SystemExit(f"{method} answered {code}")
        return out


def main() -> None:
    """Do the work for each pair."""
    given = json.load(sys.stdin)
    driver = Driver(given)
    pairs = [[pywbem.CIMInstanceName.from_wbem_uri(uri) for uri in pair] for pair in given["pairs"]]
    begun = time.perf_counter()
    sessions = [driver.start(*pair) for pair in pairs]
    for session in sessions:
        driver.wait(session)
    for pair, session in zip(pairs, sessions, strict=True):
        driver.split(*pair, session)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
