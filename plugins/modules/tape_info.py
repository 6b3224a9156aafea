#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the tape side."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_info
short_description: Show tape library, pools, cartridges and queue
version_added: 0.1.0
description:
  - Shows what lies in the tape library, the drives, the pools with their room, the cartridges with their fill and
    contents, and the tape copies with their state and progress.
  - When the library cannot be reached, what the catalog knows is still shown, with a warning.
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.tape
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options: {}
"""

EXAMPLES = r"""
- name: Look at the tape side
  eternus.backup.tape_info:
  register: tape

- name: What is not on tape yet
  ansible.builtin.debug:
    var: tape.queue
"""

RETURN = r"""
library:
  description:
    - The cartridges in the library, in bytes. C(element) is the slot that a cartridge is at home in.
    - One that is C(outside) lies in an import/export slot, and must be imported before it is used.
    - A C(cleaning) cartridge is never loaded.
  type: list
  elements: dict
  returned: success
  sample:
    - barcode: WK0001L8
      drive: ""
      capacity: 12000000000000
      written: 67000000
      element: slot 4
      outside: false
      cleaning: false
unreadable:
  description: The number of full slots whose barcode the library could not read.
  type: int
  returned: success
  sample: 0
drives:
  description: The drives and who uses them. C(problem) tells why a drive cannot be used now.
  type: list
  elements: dict
  returned: success
  sample:
    - name: drive 0
      barcode: ""
      owner: ""
      since: ""
      serial: "1068000123"
      device: /dev/nst0
      problem: ""
pools:
  description:
    - The pools and their cartridges, in bytes. C(bytes_free) is what cartridges of the pool that may be
      written still take, those that may be written over as a whole.
  type: list
  elements: dict
  returned: success
  sample:
    - name: weekly
      kind: private
      append: true
      cartridges: [WK0001L8]
      capacity: 12000000000000
      bytes_written: 67108864
      bytes_free: 11999932891136
cartridges:
  description:
    - The cartridges that the catalog knows, with fill and contents.
    - One that is C(recyclable) may be written over now, which it never is before
      C(protected_until).
    - One that is C(unknown) bears backups that no history explains, and is written over only when its
      C(uuid) is named.
  type: list
  elements: dict
  returned: success
  sample:
    - barcode: WK0001L8
      pool: weekly
      uuid: 0b7c7a3e-7a70-4c1e-9f5c-0d2f5a1f2b11
      full: false
      suspect: ""
      retired: false
      unknown: false
      location: ""
      exported_at: null
      protected_until: "2026-02-04T20:10:00+00:00"
      capacity: 12000000000000
      bytes_written: 67108864
      percent: 0
      files: 4
      labelled_at: "2026-01-05T20:00:00+00:00"
      recyclable: false
      in_library: true
      contents:
        - {backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS, volume: oradata, part: 0, data_file: 2, size: 67108864}
queue:
  description: The tape copies that are not written, with state and progress; entries as in RV(copies).
  type: list
  elements: dict
  returned: success
  sample: []
copies:
  description: All tape copies.
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
      verified_at: "2026-01-05T20:12:00+00:00"
      verified_ok: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_show import show_tape
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import library_args, tape_library


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**idle_args(**array_args()), **catalog_args(), **library_args()}, supports_check_mode=True
    )
    params = module.params

    def work(ctx: Context) -> Result:
        try:
            return Result(False, show_tape(ctx, tape_library(params)))
        except BackupError as error:
            return Result(False, show_tape(ctx, None), warnings=[error.sentence()])

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, reads=True))


if __name__ == "__main__":
    main()
