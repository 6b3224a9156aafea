# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The st driver's ioctls (Linux, include/uapi/linux/mtio.h): commands, status and position of a tape device."""

from __future__ import annotations

import fcntl
import struct
from dataclasses import dataclass
from enum import IntEnum

_MTOP = struct.Struct("@hi")
_MTGET = struct.Struct("@lllllii")
_MTPOS = struct.Struct("@l")
_WRITE, _READ = 1, 2


def _request(direction: int, number: int, size: int) -> int:
    """Return an ioctl's number as ``_IOR`` and ``_IOW`` make it."""
    return direction << 30 | size << 16 | ord("m") << 8 | number


MTIOCTOP = _request(_WRITE, 1, _MTOP.size)
MTIOCGET = _request(_READ, 2, _MTGET.size)
MTIOCPOS = _request(_READ, 3, _MTPOS.size)


class Op(IntEnum):
    """What a drive can be told (``mt_op``)."""

    FSF = 1  # forward over filemarks
    WEOF = 5  # write filemarks, and flush
    REW = 6
    OFFL = 7  # rewind and eject
    BSFM = 10  # back over filemarks, then forward over one
    EOM = 12  # behind the last record
    SETBLK = 20  # 0: variable blocks
    SEEK = 22
    SETDRVBUFFER = 24
    LOAD = 30
    WEOFI = 35  # write filemarks, without a flush


#: ``SETDRVBUFFER``: switch options of the driver on (root only).
SET_BOOLEANS = 0x30000000
#: Block numbers are those of the SCSI standard, not a vendor's.
SCSI2_LOGICAL = 0x800

_EOT, _EOD, _WRITE_PROTECTED, _ONLINE, _DOOR_OPEN = 0x20000000, 0x08000000, 0x04000000, 0x01000000, 0x00040000


@dataclass(frozen=True)
class Status:
    """What the driver knows of a drive. ``file`` and ``block`` are -1 where it does not know them."""

    flags: int
    file: int
    block: int

    @property
    def end_of_data(self) -> bool:
        """Tell whether the last command ended behind the last record."""
        return bool(self.flags & _EOD)

    @property
    def end_of_medium(self) -> bool:
        """Tell whether the last command met the end of the medium, or the early warning before it."""
        return bool(self.flags & _EOT)

    @property
    def write_protected(self) -> bool:
        """Tell whether the cartridge's tab is set."""
        return bool(self.flags & _WRITE_PROTECTED)

    @property
    def online(self) -> bool:
        """Tell whether a cartridge is in the drive, and ready."""
        return bool(self.flags & _ONLINE) and not self.flags & _DOOR_OPEN


def command(descriptor: int, op: Op, count: int = 1) -> None:
    """Tell the drive to do something; OSError when it does not."""
    fcntl.ioctl(descriptor, MTIOCTOP, _MTOP.pack(op, count))


def status(descriptor: int) -> Status:
    """Ask the driver; OSError when the drive is gone."""
    answer = fcntl.ioctl(descriptor, MTIOCGET, bytes(_MTGET.size))
    _type, _residue, _density, flags, _errors, file, block = _MTGET.unpack(answer)
    return Status(flags, file, block)


def tell(descriptor: int) -> int:
    """Return the block number of the position; OSError where the drive cannot tell."""
    return int(_MTPOS.unpack(fcntl.ioctl(descriptor, MTIOCPOS, bytes(_MTPOS.size)))[0])
