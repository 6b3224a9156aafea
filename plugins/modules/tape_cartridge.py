#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels cartridges and puts them into pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_cartridge
short_description: Label, retire, export and import tape cartridges
version_added: 0.1.0
description:
  - Labels cartridges and puts them into a pool, labels them anew, retires them, moves them out of the library and back,
    or takes them out of their pool.
  - A cartridge that already bears a label of the pool is taken over with what is on it, and is not written.
  - A cartridge with foreign content, or of another pool, is not written over without O(force=true).
  - A cartridge with living backups, with backups that the catalog does not explain, or within the days of the policies
    of what was written on it, is not written over unless its label is named in O(force_labels).
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
      - With O(state=relabelled), each cartridge stays in its pool if this is not set.
    type: str
  state:
    description:
      - V(present) means labelled and in the pool. A cartridge that is retired stays retired, with a warning.
      - V(relabelled) means a new label with nothing behind it. A cartridge on which nothing was written since it was
        labelled is left as it is.
      - V(retired) means that nothing is written on the cartridges any more. What is on them is kept, and is read as
        before.
      - V(in_service) takes that back. It also takes away the mark of a cartridge that was found suspect.
      - V(exported) moves the cartridges to the library's import/export slots, and remembers O(location). Nothing is
        written on them until they are imported.
      - V(imported) moves them from there into the library.
      - V(absent) takes the cartridges out of their pool. Their labels stay on tape.
    type: str
    choices: [present, relabelled, retired, in_service, exported, imported, absent]
    default: present
  force:
    description:
      - With O(state=present) and O(state=relabelled), write over foreign content, a damaged label, a suspect cartridge,
        and a cartridge of another pool.
      - It never serves living backups. See O(force_labels).
    type: bool
    default: false
  force_labels:
    description:
      - The uuids of labels, as M(eternus.backup.tape_info) shows them, whose cartridges are given up with all that they
        hold.
      - With O(state=present) and O(state=relabelled) such a cartridge is written over, with O(state=absent) it is
        forgotten. The tape copies that have a part on it are forgotten with it.
    type: list
    elements: str
    default: []
  location:
    description:
      - With O(state=exported), where the cartridges are kept, in your own words. It is told when they are missed.
      - If not set, what was said before stays.
    type: str
  capacity:
    description:
      - With O(state=present) and O(backend=dir), puts blank cartridges of so many bytes into the library where they are
        missing, and makes the library itself. Cartridges that exist are not changed.
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

- name: Carry a cartridge away
  eternus.backup.tape_cartridge:
    barcode: WK0003L8
    state: exported
    location: safe in building 2, shelf 4

- name: Bring it back
  eternus.backup.tape_cartridge:
    barcode: WK0003L8
    state: imported

- name: Use a cartridge no longer
  eternus.backup.tape_cartridge:
    barcode: WK0002L8
    state: retired

- name: Write over a cartridge that still holds a backup, by its label
  eternus.backup.tape_cartridge:
    barcode: WK0001L8
    state: relabelled
    force_labels: [0b7c7a3e-7a70-4c1e-9f5c-0d2f5a1f2b11]

- name: Take a cartridge out of its pool
  eternus.backup.tape_cartridge:
    barcode: WK0004L8
    state: absent
"""

RETURN = r"""
cartridges:
  description:
    - The named cartridges that the catalog knows, read back.
    - In check mode the uuid of a label that would be written is V(new).
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
      protected_until: null
actions:
  description:
    - What was done with each cartridge, V(keep), V(label), V(adopt), V(retire), V(put_back), V(export), V(import),
      V(note) or V(remove).
    - V(note) means that only the catalog was changed, since the cartridge was at its place already.
  type: dict
  returned: success
  sample: {"WK0001L8": "label"}
elements:
  description: The library's slots that the cartridges lie in. Empty for one that is not in the library.
  type: dict
  returned: with state V(exported) and V(imported)
  sample: {"WK0001L8": "import/export 1"}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_cartridges import (
    ensure_present,
    ensure_relabelled,
    put_blank,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_marks import (
    ensure_absent,
    ensure_in_service,
    ensure_retired,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_places import ensure_exported, ensure_imported
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import library_args, tape_library

_STATES = ["present", "relabelled", "retired", "in_service", "exported", "imported", "absent"]


def _work(ctx: Context, params: Mapping[str, Any]) -> Result:
    """Do what the state says."""
    state, barcodes, labels = params["state"], params["barcodes"], params["force_labels"]
    if params["capacity"] is not None and state != "present":
        raise invalid("capacity", params["capacity"], "It serves state: present alone.")
    if params["location"] is not None and state != "exported":
        raise invalid("location", params["location"], "It serves state: exported alone.")
    if state in ("retired", "in_service"):
        return (ensure_retired if state == "retired" else ensure_in_service)(ctx, barcodes)
    if state == "absent":
        return ensure_absent(ctx, barcodes, force_labels=labels, used=_used(params))
    library = tape_library(params)
    if state == "exported":
        return ensure_exported(ctx, library, barcodes, params["location"])
    if state == "imported":
        return ensure_imported(ctx, library, barcodes)
    pool, force = params["pool"] or "", params["force"]
    if state == "relabelled":
        return ensure_relabelled(ctx, library, barcodes, pool, force=force, force_labels=labels)
    blank = put_blank(ctx, library, barcodes, pool, params["capacity"])
    return ensure_present(ctx, library, barcodes, pool, force=force, blank=blank, force_labels=labels)


def _used(params: Mapping[str, Any]) -> frozenset[str]:
    """Return what is in use in the library; nothing where there is none: a cartridge may outlive its library."""
    try:
        return tape_library(params).inventory().in_use
    except BackupError:
        return frozenset()


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        **library_args(),
        "barcodes": {"type": "list", "elements": "str", "required": True, "aliases": ["barcode"]},
        "pool": {"type": "str"},
        "state": {"type": "str", "choices": _STATES, "default": "present"},
        "force": {"type": "bool", "default": False},
        "force_labels": {"type": "list", "elements": "str", "default": []},
        "location": {"type": "str"},
        "capacity": {"type": "int"},
    }
    module = AnsibleModule(argument_spec=spec, required_if=[("state", "present", ["pool"])], supports_check_mode=True)
    params = module.params
    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=lambda ctx: _work(ctx, params)))


if __name__ == "__main__":
    main()
