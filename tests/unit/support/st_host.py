# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a SCSI tape library, without a kernel: the tape bed's units behind the calls that st and sg answer.

In the tape bed itself the same code runs on the real drivers and the real mtx (make tape-test).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._tape import scsi_host
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.tests.tape_bed.changer import DRIVES, Changer
from ansible_collections.eternus.backup.tests.tape_bed.library import Library
from ansible_collections.eternus.backup.tests.tape_bed.sense import Check
from ansible_collections.eternus.backup.tests.tape_bed.unit import Unit
from ansible_collections.eternus.backup.tests.unit.support.st_driver import StDriver, fails

_MTX = """#!{python} -SE
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
connection.sendall(" ".join(sys.argv[3:]).encode())
connection.shutdown(socket.SHUT_WR)
status, said = connection.makefile(encoding="utf-8").read().split(";", 1)
print(said, file=sys.stderr if status != "0" else sys.stdout)
sys.exit(int(status))
"""
_REFUSED = """mtx: Request Sense: Long Report=yes
mtx: Request Sense: Valid Residual=yes
mtx: Request Sense: Error Code=70 (Current)
mtx: Request Sense: Sense Key={key}
mtx: Request Sense: FileMark=no
mtx: Request Sense: EOM=no
mtx: Request Sense: Additional Sense Code = {code:02X}
mtx: Request Sense: Additional Sense Qualifier = {qualifier:02X}
mtx: Request Sense: BPV=no
MOVE MEDIUM from Element Address {source} to {target} Failed"""


def mtx(changer: Changer, words: list[str]) -> str:
    """Do what mtx does, and say what it says; Check where a move is refused."""
    slots = [*changer.storage, *changer.outside]
    if words == ["status"]:
        lines = [f"  Storage Changer /dev/sg0:{len(changer.drives)} Drives, {len(slots)} Slots"]
        for number in range(len(changer.drives)):
            medium, home = changer.at(DRIVES + number), changer.homes.get(DRIVES + number)
            origin = f"Storage Element {slots.index(home) + 1} Loaded" if home else "Unknown Storage Element Loaded"
            tag = f" ({origin}):VolumeTag = {medium.barcode:32}" if medium and medium.barcode else f" ({origin})"
            lines.append(f"Data Transfer Element {number}:{'Full' + tag if medium else 'Empty'}")
        for number, address in enumerate(slots, 1):
            medium, mark = changer.at(address), " IMPORT/EXPORT" if address in changer.outside else ""
            state = f"Full :VolumeTag={medium.barcode:32}" if medium else f"Empty:VolumeTag={'':32}"
            lines.append(f"      Storage Element {number}{mark}:{state}")
        return "\n".join(lines)
    first, second = int(words[1]), int(words[2])
    slot = slots[first - 1]
    pairs = {"load": (slot, DRIVES + second), "unload": (DRIVES + second, slot)}
    source, target = pairs.get(words[0]) or (slot, slots[second - 1])
    command = bytes([0xA5, 0, 0, 0]) + source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(4)
    try:
        changer.execute(command, memoryview(b""))
    except Check as check:
        key = {2: "Not Ready", 3: "Medium Error", 4: "Hardware Error", 5: "Illegal Request"}[check.sense[2] & 0x0F]
        code, qualifier = check.sense[12:14]
        raise RuntimeError(
            _REFUSED.format(key=key, code=code, qualifier=qualifier, source=source, target=target)
        ) from check
    return "done"


