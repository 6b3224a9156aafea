# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the options of tape_restore to its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import plan_restore, restore
from ansible_collections.eternus.backup.plugins.module_utils._options import not_empty
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._times import moment_of


def restore_tape(ctx: Context, desk: TapeDesk, params: Mapping[str, Any]) -> Result:
    """Restore a volume from tape; check mode stops after the plan."""
    not_empty(params, "backup_id", "target", "key")
    wanted = Wanted(
        volume=params["volume"],
        target=params["target"] or "",
        generation=1 if params["generation"] is None else params["generation"],
        backup_id=params["backup_id"] or "",
        at=moment_of("at", params["at"]),
        confirm=params["confirm"] or "",
        key=params["key"] or "",
    )
    plan = plan_restore(ctx, desk, wanted) if ctx.check_mode else restore(ctx, desk, wanted)
    shown = {
        "volume": plan.volume,
        "backup_id": plan.backup.id,
        "point_in_time": plan.backup.point_in_time.isoformat(),
        "source": "tape",
        "cartridges": list(dict.fromkeys(part.barcode for part in plan.parts)),
        "target": plan.target.name,
        "target_device_id": plan.target.ref.device_id,
        "target_array": plan.target.ref.array,
        "bytes": plan.backup.size,
        "sha256_expected": plan.copy.sha256,
        "sha256_actual": plan.sha256,
        "overwrites": dict(plan.overwrites),
    }
    values = {"restore": shown, "finished": not (plan.needed and ctx.check_mode)}
    if not plan.needed:
        return Result(False, values, {}, {})
    before = {"target": plan.target.name, "content": "whatever it is", **plan.overwrites}
    after = {"target": plan.target.name, "content": f"backup {plan.backup.id}"}
    return Result(True, values, before, after, plan.warnings)
