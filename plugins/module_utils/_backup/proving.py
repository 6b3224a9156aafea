# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tape copies were found equal, and which volumes have one (behaviour.md §5), without reading whole histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    RestoreTest,
    TapeCopy,
    TapeState,
)


def proven(backup: Backup, copy: TapeCopy, tests: Sequence[RestoreTest]) -> bool:
    """Tell whether a written copy was found equal: verified, or restored from tape with equal checksums (§5).

    A restore test that failed says nothing against the copy, since the target may have been at fault; a later
    verification that found a difference does.
    """
    if copy.state is not TapeState.WRITTEN:
        return False
    if copy.verified_ok is True:
        return True
    restored = [
        test.tested_at
        for test in tests
        if test.ok and test.source == "tape" and (test.backup_id, test.copy) == (backup.id, copy.number)
    ]
    refuted = copy.verified_at if copy.verified_ok is False else None
    written = copy.written_at
    return any((refuted is None or at > refuted) and (written is None or at >= written) for at in restored)


def any_proven(backups: Sequence[Backup], tests: Sequence[RestoreTest]) -> bool:
    """Tell whether a proven tape copy is left."""
    return any(proven(backup, copy, tests) for backup in backups for copy in backup.tape)


def proven_volumes(
    records: Records, tvs: Collection[VolumeRef], *, without: Optional[Collection[tuple[str, int]]] = None
) -> frozenset[VolumeRef]:
    """Return those of these TVs that have a proven tape copy: verified, or restored with equal checksums.

    :param without: tape copies (backup id, number) that do not count, since they are about to go; only for few TVs.
    """
    gone = frozenset(without or ())
    good = {tv for tv in tvs if records.proven(tv, without=gone)} if gone else set(records.verified(tvs))
    tested: dict[VolumeRef, list[RestoreTest]] = defaultdict(list)
    for test in records.restore_tests([tv for tv in tvs if tv not in good]):
        if test.ok and test.source == "tape" and (test.backup_id, test.copy) not in gone:
            tested[test.tv].append(test)
    named: dict[VolumeRef, list[Backup]] = defaultdict(list)
    for backup in records.backups(ids={test.backup_id for tests in tested.values() for test in tests}):
        named[backup.tv].append(backup)
    good.update(tv for tv, tests in tested.items() if any_proven(_left(named[tv], gone), tests))
    return frozenset(good)


def _left(backups: Collection[Backup], gone: Collection[tuple[str, int]]) -> list[Backup]:
    return [replace(one, tape=tuple(copy for copy in one.tape if (one.id, copy.number) not in gone)) for one in backups]
