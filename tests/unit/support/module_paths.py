# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the tests' processes find the collection."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).absolute()
#: The directory that holds ansible_collections.
TREE = str(next(path.parent for path in _HERE.parents if path.name == "ansible_collections"))
