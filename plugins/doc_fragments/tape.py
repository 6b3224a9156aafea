# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the tape modules."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation that several tape modules share."""

    # The library.
    DOCUMENTATION = r"""
options:
  library:
    description:
      - Where the tape library is.
      - With O(backend=dir), a directory with one directory for each cartridge.
      - If not set, the value of the environment variable E(ETERNUS_TAPE_LIBRARY) is used.
    type: path
    default: /var/lib/eternus-backup/tape
  backend:
    description:
      - How the library is driven.
      - V(dir) is a library in a directory, which behaves as a tape library does.
      - V(st) is reserved for SCSI tape drives and changers. This version refuses it with C(tape_unavailable).
    type: str
    choices: [dir, st]
    default: dir
"""

    # What moves bytes.
    DEVICES = r"""
options:
  device_dir:
    description:
      - The directory in which this host shows volumes, by the name C(wwn-0x) and the DeviceID in lower case.
      - A name may lead to a block device or to a regular file. Its size, and its identity where the kernel knows it,
        are checked
        before anything is read or written.
      - If not set, the value of the environment variable E(ETERNUS_DEVICE_DIR) is used.
    type: path
    default: /dev/disk/by-id
  rate_limit:
    description:
      - Bytes per second that are moved at most.
      - V(0) means no limit.
    type: int
    default: 0
"""
