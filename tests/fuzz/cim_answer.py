# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an array answers: bytes, guard, pywbem, our mapping. One answer of a real conversation is the input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fuzz.shuffle import xml_text
from ansible_collections.eternus.backup.tests.fuzz.talk import questions, record, reply, transport
from ansible_collections.eternus.backup.tests.fuzz.target import PLUGINS, Target, named

_STATUS = (200, 200, 200, 200, 200, 200, 200, 400, 401, 503)
_WHOLE = (ErrorClass.ARRAY_ERROR, ErrorClass.ARRAY_UNREACHABLE, ErrorClass.NOT_AUTHORIZED)
#: What a return code of the array may mean, besides.
_CODES = (
    ErrorClass.UNSUPPORTED_COPY, ErrorClass.SESSION_LIMIT, ErrorClass.SIZE_MISMATCH, ErrorClass.NO_SUCH_VOLUME,
    ErrorClass.NOT_EQUIVALENT, ErrorClass.BUSY, ErrorClass.COPY_FAILED, ErrorClass.VOLUME_RESERVED,
)  # fmt: skip


class Subject(Target):
    """Three bytes (question, which of its answers, http status), then the answer."""

    name = "cim_answer"
    guided = (f"{PLUGINS}._array", "pywbem._tupleparse", "pywbem._tupletree")
    words = (
        "<VALUE>", "</VALUE>", "<VALUE.ARRAY>", "<VALUE.REFERENCE>", "<PROPERTY NAME=", "<PROPERTY.REFERENCE NAME=",
        "TYPE=", "uint64", "uint16", "datetime", "boolean", "string", "<KEYBINDING NAME=", "<KEYVALUE VALUETYPE=",
        "<INSTANCENAME ", "<VALUE.NAMEDINSTANCE>", "<ERROR CODE=", "<RETURNVALUE PARAMTYPE=", "<PARAMVALUE NAME=",
        "<IRETURNVALUE>", "SystemName", "DeviceID", "NumberOfBlocks", "BlockSize", "Purpose", "CopyType",
        "CopyState", "WhenSynced", "WhenSuspended", "PercentSynced", "SyncMaintained", "JobState", "ErrorCode",
        "IdentifyingNumber", "InstanceID", "SupportedReplicationTypes", "<!DOCTYPE", "<![CDATA[", "&#x0;",
        "EmbeddedObject=", "<HOST>", "<LOCALINSTANCEPATH>",
    )  # fmt: skip

    def seeds(self, place: Path) -> dict[str, bytes]:
        talks, _pairs = record(place)
        return {
            f"{name} {turn}": bytes((number, turn, 0)) + answer
            for number, (name, talk) in enumerate(talks.items())
            for turn, answer in enumerate(talk.answers[:8])
        }

    def prepare(self, place: Path) -> None:
        from ansible_collections.eternus.backup.plugins.module_utils._array import facts
        from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
        from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
        from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions
        from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
        from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock

        self._talks, pairs = record(place)
        self._asks = list(questions(pairs).items())
        self._facts = facts
        options = ArrayOptions(host="127.0.0.1", port=1, username="u", password="p", use_tls=True, validate_certs=False)
        soon = Wait(1.0, 2.0)
        self._array: Callable[[], Any] = lambda: WbemArray(
            Connection(options), clock=FakeClock(), busy=soon, job_wait=soon
        )

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        if chance.random() < 0.05:
            return bytes((chance.randrange(len(self._asks)), chance.randrange(6), chance.randrange(8))) + data[3:]
        return data[:3] + xml_text(data[3:], chance)

    def one(self, data: bytes) -> None:
        if len(data) < 3:
            return
        name, ask = self._asks[data[0] % len(self._asks)]
        answers = self._talks[name].answers
        turn, status = data[1] % min(len(answers), 8), _STATUS[data[2] % len(_STATUS)]
        sent = 0

        def answer(request: Any, _go_on: Callable[[], Any]) -> Any:
            nonlocal sent
            sent += 1
            if sent == turn + 1:
                return reply(request, data[3:], status)
            return reply(request, answers[min(sent, len(answers)) - 1])

        array = self._array()
        with transport(answer):
            try:
                told = ask(array)
            except BackupError as error:
                named(error, *_WHOLE, *(_CODES if "start" in name else ()))
                return
            finally:
                array.close()
        self._look(name, told, array)

    def _look(self, name: str, told: Any, array: Any) -> None:
        """Check that what was told is of the types that the engine works with, and can be printed."""
        json.dumps(dict(array.known))
        if name == "serial":
            assert isinstance(told, str) and told
        elif name in ("volumes", "one volume"):
            for volume in told.values() if isinstance(told, dict) else told:
                assert volume.blocks >= 0 and volume.block_size > 0, volume
                json.dumps(self._facts.volume_facts(volume))
        elif name == "pools":
            json.dumps([self._facts.pool_facts(pool) for pool in told])
        elif name == "sessions":
            json.dumps([self._facts.session_facts(session, {}) for session in told])
        elif name == "capabilities":
            json.dumps(self._facts.capability_facts(told))
        else:
            for outcome in told:
                if outcome.error is not None:
                    named(outcome.error, *_WHOLE, *_CODES)
