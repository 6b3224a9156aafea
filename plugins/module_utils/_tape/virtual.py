# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A library in a directory: one directory a cartridge, one plain file a tape file (tape.md, Two backends).

``library.json`` gives the number of drives, ``BARCODE/cartridge.json`` capacity, early warning, block size and the
number of filemarks; ``BARCODE/00000`` and on are the tape files. A drive is locked by flock on ``driveN``: a dead
process frees it. What lies in the directory ``import_export`` has been exported: it is seen, and not loaded.
"""

# ruff: noqa: PTH118, PTH123, PTH208
# Descriptors, not paths: nobody can swap a link under us.
from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._private import make_directory, open_plain, open_to_all
from ansible_collections.eternus.backup.plugins.module_utils._tape.format import foreign
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import (
    DriveStatus,
    Inventory,
    Slot,
    cleaning,
    is_cleaning,
    outside,
    suspect,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual_drive import (
    BLOCK_SIZE,
    CartridgeState,
    VirtualDrive,
    read_json,
    write_json,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock

#: The directory of what has been exported, and how it is called as an element.
_OUTSIDE = "import_export"
_OUTSIDE_ELEMENT = "import/export"
_BARCODE = re.compile(rf"(?!drive\d+\Z|{_OUTSIDE}\Z)[A-Za-z0-9][A-Za-z0-9_-]{{0,31}}\Z")  # not the library's own names
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: What numbers a library and a cartridge may have: one that is damaged must not keep us busy for ever.
_DRIVES = range(1, 1 << 10)
_CARTRIDGE = {
    "capacity": range(1 << 63),
    "early_warning": range(1 << 63),
    "block_size": range(1, 1 << 30),
    "files": range(1 << 20),
}
#: Filemarks without a file that are believed, so that what is left of a cartridge can be read.
_STRAY_MARKS = 64


def _whole(value: Any, within: range) -> int:
    """Return a whole number; ValueError unless it is one, and within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in within:
        raise ValueError(f"{value!r} is no number from {within.start} to {within.stop - 1}")
    return value


def check_barcode(barcode: str) -> str:
    """Return it; ``invalid_option`` unless it is 1 to 32 letters, digits, ``_`` or ``-`` (no part of a path)."""
    if not _BARCODE.match(barcode):
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            f"{barcode[:64]!r} is not a barcode.",
            next_step="Use 1 to 32 letters, digits, '_' or '-'.",
        )
    return barcode


def _unavailable(path: str, why: str) -> BackupError:
    return BackupError(
        ErrorClass.TAPE_UNAVAILABLE,
        f"The tape library {path} cannot be used: {why}.",
        next_step="Check the option 'library' (ETERNUS_TAPE_LIBRARY) and the rights on that directory.",
        library=path,
    )


def _why(error: OSError) -> str:
    """Return what is wrong with which file: a link or a pipe in its place, mostly."""
    return f"{error.filename or 'a file'}: {os.strerror(error.errno or 0)}"


def _in_use(drive: DriveStatus, ending: str) -> BackupError:
    return BackupError(
        ErrorClass.BUSY,
        f"Cartridge {drive.barcode or '?'} is in use in {drive.name} by {drive.owner} "
        f"since {drive.since or '?'}{ending}",
        next_step="Wait until it is done, or end that process.",
        owner=drive.owner,
        since=drive.since,
    )


def _exists(name: str, directory: int) -> bool:
    """Tell whether a directory of that name is there, and no link to one."""
    with suppress(OSError):
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    return False


