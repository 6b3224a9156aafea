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
      - With O(backend=st), the device of the media changer, for example C(/dev/sg3), C(/dev/sch0) or, better, a name
        below C(/dev/tape/by-id) that stays the same.
      - If not set, the value of the environment variable E(ETERNUS_TAPE_LIBRARY) is used.
    type: path
    default: /var/lib/eternus-backup/tape
  backend:
    description:
      - How the library is driven.
      - V(dir) is a library in a directory, which behaves as a tape library does.
      - V(st) is a SCSI library. Drives are driven by the kernel's st driver, the changer by the command C(mtx), which
        must be installed on the tape server.
      - If not set, the value of the environment variable E(ETERNUS_TAPE_BACKEND) is used.
    type: str
    choices: [dir, st]
    default: dir
  drives:
    description:
      - With O(backend=st), the tape devices that this host may use, for example C(/dev/nst0) or a name below
        C(/dev/tape/by-id). All that the library and this host have in common, when the list is empty.
      - A device is matched with the changer's drive by its serial number. For a library that does not tell serial
        numbers, an entry C(0=/dev/nst1) says that the changer's drive 0 is that device.
      - If not set, the value of the environment variable E(ETERNUS_TAPE_DRIVES), separated by commas, is used.
    type: list
    elements: str
    default: []
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

    # For tape_restore: a tape server need not reach an array.
    ASK_ARRAY = r"""
options:
  ask_array:
    description:
      - Ask the array, instead of the catalog, whether a copy session of the volumes is executing or equivalent.
      - A target that is not registered may then be given by its name.
      - Needs pywbem on the tape server, and the options that reach the array.
    type: bool
    default: false
  host:
    description:
      - Used with O(ask_array=true), and required then; so are O(username) and O(password).
      - Name or address of the array's SMI-S agent.
      - Falls back to the environment variable E(ETERNUS_HOST).
    type: str
  port:
    description:
      - Port of the agent. The default is V(5989) with TLS and V(5988) without.
      - Falls back to the environment variable E(ETERNUS_PORT).
    type: int
  username:
    description:
      - A user of the array with the role I(Software).
      - Falls back to the environment variable E(ETERNUS_USERNAME).
    type: str
  password:
    description:
      - The user's password.
      - Falls back to the environment variable E(ETERNUS_PASSWORD).
    type: str
  use_tls:
    description:
      - Whether to use https. Without it the password and everything else go over the network in the clear.
    type: bool
    default: true
  validate_certs:
    description:
      - Whether to verify the array's certificate.
    type: bool
    default: true
  ca_path:
    description:
      - File or directory with certificates of the authorities that may sign the array's certificate.
      - Variables like E(REQUESTS_CA_BUNDLE) are not read; neither are proxies nor C(.netrc).
      - Falls back to the environment variable E(ETERNUS_CA_PATH).
    type: path
  request_timeout:
    description:
      - Seconds that one request to the array may take.
      - Falls back to the environment variable E(ETERNUS_REQUEST_TIMEOUT).
    type: float
    default: 60.0
  peers:
    description:
      - Further arrays that the task talks to, for copies between arrays (REC, ROPC) and for volumes on several arrays.
      - What is left out of an entry is as it is for the main connection; no environment variable is read for it.
      - An array that only carries the other end of a REC or ROPC session need not be here. For a restore from it, it
        must.
      - M(eternus.backup.eternus_info) shows the main one only.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name or address of this array's SMI-S agent.
        type: str
        required: true
      port:
        description: Port of the agent.
        type: int
      username:
        description: A user of this array with the role I(Software).
        type: str
      password:
        description: The user's password.
        type: str
      use_tls:
        description: Whether to use https.
        type: bool
      validate_certs:
        description: Whether to verify this array's certificate.
        type: bool
      ca_path:
        description: File or directory with certificates of the authorities that may sign this array's certificate.
        type: path
"""
