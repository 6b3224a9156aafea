# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-playbook as anybody would, show its course in a few lines, and keep everything in build/demo/logs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECAP = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")
QUIET = ("Begin anew", "Keep ", "Note ", "Validating ")


class Failed(Exception):
    """A play did not end as it should have."""


@dataclass(frozen=True)
class Ended:
    """How a play ended: exit code, changed tasks, and the class of the error that stopped it."""

    code: int
    changed: int
    error_class: str
    results: dict[str, Any]


@dataclass
class Player:
    """Runs plays in a directory, with variables that all of them get."""

    directory: Path
    common: dict[str, Any]
    environment: dict[str, str]
    number: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def play(self, *playbooks: str, refused: str = "", **variables: Any) -> Ended:
        """Run playbooks with variables; ``refused`` names the error class they must be refused with."""
        self.number += 1
        label = f"{self.number:02d}-{playbooks[0].removesuffix('.yml').replace('/', '.').rpartition('.')[2]}"
        file = self.directory / "vars" / f"{label}.json"
        file.write_text(json.dumps({**self.common, **variables}, indent=2), encoding="utf-8")
        print(f"$ ansible-playbook {' '.join(_short(name) for name in playbooks)} -e @{_short(str(file))}", flush=True)
        for old in (self.directory / "results").glob("*.json"):
            old.unlink()
        argv = ["ansible-playbook", "-i", str(self.directory / "inventory"), *playbooks, "-e", f"@{file}"]
        output, code = self._run(argv, self.directory / "logs" / f"{label}.log")
        found = re.findall(r'"error_class": "(\w+)"', output)
        changed = sum(int(match[1]) for match in map(RECAP.match, output.splitlines()) if match)
        ended = Ended(code, changed, found[-1] if found else "", self._results())
        if ended.error_class != refused or (code == 0) == bool(refused):
            wanted = f"refused with {refused}" if refused else "a success"
            raise Failed(f"{label} ended with {code} {ended.error_class}, wanted {wanted}:\n{output[-6000:]}")
        return ended

    def _results(self) -> dict[str, Any]:
        files = (self.directory / "results").glob("*.json")
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def _run(self, argv: list[str], log: Path) -> tuple[str, int]:
        lines: list[str] = []
        shown = Shown()
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **self.environment},
                start_new_session=True,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    kept.write(line)
                    shown.line(line.rstrip())
                code = process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        return "".join(lines), code


class Shown:
    """Prints what matters of a play's output: changes, progress, refusals, the end."""

    def __init__(self) -> None:
        self.task = ""

    def line(self, line: str) -> None:
        """Show a line, or not."""
        task = re.match(r"^TASK \[(?:\S+ : )?(.*?)\]", line)
        if task:
            self.task = task[1]
        elif line.startswith("changed: ") and not self.task.startswith(QUIET):
            item = re.search(r"\(item=(.*?)\)", line)
            print(f"    changed   {self.task}{f' ({item[1]})' if item else ''}", flush=True)
        elif self.task == "Show progress" and '"msg":' in line:
            print(f"    progress  {line.strip()[8:-1]}", flush=True)
        elif line.startswith("fatal: "):
            said = re.search(r'"msg": "((?:[^"\\]|\\.)*)"', line)
            print(f"    refused   {said[1] if said else line}", flush=True)
        elif RECAP.match(line):
            print(f"    end       {' '.join(line.split()[2:6])}", flush=True)


def _short(path: str) -> str:
    with suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def environment_of(endpoint: Mapping[str, Any], password: str, directory: Path) -> dict[str, str]:
    """Return the variables by which modules reach array, catalog and library."""
    return {
        "ETERNUS_HOST": endpoint["host"],
        "ETERNUS_PORT": str(endpoint["https_port"]),
        "ETERNUS_USERNAME": endpoint["user"],
        "ETERNUS_PASSWORD": password,
        "ETERNUS_CA_PATH": endpoint["ca_file"],
        "ETERNUS_CATALOG": f"sqlite:///{directory}/catalog.db",
        "ETERNUS_TAPE_LIBRARY": str(directory / "tape"),
        "ETERNUS_DEVICE_DIR": endpoint["device_dir"],
    }
