# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the package registry which known vulnerabilities there are in what is installed for this repository.

Usage: audit.py [REQUIREMENTS.txt ...]; without arguments requirements-dev.txt, which holds requirements.txt. What these
name, and what that needs in turn, is looked up in the version that is installed, one request each, at PyPI's JSON API
(AUDIT_INDEX names another address). Ends with 0 when none is known, with 1 when one is, and with 3, saying so, when the
registry did not tell about every package. No part of ``make test``: its answer changes without any change here.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
INDEX = "https://pypi.org/pypi"
SECONDS = 10.0
#: After so many packages without any answer nobody is asked any more.
PATIENCE = 3
LARGEST = 64 << 20


class NoAnswer(Exception):
    """The registry does not tell."""


@dataclass(frozen=True)
class Known:
    """A vulnerability: its names, in which versions it is mended, and what it is about."""

    names: tuple[str, ...]
    mended: tuple[str, ...]
    about: str


def named(file: Path) -> Iterator[Requirement]:
    """Yield what a file of requirements names, and the files that it names in turn."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        other = re.match(r"-r\s*(\S+)", text)
        if other:
            yield from named(file.parent / other[1])
        elif text:
            yield Requirement(text)


def installed(wanted: Iterable[Requirement]) -> dict[str, str]:
    """Return the versions of what is wanted and of all that it needs; ``SystemExit`` when something is missing."""
    found: dict[str, str] = {}
    asked: set[str] = set()
    waiting = list(wanted)
    while waiting:
        one = waiting.pop()
        key = f"{canonicalize_name(one.name)}[{','.join(sorted(one.extras))}]"
        if key in asked:
            continue
        asked.add(key)
        try:
            there = metadata.distribution(one.name)
        except metadata.PackageNotFoundError:
            raise SystemExit(f"{one.name} is not installed for {sys.executable}: run make env.") from None
        found[canonicalize_name(one.name)] = there.version
        for text in there.requires or ():
            needed = Requirement(text)
            if any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)):
                waiting.append(needed)
    return dict(sorted(found.items()))


def known(name: str, version: str, index: str) -> list[Known]:
    """Ask the registry about one package in one version."""
    request = urllib.request.Request(f"{index}/{name}/{version}/json", headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            told = json.loads(answer.read(LARGEST))["vulnerabilities"]
    except urllib.error.HTTPError as error:
        raise NoAnswer(f"HTTP status {error.code}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoAnswer(str(getattr(error, "reason", "")) or type(error).__name__) from None
    return [
        Known((str(one["id"]), *one.get("aliases", ())), tuple(one.get("fixed_in") or ()), one.get("summary") or "")
        for one in told
        if not one.get("withdrawn")
    ]


def main(files: list[str]) -> int:
    """Look everything up, and say what was found."""
    index = os.environ.get("AUDIT_INDEX", INDEX).rstrip("/")
    wanted = [one for file in files or [str(ROOT / "requirements-dev.txt")] for one in named(Path(file))]
    packages = installed(wanted)
    silent: list[str] = []
    bad = told = 0
    for name, version in packages.items():
        try:
            found = known(name, version, index)
        except NoAnswer as why:
            silent.append(f"{name} {version}: {why}")
            if not told and len(silent) == PATIENCE:
                break
            continue
        told += 1
        bad += len(found)
        for one in found:
            mended = f"mended in {', '.join(one.mended)}" if one.mended else "not mended yet"
            print(f"{name} {version}: {' '.join(one.names)}: {mended}. {one.about[:200]}".rstrip())
    if silent:
        print(f"The registry {index} did not answer as it should:\n  " + "\n  ".join(silent))
    print(f"{bad} known vulnerabilities in {told} of {len(packages)} packages that the registry told about")
    return 1 if bad else 3 if silent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
