# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options of waiting."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of plugins/module_utils/_options.py: wait_args."""

    DOCUMENTATION = r"""
options:
  poll_interval:
    description:
      - Seconds between two looks at the array, as long as nothing is known of how long the copies take. One look reads
        all sessions at once.
      - While copies tell their progress, the next look comes after a part of the time that the slowest one should still
        take. Pauses are then up to 12 times this option, on a long copy, and down to a tenth of it, near the end; the
        end of a copy at a steady rate is seen after this time at the latest, as at a fixed interval.
    type: float
    default: 5.0
  wait_timeout:
    description:
      - Seconds to wait in all; V(0) looks once.
      - When they have passed, the copy goes on. The module returns its state, and the next task goes on from there.
    type: float
    default: 600.0
"""
