# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A SCSI tape library: drives by the st driver, the changer by mtx (tape.md, Two backends).

A drive is found by its serial number, never by its index. A cartridge stays in its drive, rewound, after use: loading
takes minutes. Nobody else's drive is touched.
"""

# ruff: noqa: PTH119
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import NoReturn, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape import st_ioctl
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    DriveLost,
    DriveStatus,
    Inventory,
    MediumError,
    Slot,
    cleaning,
    is_cleaning,
    outside,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_changer import Changer, ChangerStatus, Place
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_host import (
    Locks,
    TapeDevice,
    address_of,
    find_devices,
    look_at,
    wished,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_sg import (
    DriveId,
    cartridge_capacity,
    drive_ids,
    is_offline,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.st_drive import StDrive, open_drive
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import check_barcode
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock

LOCK_DIR = "/run/lock/eternus-backup"
#: Seconds that a drive may take to make a loaded cartridge ready.
READY_SECONDS = 300.0


def _close(descriptor: int) -> None:
    """Close a tape device; what the driver could not write any more was no whole part, and its loss was told."""
    with suppress(OSError):
        os.close(descriptor)


@dataclass(frozen=True)
class _Bay:
    """A drive: where the changer sees it, and where this host does."""

    place: Place
    serial: str
    device: Optional[TapeDevice]
    owner: str = ""
    since: str = ""
    problem: str = ""
    online: bool = False

    @property
    def name(self) -> str:
        return f"drive{self.place.number}"

    @property
    def usable(self) -> bool:
        return self.device is not None and not self.owner and not self.problem

    @property
    def stuck(self) -> bool:
        """Tell whether a cartridge lies in it that is not ready: it was ejected, pulled, or the drive is offline."""
        return self.place.full and not self.online


class ScsiLibrary:
    """A changer and its drives. Errors are ``tape_unavailable``, ``no_cartridge`` and ``busy``.

    :param changer: its device, an sg or sch one, or a name that leads there.
    :param drives: the tape devices that may be used, see ``wished``; none: all that the changer and this host share.
    :param lock_dir: where processes of this host tell each other who uses which drive.
    """

    def __init__(
        self, changer: str, drives: Sequence[str] = (), clock: Optional[Clock] = None, lock_dir: str = LOCK_DIR
    ) -> None:
        self.path = changer
        self._changer = Changer(changer)
        self._wished = wished(drives)
        self._clock = clock or SystemClock()
        self._locks = Locks(lock_dir)

    @contextmanager
    def _alone(self) -> Iterator[ChangerStatus]:
        """Give what lies where, while no other process of this host moves anything."""
        name = f"changer-{address_of(self.path)}"
        with ExitStack() as stack:
            try:
                stack.enter_context(self._locks.alone(name))
            except OSError as error:
                raise self._changer.unavailable(f"its lock cannot be taken ({error.strerror or error})") from error
            yield self._changer.status()

    def _bays(self, status: ChangerStatus) -> list[_Bay]:
        """Match the changer's drives with this host's devices."""
        try:
            told = [identifier for _address, identifier in sorted(drive_ids(self.path).items())]
        except OSError:
            told = []
        if len(told) != len(status.drives):
            told = [DriveId()] * len(status.drives)
        devices = find_devices()
        sure = {one.path for one in devices if any(identifier.means(one.serial) for identifier in told)}
        left = [one for one in devices if one.path not in sure and one.path not in self._wished.elements.values()]
        return [
            self._used(self._match(place, identifier, devices, left))
            for place, identifier in zip(status.drives, told)
        ]  # fmt: skip

    def _match(self, place: Place, identifier: DriveId, devices: list[TapeDevice], left: list[TapeDevice]) -> _Bay:
        """Find a drive's device. ``left``: those that no drive's whole serial number means."""
        path = self._wished.elements.get(place.number)
        if path is not None:
            named = next((one for one in devices if one.path == path), TapeDevice(path, "", ""))
            return _Bay(place, named.serial, named)
        fitting = [one for one in devices if identifier.means(one.serial)]
        fitting = fitting or [one for one in left if identifier.may_mean(one.serial)]
        if len(fitting) != 1:
            why = f"{'several devices' if fitting else 'no device'} on this host with its serial number"
            why = why if identifier.text else "the library does not tell its serial number"
            return _Bay(place, identifier.text, None, problem=f"{why}; name it: drives: [{place.number}=/dev/nst...]")
        device = fitting[0]
        if self._wished.devices and device.path not in self._wished.devices:
            return _Bay(place, device.serial, device, problem="not among the option 'drives'")
        return _Bay(place, device.serial, device)

    def _used(self, bay: _Bay) -> _Bay:
        """Add who uses a drive, and what is wrong with it."""
        if bay.device is None or bay.problem:
            return bay
        if is_cleaning(bay.place.barcode):  # the library has put it there
            return replace(bay, problem="a cleaning cartridge is in it")
        use = self._locks.used(self._lock_of(bay))
        use = use if use.owner else look_at(bay.device.path)
        problem = use.problem
        if not (use.owner or problem or use.online) and bay.device.generic and is_offline(bay.device.generic):
            problem = "offline"
        return _Bay(bay.place, bay.serial, bay.device, use.owner, use.since, problem, use.online)

    @staticmethod
    def _lock_of(bay: _Bay) -> str:
        return f"drive-{bay.serial or os.path.basename(bay.device.path if bay.device else bay.name)}"

    def inventory(self) -> Inventory:
        """Return slots and drives; moves nothing."""
        with self._alone() as status:
            bays = self._bays(status)
        slots, unreadable = [], 0
        for place in (*status.drives, *status.slots):
            if not place.full:
                continue
            if not place.barcode:
                unreadable += 1
                continue
            drive = next((bay.name for bay in bays if bay.place is place), "")
            home = next((slot.name for slot in status.slots if slot.number == place.home), "") if drive else place.name
            slots.append(
                Slot(place.barcode, drive, element=home, outside=place.outside, cleaning=is_cleaning(place.barcode))
            )
        drives = [
            DriveStatus(
                bay.name, bay.place.barcode, bay.owner, bay.since, bay.serial,
                bay.device.path if bay.device else "", bay.problem or ("not ready" if bay.stuck and bay.usable else ""),
            )
            for bay in bays
        ]  # fmt: skip
        return Inventory(tuple(sorted(slots, key=lambda slot: slot.barcode)), tuple(drives), unreadable)

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[StDrive]:
        """Load a cartridge into a free drive, or take the one in which it lies idle."""
        check_barcode(barcode)
        with ExitStack() as stack:
            with self._alone() as status:
                bay = self._into_drive(status, barcode, owner, stack)
            if bay.device is None:  # _into_drive gives only usable ones
                raise self._changer.unavailable(bay.problem)
            descriptor, writable = self._ready(bay.device.path, bay.name)
            stack.callback(_close, descriptor)
            capacity = cartridge_capacity(bay.device.generic) if bay.device.generic else 0
            try:
                drive = StDrive(
                    descriptor, bay.name, barcode, generic=bay.device.generic, capacity=capacity, writable=writable
                )
            except (DriveLost, MediumError) as error:
                raise self._changer.unavailable(f"{bay.name} does not take {barcode} ({error})") from error
            try:
                yield drive
            finally:
                with suppress(DriveLost, MediumError):
                    drive.rewind()

    def _into_drive(self, status: ChangerStatus, barcode: str, owner: str, stack: ExitStack) -> _Bay:
        """Bring a cartridge into a drive, and lock that."""
        bays = self._bays(status)
        holder = next((bay for bay in bays if bay.place.barcode == barcode), None)
        slot = next((one for one in status.slots if one.barcode == barcode), None)
        if is_cleaning(barcode):
            raise cleaning(barcode)
        if holder is None and slot is None:
            raise self._no_cartridge(barcode, f"is not in the library {self.path}")
        if slot is not None and slot.outside:
            raise outside(barcode, slot.name)
        if holder is not None:
            bay = self._free([holder], barcode)
        else:
            bay = self._free(sorted(bays, key=lambda one: (one.place.full, one.stuck)), barcode)
        lock = self._locks.take(self._lock_of(bay), owner, self._clock.now().isoformat(timespec="seconds"))
        if lock is None:
            self._all_busy([bay], barcode)
        stack.callback(os.close, lock)
        if holder is not None and bay.stuck:
            self._thread_again(bay)
        if holder is None and slot is not None:
            if bay.place.full:
                self._empty(status, bay)
            self._changer.load(slot.number, bay.place.number)
            self._check_loaded(bay, barcode)
        return bay

    def _thread_again(self, bay: _Bay) -> None:
        """Let a drive take in the cartridge that it has ejected; one that cannot is found out by waiting for it."""
        if bay.device is not None:
            with suppress(OSError):
                self._tell(bay.device.path, st_ioctl.Op.LOAD)

    @staticmethod
    def _tell(device: str, op: st_ioctl.Op) -> None:
        descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            st_ioctl.command(descriptor, op)
        finally:
            os.close(descriptor)

    def _check_loaded(self, bay: _Bay, barcode: str) -> None:
        """Look whether the robot took what it was told to take."""
        found = next((one for one in self._changer.status().drives if one.number == bay.place.number), bay.place)
        if found.barcode not in (barcode, ""):
            raise self._changer.unavailable(f"it loaded {found.barcode} into {bay.name}, and {barcode} was asked for")

    def _free(self, bays: Sequence[_Bay], barcode: str) -> _Bay:
        """Return the first drive that is free; ``busy`` when somebody has it, else ``tape_unavailable``."""
        found = next((bay for bay in bays if bay.usable), None)
        return found if found is not None else self._all_busy(bays, barcode)

    def _all_busy(self, bays: Sequence[_Bay], barcode: str) -> NoReturn:
        busy = next((bay for bay in bays if bay.owner), None)
        if busy is None and not (len(bays) == 1 and bays[0].usable):
            raise self._changer.unavailable("; ".join(f"{bay.name}: {bay.problem or 'busy'}" for bay in bays))
        bay = busy or bays[0]
        raise BackupError(
            ErrorClass.BUSY,
            f"{bay.name} ({bay.place.barcode or 'empty'}) is in use by {bay.owner or 'another process'} "
            f"since {bay.since or '?'}" + ("." if bay.place.barcode == barcode else ", and no other drive is free."),
            next_step="Wait until it is done, or end that process.",
            owner=bay.owner,
            since=bay.since,
        )

    def _eject(self, bay: _Bay) -> None:
        """Let the drive give its cartridge back: a library refuses to take it before that."""
        if bay.device is None:
            raise self._changer.unavailable(f"{bay.name} has no device on this host")
        try:
            self._tell(bay.device.path, st_ioctl.Op.OFFL)
        except OSError as error:
            raise self._changer.unavailable(f"{bay.name} does not eject ({os.strerror(error.errno or 0)})") from error

    def _empty(self, status: ChangerStatus, bay: _Bay) -> str:
        """Bring what lies idle in a drive back to its slot, or to any free one; return that."""
        free = list(status.empty(outside=False))
        slot = next((one for one in free if one.number == bay.place.home), next(iter(free), None))
        if slot is None:
            raise self._changer.unavailable(f"no slot is free for {bay.place.barcode or 'what is'} in {bay.name}")
        self._eject(bay)
        self._changer.unload(slot.number, bay.place.number)
        return slot.name

    def _ready(self, device: str, name: str) -> tuple[int, bool]:
        """Wait until a drive has made its cartridge ready; open it."""
        end = self._clock.monotonic() + READY_SECONDS
        while True:
            use = look_at(device)
            if use.owner:
                raise BackupError(
                    ErrorClass.BUSY,
                    f"{name} ({device}) is in use by {use.owner}.",
                    next_step="Wait until it is done, or end that process.",
                    owner=use.owner,
                )
            why = use.problem
            if use.online:
                try:
                    return open_drive(device)
                except OSError as error:
                    why = os.strerror(error.errno or 0)
            if self._clock.monotonic() >= end:
                raise self._changer.unavailable(f"{name} ({device}) does not get ready ({why or 'no cartridge seen'})")
            self._clock.sleep(1.0)

    def export_cartridge(self, barcode: str, owner: str) -> str:
        """Move a cartridge into a free import/export slot."""
        return self._move(barcode, owner, outside=True)

    def import_cartridge(self, barcode: str, owner: str) -> str:
        """Move a cartridge from an import/export slot into a storage slot."""
        return self._move(barcode, owner, outside=False)

    def _move(self, barcode: str, owner: str, *, outside: bool) -> str:
        check_barcode(barcode)
        with ExitStack() as stack, self._alone() as status:
            slot = next((one for one in status.slots if one.barcode == barcode), None)
            if slot is not None and slot.outside == outside:
                return slot.name
            bay = next((one for one in self._bays(status) if one.place.barcode == barcode), None)
            if slot is None and bay is None:
                raise self._no_cartridge(barcode, f"is not in the library {self.path}")
            homes = {drive.home for drive in status.drives if drive.full}
            free = sorted(status.empty(outside=outside), key=lambda one: one.number in homes)
            target = next(iter(free), None)
            if bay is not None and not outside:
                return next((one.name for one in status.slots if one.number == bay.place.home), bay.name)
            if target is None:
                kind = "import/export" if outside else "storage"
                raise self._changer.unavailable(f"no {kind} slot is free for {barcode}")
            if bay is not None:
                self._free([bay], barcode)
                lock = self._locks.take(self._lock_of(bay), owner, self._clock.now().isoformat(timespec="seconds"))
                if lock is None:
                    self._all_busy([bay], barcode)
                stack.callback(os.close, lock)
                self._eject(bay)
                self._changer.unload(target.number, bay.place.number)
            elif slot is not None:
                self._changer.transfer(slot.number, target.number)
            return target.name

    @staticmethod
    def _no_cartridge(barcode: str, why: str) -> BackupError:
        return BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"Cartridge {barcode} {why}.",
            next_step="Put it into the library, or name another one.",
            barcode=barcode,
        )
