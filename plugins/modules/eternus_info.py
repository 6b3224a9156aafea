#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_info: the array's volumes, sessions, capabilities and pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_info
short_description: Show an ETERNUS array's volumes, copy sessions, capabilities and pools
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Reads an array over CIM/WBEM, one request a part, and returns what was chosen.
  - A JMESPath expression may cut out what is of interest.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog.idle
  - eternus.backup.attributes
  - eternus.backup.attributes.info_module
  - eternus.backup.attributes.actiongroup
options:
  gather_subset:
    description:
      - What to read, among V(all), V(array), V(capabilities), V(pools), V(sessions) and V(volumes).
      - With V(!) in front, what not to read; only exclusions mean all others.
      - The array's serial number is always returned.
    type: list
    elements: str
    default: [all]
  query:
    description:
      - A JMESPath expression over the parts that were read; its result is returned as RV(query_result).
      - Needs the Python library jmespath.
    type: str
seealso:
  - module: eternus.backup.eternus_backup_info
"""

EXAMPLES = r"""
- name: Read everything
  eternus.backup.eternus_info:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    ca_path: /etc/ssl/certs/storage-ca.pem
  register: array

- name: What may this array copy, and how
  eternus.backup.eternus_info:
    gather_subset: [capabilities]

- name: Sessions that failed
  eternus.backup.eternus_info:
    gather_subset: ["!pools"]
    query: "sessions[?state=='failed'].{source: source_name, target: target_name}"
"""

RETURN = r"""
array:
  description: The array itself.
  returned: success
  type: dict
  contains:
    serial:
      description: Model and serial number (IdentifyingNumber).
      returned: success
      type: str
      sample: ET603SA4621302115
volumes:
  description: Volumes by number, without those that belong to pools.
  returned: when V(volumes) is chosen
  type: list
  elements: dict
  sample:
    - name: oradata
      device_id: 600000E00D2A0000002A011500140000
      array: ET603SA4621302115
      number: 20
      size: 67108864
      blocks: 131072
      block_size: 512
      thin: true
      device_name: wwn-0x600000e00d2a0000002a011500140000
sessions:
  description: Copy sessions. Names are there when V(volumes) is chosen as well.
  returned: when V(sessions) is chosen
  type: list
  elements: dict
  sample:
    - source: ET603SA4621302115/600000E00D2A0000002A011500140000
      source_name: oradata
      target: ET603SA4621302115/600000E00D2A0000002A011500150000
      target_name: bv01
      copy_type: EC
      state: equivalent
      percent: 100
      synced_at: "2026-02-01T20:00:00+00:00"
      suspended_at: null
      tracked: false
capabilities:
  description: What the array offers.
  returned: when V(capabilities) is chosen
  type: dict
  sample:
    copies: [EC, OPC, QuickOPC, SnapOPC]
    create_list: true
    modify_list: true
    max_sessions_per_source: 8
pools:
  description: Pools, sizes in bytes.
  returned: when V(pools) is chosen
  type: list
  elements: dict
  sample:
    - id: FUJITSU:TPP0004
      name: thin
      thin: true
      total: 1125899906842624
      remaining: 1125899839733760
query_result:
  description: What the expression cut out.
  returned: when O(query) is given
  type: raw
  sample: [oradata]
round_trips:
  description: How many requests were sent to the array.
  returned: success
  type: int
  sample: 8
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._array.facts import gather
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    array_args,
    array_options,
    catalog_args,
    idle_args,
    run,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **array_args(),
            **idle_args(**catalog_args()),
            "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
            "query": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(
        module,
        lambda: gather(connect(array_options(module.params)), module.params["gather_subset"], module.params["query"]),
    )


if __name__ == "__main__":
    main()
