# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A restore as plain values, planned or done: what is written over what, and how far it is (behaviour.md §6). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Session, Volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Chosen
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import doubts
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import RestoreCopy
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


@dataclass(frozen=True)
class Asked:
    """A request with everything found.

    ``step`` of None: nothing is to be started here, since the copy ``runs``, has ``ended`` (its key is used), or is the
    tape server's. ``overwrites`` is what the catalog knows of the target.
    """

    world: World
    chosen: Chosen
    target: Volume
    step: Optional[RestoreCopy]
    overwrites: Mapping[str, Any]
    runs: bool = False
    ended: bool = False


def result_of(
    asked: Asked, session: Optional[Session], warnings: Collection[str], *, read_back: bool = False
) -> Result:
    """Return the result of a restore.

    :param session: the copy that still runs, when this was read back after the act.
    """
    chosen, target = asked.chosen, asked.target
    backup, bv = chosen.backup, chosen.bv
    state, percent = _state(asked, session, read_back=read_back)
    same_array = bv is not None and bv.array == target.ref.array
    values = {
        "volume": asked.world.name(backup.tv),
        "target": target.name,
        "target_device_id": target.ref.device_id,
        "target_array": target.ref.array,
        "source": "disk" if bv is not None else "tape",
        "backup_id": backup.id,
        "point_in_time": backup.point_in_time.isoformat(),
        "backup_volume": asked.world.name(bv) if bv is not None else "",
        "copy_type": (CopyType.OPC if same_array else CopyType.ROPC).value if bv is not None else "",
        "cartridges": list(dict.fromkeys(part.barcode for part in chosen.tape.parts)) if chosen.tape else [],
        "size": target.size,
        "state": state,
        "percent": percent,
        "overwrites": dict(asked.overwrites),
    }
    shown = {key: values[key] for key in ("backup_id", "point_in_time", "backup_volume", "size")}
    before = {"content": "as it is", **asked.overwrites}
    return Result(
        changed=asked.step is not None,
        values={"restore": values, "finished": state == "finished"},
        before={target.name: before},
        after={target.name: before if asked.step is None else {"overwritten_by": shown}},
        warnings=[*warnings, *doubts(backup, chosen.tape)],
    )


def _state(asked: Asked, session: Optional[Session], *, read_back: bool) -> tuple[str, int]:
    if asked.ended:
        return "finished", 100
    if asked.chosen.tape is not None:
        return "on_tape", 0
    if session is not None:
        return "executing", session.percent
    if read_back:
        return "finished", 100
    return ("planned" if asked.step is not None else "executing"), 0
