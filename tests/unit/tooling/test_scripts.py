# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands count what they ran, and the collection's papers agree with each other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module", autouse=True)
def _scripts_on_path():
    sys.path.insert(0, str(ROOT / "scripts"))
    yield
    sys.path.remove(str(ROOT / "scripts"))


def _yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_galaxy_version_is_the_newest_release_or_lies_ahead_of_it():
    releases = _yaml("changelogs/changelog.yaml")["releases"]
    newest = max((tuple(map(int, version.split("."))) for version in releases), default=(0, 0, 0))
    assert newest <= tuple(map(int, _yaml("galaxy.yml")["version"].split(".")))


def test_an_unreleased_version_has_a_fragment():
    version = _yaml("galaxy.yml")["version"]
    released = version in _yaml("changelogs/changelog.yaml")["releases"]
    assert released or list((ROOT / "changelogs/fragments").glob("*.yml"))


def test_the_action_group_names_every_module():
    modules = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")
    assert set(modules) <= set(_yaml("meta/runtime.yml")["action_groups"]["eternus"])


def test_sanity_counts_what_ran_and_what_was_listed_as_failed():
    from lint import count_sanity

    output = (
        'Running sanity test "import" on Python 3.11\nRunning sanity test "pep8"\nRunning sanity test "yamllint"\n'
        "FATAL: The 2 sanity test(s) listed below (out of 3) failed. See error output above for details.\n"
        "import --python 3.11\npep8\n"
    )
    step = count_sanity(output, 1)
    assert (step.passed, step.failures) == (1, ["import", "pep8"])


def test_a_skipped_sanity_test_is_a_failure():
    from lint import count_sanity

    output = (
        'Running sanity test "pep8"\nWARNING: Skipping sanity test "yamllint" on Python 3.11 because it is missing.'
    )
    assert count_sanity(output, 0).failures == ["yamllint"]


@pytest.mark.parametrize(("output", "code"), [("", 0), ("Traceback", 1)])
def test_sanity_that_ran_nothing_is_a_failure(output: str, code: int):
    from lint import count_sanity

    assert count_sanity(output, code).failed == 1


def test_a_skipped_unit_test_is_a_failure():
    from suites import count_units

    junit = (
        "<testsuites><testsuite>"
        '<testcase classname="a" name="one"/>'
        '<testcase classname="a" name="two"><skipped message="no tool"/></testcase>'
        '<testcase classname="a" name="three"><failure message="x"/></testcase>'
        "</testsuite></testsuites>"
    )
    step = count_units(junit, 1)
    assert step.passed == 1
    assert step.failures == ["a::two: skipped, no tool", "a::three"]


def test_pytest_that_broke_after_its_tests_is_a_failure():
    from suites import count_units

    assert count_units('<testsuite><testcase classname="a" name="one"/></testsuite>', 3).failed == 1


def test_a_hidden_target_serves_others_and_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import targets

    for name in ("setup_array", "backup", "nothing"):
        (tmp_path / name / "tasks").mkdir(parents=True)
    (tmp_path / "setup_array/tasks/main.yml").touch()
    (tmp_path / "setup_array/aliases").write_text("hidden\n")
    (tmp_path / "backup/tasks/main.yml").touch()
    monkeypatch.setattr(targets, "TARGETS", tmp_path)
    assert targets.discover() == ["backup"]


def test_the_targets_that_take_long_begin_first():
    import targets

    there = targets.discover()
    assert set(targets.LONG) <= set(there)
    assert targets.longest_first(["a", "groups", "b", "tape_progress"]) == ["tape_progress", "groups", "a", "b"]


def _steps(monkeypatch: pytest.MonkeyPatch) -> None:
    import check
    from runner import Step, say

    def step(name: str) -> Step:
        say(f"ok     {name}")
        return Step(name, passed=1, failures=["bad"] if name == "types" else [])

    monkeypatch.setattr(check, "STEPS", {name: lambda name=name: step(name) for name in check.STEPS})


def test_every_step_runs_once_and_is_counted_whether_beside_another_or_by_itself(monkeypatch: pytest.MonkeyPatch):
    import check

    _steps(monkeypatch)
    done = check.run_steps([])
    assert [step.name for step in done] == list(check.STEPS)
    assert [step.name for step in done if step.failed] == ["types"]
    assert [step.name for step in check.run_steps(["units", "lint"])] == ["units", "lint"]


def test_what_a_step_says_beside_another_stays_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import check

    _steps(monkeypatch)
    check.run_steps([])
    said = capsys.readouterr().out
    for name in check.BESIDE:
        assert f"--- {name}\nok     {name}\n" in said
    assert said.endswith("--- units\nok     units\n--- coverage\nok     coverage\n")


def _target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> object:
    import targets
    from runner import environment

    (tmp_path / "one").mkdir()
    (tmp_path / "one/runme.sh").write_text(script)
    monkeypatch.setattr(targets, "TARGETS", tmp_path)
    monkeypatch.setattr(targets, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(targets, "GRACE", 0.3)
    return targets.run_target("one", environment())


def test_a_target_passes_by_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert _target(tmp_path, monkeypatch, 'test -d "$OUTPUT_DIR" && test -f "$INVENTORY_PATH"\n').code == 0


def test_a_target_that_leaves_a_process_has_failed_and_the_process_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = _target(tmp_path, monkeypatch, "setsid sleep 600 > /dev/null 2>&1 &\necho $! > /dev/null\n")
    assert done.code == 1
    assert "sleep 600" in done.output


def test_the_archive_is_staged_from_what_git_knows():
    from runner import COLLECTION
    from stage import staged

    with staged() as tree:
        assert tree.parts[-3:] == COLLECTION.parts
        assert (tree / "galaxy.yml").is_file()
        assert not (tree / ".venv").exists()
