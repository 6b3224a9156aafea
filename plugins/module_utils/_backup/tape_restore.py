# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Back from tape: a volume is written from cartridges, and every checksum compared (behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import restore_key
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_target import (
    copies_on_tape,
    doubts,
    overwritten,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import (
    Target,
    Wanted,
    choose_backup,
    choose_target,
    refuse_sessions,
    refuse_target,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import (
    Heartbeat,
    TapeDesk,
    cartridge_at_fault,
    drop_dead_leases,
    missing,
    note_bad_cartridge,
    parts_to_read,
    refuse_missing,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_names import the_volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_proof import prove
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    Lease,
    TapeCopy,
    UndefinedTarget,
    UsedKey,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device, open_device
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import PartToRead, mismatch, read_image

#: What is wrong with one copy or its cartridge, and says nothing about another.
_ANOTHER_SERVES = (
    ErrorClass.SUSPECT_CARTRIDGE,
    ErrorClass.CHECKSUM_MISMATCH,
    ErrorClass.FOREIGN_CARTRIDGE,
    ErrorClass.NO_CARTRIDGE,
    ErrorClass.TAPE_UNAVAILABLE,
    ErrorClass.BUSY,
)


@dataclass(frozen=True)
class TapeRestorePlan:
    """What is to be written where."""

    volume: str
    backup: Backup
    copy: TapeCopy
    parts: Sequence[PartToRead]
    target: Target
    sha256: str = ""  # of the bytes that were written, once they are
    overwrites: Mapping[str, Any] = field(default_factory=dict)  # what the catalog knew of the target
    needed: bool = True  # False: this key has restored onto this target before
    warnings: Sequence[str] = ()
    others: Sequence[TapeCopy] = ()  # what is read where the copy turns out to be bad

    @property
    def leases(self) -> tuple[str, ...]:
        """Return the leases that the work needs: both volumes, as the engine names them (operation.py)."""
        return tuple(sorted({f"volume:{self.backup.tv}", f"volume:{self.target.ref}"}))


def plan_restore(ctx: Context, desk: TapeDesk, wanted: Wanted) -> TapeRestorePlan:
    """Choose, and refuse whatever is wrong before anything is changed. Check mode stops after this."""
    with ctx.catalog.read() as records:
        plan = _plan(ctx, records, wanted)
        copies = [plan.copy, *plan.others]
        parts = {copy.number: parts_to_read(records, plan.backup.id, copy) for copy in copies}
    if not plan.needed:
        return plan
    here = [copy for copy in copies if not missing(desk, parts[copy.number])]
    if not here:
        refuse_missing(desk, parts[plan.copy.number])
    plan = replace(plan, copy=here[0], parts=parts[here[0].number], others=here[1:])
    with _opened(desk, plan):
        return plan


def _plan(ctx: Context, records: Records, wanted: Wanted) -> TapeRestorePlan:
    source = the_volume(records, wanted.volume)
    target = choose_target(ctx, records, wanted.target, source)
    used = records.used_keys(restore_key(wanted.key), [target.ref]).get(target.ref, "")
    done = used and not records.undefined_targets([target.ref])
    if done:
        wanted = replace(wanted, backup_id=used)
    taped = records.taped(source.ref, at=wanted.at, limit=max(1, wanted.generation))
    if wanted.backup_id:
        taped = [one for one in records.backups(ids=[wanted.backup_id]) if one.tv == source.ref]
    backup, copy = choose_backup(source.name, taped, wanted)
    if done:
        known = overwritten(records, target.ref)
        return TapeRestorePlan(source.name, backup, copy, (), target, overwrites=known, needed=False)
    refuse_target(records, source, target, wanted)
    refuse_sessions(ctx, records, source, target)
    known, told = overwritten(records, target.ref), doubts(backup, copy)
    others = [one for one in copies_on_tape(backup) if one != copy and one.verified_ok is not False]
    return TapeRestorePlan(source.name, backup, copy, (), target, overwrites=known, warnings=told, others=others)


@contextmanager
def _opened(desk: TapeDesk, plan: TapeRestorePlan) -> Iterator[Device]:
    with open_device(desk.device_dir, plan.target.ref.device_id, plan.backup.size, write=True) as device:
        yield device


def restore(ctx: Context, desk: TapeDesk, wanted: Wanted) -> TapeRestorePlan:
    """Write the target from tape; return the plan that was carried out, its copy now proven.

    Until the end the target bears the marker of an undefined content, and keeps it when anything fails. A copy that
    turns out to be bad is noted, and the next copy of the same backup is read from its beginning.
    """
    plan = plan_restore(ctx, desk, wanted)
    if not plan.needed:
        return plan
    beat = Heartbeat(ctx, _begin(ctx, plan, wanted))
    try:
        with beat.alive(), _opened(desk, plan) as device:
            while True:
                try:
                    sha256 = _read(ctx, desk, plan, device, beat)
                    break
                except BackupError as error:
                    if not plan.others or error.error_class not in _ANOTHER_SERVES:
                        raise
                    plan = _with_another(ctx, plan, error, beat)
    except BackupError as error:
        with beat.transaction() as records:
            records.mark_undefined(_marker(ctx, plan, error.message))
            _note_bad(ctx, records, plan, error)
            beat.end(records)
        raise _left_undefined(plan, error) from error
    with beat.transaction() as records:
        proven = prove(records, plan.backup.id, plan.copy, ctx.clock.now(), True)
        records.clear_undefined(plan.target.ref)
        if wanted.key:
            records.use_key(UsedKey(plan.target.ref, restore_key(wanted.key), plan.backup.id))
        beat.end(records)
    return replace(plan, copy=proven or plan.copy, sha256=sha256)


def _read(ctx: Context, desk: TapeDesk, plan: TapeRestorePlan, device: Device, beat: Heartbeat) -> str:
    """Read a copy onto the target and return the sha256 of what was written; the marker tells how far it is."""

    def progress(done: int) -> None:
        if beat.due():
            share = f"{done} of {plan.backup.size} bytes ({done * 100 // plan.backup.size} %)"
            with beat.transaction() as records:
                records.mark_undefined(_marker(ctx, plan, f"a restore from tape runs, {share}, or was broken off"))

    sha256 = read_image(
        plan.parts, lambda barcode: desk.library.load(barcode, ctx.owner), device, progress, desk.stream
    )
    if sha256 != plan.copy.sha256:
        raise mismatch(plan.parts[-1].barcode, f"image of backup {plan.backup.id}", plan.copy.sha256, sha256)
    return sha256


def _with_another(ctx: Context, plan: TapeRestorePlan, error: BackupError, beat: Heartbeat) -> TapeRestorePlan:
    """Note what is wrong with the copy, and return the plan with the next one."""
    told = f"Tape copy {plan.copy.number} of backup {plan.backup.id} could not be read: {error.message}"
    copy = plan.others[0]
    with beat.transaction() as records:
        _note_bad(ctx, records, plan, error)
        parts = parts_to_read(records, plan.backup.id, copy)
    return replace(plan, copy=copy, parts=parts, others=plan.others[1:], warnings=(*plan.warnings, told))


def _note_bad(ctx: Context, records: Records, plan: TapeRestorePlan, error: BackupError) -> None:
    """Write down that the copy is not whole, where its cartridge is at fault: it proves nothing any more."""
    note_bad_cartridge(records, error)
    if cartridge_at_fault(error):
        prove(records, plan.backup.id, plan.copy, ctx.clock.now(), False)


def _begin(ctx: Context, plan: TapeRestorePlan, wanted: Wanted) -> Sequence[Lease]:
    """Take the leases, look once more, and write down that the target is about to be overwritten."""
    now = ctx.clock.now()
    try:
        with ctx.catalog.begin() as records:
            drop_dead_leases(records, plan.leases)
            leases = records.take_leases(plan.leases, ctx.owner, now, ctx.lease_seconds)
            again = _plan(ctx, records, replace(wanted, backup_id=plan.backup.id))
            if again.target.reserve:
                records.allocate([Allocation(again.target.ref, plan.backup.tv, None, now)])
            records.mark_undefined(_marker(ctx, plan, "a restore from tape runs, or was broken off"))
            return leases
    except Conflict as error:
        raise BackupError(
            ErrorClass.BUSY,
            f"Another operation took {plan.target.name} meanwhile.",
            next_step="Run it again.",
            volume=plan.target.name,
        ) from error


def _marker(ctx: Context, plan: TapeRestorePlan, reason: str) -> UndefinedTarget:
    return UndefinedTarget(plan.target.ref, plan.backup.id, ctx.clock.now(), reason)


def _left_undefined(plan: TapeRestorePlan, error: BackupError) -> BackupError:
    return BackupError(
        error.error_class,
        error.message,
        next_step=error.next_step,
        unchanged=f"The content of {plan.target.name} is undefined until a restore succeeds; the tapes were only read.",
        changed=True,
        **{**error.details, "target": plan.target.name, "backup": plan.backup.id},
    )
