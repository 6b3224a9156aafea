#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads tape copies and compares them with what was written."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_verify
short_description: Read tape copies as a whole and compare all checksums
version_added: 0.3.0
description:
  - Reads written tape copies from the first to the last byte, compares the checksums of every part and of the whole
    volume with those that were written, and keeps the result with its date in the catalog.
  - A copy that was found equal counts as proven, and the only proven copy of a volume never expires. One that was found
    different is not restored from, unless its backup is named, and its cartridge is suspect. Nothing more is written
    on it.
  - Every copy is tried, whatever became of the others. The module fails at the end when one of them could not be read,
    or is different.
  - Copies are read in the order in which they lie on the cartridges, so that each cartridge is loaded as seldom as
    can be.
  - Nothing is written to a cartridge.
  - Must run on the tape server. No volume is needed.
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.tape
  - eternus.backup.tape.devices
attributes:
  check_mode:
    support: full
    details: It says what would be read, and reads nothing.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each run reads again, unless O(max_age) says how long a result is good for.
options:
  volumes:
    description:
      - Transaction volumes, by name, DeviceID or C(wwn-0x...), whose tape copies are read.
      - All tape copies, if neither this nor O(backups) nor O(barcodes) is given.
    type: list
    elements: str
    default: []
    aliases: [volume]
  backups:
    description: The ids of backups whose tape copies are read.
    type: list
    elements: str
    default: []
    aliases: [backup]
  barcodes:
    description:
      - Cartridges. Every copy is read that lies on one of them, also the part of it that lies on others.
    type: list
    elements: str
    default: []
    aliases: [barcode]
  max_age:
    description:
      - A length of time such as V(90d), V(12w) or V(20h). What was found equal no longer ago is not read again.
      - What was found different is, however lately that was.
    type: str
  limit:
    description:
      - How many copies to read at most; V(0) for all. Those come first that were never read, or not for the longest
        time, so that a run each night reads all of them in turn.
    type: int
    default: 0
notes:
  - Copies on cartridges that are not in the library are listed in RV(away) with where these are. That is a warning;
    it is a failure only where O(backups) or O(barcodes) name them.
  - Tasks may work side by side, one for each drive. Without O(backups) and O(barcodes), what another task reads is
    passed over.
seealso:
  - module: eternus.backup.tape_copy
  - module: eternus.backup.tape_scan
  - module: eternus.backup.eternus_restore_test
"""

EXAMPLES = r"""
- name: Each night twenty copies that were not verified within a quarter of a year
  eternus.backup.tape_verify:
    max_age: 90d
    limit: 20

- name: All that lies on a cartridge
  eternus.backup.tape_verify:
    barcode: WK0001L8
"""

RETURN = r"""
copies:
  description:
    - The tape copies that were read, with what was found; in check mode, those that would be read, as they are.
    - When one fails, this list and RV(away) are in C(details).
  type: list
  elements: dict
  returned: success
  sample:
    - backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
      key: "2026-01-05"
      volume: oradata
      point_in_time: "2026-01-05T20:10:00+00:00"
      number: 1
      pool: weekly
      state: written
      bytes_done: 67108864
      bytes_total: 67108864
      percent: 100
      sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
      cartridges: [WK0001L8]
      error: ""
      owner: ""
      written_at: "2026-01-05T20:11:00+00:00"
      verified_at: "2026-01-12T20:12:00+00:00"
      verified_ok: true
      changed: true
      error_class: ""
away:
  description: Tape copies that were not read, since cartridges of theirs are not in the library, and where these are.
  type: list
  elements: dict
  returned: success
  sample:
    - backup_id: 01KE8Z0000ABCDEFGHJKMNPQRT
      volume: oradata
      number: 2
      cartridges:
        - {barcode: WK0009L8, place: "exported 2026-01-06, kept in the safe"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_verify import ToVerify, verify_tapes
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape_desk_options import desk_of
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import device_args, library_args
from ansible_collections.eternus.backup.plugins.module_utils._times import length_of


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        **library_args(),
        **device_args(),
        "volumes": {**names, "aliases": ["volume"]},
        "backups": {**names, "aliases": ["backup"]},
        "barcodes": {**names, "aliases": ["barcode"]},
        "max_age": {"type": "str"},
        "limit": {"type": "int", "default": 0},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        wanted = ToVerify(
            volumes=tuple(params["volumes"]),
            backups=tuple(params["backups"]),
            barcodes=tuple(params["barcodes"]),
            max_age=length_of("max_age", params["max_age"]),
            limit=params["limit"],
        )
        return verify_tapes(ctx, desk_of(params), wanted)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, makes=False))


if __name__ == "__main__":
    main()
