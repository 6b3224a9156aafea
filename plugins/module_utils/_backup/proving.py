# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which volumes have a tape copy that was found equal (behaviour.md §5), without reading years of history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.retention import any_proven
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, RestoreTest


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
