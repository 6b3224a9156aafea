#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels cartridges and puts them into pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_cartridge
short_description: Put tape cartridges into pools
version_added: 0.1.0
description:
  - Labels cartridges and puts them into a pool, or takes them out of it.
  - A cartridge that already bears a label of this pool is taken over with what is on it, and is not written.
  - A cartridge with a foreign content, of another pool, or with living backups is never overwritten without
    O(force=true).
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
    support: full
  idempotent:
    support: full
options:
  barcodes:
    description:
      - The barcodes of the cartridges.
    type: list
    elements: str
    required: true
    aliases: [barcode]
  pool:
    description:
      - The pool that the cartridges belong to. Required with O(state=present).
    type: str
  state:
    description:
      - V(present) means labelled and in the pool.
      - V(absent) takes the cartridges out of their pool. Their labels stay on tape.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - Overwrite whatever is on a cartridge, also foreign content and living backups, whose tape copies are forgotten
        then.
      - A cartridge that is in the pool already and is not suspect is left as it is.
    type: bool
    default: false
  capacity:
    description:
      - With O(backend=dir), puts blank cartridges of so many bytes into the library where they are missing, and makes
        the library
        itself. Cartridges that exist are not changed.
    type: int
"""

EXAMPLES = r"""
- name: Four cartridges for the weekly pool
  eternus.backup.tape_cartridge:
    barcodes: [WK0001L8, WK0002L8, WK0003L8, WK0004L8]
    pool: weekly

- name: The same in a library that is a directory, and that is made on the way
  eternus.backup.tape_cartridge:
    barcodes: [WK0001L8, WK0002L8]
    pool: weekly
    library: /srv/tape
    capacity: 12000000000000

- name: Take a cartridge out of its pool
  eternus.backup.tape_cartridge:
    barcode: WK0004L8
    state: absent
"""

RETURN = r"""
cartridges:
  description: The named cartridges that are in a pool, read back.
  type: list
  elements: dict
  returned: success
  sample: [{"barcode": "WK0001L8", "pool": "weekly", "uuid": "0b7c7a3e-7a70-4c1e-9f5c-0d2f5a1f2b11", "suspect": "",
  "full": false}]
actions:
  description: What was done with each cartridge, V(keep), V(label), V(adopt) or V(remove).
  type: dict
  returned: success
  sample: {"WK0001L8": "label"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_absent,
    ensure_present,
    put_blank,
)
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
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        **library_args(),
        "barcodes": {"type": "list", "elements": "str", "required": True, "aliases": ["barcode"]},
        "pool": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "capacity": {"type": "int"},
    }
    module = AnsibleModule(argument_spec=spec, required_if=[("state", "present", ["pool"])], supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        barcodes, pool, force = params["barcodes"], params["pool"], params["force"]
        if params["state"] == "absent":
            return ensure_absent(ctx, barcodes, force=force)
        library = tape_library(params)
        blank = put_blank(ctx, library, barcodes, pool, params["capacity"])
        return ensure_present(ctx, library, barcodes, pool, force=force, blank=blank)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work))


if __name__ == "__main__":
    main()
