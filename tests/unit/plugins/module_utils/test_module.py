# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one entry of all modules: errors, results, diff and missing libraries, in a real module's process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.support.run_module import module_environment

_PROLOGUE = """
import io, json, sys
arguments = {"_ansible_check_mode": False, "_ansible_diff": %r, "_ansible_remote_tmp": "/tmp"}
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._module import Result, run
def main(work):
    run(AnsibleModule(argument_spec={}, supports_check_mode=True), work)
def start(work):
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:
        sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()))
        main(work)
    else:
        with patch_module_args(arguments):
            main(work)
def work():
"""


def outcome(body: str, *, diff: bool = False) -> tuple[int, dict[str, Any], str]:
    """Run a module whose work has this body; return its exit status, its result and stderr."""
    script = _PROLOGUE % diff + "".join(f"    {line}\n" for line in body.splitlines()) + "start(work)\n"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=module_environment(), check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


def test_a_result_becomes_the_modules_result_and_warnings_are_shown() -> None:
    _rc, result, _err = outcome('return Result(True, {"volumes": [1]}, warnings=["mind this"])')
    assert (result["changed"], result["volumes"]) == (True, [1])
    assert "mind this" in json.dumps(result["warnings"])


def test_before_and_after_are_shown_in_diff_mode_only() -> None:
    body = 'return Result(True, {}, before={"a": 1}, after={"a": 2})'
    assert outcome(body, diff=True)[1]["diff"] == {"before": {"a": 1}, "after": {"a": 2}}
    assert "diff" not in outcome(body)[1]
    assert "diff" not in outcome("return Result(False)", diff=True)[1]


def test_a_state_that_was_not_there_before_is_empty_in_the_diff() -> None:
    result = outcome('return Result(True, {}, after={"a": 2})', diff=True)[1]
    assert result["diff"] == {"before": {}, "after": {"a": 2}}


@pytest.mark.rule("R4.2")
def test_a_refusal_says_its_class_what_was_left_and_what_to_do_next() -> None:
    rc, result, _err = outcome(
        'raise BackupError(ErrorClass.SIZE_MISMATCH, "It is too small.", next_step="Use another.", size=5)'
    )
    assert (rc, result["failed"]) == (1, True)
    assert result["msg"] == "size_mismatch: It is too small. Nothing was changed. Next: Use another."
    assert {key: result[key] for key in ("error_class", "error", "unchanged", "next_step", "details")} == {
        "error_class": "size_mismatch",
        "error": "It is too small.",
        "unchanged": "Nothing was changed.",
        "next_step": "Use another.",
        "details": {"size": 5},
    }


def test_a_missing_library_is_named_as_ansible_does() -> None:
    for name, shown in (("pywbem", "pywbem"), ("sqlalchemy.engine", "SQLAlchemy")):
        result = outcome(f'raise ModuleNotFoundError("no", name="{name}")')[1]
        assert result["failed"]
        assert f"Failed to import the required Python library ({shown})" in result["msg"]


def test_a_bug_stays_a_bug() -> None:
    for error in ('ModuleNotFoundError("no", name="other")', 'ImportError("no")', 'KeyError("x")'):
        rc, result, stderr = outcome(f"raise {error}")
        assert rc != 0
        assert error.partition("(")[0] in stderr + json.dumps(result)
        assert "error_class" not in result
