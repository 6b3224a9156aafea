# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that a fuzzer found: whatever an agent says is understood, or is ``array_error`` (make fuzz, cim_answer)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions
from ansible_collections.eternus.backup.tests.fuzz.talk import Talk, questions, record, reply, transport
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock

Told = tuple[dict[str, Talk], dict[str, Callable[[Any], Any]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Told]:
    """A conversation with the simulated array, and the questions that it was about."""
    talks, pairs = record(tmp_path_factory.mktemp("talk"), certificates)
    yield talks, questions(pairs)


def asked(told: Told, name: str, turn: int, change: Callable[[bytes], bytes]) -> tuple[Any, WbemArray]:
    """Ask once more; the answer of that turn is changed on its way."""
    talks, asks = told
    answers = talks[name].answers
    sent = -1

    def answer(request: Any, _go_on: Callable[[], Any]) -> Any:
        nonlocal sent
        sent += 1
        body = answers[min(sent, len(answers) - 1)]
        changed = change(body) if sent == turn else body
        assert sent != turn or changed != body, "the change must meet something"
        return reply(request, changed)

    options = ArrayOptions(host="127.0.0.1", port=1, username="u", password="p", validate_certs=False)
    array = connect(options, clock=FakeClock())
    with transport(answer):
        return asks[name](array), array


def instead(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old, new, 1)


@pytest.mark.parametrize(
    ("name", "turn", "old", "new"),
    [
        pytest.param("serial", 0, b"IdentifyingNumber", b"Identifying", id="no serial"),
        pytest.param("serial", 0, b'encoding="utf-8"', b'encoding="utf-0"', id="unknown encoding"),
        pytest.param("volumes", 1, b'NAME="DeviceID"', b'NAME="Device"', id="no DeviceID"),
        pytest.param(
            "volumes", 1, b'NAME="NumberOfBlocks" TYPE="uint64"', b'NAME="NumberOfBlocks" TYPE="string"><VALUE>many'
            b'</VALUE></PROPERTY><PROPERTY NAME="Rest" TYPE="uint64"', id="blocks in words",
        ),
        pytest.param(
            "pools", 0, b'NAME="TotalManagedSpace" TYPE="uint64"', b'NAME="TotalManagedSpace" TYPE="sint64"><VALUE>-1'
            b'</VALUE></PROPERTY><PROPERTY NAME="Rest" TYPE="uint64"', id="less than no space",
        ),
        pytest.param("sessions", 1, b'NAME="SystemElement"', b'NAME="System"', id="a session without a source"),
        pytest.param(
            "sessions", 1, b'NAME="CopyState" TYPE="uint16"', b'NAME="CopyState" TYPE="boolean"><VALUE>TRUE</VALUE>'
            b'</PROPERTY><PROPERTY NAME="Rest" TYPE="uint16"', id="a state that is true",
        ),
        pytest.param(
            "sessions", 1, b'NAME="WhenSynced" TYPE="datetime"', b'NAME="WhenSynced" TYPE="string"><VALUE>noon</VALUE>'
            b'</PROPERTY><PROPERTY NAME="Rest" TYPE="datetime"', id="a time in words",
        ),
        pytest.param(
            "capabilities", 2, b'<PROPERTY.ARRAY NAME="SupportedReplicationTypes"',
            b'<PROPERTY NAME="SupportedReplicationTypes" TYPE="string"><VALUE>all</VALUE></PROPERTY><PROPERTY.ARRAY '
            b'NAME="Rest"', id="kinds of copies in words",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_array_error(told: Told, name: str, turn: int, old: bytes, new: bytes) -> None:
    with pytest.raises(BackupError) as caught:
        asked(told, name, turn, instead(old, new))
    assert caught.value.error_class is ErrorClass.ARRAY_ERROR
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<RETURNVALUE PARAMTYPE="uint32"><VALUE>', b'<RETURNVALUE PARAMTYPE="uint32"><VALUE>x'),
        (b'<RETURNVALUE PARAMTYPE="uint32">', b'<RETURNVALUE PARAMTYPE="uint32"/><RETURNVALUE PARAMTYPE="uint32">'),
    ],
)
def test_after_an_act_an_answer_that_makes_no_sense_leaves_open_what_was_done(
    told: Told, old: bytes, new: bytes
) -> None:
    turn = next(
        number
        for number, (method, _body) in enumerate(told[0]["start OPC"].requests)
        if method == "CreateElementReplica"
    )
    with pytest.raises(BackupError) as caught:
        asked(told, "start OPC", turn, instead(old, new))
    assert caught.value.error_class is ErrorClass.ARRAY_ERROR
    assert caught.value.details["answer_lost"] is True
    assert "Nothing was changed" not in caught.value.unchanged
