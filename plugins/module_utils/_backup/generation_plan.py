# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What holding, releasing and deleting backups comes to, or why not (behaviour.md §2, §4, §5). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_refuse import (
    refuse_being_written,
    refuse_going,
    refuse_held,
    refuse_journalled,
    refuse_unconfirmed,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.proving import any_proven, proven
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import DropGeneration, project
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskState,
    JournalEntry,
    Media,
    RestoreTest,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


@dataclass(frozen=True)
class TapeDrop:
    """Tape copies of a backup that leave the history; their bytes stay on the cartridges until these are recycled."""

    backup: Backup
    copies: tuple[TapeCopy, ...]


@dataclass(frozen=True)
class Outcome:
    """What becomes of a backup. ``disk``: deleted, waits (struck, its drop waits), kept, or none; ``tape``: copies."""

    backup: Backup
    action: str
    disk: str = "none"
    tape: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class GenerationPlan:
    """What is to be written down, or why not. Every part of it is the catalog's alone: no step touches the array.

    ``again``: backups whose disk copies were struck, and are generations again, since they are held.
    """

    hold: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    tape: tuple[TapeDrop, ...] = ()
    disk: tuple[DropGeneration, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    refusals: tuple[BackupError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.hold or self.again or self.release or self.tape or self.disk)


@dataclass(frozen=True)
class Deletion:
    """What is asked for, and what must be known beside the world.

    :param confirm: names of TVs whose last good backup, or last proven tape copy, may go.
    :param by_range: no backup is named: held ones are passed over instead of refused.
    :param at_work: tape copies (backup id, number) that somebody writes or verifies now.
    :param sessions_known: the world's sessions are the array's; else a BV stays bound where the catalog says so.
    :param unsettled: TVs with steps of interrupted runs in the journal.
    """

    media: Media = Media.BOTH
    drop_untaped: bool = False
    confirm: frozenset[str] = frozenset()
    by_range: bool = False
    at_work: Collection[tuple[str, int]] = ()
    tests: Mapping[VolumeRef, Sequence[RestoreTest]] = field(default_factory=dict)
    sessions_known: bool = True
    unsettled: frozenset[VolumeRef] = frozenset()


def plan_hold(world: World, backups: Sequence[Backup], entries: Sequence[JournalEntry]) -> GenerationPlan:
    """Keep backups whatever the rules say (behaviour.md §5); one whose drop waits is a generation again.

    :param entries: the open steps of interrupted runs: what one of them concerns is recovered first.

    Decided: a copy made by OPC that nobody reads, and that no tape leg waits for, was perhaps overwritten in part when
    a run was refused or broke off; it is not made a generation again.
    """
    leaving = [one for one in backups if one.disk is not None and one.disk.state is DiskState.LEAVING]
    refusals = []
    for backup in backups:
        name = world.name(backup.tv)
        if any(_concerns(entry, backup) for entry in entries):
            refusals.append(refuse_journalled(name, backup))
        elif backup in leaving and not backup.copy_type.mirror and not _awaited(world, backup):
            refusals.append(refuse_going(name, backup))
    ids = tuple(backup.id for backup in backups if not backup.hold)
    again = tuple(backup.id for backup in leaving)
    outcomes = tuple(
        Outcome(one, "held" if one.id in (*ids, *again) else "none", "kept" if one.id in again else "none")
        for one in backups
    )
    return GenerationPlan(ids, again, outcomes=outcomes, refusals=tuple(refusals))


def _concerns(entry: JournalEntry, backup: Backup) -> bool:
    """Tell whether an interrupted step takes, or has taken, the disk copy of a backup away."""
    if backup.disk is None or entry.tv != backup.tv:
        return False
    bv = backup.disk.bv
    on_it = entry.payload.get("bv") == [bv.array, bv.device_id]
    return entry.payload.get("strikes") == backup.id or (on_it and backup.disk.state is DiskState.LEAVING)


def plan_release(backups: Sequence[Backup]) -> GenerationPlan:
    """Keep backups no longer than the rules say (behaviour.md §5)."""
    ids = tuple(backup.id for backup in backups if backup.hold)
    outcomes = tuple(Outcome(backup, "released" if backup.id in ids else "none") for backup in backups)
    return GenerationPlan(release=ids, outcomes=outcomes)


def plan_absent(world: World, backups: Sequence[Backup], wanted: Deletion) -> GenerationPlan:
    """Delete disk copies, tape copies, or both; a session is never released by it, only a cancel does that (§2).

    A disk copy that is read, or waits for tape, is struck at once and dropped when nobody needs it any more (§5).
    Decided: media *tape* and *both* mean every tape copy, a queued or failed one too; media *disk* gives up a queued
    copy only with ``drop_untaped``. A disk copy that is only borrowed for tape goes by itself once tape has it; media
    *disk* leaves it be, and it goes with the last tape copy.
    """
    plan, seen = GenerationPlan(), world
    for backup in backups:
        one = _plan_one(seen, backup, wanted)
        seen = projected(seen, one)
        plan = _joined(plan, one)
    unconfirmed = [
        refusal
        for tv in dict.fromkeys(backup.tv for backup in backups)
        if world.name(tv) not in wanted.confirm
        for refusal in _last_ones(world, seen, tv, wanted)
    ]
    return replace(plan, refusals=(*plan.refusals, *unconfirmed))


def _plan_one(world: World, backup: Backup, wanted: Deletion) -> GenerationPlan:
    name = world.name(backup.tv)
    if backup.hold and wanted.by_range:
        told = f"Backup {backup.id} of {name} is held and stays."
        return GenerationPlan(outcomes=(Outcome(backup, "kept", reason="held"),), warnings=(told,))
    if backup.hold:
        return GenerationPlan(refusals=(refuse_held(name, backup),))
    tape = _tape(backup, wanted)
    busy = [copy for copy in tape if (backup.id, copy.number) in wanted.at_work]
    if busy:
        return GenerationPlan(refusals=(refuse_being_written(name, backup, busy),))
    drops = (TapeDrop(backup, tape),) if tape else ()
    rest = projected(world, GenerationPlan(tape=drops))
    left = next((one for one in rest.backups.get(backup.tv, ()) if one.id == backup.id), None)
    steps, disk, warnings = _disk(rest, left, wanted)
    numbers = tuple(copy.number for copy in tape)
    action = "deleted" if steps or drops else "none"
    outcome = Outcome(backup, action, disk, numbers, "" if action == "deleted" else _why_not(backup, disk))
    return GenerationPlan(tape=drops, disk=steps, outcomes=(outcome,), warnings=warnings)


def _tape(backup: Backup, wanted: Deletion) -> tuple[TapeCopy, ...]:
    """Return the tape copies that go: all with media tape and both; what waits in the queue with ``drop_untaped``."""
    if wanted.media is not Media.DISK:
        return backup.tape
    borrowed = backup.disk is not None and backup.disk.state is DiskState.BORROWED
    given_up = (TapeState.QUEUED, TapeState.FAILED) if borrowed else (TapeState.QUEUED,)
    if not wanted.drop_untaped or any((backup.id, copy.number) in wanted.at_work for copy in backup.tape):
        return ()
    return tuple(copy for copy in backup.tape if copy.state in given_up)


def _awaited(world: World, backup: Backup) -> bool:
    return backup.disk is not None and world.needed_by_tape(backup.disk.bv, backup.tv)


def _disk(
    world: World, backup: Optional[Backup], wanted: Deletion
) -> tuple[tuple[DropGeneration, ...], str, tuple[str, ...]]:
    """Return the drop of a disk copy, what becomes of it in a word, and what is worth telling."""
    if backup is None or backup.disk is None:
        return (), "none", ()
    state, bv = backup.disk.state, backup.disk.bv
    untaped = any(copy.state is not TapeState.WRITTEN for copy in backup.tape)
    if state is DiskState.VALID and wanted.media is Media.TAPE:
        return (), "kept", ()
    if state is DiskState.BORROWED and untaped:
        told = (
            f"The disk copy of backup {backup.id} of {world.name(backup.tv)} is only borrowed and goes once tape has "
            "it; drop_untaped: true, or media: both, gives the tape copy up."
        )
        return (), "waits", (told,) if wanted.media is Media.DISK else ()
    wait = world.needed_by_tape(bv, backup.tv)
    if state is DiskState.LEAVING and (wait or backup.tv in wanted.unsettled):
        return (), "waits", ()  # unsettled: a refused copy may make it whole again
    step = DropGeneration(backup.tv, bv, backup.id, wait=wait, free=not wait and not _bound(world, bv, wanted))
    failed = not wait and any(copy.state is TapeState.FAILED for copy in backup.tape)
    told = f"Backup {backup.id} of {world.name(backup.tv)} leaves the disk, and its tape leg had failed."
    return (step,), "waits" if wait else "deleted", (told,) if failed else ()


def _bound(world: World, bv: VolumeRef, wanted: Deletion) -> bool:
    """Tell whether a BV stays with its TV without a generation: by a session, there or as the catalog knows (§2)."""
    if wanted.sessions_known:
        return bool(world.touching(bv))
    row = world.allocations.get(bv)
    if row is None:
        return True
    return row.suspended_at is not None or row.copy_type is CopyType.QUICK_OPC or row.tv in wanted.unsettled


def _why_not(backup: Backup, disk: str) -> str:
    if disk == "waits":
        return "deleted before, its drop waits" if not backup.good_on_disk else ""
    return "nothing of it is on that media"


def _last_ones(before: World, after: World, tv: VolumeRef, wanted: Deletion) -> list[BackupError]:
    """Refuse, unless confirmed, to delete the only good backup of a TV, or the only proven tape copy."""

    def good(world: World) -> list[Backup]:
        return [b for b in world.backups.get(tv, ()) if b.whole_on_disk or b.good_on_tape]

    name, tests = before.name(tv), wanted.tests.get(tv, ())
    if good(before) and not good(after):
        return [refuse_unconfirmed(name, f"the only good backup of {name}", good(before)[-1])]
    had, has = (any_proven(world.backups.get(tv, ()), tests) for world in (before, after))
    if had and not has:
        one = next(b for b in reversed(before.backups.get(tv, ())) if any(proven(b, copy, tests) for copy in b.tape))
        return [refuse_unconfirmed(name, f"the only tape copy of {name} that was proven", one)]
    return []


def _joined(plan: GenerationPlan, more: GenerationPlan) -> GenerationPlan:
    return GenerationPlan(
        tape=(*plan.tape, *more.tape),
        disk=(*plan.disk, *more.disk),
        outcomes=(*plan.outcomes, *more.outcomes),
        refusals=(*plan.refusals, *more.refusals),
        warnings=(*plan.warnings, *more.warnings),
    )


def projected(world: World, plan: GenerationPlan) -> World:
    """Return the world as it would be; check and diff mode show this."""
    for drop in plan.tape:
        world = _without_tape(world, drop)
    world = project(world, plan.disk)
    changed = {**dict.fromkeys(plan.hold, True), **dict.fromkeys(plan.release, False)}
    if not changed and not plan.again:
        return world

    def kept(one: Backup) -> Backup:
        again = one.disk is not None and one.id in plan.again
        disk = replace(one.disk, state=DiskState.VALID) if one.disk is not None and again else one.disk
        return replace(one, hold=changed.get(one.id, one.hold), disk=disk)

    backups = {tv: tuple(kept(one) for one in history) for tv, history in world.backups.items()}
    return replace(world, backups=backups)


def _without_tape(world: World, drop: TapeDrop) -> World:
    """Return the world without tape copies, and without the marks of those who died while they wrote one."""
    tv, numbers = drop.backup.tv, {copy.number for copy in drop.copies}
    history = []
    for backup in world.backups.get(tv, ()):
        if backup.id != drop.backup.id:
            history.append(backup)
            continue
        tape = tuple(copy for copy in backup.tape if copy.number not in numbers)
        if backup.disk is not None or tape:
            history.append(replace(backup, tape=tape))
    dead = {copy.owner for copy in drop.copies if copy.state is TapeState.WRITING}
    readers = {
        bv: tuple(one for one in some if not (one.backup_id == drop.backup.id and one.owner in dead))
        for bv, some in world.readers.items()
    }
    return replace(world, backups={**world.backups, tv: tuple(history)}, readers=readers)
