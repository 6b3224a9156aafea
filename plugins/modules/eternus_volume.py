#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_volume: registers transaction and backup volumes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_volume
short_description: Register transaction and backup volumes
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Registers volumes of an ETERNUS array in the catalog, as transaction volumes that are backed up or as backup volumes
    that backups are written to, and takes them out again. It does what C(acmdevinfoset) did.
  - The names are looked up at the array once; afterwards the catalog knows sizes and object paths.
  - All volumes of a task are registered, or none.
  - A volume whose size has changed on the array is registered with its new size while nothing holds the old one;
    with a generation, an allocation or a session it is refused with C(size_mismatch).
  - What the arrays offer is kept with the volumes. REC and ROPC need both arrays registered here, with O(peers) or by
    a task for each; the other end of such a copy need not be reached later.
  - A role is changed, and a volume unregistered, only while it has no history, no policy and no session;
    else it is refused with C(role_conflict).
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
options:
  host:
    description:
      - Name or address of the array's SMI-S agent. Required with O(state=present).
      - Falls back to the environment variable E(ETERNUS_HOST).
    type: str
    required: false
  username:
    description:
      - A user of the array with the role I(Software). Required with O(state=present).
      - Falls back to the environment variable E(ETERNUS_USERNAME).
    type: str
    required: false
  password:
    description:
      - The user's password. Required with O(state=present).
      - Falls back to the environment variable E(ETERNUS_PASSWORD).
    type: str
    required: false
  volumes:
    description:
      - Names of volumes, their DeviceIDs (32 hexadecimal digits), or the names by which hosts see them (V(wwn-0x...)).
      - The main array and its O(peers) are looked at. V(SERIAL/NAME) tells apart volumes of one name on two arrays.
    type: list
    elements: str
    required: true
  role:
    description:
      - What the volumes are for. Required when O(state=present).
      - With O(state=absent), a volume of the other role is refused.
    type: str
    choices: [transaction, backup]
  state:
    description:
      - V(present) registers volumes. V(absent) takes them out of the catalog; the array is not asked then.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: eternus.backup.eternus_policy
  - module: eternus.backup.eternus_info
"""

EXAMPLES = r"""
- name: Register what is backed up
  eternus.backup.eternus_volume:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    volumes: [oradata, redolog]
    role: transaction

- name: Register where backups go
  eternus.backup.eternus_volume:
    volumes: [bv01, bv02, wwn-0x600000e00d2a0000002a0115001a0000]
    role: backup

- name: Take a backup volume out again
  eternus.backup.eternus_volume:
    volumes: [bv02]
    state: absent
"""

RETURN = r"""
volumes:
  description: The volumes as they are registered now, or would be; empty for O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - name: oradata
      device_id: 600000E00D2A0000002A011500140000
      array: ET603SA4621302115
      role: transaction
      size: 67108864
      blocks: 131072
      block_size: 512
      thin: true
      device_name: wwn-0x600000e00d2a0000002a011500140000
      unknown: false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import opened
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.registry import register, unregister
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    catalog_url,
    every_array,
    run,
)


def main() -> None:
    """Run the module."""
    spec = {
        **{name: {**option, "required": False} for name, option in array_args().items()},
        **catalog_args(),
        "volumes": {"type": "list", "elements": "str", "required": True},
        "role": {"type": "str", "choices": ["transaction", "backup"]},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    needed = ("state", "present", ["role", "host", "username", "password"])
    module = AnsibleModule(argument_spec=spec, required_if=[needed], supports_check_mode=True)
    params = module.params

    def work() -> Result:
        catalog = open_catalog(catalog_url(params), read_only=module.check_mode)
        role = Role(params["role"]) if params["role"] else None
        if role is None or params["state"] == "absent":
            return unregister(Context(catalog, check_mode=module.check_mode), params["volumes"], role)
        with opened(every_array(params)) as arrays:
            ctx = Context(catalog, arrays, check_mode=module.check_mode)
            return register(ctx, params["volumes"], role, known=lambda serial: arrays[serial].known)

    run(module, work)


if __name__ == "__main__":
    main()
