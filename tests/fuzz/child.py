# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One fuzzer's process: ``python -m ...tests.fuzz.child NAME PLACE FINDINGS CORPUS [options of libFuzzer]``.

A finding does not end it: each is kept once, by the place in the code that it came from, and the run goes on.
"""

from __future__ import annotations

import hashlib
import random
import sys
import traceback
from pathlib import Path

import atheris

from ansible_collections.eternus.backup.tests.fuzz.targets import target


def _origin(error: BaseException) -> str:
    """Return what tells findings apart: the kind of error, and the last places in our code that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/eternus" in frame.filename]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-2:]]
    return f"{type(error).__name__} at {' < '.join(reversed(places))}"


class Findings:
    """What was found, in a directory: the input, and how it failed."""

    def __init__(self, place: Path, name: str) -> None:
        self._place, self._name = place, name
        self._seen: set[str] = set()

    def add(self, data: bytes, error: BaseException) -> None:
        """Keep an input, unless one of the same origin is kept already."""
        origin = _origin(error)
        if origin in self._seen:
            return
        self._seen.add(origin)
        file = self._place / f"{self._name}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}"
        file.write_bytes(data)
        told = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-12))
        file.with_suffix(".txt").write_text(f"{origin}\n\n{told}", encoding="utf-8", errors="backslashreplace")


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name, place, findings, *options = sys.argv[1:]
    with atheris.instrument_imports(include=list(target(name).guided)):
        subject = target(name)
        subject.prepare(Path(place))
    kept = Findings(Path(findings), name)

    def one(data: bytes) -> None:
        try:
            subject.one(data)
        except Exception as error:  # noqa: BLE001 - whatever comes out is a finding
            kept.add(data, error)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        for _time in range(chance.choice((1, 1, 1, 2, 4))):
            data = subject.mutate(data, chance) if chance.random() < 0.7 else atheris.Mutate(data, most)
        return data[:most]

    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
