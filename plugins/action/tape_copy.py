# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show how far the module tape_copy is while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.eternus.backup.plugins.plugin_utils._follow import FollowedAction
from ansible_collections.eternus.backup.plugins.plugin_utils._moved import Moved, moved_by_copies


class ActionModule(FollowedAction):
    """Run tape_copy; with O(progress), show what the catalog records of the copies that are written."""

    module = "eternus.backup.tape_copy"
    doing = "tape_copy"

    def asked(self) -> dict[str, Any]:
        """Ask for the copies that run."""
        return {"gather_subset": ["running"]}

    def moved(self, shown: Mapping[str, Any]) -> tuple[Moved, ...]:
        """Return the copies that are written."""
        return moved_by_copies(shown)