class StHost:
    """The devices sg0 (changer), nst0 (element 1) and nst1 (element 0), and the command mtx, below ``path``."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.library = Library(path / "cartridges")
        self.devices = path / "dev"
        self.changer = str(self.devices / "sg0")
        self.devices.mkdir()
        self.units: dict[str, Unit] = {self.changer: self.library.changer}
        self.drivers: dict[str, StDriver] = {}
        self.opened: dict[int, str] = {}
        for number, drive in enumerate(self.library.drives):
            self.drivers[f"{self.devices}/nst{number}"] = StDriver(drive)
            self.units[f"{self.devices}/sg{number + 1}"] = drive
            about = path / f"sys/nst{number}/device"
            (about / f"scsi_generic/sg{number + 1}").mkdir(parents=True)
            (about / "vpd_pg80").write_bytes(drive.execute(bytes([0x12, 1, 0x80, 0, 255, 0]), memoryview(b"")))
            (path / f"sys/nst{number}a").mkdir()
        for name in [*self.units, *self.drivers]:
            Path(name).touch()
        patch.setattr(scsi_host, "_CLASS", str(path / "sys"))
        patch.setattr(scsi_host, "_DEVICES", str(self.devices))
        self._serve_mtx(patch)
        for module, name in ((os, "open"), (os, "close"), (os, "write"), (os, "readv"), (fcntl, "ioctl")):
            patch.setattr(module, name, getattr(self, f"_on_{name}")(getattr(module, name)))

    def reset(self, *barcodes: str, capacity: int = 8 << 20, **options: Any) -> None:
        """Begin anew with blank cartridges."""
        self.library.reset(dict.fromkeys(barcodes, capacity), **options)
        self.library.changer.attentions = []

    def scsi(self, *drives: str, **options: Any) -> ScsiLibrary:
        """Return the library; drives like "nst0" or "0=nst0"."""
        named = [drive.replace("nst", f"{self.devices}/nst") for drive in drives]
        return ScsiLibrary(self.changer, named, lock_dir=str(self.path / "locks"), **options)

    def _serve_mtx(self, patch: pytest.MonkeyPatch) -> None:
        folder, listening = self.path / "bin", socket.socket(socket.AF_UNIX)
        folder.mkdir()
        listening.bind(str(folder / "socket"))
        listening.listen()
        (folder / "mtx").write_text(_MTX.format(python=sys.executable, path=str(folder / "socket")), encoding="utf-8")
        (folder / "mtx").chmod(0o755)
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

        def serve() -> None:
            while True:
                connection, _address = listening.accept()
                with connection:
                    words = connection.makefile(encoding="utf-8").read().split()
                    try:
                        answer = "0;" + mtx(self.library.changer, words)
                    except RuntimeError as error:
                        answer = f"1;{error}"
                    connection.sendall(answer.encode())

        threading.Thread(target=serve, daemon=True).start()

    def _driver(self, descriptor: int) -> StDriver | None:
        return self.drivers.get(self.opened.get(descriptor, ""))

    def _on_open(self, real: Any) -> Any:
        def opening(path: Any, flags: int, *args: Any, **options: Any) -> int:
            name = path if isinstance(path, str) else ""
            driver = self.drivers.get(name)
            if driver:
                if name in self.opened.values():
                    raise fails(errno.EBUSY)
                driver.opened()
                if not flags & os.O_NONBLOCK and not driver.ready:
                    raise fails(errno.ENOMEDIUM)
                protected = driver.unit.medium and driver.unit.medium.protected
                if not flags & os.O_NONBLOCK and flags & os.O_RDWR and protected:
                    raise fails(errno.EROFS)
            descriptor: int = real(path, flags, *args, **options)
            if name in self.drivers or name in self.units:
                self.opened[descriptor] = name
            return descriptor

        return opening

    def _on_close(self, real: Any) -> Any:
        def closing(descriptor: int) -> None:
            driver = self._driver(descriptor)
            self.opened.pop(descriptor, None)
            real(descriptor)
            if driver:
                driver.closed()

        return closing

    def _on_write(self, real: Any) -> Any:
        def writing(descriptor: int, data: Any) -> int:
            driver = self._driver(descriptor)
            written: int = driver.write(bytes(data)) if driver else real(descriptor, data)
            return written

        return writing

    def _on_readv(self, real: Any) -> Any:
        def reading(descriptor: int, buffers: Any) -> int:
            driver = self._driver(descriptor)
            read: int = driver.read(buffers[0]) if driver else real(descriptor, buffers)
            return read

        return reading

    def _on_ioctl(self, real: Any) -> Any:
        def asking(descriptor: int, request: int, argument: Any = 0, *more: Any) -> Any:
            driver, unit = self._driver(descriptor), self.units.get(self.opened.get(descriptor, ""))
            if driver:
                return driver.ioctl(request, argument)
            return _sg_io(unit, argument) if unit else real(descriptor, request, argument, *more)

        return asking


def _sg_io(unit: Unit, header: Any) -> int:
    """Answer a struct sg_io_hdr in place."""
    data = sense = b""
    try:
        data = unit.execute(ctypes.string_at(header.cmdp, header.cmd_len), memoryview(b""))
    except Check as check:
        data, sense, header.status = check.data, check.sense, 2
    ctypes.memmove(header.sbp, sense, len(sense))
    if header.dxferp:
        ctypes.memmove(header.dxferp, data, min(len(data), header.dxfer_len))
    header.sb_len_wr, header.resid = len(sense), header.dxfer_len - len(data)
    return 0
