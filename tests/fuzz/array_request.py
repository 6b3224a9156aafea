# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated array is asked: any bytes as a request's body; the answer is always one that a client can read."""

from __future__ import annotations

import random
from pathlib import Path
from xml.parsers import expat

from ansible_collections.eternus.backup.tests.fuzz.shuffle import xml_text
from ansible_collections.eternus.backup.tests.fuzz.talk import record, record_reading
from ansible_collections.eternus.backup.tests.fuzz.target import Target

#: What makes volumes, or ends them: such requests are read, and not carried out.
_LEFT = ("createormodifyelementfromstoragepool", "returntostoragepool", "createreplica")


class Subject(Target):
    """A byte (which header CIMMethod), then the body."""

    name = "array_request"
    guided = ("eternus_sim.cim",)
    words = (
        "<CIM CIMVERSION=", "<MESSAGE ID=", "<SIMPLEREQ>", "<IMETHODCALL NAME=", "<METHODCALL NAME=",
        "<LOCALNAMESPACEPATH>", "<IPARAMVALUE NAME=", "<PARAMVALUE NAME=", "PARAMTYPE=", "<INSTANCENAME CLASSNAME=",
        "<KEYBINDING NAME=", "<VALUE>", "<KEYVALUE VALUETYPE=", "<CLASSNAME NAME=", "<VALUE.ARRAY>",
        "<VALUE.REFARRAY>", "<VALUE.REFERENCE>", "<MULTIREQ>", "EnumerateInstances", "OpenEnumerateInstances",
        "PullInstancesWithPath", "MaxObjectCount", "EnumerationContext", "OperationTimeout", "ContinueOnError",
        "Associators", "ResultClass", "AssocClass", "GetClass", "References", "Role", "CIM_ManagedElement",
        "FUJITSU_StorageVolume", "ReplicationSettingData", "SyncType", "WaitForCopyState", "<!DOCTYPE",
    )  # fmt: skip

    def seeds(self, place: Path) -> dict[str, bytes]:
        (place / "other").mkdir()
        talks, _pairs = record(place)
        talks["other"] = record_reading(place / "other")
        return {
            f"{name} {turn}": b"\0" + body
            for name, talk in talks.items()
            for turn, (_method, body) in enumerate(talk.requests[: 4 if name != "other" else 40])
        }

    def prepare(self, place: Path) -> None:
        from ansible_collections.eternus.backup.tests.unit.support.simulated import start_simulated

        (self._simulated,) = start_simulated(place)
        self._simulated.create_volumes("tv1", "tv2", "bv1", "bv2", size=1 << 20)
        from ansible_collections.eternus.backup.tests.unit.support import simulated

        self._service = simulated._RUNNING[place][0].cim

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        return data[:1] + xml_text(data[1:], chance)

    def one(self, data: bytes) -> None:
        asked = self._service.read(data[1:])
        if asked.call is not None and asked.call.name.lower() in _LEFT:
            return
        assert self._service.fault(asked) is None
        status, headers, body = self._service.answer(asked)
        assert status in (200, 400, 501), status
        assert all("\n" not in text and "\r" not in text for text in headers.values()), headers
        if status == 200:
            expat.ParserCreate().Parse(body, True)
