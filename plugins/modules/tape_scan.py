#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what cartridges say of themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_scan
short_description: Read from cartridges which backups they hold, without a catalog
version_added: 0.3.0
description:
  - Loads one cartridge after the other, and reads which backups it holds from the cartridge itself. Its last trailer
    tells that of the whole cartridge. Where that cannot be read, every header and trailer is.
  - Needs no catalog, and writes nothing, neither to a tape nor to a catalog. What it returns in RV(cartridges) is what
    O(eternus.backup.eternus_reconcile#module:tapes) takes to rebuild the tape history of a catalog that was lost.
  - Every cartridge is tried, whatever became of the others. Those that are foreign, blank, of a format of another
    version, unreadable, in use, or outside are reported, each in a list of its own, and are no failure, but a warning.
  - It fails only when a cartridge that O(barcodes) names cannot be loaded, before anything is read, and when not a
    single cartridge could be read.
  - A part of a backup counts only when a trailer proves that it was written as a whole. What a crash cut off does not.
  - It reads no data. Whether the bytes are still those that were written is told by M(eternus.backup.tape_verify).
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog.idle
  - eternus.backup.connection.idle
  - eternus.backup.tape
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  barcodes:
    description:
      - The barcodes of the cartridges to read.
      - If not set, all in the library but cleaning cartridges and those that lie in import/export slots.
    type: list
    elements: str
    default: []
    aliases: [barcode]
  headers:
    description:
      - Read every header and trailer even where the last trailer tells all. That takes as long as it takes to pass all
        of the tape.
      - What header, trailer and table of contents do not agree on is left out, and told in C(problems).
    type: bool
    default: false
notes:
  - In check mode it reads just the same.
  - Several drives are used one after the other, as they are free. To read with several at once, run tasks side by side,
    each with its own O(barcodes), and give all their RV(cartridges) together to M(eternus.backup.eternus_reconcile).
seealso:
  - module: eternus.backup.eternus_reconcile
  - module: eternus.backup.tape_verify
  - module: eternus.backup.tape_cartridge
"""

EXAMPLES = r"""
- name: What is on the cartridges
  eternus.backup.tape_scan:
  register: scan

- name: Rebuild the tape history of a catalog that was lost
  eternus.backup.eternus_reconcile:
    tapes: "{{ scan.cartridges }}"
    repair: [unknown_cartridge, unknown_tape_copy]

- name: Read one cartridge thoroughly
  eternus.backup.tape_scan:
    barcode: WK0001L8
    headers: true
"""

RETURN = r"""
cartridges:
  description:
    - The cartridges that bear a label of ours, and the backups on them. Sizes and offsets are in bytes, times in UTC.
    - One that is C(complete) was read to its end, so that what is not told is not on it. Where it is not,
      C(problems) says why.
    - A copy's C(sha256) is that of the whole volume, and empty unless the copy's last part is on this cartridge.
  type: list
  elements: dict
  returned: success
  sample:
    - barcode: WK0001L8
      uuid: 0b7c7a3e-7a70-4c1e-9f5c-0d2f5a1f2b11
      pool: weekly
      complete: true
      labelled_at: "2026-01-05T20:00:00+00:00"
      bytes_written: 67108864
      files: 4
      capacity: 12000000000000
      full: false
      protected_until: "2026-02-04T20:10:00+00:00"
      problems: []
      copies:
        - backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
          copy: 1
          run: 4f1f8a0c
          array: ET1
          volume: oradata
          device_id: 600000E00D2A0000002A011500010000
          point_in_time: "2026-01-05T20:10:00+00:00"
          size: 67108864
          sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
          generation: 1
          key: "2026-01-05"
          method: synchronized
          parts:
            - sequence: 0
              data_file: 2
              data_block: 4
              offset: 0
              size: 67108864
              sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
foreign:
  description: Cartridges without a label of ours, or with that of another barcode.
  type: list
  elements: dict
  returned: success
  sample:
    - {barcode: XX0001L8, why: "Cartridge XX0001L8 is foreign: its first file bears no label of ours."}
blank:
  description: Cartridges on which nothing is recorded.
  type: list
  elements: str
  returned: success
  sample: [WK0009L8]
unsupported:
  description: Cartridges of ours in a format of another version. A newer version of this collection may read them.
  type: list
  elements: dict
  returned: success
  sample:
    - {barcode: WK0007L8, version: 2, why: "its format has version 2, and this collection reads version 1."}
unreadable:
  description: Cartridges that could not be read, not even their label, with the class of the error.
  type: list
  elements: dict
  returned: success
  sample:
    - barcode: WK0005L8
      error_class: suspect_cartridge
      why: "Cartridge WK0005L8 is suspect: its label cannot be read (Input/output error)."
busy:
  description: Cartridges that somebody else uses, or for which no drive was free.
  type: list
  elements: dict
  returned: success
  sample:
    - {barcode: WK0006L8, why: "Cartridge WK0006L8 is in use in drive0 by another task."}
outside:
  description: Cartridges in import/export slots, and in which.
  type: list
  elements: dict
  returned: success
  sample:
    - {barcode: WK0008L8, element: import/export 1}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import default_owner
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_scan import scan_tapes
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    array_args,
    catalog_args,
    idle_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import library_args, tape_library


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **idle_args(**catalog_args()),
        **library_args(),
        "barcodes": {"type": "list", "elements": "str", "default": [], "aliases": ["barcode"]},
        "headers": {"type": "bool", "default": False},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params
    run(
        module,
        lambda: scan_tapes(
            tape_library(params), list(dict.fromkeys(params["barcodes"])), default_owner(), headers=params["headers"]
        ),
    )


if __name__ == "__main__":
    main()
