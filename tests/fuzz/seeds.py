# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the seeds and the dictionary of one fuzzer: ``python -m ...tests.fuzz.seeds NAME SEEDS DICTIONARY``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.eternus.backup.tests.fuzz.targets import target


def main() -> None:
    """Write them."""
    name, seeds, words = sys.argv[1:]
    subject = target(name)
    with tempfile.TemporaryDirectory() as place:
        for number, (_what, data) in enumerate(sorted(subject.seeds(Path(place)).items())):
            Path(seeds, f"{number:03d}").write_bytes(data)
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in subject.words)
    Path(words).write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")


if __name__ == "__main__":
    main()
