# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fuzzer needs of its subject: seeds, words, a mutation that knows the form, and what to do with an input."""

from __future__ import annotations

import json
import random
from pathlib import Path

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

PLUGINS = "ansible_collections.eternus.backup.plugins.module_utils"


class Target:
    """A subject. Whatever comes out of :meth:`one` is a finding."""

    name = ""
    #: Modules whose branches guide the fuzzer.
    guided: tuple[str, ...] = ()
    #: Words that inputs are made of.
    words: tuple[str, ...] = ()

    def seeds(self, place: Path) -> dict[str, bytes]:
        """Return real inputs by name; ``place`` is an empty directory to make them in."""
        raise NotImplementedError

    def prepare(self, place: Path) -> None:
        """Import what is fuzzed. ``place``: an empty directory, in memory where there is such a file system."""

    def one(self, data: bytes) -> None:
        """Give an input to the subject, and check what it does with it."""
        raise NotImplementedError

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        """Change an input in its own form."""
        return data


def named(error: BackupError, *allowed: ErrorClass) -> None:
    """Check that an error is one that an operator can work with: a class that fits, a sentence, a next step."""
    assert error.error_class in allowed, f"{error.error_class.value} is not expected here: {error.message[:200]}"
    assert error.message.strip() and error.next_step.strip(), f"says nothing: {error.sentence()[:200]}"
    json.dumps(error.as_result())
