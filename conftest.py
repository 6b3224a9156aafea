# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make this checkout importable as ansible_collections.eternus.backup, wherever it lies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NAME = ("ansible_collections", "eternus", "backup")


def _tree() -> Path:
    """Return a directory whose ansible_collections/eternus/backup is this checkout."""
    if ROOT.parts[-3:] == NAME:
        return ROOT.parents[2]
    tree = ROOT / ".cache" / "tree"
    link = tree.joinpath(*NAME)
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.resolve() != ROOT:  # the checkout was moved or copied
        link.unlink()
    with contextlib.suppress(FileExistsError):  # xdist workers race here
        link.symlink_to(ROOT, target_is_directory=True)
    return tree


_TREE = str(_tree())
sys.path.insert(0, _TREE)
os.environ["ANSIBLE_COLLECTIONS_PATH"] = _TREE
