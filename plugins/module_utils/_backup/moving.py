# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""How far what still moves is, for the pace of a wait: copy sessions by percents, tape copies by bytes. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._pace import Shares

_MOVING = (SessionState.EXECUTING, SessionState.RESTORING)
_THERE = (SessionState.EQUIVALENT, SessionState.TRACKING)


def sessions_moving(sessions: Iterable[Session]) -> Shares:
    """Return the shares of the sessions that are not there yet; None for one that does not copy, e.g. is paused."""
    return {
        session.key: session.percent / 100 if session.state in _MOVING else None
        for session in sessions
        if session.state not in _THERE
    }


def tapes_moving(backups: Iterable[Backup]) -> Shares:
    """Return the shares of the tape copies that are not written yet; None for one whose size is not known yet."""
    return {
        (backup.id, copy.number): copy.bytes_done / copy.bytes_total if copy.bytes_total > 0 else None
        for backup in backups
        for copy in backup.tape
        if copy.state is not TapeState.WRITTEN
    }
