# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which backups are meant: by relative generation, by id, by time, or a whole history (behaviour.md §1, §6). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


@dataclass(frozen=True)
class Selection:
    """Which backups of the named volumes; of all their history when nothing more is said. Times are UTC.

    :param generations: relative ones on disk, 1 is the newest.
    :param ids: backup ids; they need no volume.
    :param at: the newest backup at or before this time.
    :param before: every backup before this time.
    """

    volumes: tuple[str, ...] = ()
    generations: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    at: Optional[datetime] = None
    before: Optional[datetime] = None

    @property
    def by_range(self) -> bool:
        """Tell whether it is a rule over a history, and names no backup."""
        return not (self.generations or self.ids or self.at)


@dataclass(frozen=True)
class Chosen:
    """The backups that are meant, oldest first, ids that are in no history, and what is refused."""

    backups: tuple[Backup, ...]
    gone: tuple[str, ...] = ()
    refusals: tuple[BackupError, ...] = ()


def choose(world: World, tvs: Sequence[VolumeRef], selection: Selection) -> Chosen:
    """Return the backups of these TVs that are meant."""
    if selection.ids:
        return _by_id(world, tvs, selection.ids)
    found: list[Backup] = []
    refusals: list[BackupError] = []
    for tv in tvs:
        try:
            found.extend(_of(world, tv, selection))
        except BackupError as refusal:
            refusals.append(refusal)
    return Chosen(tuple(found), refusals=tuple(refusals))


def _by_id(world: World, tvs: Sequence[VolumeRef], ids: Sequence[str]) -> Chosen:
    known = [backup for tv in tvs for backup in world.backups.get(tv, ())]
    found = {backup.id for backup in known}
    gone = tuple(dict.fromkeys(one for one in ids if one not in found))
    return Chosen(tuple(backup for backup in known if backup.id in ids), gone)


def _of(world: World, tv: VolumeRef, selection: Selection) -> list[Backup]:
    history = list(world.backups.get(tv, ()))
    if selection.generations:
        return _by_generation(world, tv, selection.generations)
    if selection.before is not None:
        return [backup for backup in history if backup.point_in_time < selection.before]
    if selection.at is None:
        return history
    whole = [b for b in history if (b.whole_on_disk or b.good_on_tape) and b.point_in_time <= selection.at]
    if not whole:
        raise BackupError(
            ErrorClass.NO_SUCH_BACKUP,
            f"{world.name(tv)} has no backup of {selection.at.isoformat()} or before.",
            next_step="See eternus_backup_info for its history, or choose a later time.",
            volume=world.name(tv),
        )
    return [whole[-1]]


def _by_generation(world: World, tv: VolumeRef, numbers: Sequence[int]) -> list[Backup]:
    generations = world.generations(tv)
    missing = sorted({number for number in numbers if not 1 <= number <= len(generations)})
    if missing:
        raise BackupError(
            ErrorClass.NO_SUCH_GENERATION,
            f"{world.name(tv)} has {len(generations)} disk generations, not a generation "
            f"{', '.join(map(str, missing))}.",
            next_step="See eternus_backup_info for its history; a backup that is only on tape is named by its id.",
            volume=world.name(tv),
            generations=len(generations),
        )
    return [generations[number - 1] for number in sorted(set(numbers), reverse=True)]


def refuse_no_such_backup(ids: Sequence[str]) -> BackupError:
    """Ids that are in no history, where one is needed."""
    return BackupError(
        ErrorClass.NO_SUCH_BACKUP,
        f"Not in the history: {', '.join(ids)}.",
        next_step="See eternus_backup_info for the ids of the backups that there are.",
        backups=list(ids),
    )
