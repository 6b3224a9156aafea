#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_catalog: exports, imports and upgrades the catalog."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_catalog
short_description: Export, import and upgrade the catalog of backups
version_added: 0.2.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Writes the whole catalog to a file, puts such a file in the place of a lost catalog, and brings the catalog's tables
    to this release's version. It does what C(swstresback) did.
  - An export is one state of the catalog, whoever works on it meanwhile. It holds everything but the leases of running
    operations and the steps that are settled. There is no secret in it.
  - The file is JSON, one line a row, with a checksum over all of it, the same for SQLite and PostgreSQL. An export of
    the one is imported into the other, and an export of an earlier release into the catalog of a later one.
  - A file that was cut off or changed is refused with C(invalid_option), one of a later release with
    C(catalog_schema). It is checked to its end before the catalog is touched; then all of it is imported, or nothing.
  - An import takes the catalog back to the time of the export. A backup volume that the export calls unused may carry a
    backup that was made since then, hence each one without a use is marked I(unknown), and is not used for backups
    until an operator who has looked releases it by name (M(eternus.backup.eternus_reconcile), option C(accept)).
  - The array is not asked.
extends_documentation_fragment:
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
options:
  state:
    description:
      - V(exported) writes the catalog to O(path). A file that holds the same rows already is left as it is, with the
        time of its export. The catalog is not changed, and one of an earlier release is exported as it is.
      - V(imported) puts the export in O(path) into an empty catalog, which is made where there is none. A catalog that
        holds the same rows already is left as it is.
      - V(upgraded) brings the catalog's tables to the version that this release works with. Any other module that
        changes something does so too, at its first run; with this state nothing else is done, and check mode tells.
    type: str
    choices: [exported, imported, upgraded]
    required: true
  path:
    description:
      - The file, by its absolute path, on the host where the module runs. Required unless O(state=upgraded).
      - A new export is readable by its owner alone. It takes its place in one step, when it is whole and on the disk. A
        symbolic link is not followed for writing.
    type: path
  force:
    description:
      - With O(state=imported), whether to put the export in the place of a catalog that is not empty. Everything that
        it holds goes. It is refused with C(busy) all the same while an operation holds a lease.
      - With O(state=exported), whether to write over a file that is no export.
      - Without it both are refused with C(confirmation_required).
    type: bool
    default: false
  trust:
    description:
      - With O(state=imported), whether to take the export at its word, and mark no backup volume as I(unknown).
      - Right only if nothing was backed up, synchronized or restored since the export, as when the catalog moves to
        another database.
      - Without it, warnings name the backup volumes whose generations may have been overwritten since the export, those
        that M(eternus.backup.eternus_reconcile) can tell of by their sessions and those that nothing tells of.
    type: bool
    default: false
seealso:
  - module: eternus.backup.eternus_reconcile
  - module: eternus.backup.eternus_backup_info
  - module: eternus.backup.eternus_volume
"""

EXAMPLES = r"""
- name: Keep a copy of the catalog on another host's file system, every night
  eternus.backup.eternus_catalog:
    state: exported
    path: /mnt/safe/eternus-catalog.jsonl

- name: The storage server was lost, bring the catalog back
  eternus.backup.eternus_catalog:
    state: imported
    path: /mnt/safe/eternus-catalog.jsonl

- name: Move the catalog to PostgreSQL, right after an export
  eternus.backup.eternus_catalog:
    catalog_url: "postgresql+psycopg://backup:{{ database_password }}@db.example.com/backup"
    state: imported
    path: /mnt/safe/eternus-catalog.jsonl
    trust: true

- name: See whether the new release changes the tables
  eternus.backup.eternus_catalog:
    state: upgraded
  check_mode: true
"""

RETURN = r"""
schema_version:
  description: The version of the catalog's tables; for O(state=exported), the one that the export has.
  returned: success
  type: int
  sample: 2
previous_version:
  description: The version that the tables had before.
  returned: when O(state=upgraded)
  type: int
  sample: 1
file:
  description: The file that was written, or read.
  returned: when O(state=exported) or O(state=imported)
  type: str
  sample: /mnt/safe/eternus-catalog.jsonl
exported_at:
  description: When the export was made; null where check mode made none.
  returned: when O(state=exported) or O(state=imported)
  type: str
  sample: "2026-03-29T01:40:00.123456+00:00"
counts:
  description: How many rows the export, or the catalog after the import, has by table.
  returned: when O(state=exported) or O(state=imported)
  type: dict
  sample:
    arrays: 1
    backups: 2
    journal: 0
    pools: 1
    restore_tests: 0
    undefined_targets: 0
    used_keys: 1
    volumes: 7
    allocations: 2
    cartridges: 1
    policies: 2
    tape_copies: 1
    disk_copies: 2
    readers: 0
    tape_parts: 1
content:
  description: A SHA-256 over these rows. Two catalogs with the same rows have the same, on whichever database.
  returned: when O(state=exported) or O(state=imported)
  type: str
  sample: 6bdcf5f05d2b8c1b9d9e4e35c9c1f8dbb4e0d4c70c4a7b11c7b7bb0e6a4f9b53
unknown:
  description: The backup volumes of the catalog whose content nothing explains, by name.
  returned: when O(state=imported)
  type: list
  elements: str
  sample: [bv03, bv04]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import WORK
from ansible_collections.eternus.backup.plugins.module_utils._module import array_args, catalog_args, idle_args, run


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        "state": {"type": "str", "choices": ["exported", "imported", "upgraded"], "required": True},
        "path": {"type": "path"},
        "force": {"type": "bool", "default": False},
        "trust": {"type": "bool", "default": False},
    }
    needed = [("state", "exported", ["path"]), ("state", "imported", ["path"])]
    module = AnsibleModule(argument_spec=spec, required_if=needed, supports_check_mode=True)
    work = WORK[module.params["state"]]
    run(module, lambda: work(module.params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
