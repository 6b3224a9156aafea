# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show how far the module tape_restore is while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.eternus.backup.plugins.plugin_utils._follow import FollowedAction
from ansible_collections.eternus.backup.plugins.plugin_utils._moved import Moved, moved_by_restores


class ActionModule(FollowedAction):
    """Run tape_restore; with O(progress), show what the target's marker in the catalog says."""

    module = "eternus.backup.tape_restore"
    doing = "tape_restore"
    #: async_status has a value of that name; a restore that did not fail has finished.
    own: ClassVar[Mapping[str, Any]] = {"finished": True}

    def asked(self) -> dict[str, Any]:
        """Ask for the target's history, which has its marker."""
        args = self._task.args
        return {"gather_subset": ["history"], "volumes": [args.get("target") or args.get("volume") or ""]}

    def moved(self, shown: Mapping[str, Any]) -> tuple[Moved, ...]:
        """Return the restore that runs."""
        return moved_by_restores(shown)