@contextmanager
def _opened(name: str, directory: int) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class VirtualLibrary:
    """A library in a directory. Errors are ``tape_unavailable``, ``no_cartridge``, ``busy``, ``suspect_cartridge``."""

    def __init__(self, path: str, clock: Optional[Clock] = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()

    @contextmanager
    def _entered(self) -> Iterator[tuple[int, int]]:
        """Give the directory's descriptor and the number of drives; one process at a time looks or loads."""
        try:
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unavailable(self.path, os.strerror(error.errno or 0)) from error
        try:
            try:
                drives = _whole(read_json(directory, "library.json")["drives"], _DRIVES)
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                raise _unavailable(self.path, "its library.json is missing or damaged") from error
            if open_to_all(os.fstat(directory).st_mode):
                raise _unavailable(self.path, "every user of this host may put files into it")
            fcntl.flock(directory, fcntl.LOCK_EX)
            try:
                yield directory, drives
            except OSError as error:  # what bears the name of a file of ours is none
                raise _unavailable(self.path, _why(error)) from error
        finally:
            os.close(directory)

    def _state(self, directory: int, barcode: str) -> CartridgeState:
        value = read_json(directory, "cartridge.json")
        numbers = {key: _whole(value[key], within) for key, within in _CARTRIDGE.items()}
        if numbers["files"] > _STRAY_MARKS + 2 * len(os.listdir(directory)):
            raise ValueError("far more filemarks than files")
        if value.get("barcode") != barcode:
            if _BARCODE.match(str(value.get("barcode", ""))):
                raise suspect(barcode, f"its directory holds cartridge {value['barcode']}; were two of them swapped?")
            raise ValueError("another barcode")
        return CartridgeState(barcode, **numbers, write_protected=value.get("write_protected") is True)

    def _described(self, directory: int, barcode: str) -> CartridgeState:
        """Return what cartridge.json says; ``foreign_cartridge`` without one, ``suspect_cartridge`` if damaged."""
        try:
            return self._state(directory, barcode)
        except FileNotFoundError as error:
            raise foreign(barcode, "its directory holds no cartridge.json") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise suspect(barcode, "its cartridge.json is damaged") from error

    def _drives(self, directory: int, count: int) -> list[DriveStatus]:
        """Read who uses which drive; only under the directory's lock, which keeps this from disturbing a load."""
        found = []
        for number in range(count):
            name = f"drive{number}"
            status = DriveStatus(name)
            with (
                suppress(FileNotFoundError),
                open(open_plain(name, os.O_RDONLY, directory)) as file,
            ):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    with suppress(AttributeError, ValueError, TypeError, RecursionError):
                        told = json.loads(file.read(4096))
                        status = DriveStatus(name, **{key: str(value) for key, value in told.items()})
                    status = status if status.owner else replace(status, owner="another process")
            found.append(status)
        return found

    def _slots(self, directory: int) -> Iterator[Slot]:
        """Give the cartridges of a directory by barcode."""
        for name in sorted(os.listdir(directory)):
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
            if not stat.S_ISDIR(mode) or not _BARCODE.match(name):
                continue
            capacity = written = 0
            cartridge = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, BackupError):
                    state = self._state(cartridge, name)
                    capacity = state.capacity
                    for number in range(state.files):
                        written += os.stat(f"{number:05d}", dir_fd=cartridge, follow_symlinks=False).st_size
            finally:
                os.close(cartridge)
            yield Slot(name, "", capacity, written, cleaning=is_cleaning(name))

    def inventory(self) -> Inventory:
        """Return cartridges by barcode, those that were exported last, and drives."""
        with self._entered() as (directory, count):
            drives = self._drives(directory, count)
            loaded = {status.barcode: status.name for status in drives}
            slots = [replace(slot, drive=loaded.get(slot.barcode, "")) for slot in self._slots(directory)]
            with suppress(FileNotFoundError, NotADirectoryError), _opened(_OUTSIDE, directory) as aside:
                exported = [slot for slot in self._slots(aside) if slot.barcode not in {one.barcode for one in slots}]
                slots += [replace(slot, element=_OUTSIDE_ELEMENT, outside=True) for slot in exported]
            return Inventory(tuple(slots), tuple(drives))

    @contextmanager
    def load(self, barcode: str, owner: str) -> Iterator[VirtualDrive]:
        """Load a cartridge into a free drive; one that lies outside, or cleans drives, is ``no_cartridge``."""
        check_barcode(barcode)
        if is_cleaning(barcode):
            raise cleaning(barcode)
        lock = -1
        with self._entered() as (directory, count):
            if not _exists(barcode, directory) and _exists(f"{_OUTSIDE}/{barcode}", directory):
                raise outside(barcode, _OUTSIDE_ELEMENT)
            drives = self._drives(directory, count)
            holder = next((status for status in drives if status.barcode == barcode), None)
            free = next((status for status in drives if not status.owner), None)
            if holder is not None or free is None:
                raise _in_use(holder or drives[0], "." if holder else ", and no other drive is free.")
            try:
                cartridge = os.open(barcode, _DIRECTORY, dir_fd=directory)
            except OSError as error:
                raise self._not_here(barcode) from error
            if open_to_all(os.fstat(cartridge).st_mode):
                os.close(cartridge)
                raise suspect(barcode, "every user of this host may change it")
            try:
                state = self._described(cartridge, barcode)
                lock = open_plain(free.name, os.O_RDWR | os.O_CREAT, directory)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                since = self._clock.now().isoformat(timespec="seconds")
                os.ftruncate(lock, 0)
                os.pwrite(lock, json.dumps({"barcode": barcode, "owner": owner, "since": since}).encode(), 0)
            except BackupError:
                os.close(cartridge)
                raise
            except OSError as error:
                os.close(cartridge)
                raise _unavailable(self.path, _why(error)) from error
        try:
            drive = VirtualDrive(cartridge, state, free.name)
            try:
                yield drive
            finally:
                drive.close()
        finally:
            os.close(lock)

    def _not_here(self, barcode: str) -> BackupError:
        return BackupError(
            ErrorClass.NO_CARTRIDGE,
            f"Cartridge {barcode} is not in the library {self.path}.",
            next_step="Put it into the library, or name another one.",
            barcode=barcode,
        )

    def export_cartridge(self, barcode: str, owner: str) -> str:  # noqa: ARG002 - one rename is over before it is seen
        """Move a cartridge aside, in one step; ``busy`` while somebody uses it. One that is outside stays there."""
        self._move(barcode, exporting=True)
        return _OUTSIDE_ELEMENT

    def import_cartridge(self, barcode: str, owner: str) -> str:  # noqa: ARG002 - likewise
        """Move a cartridge back, in one step. One that is inside stays there; a directory has no numbered slots."""
        self._move(barcode, exporting=False)
        return ""

    def _move(self, barcode: str, *, exporting: bool) -> None:
        check_barcode(barcode)
        with self._entered() as (directory, count):
            holder = next((status for status in self._drives(directory, count) if status.barcode == barcode), None)
            if holder is not None:
                raise _in_use(holder, ".")
            inside, aside = _exists(barcode, directory), _exists(f"{_OUTSIDE}/{barcode}", directory)
            if not inside and not aside:
                raise self._not_here(barcode)
            if inside and aside:
                raise _unavailable(self.path, f"two cartridges bear the barcode {barcode}, one lies in {_OUTSIDE}")
            if aside is exporting:
                return
            try:
                with suppress(FileExistsError):
                    os.mkdir(_OUTSIDE, 0o700, dir_fd=directory)
                with _opened(_OUTSIDE, directory) as outer:
                    source, target = (directory, outer) if exporting else (outer, directory)
                    os.rename(barcode, barcode, src_dir_fd=source, dst_dir_fd=target)
                    os.fsync(target)
                    os.fsync(source)
            except OSError as error:
                raise _unavailable(self.path, os.strerror(error.errno or 0)) from error

    def barcodes(self) -> tuple[str, ...]:
        """Return what is in the library; nothing when there is none yet."""
        if not os.path.lexists(os.path.join(self.path, "library.json")):
            return ()
        return tuple(slot.barcode for slot in self.inventory().slots)

    def create(self, barcodes: dict[str, int], drives: int = 2) -> None:
        """Make the library where there is none, and put blank cartridges (bytes) into it; what is there stays."""
        try:
            make_directory(self.path)
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if not os.path.lexists(os.path.join(self.path, "library.json")):
                    write_json(directory, "library.json", {"version": 1, "drives": drives})
                fcntl.flock(directory, fcntl.LOCK_EX)
                for barcode, capacity in barcodes.items():
                    if not _exists(f"{_OUTSIDE}/{check_barcode(barcode)}", directory):
                        self._put(directory, barcode, capacity)
            finally:
                os.close(directory)
        except OSError as error:
            raise _unavailable(self.path, os.strerror(error.errno or 0)) from error

    @staticmethod
    def _put(directory: int, barcode: str, capacity: int) -> None:
        """Put a blank cartridge there in one step: nobody ever finds one without its state, whoever died meanwhile."""
        name = barcode if _exists(barcode, directory) else f".{barcode}"
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=directory)
        with _opened(name, directory) as cartridge:
            if "cartridge.json" not in os.listdir(cartridge):
                warning = min(64 << 20, max(capacity // 50, 4 * BLOCK_SIZE), capacity // 2)
                write_json(cartridge, "cartridge.json", asdict(CartridgeState(barcode, capacity, warning)))
        if name != barcode:
            os.rename(name, barcode, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
