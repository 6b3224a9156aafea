# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make trace: what it reads, what it refuses, and how it disables a function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from runner import TREE
from trace_rules import Mutation, Rules, defined, markers, mutation_of, read, resolve, tags
from trace_run import drawn

PAGE = """\
- **R2.1** `[manual]` A start takes an unused volume.
| R2.2 | row |
Text that names R2.9 defines nothing.
"""
TEST = """\
import pytest

@pytest.mark.rule("R2.1", "R2.2")
def test_it(): ...
"""
MAPPING = """\
R2.1: {function: "_backup.ids:new_id", returns: x}
R2.2: words
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a small project whose rules, tests and functions agree."""
    for name, text in {
        "docs/behaviour.md": PAGE,
        "docs/trace.yml": MAPPING,
        "tests/unit/test_it.py": TEST,
        "tests/integration/targets/one/tasks/main.yml": "# rule: R2.2\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def faults(project: Path) -> list[str]:
    return read(project, tree=TREE).faults


def test_rules_are_defined_by_bullets_and_rows_and_not_by_being_named():
    assert defined(PAGE) == ["R2.1", "R2.2"]


def test_rules_tests_and_functions_that_agree_have_no_fault(project):
    rules = read(project, tree=TREE)
    assert rules.faults == []
    assert rules.units["R2.1"] == ["tests/unit/test_it.py::test_it"]
    assert rules.targets["R2.2"] == ["one"]
    assert (rules.proven, rules.words) == (["R2.1"], ["R2.2"])


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("tests/unit/test_it.py", '"R2.1", ', "", "R2.1: no test bears it"),
        ("tests/unit/test_it.py", "R2.1", "R7.7", "tests/unit/test_it.py::test_it bears R7.7"),
        ("tests/integration/targets/one/tasks/main.yml", "R2.2", "R7.7", "one bears R7.7"),
        ("docs/behaviour.md", "R2.2", "R2.1", "R2.1: defined 2 times"),
        ("docs/trace.yml", "R2.2: words", "", "R2.2: docs/trace.yml does not say"),
        ("docs/trace.yml", "new_id", "old_id", "R2.1: module"),
        ("docs/trace.yml", "returns: x", "forgets: x", "R2.1: one of returns"),
        ("docs/trace.yml", "R2.2: words", "R2.2: words\nR9.9: words", "R9.9: in docs/trace.yml only"),
    ],
)
def test_what_does_not_agree_is_named(project, name, old, new, fault):
    path = project / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert any(found.startswith(fault) for found in faults(project)), faults(project)


def test_a_whole_file_and_a_method_may_bear_a_rule():
    source = 'pytestmark = pytest.mark.rule("R1.1")\nclass TestX:\n @pytest.mark.rule("R1.2")\n def test_y(self): ...\n'
    assert list(markers(source)) == [("R1.1", ""), ("R1.2", "TestX::test_y")]


def test_a_target_bears_what_its_comments_say():
    assert tags("- name: x  # rule: R1.1, R1.2\n  # rule: R1.3\n") == ["R1.1", "R1.2", "R1.3"]


def test_one_seed_draws_one_sample():
    rules = Rules(ids=[f"R1.{number}" for number in range(50)])
    rules.mutations = {rule: Mutation("_x:y", "returns") for rule in rules.ids}
    assert drawn(rules, "", 7) == drawn(rules, "5", 7)
    assert len({tuple(drawn(rules, "", seed)) for seed in range(20)}) > 1
    assert drawn(rules, "all", 7) == rules.ids
    assert drawn(rules, "R1.3 R1.30", 7) == ["R1.3", "R1.30"]


def test_a_class_of_errors_needs_no_function():
    assert mutation_of({"mistakes": "busy"}) == Mutation("_errors:BackupError.__init__", "mistakes", "busy")
    assert callable(resolve("_errors:BackupError.__init__"))


def mutant(code: str, function: str, kind: str, value: object) -> str:
    """Run code in a process in which a function is disabled, and return what it prints."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'scripts' / 'trace_site'}{os.pathsep}{TREE}",
        "TRACE_MUTATION": json.dumps({"function": function, "kind": kind, "value": value}),
    }
    prefix = "from ansible_collections.eternus.backup.plugins.module_utils."
    argv = [sys.executable, "-c", prefix + code]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("code", "function", "kind", "value", "printed"),
    [
        ("_times import length_of; print(length_of('x', '1h'))", "_times:length_of", "returns", [1], "(1,)"),
        ("_times import length_of; print(length_of('x', '1h'))", "_times:length_of", "gives", 1, "1h"),
        ("_times import length_of; print(length_of('x', '1h'))", "_times:length_of", "negates", True, "False"),
        ("_times import length_of; print(length_of('x', 'y'))", "_times:length_of", "lets_pass", True, "None"),
        ("_times import length_of; print(length_of('x'))", "_times:length_of", "given", {"text": "2s"}, "0:00:02"),
        ("_catalog.model import Media; print(Media.TAPE.tape)", "_catalog.model:Media.tape", "returns", 0, "0"),
        ("_options import HTTP_PORT; print(HTTP_PORT)", "_options:HTTP_PORT", "returns", 7, "7"),
        (
            "_errors import BackupError as E, ErrorClass as C; print(E(C.BUSY, '', next_step='').error_class.value)",
            "_errors:BackupError.__init__",
            "mistakes",
            "busy",
            "array_error",
        ),
    ],
)
def test_a_function_is_disabled_before_anybody_imports_it(code, function, kind, value, printed):
    assert mutant(code, function, kind, value) == printed
