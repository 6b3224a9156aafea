# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lives that the state machine found, kept so that they are lived in every run."""

from __future__ import annotations

from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.test_machine_life import Life


def test_check_mode_foresees_the_end_of_a_restore_also_where_no_backup_volume_is_left() -> None:
    """The message about the pool needs everybody's history, which was read anew without what recovery would do."""
    state = Life()
    solo = ({"method": "synchronized"}, {"method": "synchronized"})
    state.build(solo=solo, group={"method": "snapshot"}, limits=(1, 1, 1), bvs=4, lists=False, seconds=4.0)
    try:
        state.nights(name="oradata", tape=False, times=1)
        state.nights(name="index", tape=False, times=1)
        late = Fault("start", "refuse", 32786, pair=1)
        state.restore(mishap=late, name="index", patient=False, place="", position=0)
        state.nights(name="index", tape=False, times=1)
    finally:
        state.teardown()
