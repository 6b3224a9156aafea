# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The tape leg: from a backup volume to cartridges, and the proof of what is on them (behaviour.md §5).

A process may die anywhere: the copy stays ``writing``, its lease runs out, and the next run writes it anew.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.leaving import finish_leaving, overwritten
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_common import the_pool
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import (
    Heartbeat,
    TapeDesk,
    cartridge_at_fault,
    drop_dead_leases,
    note_bad_cartridge,
    parts_to_read,
    refuse_missing,
    tape_lease,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_plan import (
    WAITING,
    LegTaken,
    TapeAction,
    TapeStep,
    busy,
    gone,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_proof import prove, still_there
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_supply import (
    Supply,
    candidates,
    none_left,
    stock,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    Reader,
    ReaderPurpose,
    TapeCopy,
    TapePart,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import open_device
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import Header
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import mismatch, read_image
from ansible_collections.eternus.backup.plugins.module_utils._tape.writer import (
    Image,
    PartWritten,
    Told,
    write_image,
)

_COME_AGAIN = (ErrorClass.BUSY, ErrorClass.TAPE_UNAVAILABLE)


@dataclass(frozen=True)
class LegDone:
    """What became of a tape copy."""

    backup: Backup
    copy: TapeCopy
    changed: bool
    error: Optional[BackupError] = None


def _of_other_copies(records: Records, step: TapeStep) -> frozenset[str]:
    """Return the cartridges that bear another copy of the same backup: two copies never share one."""
    backups = records.backups(ids=[step.backup.id])
    others = (copy for backup in backups for copy in backup.tape if copy.number != step.copy.number)
    return frozenset(part.barcode for copy in others for part in copy.parts)


def check_leg(ctx: Context, desk: TapeDesk, step: TapeStep) -> TapePool:
    """Refuse what cannot work, before anything is changed: device, pool, cartridges. Check mode stops after this."""
    with ctx.catalog.read() as records:
        pool = the_pool(records, step.copy.pool)
        known, recycle = stock(records, ctx)
        elsewhere = _of_other_copies(records, step)
    inventory = desk.library.inventory()
    if not candidates(pool, known, inventory, elsewhere, recycle):
        raise none_left(pool, known, inventory)
    with open_device(desk.device_dir, step.backup.bv.device_id, step.backup.size):
        return pool


def check_verify(ctx: Context, desk: TapeDesk, step: TapeStep) -> None:
    """Refuse to verify when a cartridge is not there."""
    with ctx.catalog.read() as records:
        parts = parts_to_read(records, step.backup.id, step.copy)
    refuse_missing(desk, parts)


def _lost(records: Records, step: TapeStep) -> Optional[BackupError]:
    """Return the error when the disk copy has gone, or begun to go, since the plan; in the claiming transaction."""
    bv = step.backup.bv
    for backup in records.backups(ids=[step.backup.id]):
        if step.new and any(copy.number == step.copy.number for copy in backup.tape):
            return busy(step.backup.id, step.copy)  # somebody else has just made it
        if backup.disk is not None and backup.disk.bv == bv:
            # A leg that waited protects a disk copy that leaves (behaviour.md §5); a new or failed one finds it going.
            waits = any(copy.number == step.copy.number and copy.state in WAITING for copy in backup.tape)
            if backup.whole_on_disk or (waits and not overwritten(records, backup.tv, bv)):
                return None
    return gone(step.backup.id)


class _Leg:
    """One tape copy that is being written: its row, its reader, its lease."""

    def __init__(self, ctx: Context, desk: TapeDesk, step: TapeStep) -> None:
        self._ctx, self._desk = ctx, desk
        self._backup, self.copy = step.backup, step.copy
        self._bv = step.backup.bv
        now = ctx.clock.now()
        name = tape_lease(step.backup.id, step.copy.number)
        try:
            with ctx.catalog.begin() as records:
                lost = _lost(records, step)
                if lost is not None and step.new:
                    raise lost
                if step.new:
                    records.put_tape_copy(step.backup.id, step.copy)
                drop_dead_leases(records, [name])
                claimed = records.claim_tape_copy(step.backup.id, step.copy.number, ctx.owner, now, ctx.lease_seconds)
                if lost is not None:  # told only by whoever may write: another may just have written it, and dropped it
                    raise lost
                leases = records.take_leases([name], ctx.owner, now, ctx.lease_seconds)
                self._drop_old_reader(records, step.copy.owner)
                records.add_reader(Reader(self._bv, step.backup.id, ReaderPurpose.TAPE, ctx.owner, now))
                self.copy = replace(
                    claimed, parts=(), sha256="", bytes_done=0, bytes_total=step.backup.size, verified_at=None,
                    verified_ok=None, written_at=None,
                )  # fmt: skip
                records.put_tape_copy(step.backup.id, self.copy)
                self._until = _keep_until(records, step.backup)
                self.header = _header(records, step.backup, self.copy, self._until)
        except Conflict as error:
            raise busy(step.backup.id, step.copy) from error
        self._beat = Heartbeat(ctx, leases)

    def _drop_old_reader(self, records: Records, owner: str) -> None:
        """Take away the mark of whoever wrote this copy before and died."""
        for reader in records.readers([self._bv]):
            if reader.backup_id == self._backup.id and reader.owner in (owner, self._ctx.owner):
                records.remove_reader(self._bv, reader.owner)

    def _save(self, **changes: object) -> None:
        self.copy = replace(self.copy, **changes)  # type: ignore[arg-type]
        with self._beat.transaction() as records:
            records.put_tape_copy(self._backup.id, self.copy)

    def progress(self, done: int) -> None:
        """Record how far it is, now and then."""
        if self._beat.due():
            self._save(bytes_done=done)

    def on_part(self, written: PartWritten) -> None:
        """Record a part that is whole on its cartridge."""
        header, entry = written.entry.header, written.entry
        part = TapePart(
            header.part, header.cartridge, header.data_file, header.offset, entry.bytes, entry.sha256, entry.data_block
        )
        self.copy = replace(self.copy, bytes_done=header.offset + entry.bytes, parts=(*self.copy.parts, part))
        with self._beat.transaction() as records:
            for cartridge in records.cartridges(barcodes=[header.cartridge]):
                dates = [until for until in (cartridge.protected_until, self._until) if until is not None]
                records.put_cartridge(
                    replace(
                        cartridge,
                        files=written.files,
                        bytes_written=written.bytes_written,
                        full=written.full,
                        protected_until=max(dates, default=None),
                    )
                )
            records.put_tape_copy(self._backup.id, self.copy)

    def on_full(self, barcode: str) -> None:
        """Record a cartridge on which not even one block fitted."""
        with self._beat.transaction() as records:
            for cartridge in records.cartridges(barcodes=[barcode]):
                records.put_cartridge(replace(cartridge, full=True))

    def on_lost(self, error: BackupError) -> None:
        """Record a cartridge that cannot be written: it takes nothing more."""
        with self._beat.transaction() as records:
            note_bad_cartridge(records, error)

    def alive(self) -> AbstractContextManager[None]:
        """Keep the leases, however long a cartridge takes to be loaded, found or flushed."""
        return self._beat.alive()

    def end(self, error: Optional[BackupError], sha256: str = "") -> None:
        """Record how it ended; nobody reads the backup volume any more."""
        now = self._ctx.clock.now()
        if error is None:
            self.copy = replace(self.copy, state=TapeState.WRITTEN, sha256=sha256, written_at=now, error="")
        else:
            # Who only found the drive busy or the library away goes on waiting: a failed leg protects nothing (§5).
            state = TapeState.QUEUED if error.error_class in _COME_AGAIN else TapeState.FAILED
            self.copy = replace(self.copy, state=state, error=error.sentence(), parts=(), owner="")
        with self._beat.transaction() as records:
            records.put_tape_copy(self._backup.id, self.copy)
            if error is not None:
                note_bad_cartridge(records, error)
            records.remove_reader(self._bv, self._ctx.owner)
            finish_leaving(records, self._bv)
            self._beat.end(records)


def _header(records: Records, backup: Backup, copy: TapeCopy, until: Optional[datetime]) -> Header:
    """Return what the headers of this copy say; the part, its cartridge and its place come later."""
    volumes = records.volumes([backup.tv])
    generations = [one.id for one in reversed(records.standing([backup.tv])) if one.good_on_disk]
    return Header(
        backup_id=backup.id,
        key=backup.key,
        array=backup.tv.array,
        volume=volumes[0].name if volumes else backup.tv.device_id,
        device_id=backup.tv.device_id,
        point_in_time=backup.point_in_time,
        generation=generations.index(backup.id) + 1 if backup.id in generations else 0,
        size=backup.size,
        copy=copy.number,
        run="",
        part=0,
        offset=0,
        cartridge="",
        data_file=0,
        method=backup.method.value,
        keep_until=until.isoformat() if until else "",
    )


def _keep_until(records: Records, backup: Backup) -> Optional[datetime]:
    """Return until when (UTC) the policy keeps this backup on tape: its cartridges are not written over before."""
    days = max((policy.tape_days for policy in records.policies([backup.tv])), default=0)
    return backup.point_in_time + timedelta(days=days) if days else None


def write_leg(ctx: Context, desk: TapeDesk, step: TapeStep) -> LegDone:
    """Write a tape copy. A failure is recorded, leaves the disk generation valid, and is part of what is returned."""
    pool = check_leg(ctx, desk, step)
    bv = step.backup.bv
    leg = _Leg(ctx, desk, step)
    failure: Optional[BackupError] = None
    sha256 = ""
    try:
        with open_device(desk.device_dir, bv.device_id, step.backup.size) as device:
            supply = Supply(ctx, desk, pool, lambda records: _of_other_copies(records, step))
            image = Image(leg.header, device)
            told = Told(leg.on_part, leg.on_full, leg.on_lost, leg.progress)
            with leg.alive():
                sha256 = write_image(image, supply.next, told, desk.stream)
    except BackupError as error:
        failure = error
    leg.end(failure, sha256)
    return LegDone(step.backup, leg.copy, True, failure)


def verify_leg(ctx: Context, desk: TapeDesk, step: TapeStep) -> LegDone:
    """Read a written copy again, compare every checksum, and record the date and the result."""
    check_verify(ctx, desk, step)
    name = tape_lease(step.backup.id, step.copy.number)
    with ctx.catalog.begin() as records:
        drop_dead_leases(records, [name])
        leases = records.take_leases([name], ctx.owner, ctx.clock.now(), ctx.lease_seconds)
        if still_there(records, step.backup.id, step.copy) is None:
            raise _vanished(step.backup.id, step.copy)
        parts = parts_to_read(records, step.backup.id, step.copy)
    beat = Heartbeat(ctx, leases)

    failure: Optional[BackupError] = None
    try:
        with beat.alive():
            sha256 = read_image(
                parts, lambda barcode: desk.library.load(barcode, ctx.owner), None, lambda _done: None, desk.stream
            )
        if sha256 != step.copy.sha256:
            raise mismatch(parts[-1].barcode, f"image of backup {step.backup.id}", step.copy.sha256, sha256)
    except BackupError as error:
        failure = error
    with beat.transaction() as records:
        copy = step.copy
        if failure is None or cartridge_at_fault(failure):
            proven = prove(records, step.backup.id, copy, ctx.clock.now(), failure is None)
            failure = failure if proven else failure or _vanished(step.backup.id, copy)
            copy = proven or copy
        if failure is not None:
            note_bad_cartridge(records, failure)
        beat.end(records)
    return LegDone(step.backup, copy, copy != step.copy, failure)


def _vanished(backup_id: str, copy: TapeCopy) -> BackupError:
    """Return the error for a copy that is not the one any more that was to be read."""
    return BackupError(
        ErrorClass.BUSY,
        f"Tape copy {copy.number} of backup {backup_id} was deleted, or written anew, meanwhile.",
        next_step="See tape_info for what is there, and run it again.",
        backup=backup_id,
    )


def run_step(ctx: Context, desk: TapeDesk, step: TapeStep, *, shared: bool = False) -> LegDone:
    """Do what a step says: write, then verify where that is asked for; a copy that needs nothing is left as it is.

    :param shared: other processes work on the same queue; one that verifies what was written here is as good.
    """
    if step.action is TapeAction.KEEP:
        return LegDone(step.backup, step.copy, False)
    if step.action is TapeAction.VERIFY:
        return verify_leg(ctx, desk, step)
    done = write_leg(ctx, desk, step)
    if done.error is not None or not step.verify:
        return done
    try:
        verified = verify_leg(ctx, desk, replace(step, copy=done.copy, action=TapeAction.VERIFY))
    except BackupError as error:
        if shared and isinstance(error, LegTaken):
            return done
        raise
    return replace(verified, changed=True)
