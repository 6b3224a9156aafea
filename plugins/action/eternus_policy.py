# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the module eternus_policy; on a local connection without a Python of its own."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.plugin_utils._in_process import InProcessAction


class ActionModule(InProcessAction):
    """Run eternus_policy."""

    module = "eternus.backup.eternus_policy"
