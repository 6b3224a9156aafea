#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declares and removes tape pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_pool
short_description: Declare tape storage pools
version_added: 0.1.0
description:
  - Declares or removes tape storage pools, the sets of cartridges that policies name.
  - A V(private) pool uses only cartridges that were put into it by M(eternus.backup.tape_cartridge), and they stay.
  - A V(scratch) pool lets blank cartridges of the library join when they are needed, and those that left a scratch pool
    earlier. A cartridge leaves the pool when its last backup is gone.
  - A cartridge is written over only when no backup lives on it, and never before the days are over that the policies
    of all that was ever written on it name. It gets a new label then.
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.connection.idle
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  names:
    description:
      - The names of the pools.
    type: list
    elements: str
    required: true
    aliases: [name]
  kind:
    description:
      - The kind of the pools. The kind of a pool that exists already is not changed.
    type: str
    choices: [private, scratch]
    default: private
  append:
    description:
      - Whether a copy may begin on a cartridge that holds others already, behind them. If V(false), each copy begins on
        an empty cartridge.
      - If not set, a pool that exists is left as it is, and a new one appends.
    type: bool
  state:
    description:
      - V(present) declares the pools.
      - V(absent) removes them. It is refused while a pool has cartridges, or a policy names it.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Two private pools
  eternus.backup.tape_pool:
    names: [weekly, monthly]

- name: A pool that takes blank cartridges when it needs them
  eternus.backup.tape_pool:
    name: spare
    kind: scratch

- name: A pool in which each copy has cartridges of its own, to be carried away
  eternus.backup.tape_pool:
    name: vault
    append: false
"""

RETURN = r"""
pools:
  description: The named pools that exist, read back.
  type: list
  elements: dict
  returned: success
  sample: [{"name": "weekly", "kind": "private", "append": true}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_pools import ensure_pools
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import PoolKind
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        "names": {"type": "list", "elements": "str", "required": True, "aliases": ["name"]},
        "kind": {"type": "str", "choices": ["private", "scratch"], "default": "private"},
        "append": {"type": "bool"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        present, kind = params["state"] == "present", PoolKind(params["kind"])
        return ensure_pools(ctx, params["names"], kind, present=present, append=params["append"])

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work))


if __name__ == "__main__":
    main()
