# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that read the sources: linters, types, the archive, ansible-test sanity."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner import BIN, BUILD, ROOT, TREE, Finished, Step, environment, report, run
from stage import build, staged

UNWANTED = re.compile(r"^(\.venv|\.cache|\.ci|\.git|build|tests/output)/|__pycache__|\.pyc$|\.tar\.gz$")
WORKERS = 2


def _shell_scripts() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    found = []
    for name in listed:
        path = ROOT / name
        if name and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                first = file.readline(80)
            if name.endswith(".sh") or re.match(rb"#!.*\b(bash|sh)\s*$", first):
                found.append(name)
    return found


def lint() -> Step:
    """Run every linter; each counts one."""
    commands = {
        "ruff check": ["ruff", "check", "--output-format", "concise", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "yamllint": ["yamllint", "--strict", "."],
        "shellcheck": ["shellcheck", *_shell_scripts()],
        "reuse lint": ["reuse", "lint"],
        "antsibull-changelog lint": ["antsibull-changelog", "lint"],
        "antsibull-docs lint-collection-docs": ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "."],
        "ansible-lint": ["ansible-lint", "--offline", "--profile", "production", "--strict"],
    }
    step = Step("lint")

    def one(name: str) -> Finished:
        argv = commands[name]
        return run("lint-" + re.sub(r"\W+", "-", name), [str(BIN / argv[0]), *argv[1:]])

    with ThreadPoolExecutor(WORKERS) as pool:
        for name, done in zip(commands, pool.map(one, commands)):
            report(name, done, done.code == 0)
            step.count(name, done.code == 0)
    return step


def types() -> Step:
    """Check the types of what modules share, strictly, through the link."""
    step = Step("types")
    argv = [str(BIN / "mypy"), "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".cache/mypy")]
    argv += ["-p", "ansible_collections.eternus.backup.plugins.module_utils"]
    done = run("types", argv, environment(), cwd=TREE)
    report("mypy --strict", done, done.code == 0)
    step.count("mypy", done.code == 0)
    return step


def package() -> Step:
    """Build the archive, and look that it holds what it should and nothing else."""
    step = Step("package")
    done = build()
    problems = []
    if done.code == 0:
        version = re.search(r"^version: *(\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
        archive = BUILD / f"eternus-backup-{version.group(1) if version else ''}.tar.gz"
        with tarfile.open(archive) as tar:
            names = tar.getnames()
        problems = [f"{name} does not belong into the archive" for name in names if UNWANTED.search(name)]
        problems += [f"{name} is missing" for name in ("meta/runtime.yml", "requirements.txt") if name not in names]
        done = Finished(done.code, "\n".join([done.output, *problems]), done.seconds)
    ok = done.code == 0 and not problems
    report("ansible-galaxy collection build", done, ok)
    step.count("ansible-galaxy collection build", ok)
    return step


def _put_get_pip() -> None:
    """Put a stand-in for get-pip.py into ansible-test's cache: the host that it comes from may be out of reach."""
    for source in BIN.parent.glob("lib/python3*/site-packages/ansible_test/_internal/python_requirements.py"):
        version = re.search(r"^ *pip='(.*)',", source.read_text(encoding="utf-8"), re.MULTILINE)
        if version:
            cache = Path.home() / ".ansible" / "test" / "cache"
            cache.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / ".ci" / "get_pip.py", cache / f"get_pip_{version.group(1).replace('.', '_')}.py")


def count_sanity(output: str, code: int) -> Step:
    """Count the sanity tests that ansible-test ran, less those it lists as failed; a skip is a failure."""
    step = Step("sanity")
    ran = dict.fromkeys(re.findall(r'^Running sanity test "([^"]+)"', output, re.MULTILINE))
    failed: list[str] = []
    listed = re.search(r"sanity test\(s\) listed below \(out of \d+\) failed\..*\n((?:[\w-]+.*\n?)*)", output)
    if listed:
        failed = [line.split()[0] for line in listed.group(1).splitlines() if line.split() and line.split()[0] in ran]
    failed += [name for name in re.findall(r'Skipping sanity test "([^"]+)"', output) if name not in failed]
    if not ran or (code != 0 and not failed):
        failed.append(f"ansible-test ended with {code}")
    for name in ran:
        step.count(name, name not in failed)
    step.failures += [name for name in failed if name not in ran]
    return step


def sanity() -> Step:
    """Run all of ansible-test's sanity tests on a copy."""
    _put_get_pip()
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    argv = [str(BIN / "ansible-test"), "sanity", "--local", "--python", python, "--color", "no"]
    with staged() as tree:
        ignores = sorted(path.name for path in (tree / "tests" / "sanity").glob("ignore*"))
        env = environment()
        del env["ANSIBLE_COLLECTIONS_PATH"], env["ANSIBLE_NOCOLOR"]
        done = run("sanity", argv, env, cwd=tree)
    step = count_sanity(done.output, done.code)
    step.failures += [f"tests/sanity/{name}: nothing is to be ignored" for name in ignores]
    step.seconds = done.seconds
    report(f"ansible-test sanity: {step.passed} passed, {step.failed} not", done, not step.failures)
    return step
