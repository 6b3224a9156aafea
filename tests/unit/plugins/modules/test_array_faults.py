# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the array answers, a job ends well or by a named error, and the catalog holds nothing false (array.md).

A job is a module's process against the simulated array over https. After the fault its result, the catalog and the
array are compared; then the same job runs again without the fault, and ends as it should have at first. Each return
code and each fault is tried with one of the requests; ``ARRAY_FAULTS=all`` (make fault-array) tries all with all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.eternus.backup.tests.fault.workflows import WORKFLOWS
from ansible_collections.eternus.backup.tests.unit.support.faulted import copied, prepare, repeated, strike, usual_time

ALL = os.environ.get("ARRAY_FAULTS") == "all"
DETACH, FRACTURE, RESYNC, SPLIT = 8, 12, 14, 21


@dataclass(frozen=True)
class Act:
    """A request that changes the array, and the job that sends it. ``recorded``: a backup is recorded before it."""

    job: str
    method: str
    operation: Optional[int] = None
    recorded: bool = False

    def point(self, **more: Any) -> dict[str, Any]:
        """Return a fault that strikes this request."""
        match = {} if self.operation is None else {"operation": self.operation}
        return {"on": self.method, "match": match, **more}

    def job_point(self, code: int) -> dict[str, Any]:
        """Return a fault by which the job that this request starts ends in an exception."""
        on = "start_sessions" if self.operation is None else f"operate:{self.operation}"
        return {"on": on, "action": "refuse", "code": code}

    def __str__(self) -> str:
        return f"{self.job}-{self.method}" + (f"-{self.operation}" if self.operation else "")


_ONE, _LIST = "ModifyReplicaSynchronization", "ModifyListSynchronization"
ACTS = (
    Act("start", "CreateListReplica"),
    Act("remote_start", "CreateElementReplica"),
    Act("resume", _ONE, RESYNC),
    Act("backup", _ONE, FRACTURE),
    Act("backup", _ONE, DETACH, recorded=True),
    Act("backup_suspend", _ONE, FRACTURE),
    Act("backup_group", _LIST, SPLIT),
    Act("backup_group", _LIST, DETACH, recorded=True),
    Act("backup_snapshot", "CreateElementReplica"),
    Act("backup_differential", _ONE, RESYNC),
    Act("restore", "CreateElementReplica"),
    Act("cancel", _ONE, DETACH),
    Act("cancel_all", _LIST, DETACH),
)

#: The return codes of array.md that are refusals, and the class that each becomes; ``array_error`` bears any other.
_CLASSES = {
    **dict.fromkeys([1, 32781, 32792], "unsupported_copy"),
    4097: "size_mismatch",
    **dict.fromkeys([32791, 35331, 35333, 35334], "session_limit"),
    32807: "no_such_volume",
}
CODES = (1, 4, 5, 4097, 32781, 32782, 32786, 32787, 32788, 32791, 32792, 32793, 32794, 32804, 32807, 32816, 32818)
CODES += (32819, 32820, 32821, 32822, 35302, 35304, 35324, 35331, 35333, 35334, 35346, 35347)


def class_of(code: int, act: Act) -> str:
    """Return the class of the error that a refusal becomes (behaviour.md §4)."""
    if act.operation in (FRACTURE, SPLIT) and code in (32793, 32794):
        return "not_equivalent"
    return _CLASSES.get(code, "array_error")


@dataclass(frozen=True)
class Talk:
    """A fault of the conversation, and the class of the error that it becomes. ``timeout``: seconds of a request."""

    action: str
    error_class: str
    more: Mapping[str, Any]
    timeout: float = 60.0


TALKS: Mapping[str, Talk] = {
    "is_not_answered": Talk("lose_answer", "array_unreachable", {}),
    "is_cut_before_the_act": Talk("drop_before", "array_unreachable", {}),
    "is_cut_in_the_middle_of_the_answer": Talk("drop_connection", "array_unreachable", {}),
    "is_answered_too_late": Talk("delay", "array_unreachable", {"delay": 3}, 2),
    "is_answered_byte_by_byte": Talk("trickle", "array_unreachable", {"delay": 0.01}, 2),
    "is_answered_by_a_head_alone": Talk("stall", "array_unreachable", {}, 2),
    "meets_a_restart": Talk("restart", "array_unreachable", {"delay": 0.5}),
    "is_answered_by_half_a_document": Talk("half_xml", "array_error", {}),
    "is_answered_in_a_wrong_encoding": Talk("bad_encoding", "array_error", {}),
    "is_answered_by_entities_without_end": Talk("entities", "array_error", {}),
    "is_answered_by_too_much": Talk("oversized", "array_error", {}),
    "is_denied_by_401": Talk("deny", "not_authorized", {"code": 401}),
    "is_denied_by_503": Talk("deny", "array_error", {"code": 503}),
    "is_denied_by_503_for_a_while": Talk("deny", "array_error", {"code": 503, "text": "2"}),
    "is_carried_out_and_answered_by_503": Talk("http_error", "array_error", {"code": 503}),
    "is_promised_a_job_that_is_not_there": Talk("refuse", "array_error", {"code": 4096}),
}


