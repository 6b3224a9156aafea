# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Wait until the tape copies of backups are written (behaviour.md §2.5): the tape server writes, this looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.describe import tape_state, tape_view
from ansible_collections.eternus.backup.plugins.module_utils._backup.moving import tapes_moving
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until

Found = Mapping[str, Backup]


def wait_for_tape(ctx: Context, result: Result, wait: Wait) -> Result:
    """Wait for the tape copies of a result's backups, and return the result with what they have become.

    It ends when every copy is written, when one failed (a warning: the disk generation stays valid), or when the time
    has run out (no failure: ``tape_written`` is false, and each backup says how far it is).
    """
    names = {str(row["id"]): str(row["volume"]) for row in result.values["backups"] if row.get("id")}

    def look() -> Found:
        with ctx.catalog.read() as records:
            return {backup.id: backup for backup in records.backups(ids=list(names))}

    if ctx.check_mode or not names:
        return replace(result, values={**result.values, "tape_written": not names})
    waited = wait_until(look, _ended, wait, ctx.clock, lambda found: tapes_moving(found.values()))
    values = _refreshed(result.values, waited.last)
    return replace(
        result,
        values={**values, "tape_written": _written(names, waited.last)},
        after=_after(result.after, waited.last),
        warnings=[*result.warnings, *_warnings(names, waited.last)],
    )


def _ended(found: Found) -> bool:
    states = {copy.state for backup in found.values() for copy in backup.tape}
    return TapeState.FAILED in states or states <= {TapeState.WRITTEN}


def _written(names: Mapping[str, str], found: Found) -> bool:
    """Tell whether every backup has a tape copy, and every copy is written."""
    return all(ident in found and tape_state(found[ident]) is TapeState.WRITTEN for ident in names)


def _warnings(names: Mapping[str, str], found: Found) -> list[str]:
    told = []
    for ident, name in names.items():
        copies = found[ident].tape if ident in found else ()
        if not copies:
            told.append(f"Backup {ident} of {name} has no tape copy to wait for: see the media of its policy.")
        told.extend(
            f"Tape copy {copy.number} of backup {ident} of {name} failed: {copy.error or 'no reason is known'}. "
            "The disk generation stays valid; run tape_copy again."
            for copy in copies
            if copy.state is TapeState.FAILED
        )
    return told


def _tape(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    backup = found.get(str(row.get("id")))
    if backup is None:
        return dict(row)
    return {**row, "tape_state": tape_state(backup).value, "tape": [tape_view(copy) for copy in backup.tape]}


def _volume(shown: Mapping[str, Any], found: Found) -> dict[str, Any]:
    return {**shown, "backups": _rows(shown["backups"], found)}


def _rows(rows: Sequence[Mapping[str, Any]], found: Found) -> list[dict[str, Any]]:
    return [_tape(row, found) for row in rows]


def _refreshed(values: Mapping[str, Any], found: Found) -> dict[str, Any]:
    volumes = [_volume(shown, found) for shown in values["volumes"]]
    return {**values, "backups": _rows(values["backups"], found), "volumes": volumes}


def _after(after: Any, found: Found) -> Any:
    return None if after is None else {name: _volume(shown, found) for name, shown in after.items()}
