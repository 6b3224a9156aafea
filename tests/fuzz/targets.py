# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subjects by name."""

from __future__ import annotations

from ansible_collections.eternus.backup.tests.fuzz.target import Target

NAMES = ("tape_text", "tape_library", "catalog_import", "cim_answer", "array_request")


def target(name: str) -> Target:
    """Return a subject; only its own module is imported, so that it can be instrumented."""
    import importlib

    if name not in NAMES:
        raise SystemExit(f"There is no fuzzer {name}: {', '.join(NAMES)}.")
    made: Target = importlib.import_module(f"{__package__}.{name}").Subject()
    return made
