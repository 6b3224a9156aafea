#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_backup_info: shows history, policies, the pool, sessions and running copies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_backup_info
short_description: Show backups, policies, the use of backup volumes, and copies that run
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Shows what the catalog holds and, when an array is given, what its copy sessions are doing. It does what
    C(acmhistdisp), C(acmbkpoldisp), C(acmdevdisp), C(acmsyncstat) and C(acmbackstat) did.
  - Without O(host) only the catalog is read. The synchronization of every volume is C(unknown) then.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.attributes
  - eternus.backup.attributes.info_module
  - eternus.backup.attributes.actiongroup
options:
  host:
    description:
      - Name or address of the array's SMI-S agent. Without it, no array is asked.
      - Falls back to the environment variable E(ETERNUS_HOST).
    type: str
    required: false
  username:
    description:
      - A user of the array with the role I(Software). Required when O(host) is given.
      - Falls back to the environment variable E(ETERNUS_USERNAME).
    type: str
    required: false
  password:
    description:
      - The user's password. Required when O(host) is given.
      - Falls back to the environment variable E(ETERNUS_PASSWORD).
    type: str
    required: false
  volumes:
    description: The transaction volumes, by name, DeviceID or V(wwn-0x...). Without any, every registered one.
    type: list
    elements: str
    default: []
  gather_subset:
    description:
      - What to show, among V(all), V(history), V(policies), V(pool), V(running) and V(sessions).
      - With V(!) in front, what not to show; only exclusions mean all others.
      - The summary is always there.
    type: list
    elements: str
    default: [all]
  query:
    description:
      - A JMESPath expression over the parts that were chosen; its result is returned as RV(query_result).
      - Needs the Python library jmespath.
    type: str
seealso:
  - module: eternus.backup.eternus_info
  - module: eternus.backup.tape_info
"""

EXAMPLES = r"""
- name: Show everything, with what the array is doing
  eternus.backup.eternus_backup_info:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"

- name: Which volumes are overdue, from the catalog alone
  eternus.backup.eternus_backup_info:
    gather_subset: [policies]
    query: "policies[?overdue].volume"

- name: The history of one volume
  eternus.backup.eternus_backup_info:
    volumes: [oradata]
    gather_subset: [history]
"""

RETURN = r"""
volumes:
  description:
    - The transaction volumes, each with its synchronization, its suspended backup volumes, and its backups, the
      newest first.
    - C(group_id), C(consistent) and C(skew_ms) say how a consistency group was split; the first is empty and the
      others are null for a volume that was backed up by itself.
    - C(undefined) says since when, and why, a restore that was cancelled or failed left a volume undefined.
  returned: when V(history) is chosen
  type: list
  elements: dict
  sample:
    - volume: oradata
      device_id: 600000E00D2A0000002A011500140000
      array: ET603SA4621302115
      use: Transaction
      size: 67108864
      blocks: 131072
      synchronization:
        state: equivalent
        percent: 100
        backup_volume: bv02
        copy_type: EC
      suspended: [bv01]
      backups:
        - id: 01KE8Z0000ABCDEFGHJKMNPQRS
          key: "2026-03-29"
          volume: oradata
          point_in_time: "2026-03-29T01:30:00.123456+00:00"
          generation: 1
          method: synchronized
          copy_type: EC
          suspend: true
          hold: false
          group_id: 01KE8Z0000GRPABCDEFGHJKMNP
          consistent: true
          skew_ms: 12
          size: 67108864
          disk:
            state: valid
            backup_volume: bv01
          tape_state: written
          tape:
            - copy: 1
              state: written
              pool: weekly
              bytes_done: 67108864
              bytes_total: 67108864
              cartridges: [WK0001L8]
              sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
              written_at: "2026-03-29T01:35:00+00:00"
              verified_at: "2026-03-29T01:36:00+00:00"
              verified_ok: true
              error: ""
      undefined: null