def _dealt(items: Sequence[Any], hands: int) -> list[list[Any]]:
    """Deal items to so many hands."""
    return [list(items[number::hands]) for number in range(hands)]


def _code_cases() -> Iterator[Any]:
    hands = _dealt(CODES, len(ACTS))
    for number, act in enumerate(ACTS):
        for how in ("at_once", "by_its_job"):
            if ALL or (number % 2 == 0) == (how == "at_once"):
                yield pytest.param(act, how, CODES if ALL else hands[number], id=f"{act}-{how}")


def _talk_cases() -> Iterator[Any]:
    for number, (name, talk) in enumerate(TALKS.items()):
        for act in ACTS if ALL else [ACTS[number % len(ACTS)]]:
            yield pytest.param(act, talk, id=f"{act}-{name}")


def _read_cases() -> Iterator[Any]:
    talks = {name: talk for name, talk in TALKS.items() if talk.action != "refuse"}
    chosen = [*talks] if ALL else ["is_cut_before_the_act", "meets_a_restart", "is_answered_by_a_head_alone"]
    for number, act in enumerate(ACTS):
        if not ALL and number % 4 != 2:
            continue
        for look in (1, 2, 3) if ALL else (1 + number // 4 % 3,):
            for name in chosen if ALL else [chosen[number // 4 % len(chosen)]]:
                yield pytest.param(act, look, talks[name], id=f"{act.job}-look_{look}-{name}")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Callable[[str], Path]]:
    """Return what makes the world of a job, once."""
    place = tmp_path_factory.mktemp("faulted")
    with usual_time():
        yield cache(lambda job: prepare(WORKFLOWS[job], place / job, certificates))


@pytest.mark.rule("R4.15")
@pytest.mark.parametrize(("act", "how", "codes"), list(_code_cases()))
def test_a_refusal_becomes_its_error_changes_nothing_false_and_the_same_again_ends_well(
    template: Callable[[str], Path], tmp_path: Path, act: Act, how: str, codes: Sequence[int]
) -> None:
    workflow = WORKFLOWS[act.job]
    for code in codes:
        with copied(template(act.job), tmp_path / str(code)) as (world, ledger):
            at_once = how == "at_once"
            point = act.point(action="refuse", code=code, times=99) if at_once else act.job_point(code)
            called, wrong = strike(world, ledger, workflow, point, **({} if at_once else {"jobs": "always"}))
            assert wrong == [], (code, called.result)
            assert called.result.get("error_class") == class_of(code, act), (code, called.result)
            assert f"code {code}" in called.result["error"] or code == 32793, called.result
            assert called.result["changed"] == act.recorded or code in (32787, 32793), (code, called.result)
            if ALL or called.result["changed"]:  # else all is as it was before
                assert repeated(world, ledger, workflow) == [], code


@pytest.mark.rule("R4.16")
@pytest.mark.parametrize(("act", "talk"), list(_talk_cases()))
def test_a_request_without_a_good_answer_is_an_error_that_leaves_it_open_and_the_next_run_settles_it(
    template: Callable[[str], Path], tmp_path: Path, act: Act, talk: Talk
) -> None:
    workflow = WORKFLOWS[act.job]
    with copied(template(act.job), tmp_path / "world") as (world, ledger):
        world.request_timeout = talk.timeout
        called, wrong = strike(world, ledger, workflow, act.point(action=talk.action, **talk.more))
        assert wrong == [], called.result
        assert called.result.get("error_class") == talk.error_class, called.result
        assert "journal" in called.result["unchanged"], called.result
        assert repeated(world, ledger, workflow) == []


@pytest.mark.parametrize(("act", "look", "talk"), list(_read_cases()))
def test_a_look_without_a_good_answer_makes_no_false_record_and_the_next_run_ends_well(
    template: Callable[[str], Path], tmp_path: Path, act: Act, look: int, talk: Talk
) -> None:
    workflow = WORKFLOWS[act.job]
    with copied(template(act.job), tmp_path / "world") as (world, ledger):
        world.request_timeout = talk.timeout
        point = {"on": "EnumerateInstances", "action": talk.action, "after": look, "times": 2, **talk.more}
        called, wrong = strike(world, ledger, workflow, point)
        assert wrong == [], called.result
        assert not called.failed or called.result["error_class"] == talk.error_class, called.result
        assert repeated(world, ledger, workflow) == []
