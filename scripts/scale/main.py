# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make scale: puts this checkout where Python finds the collection, then runs tests/benchmark/scale.py (which see)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import conftest  # makes the tree below .cache, and puts it on sys.path

if __name__ == "__main__":
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [conftest._TREE, os.environ.get("PYTHONPATH")]))
    from ansible_collections.eternus.backup.tests.benchmark.scale import main

    sys.exit(main())