policies:
  description:
    - The policies, each with the time and id of the last good backup, when the next one is due, and whether it is
      overdue. C(next_due) is null without C(interval_days), and while there is no good backup.
    - C(last_test) and C(last_test_ok) tell when a backup was last restored to be compared, and whether it was equal;
      null without such a test. C(proven_tape) tells whether a tape copy was found equal, by a verification or by such a
      test.
  returned: when V(policies) is chosen
  type: list
  elements: dict
  sample:
    - volume: oradata
      generations: 2
      method: synchronized
      suspend: true
      media: both
      tape_pool: weekly
      tape_generations: 0
      tape_days: 0
      tape_copies: 1
      interval_days: 1
      sync_slot: ""
      safe_rotation: false
      group: ""
      pinned: []
      mounted_on: ""
      mount_point: ""
      last_backup: "2026-03-29T01:30:00.123456+00:00"
      last_backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
      next_due: "2026-03-30T01:30:00.123456+00:00"
      overdue: false
      last_test: "2026-03-28T09:00:00+00:00"
      last_test_ok: true
      proven_tape: true
pool:
  description:
    - The backup volumes. C(use) is C(Backup (free)), C(Backup (used)), C(Backup (used-T)) for a tracked one
      (QuickOPC), or C(Backup (unknown)) for one whose content nothing explains; C(doing) says more.
  returned: when V(pool) is chosen
  type: list
  elements: dict
  sample:
    - name: bv01
      device_id: 600000E00D2A0000002A011500150000
      array: ET603SA4621302115
      size: 67108864
      blocks: 131072
      use: Backup (used)
      doing: bound to oradata, generation 1, EC suspended
      volume: oradata
      backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
      generation: 1
running:
  description:
    - Copies that run, in the array (C(kind) C(synchronization) or C(copy)) or to tape (C(tape)).
    - Those to tape have C(backup_id), C(copy), C(bytes_done) and C(bytes_total) too.
  returned: when V(running) is chosen
  type: list
  elements: dict
  sample:
    - kind: synchronization
      source: oradata
      target: bv02
      state: executing
      percent: 40
sessions:
  description: All copy sessions of the array; C(in_catalog) says whether the catalog knows what each is
    for.
  returned: when V(sessions) is chosen
  type: list
  elements: dict
  sample:
    - source: oradata
      target: bv01
      copy_type: EC
      state: suspended
      percent: 100
      suspended_at: "2026-03-29T01:30:00+00:00"
      in_catalog: true
summary:
  description:
    - Counts over the chosen volumes. The names of overdue ones, and of those that should be on tape and have no proven
      copy there. C(broken) are the ids of backups whose disk copy is not whole, since its snapshot has failed on the
      array; they count neither as C(on_disk) nor as last backup, and a warning tells each. The use of the whole pool,
      the serial numbers of the arrays that were asked, and how many steps of interrupted runs are to be settled.
  returned: success
  type: dict
  sample:
    volumes: 1
    backups: 1
    on_disk: 1
    on_tape: 1
    tape_queued: 0
    tape_writing: 0
    tape_failed: 0
    overdue: []
    unproven: []
    broken: []
    pool:
      Backup (free): 5
      Backup (used): 2
    arrays: [ET603SA4621302115]
    interrupted: 0
query_result:
  description: What the expression cut out.
  returned: when O(query) is given
  type: raw
  sample: [oradata]
round_trips:
  description: How many requests were sent to the array.
  returned: when O(host) is given
  type: int
  sample: 2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.history import SUBSETS, show
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    every_array,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._query import chosen, compiled


def main() -> None:
    """Run the module."""
    spec = {
        **{name: {**option, "required": False} for name, option in array_args().items()},
        **catalog_args(),
        "volumes": {"type": "list", "elements": "str", "default": []},
        "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
        "query": {"type": "str"},
    }
    required = {"host": ("username", "password")}
    module = AnsibleModule(argument_spec=spec, required_by=required, supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        wanted = chosen(params["gather_subset"], SUBSETS)
        search = compiled(params["query"], "policies[?overdue].volume")

        def read(over: Context) -> Result:
            return show(over, params["volumes"], wanted, search)

        if not params["host"]:
            return read(ctx)
        from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import with_arrays

        return with_arrays(every_array(params), ctx.catalog, check_mode=module.check_mode, keep=False, work=read)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, reads=True))


if __name__ == "__main__":
    main()
