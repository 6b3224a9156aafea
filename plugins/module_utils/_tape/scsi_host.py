# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The tape devices of this host: which there are, by serial number, and who uses one."""

# ruff: noqa: PTH115, PTH118, PTH119, PTH120, PTH123, PTH208
# Device nodes and descriptors, not paths.
from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._private import make_directory
from ansible_collections.eternus.backup.plugins.module_utils._tape import st_ioctl
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_sg import serial_number, serial_of

_CLASS, _DEVICES = "/sys/class/scsi_tape", "/dev"
_NAME = re.compile(r"nst\d+\Z")
_EXPLICIT = re.compile(r"(?P<element>\d+)=(?P<device>/.+)\Z")


@dataclass(frozen=True)
class TapeDevice:
    """A tape device of this host: its non-rewinding node, its generic one, its serial number."""

    path: str
    generic: str
    serial: str


@dataclass(frozen=True)
class Wished:
    """The option ``drives``: the devices that may be used (all, when none is named), and explicit elements."""

    devices: tuple[str, ...]
    elements: dict[int, str]


def wished(drives: Sequence[str]) -> Wished:
    """Read the option ``drives``: paths, or ``ELEMENT=PATH`` where a library does not tell serial numbers."""
    matches = {entry: _EXPLICIT.match(entry) for entry in drives}
    elements = {int(match["element"]): _node(match["device"]) for match in matches.values() if match}
    return Wished(tuple(_node(entry) for entry, match in matches.items() if not match), elements)


def _node(path: str) -> str:
    """Return the non-rewinding node that a name leads to."""
    real = os.path.realpath(path)
    name = os.path.basename(real)
    return os.path.join(os.path.dirname(real), f"n{name}") if re.match(r"st\d+\Z", name) else real


def address_of(device: str) -> str:
    """Return the SCSI address of a device, which is the same by whatever name it is called; its name without one."""
    try:
        number = os.stat(device).st_rdev  # noqa: PTH116
        return os.path.basename(os.readlink(f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/device"))
    except OSError:
        return os.path.basename(os.path.realpath(device))


def find_devices() -> list[TapeDevice]:
    """Return every tape device that the st driver has on this host."""
    found = []
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(_CLASS)):
            if _NAME.match(name):
                generic = ""
                with suppress(OSError):
                    generic = f"{_DEVICES}/{os.listdir(f'{_CLASS}/{name}/device/scsi_generic')[0]}"
                found.append(TapeDevice(f"{_DEVICES}/{name}", generic, _serial(name, generic)))
    return found


def _serial(name: str, generic: str) -> str:
    with suppress(OSError), open(f"{_CLASS}/{name}/device/vpd_pg80", "rb") as file:
        serial = serial_of(file.read(256))
        if serial:
            return serial
    return serial_number(generic) if generic else ""


@dataclass(frozen=True)
class Use:
    """Who uses a device. ``problem``: why it cannot be used by anybody here; both empty when it is free.

    ``online``: it has a cartridge, and is ready.
    """

    owner: str = ""
    since: str = ""
    problem: str = ""
    online: bool = False


def look_at(device: str) -> Use:
    """Open a device for a moment: a tape device is for one process at a time, and says so."""
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return Use(owner=_holder(device) or "another process")
        return Use(problem=os.strerror(error.errno or 0))
    try:
        return Use(online=st_ioctl.status(descriptor).online)
    except OSError as error:
        return Use(problem=os.strerror(error.errno or 0))
    finally:
        os.close(descriptor)


def _holder(device: str) -> str:
    """Return the process that has a device open, as far as this user may see it."""
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            with suppress(OSError):
                for one in os.listdir(f"/proc/{pid}/fd"):
                    if os.readlink(f"/proc/{pid}/fd/{one}") == device:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                            return f"process {pid} ({file.read().strip()})"
    return ""


class Locks:
    """Who uses which drive, and who moves cartridges, on this host: locked files that a dead process sets free."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def _open(self, name: str) -> int:
        make_directory(self._directory)
        found = os.lstat(self._directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(errno.EPERM, f"{self._directory} is not this user's own directory")
        path = os.path.join(self._directory, re.sub(r"[^A-Za-z0-9_.-]", "_", name))
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Wait until nobody else does this."""
        descriptor = self._open(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def used(self, name: str) -> Use:
        """Tell who uses a drive; only while nobody moves cartridges, so that this does not disturb a load."""
        descriptor = self._open(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(ValueError, TypeError, AttributeError):
                told = json.loads(os.pread(descriptor, 4096, 0))
                return Use(str(told.get("owner", "")) or "another process", str(told.get("since", "")))
            return Use("another process")
        finally:
            os.close(descriptor)
        return Use()

    def take(self, name: str, owner: str, since: str) -> Optional[int]:
        """Lock a drive and say who did; None when somebody else has it. Closing the descriptor sets it free."""
        descriptor = self._open(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"owner": owner, "since": since}).encode(), 0)
        return descriptor
