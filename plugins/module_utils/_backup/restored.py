# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The end of a restore, whoever notices it: a finished OPC session disappears (array.md, behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Session, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ReaderPurpose

#: A session list may lag: a copy that no list ever showed is believed finished only after so many seconds.
UNSEEN = 6.0


def restore_owner(target: VolumeRef) -> str:
    """Return the name under which a restore onto a target reads its generation."""
    return f"restore:{target}"


def restore_key(key: str) -> str:
    """Return how a restore's key is told from a backup's of the same name."""
    return f"restore:{key}" if key else ""


def settle_restores(
    ctx: Context, targets: Collection[VolumeRef], sessions: Optional[Collection[Session]]
) -> list[VolumeRef]:
    """Clear the markers of targets whose restore has ended, and free its generation from being read.

    A restore that was cancelled, failed or never started has no reader any more: its marker stays.

    :param sessions: what the array shows; None when the caller has seen the end himself.
    """
    with ctx.catalog.read() as records:
        if not records.undefined_targets(targets):
            return []
    written = {session.target for session in sessions or () if not session.copy_type.mirror}
    ended = []
    with ctx.catalog.begin() as records:
        readers = [reader for reader in records.readers() if reader.purpose is ReaderPurpose.RESTORE]
        for marker in records.undefined_targets(targets):
            mine = [reader for reader in readers if reader.owner == restore_owner(marker.volume)]
            old = sessions is None or marker.since + timedelta(seconds=UNSEEN) <= ctx.clock.now()
            if marker.volume in written or not mine or not old:
                continue
            records.clear_undefined(marker.volume)
            for reader in mine:
                records.remove_reader(reader.bv, reader.owner)
            ended.append(marker.volume)
    return ended
