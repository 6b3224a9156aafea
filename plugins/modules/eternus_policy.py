#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_policy: declares and removes backup policies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_policy
short_description: Declare backup policies for transaction volumes
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Declares for each transaction volume how many generations are kept, where, and how. It does what C(acmbkpolset) and
    C(acmbkpoldel) did.
  - A declaration is whole. What is not given has its default, never what was declared before.
  - The number of backup volumes that all policies need together is computed when they are declared, per array and
    size, and not found out at night. A synchronized policy needs its generations and one more, a held generation one
    on top.
  - All policies of a task are declared, or none.
  - The array is not asked.
extends_documentation_fragment:
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
options:
  policies:
    description: The policies. With O(state=absent) only O(policies[].volume) counts.
    type: list
    elements: dict
    required: true
    suboptions:
      volume:
        description:
          - The transaction volume. Its name, its DeviceID, or the name by which hosts see it (V(wwn-0x...)).
          - Each volume is declared once.
        type: str
        required: true
      generations:
        description: How many backups are kept on disk; held ones do not count.
        type: int
        default: 2
      suspend:
        description:
          - Whether a backup suspends the session instead of ending it, so that later cycles copy only what has changed.
          - Such a policy needs O(policies[].generations) and one more backup volumes of its own.
        type: bool
        default: false
      method:
        description: How backups are made.
        type: str
        choices: [synchronized]
        default: synchronized
      media:
        description: Where backups are kept.
        type: str
        choices: [disk, both]
        default: both
      tape_pool:
        description: The storage pool of cartridges. Needed with O(policies[].media=both); it must be there already.
        type: str
      tape_generations:
        description: How many tape copies are kept at least; V(0) sets no number.
        type: int
        default: 0
      tape_days:
        description: How many days a tape copy is kept at least; V(0) sets no number.
        type: int
        default: 0
      tape_copies:
        description: How many copies of a backup are written to tape.
        type: int
        default: 1
      interval_days:
        description:
          - After how many days without a good backup the volume is shown as overdue; V(0) never.
          - It schedules nothing.
        type: int
        default: 0
      sync_slot:
        description:
          - Plain synchronized policies with the same slot take turns, and need one spare backup volume together
            instead of one each.
        type: str
      pinned:
        description: Backup volumes that this policy uses, and no others; in the order in which they are taken.
        type: list
        elements: str
        default: []
      mounted_on:
        description: The host on which the volume is mounted, for hooks.
        type: str
      mount_point:
        description: Where it is mounted there, for hooks.
        type: str
  state:
    description:
      - V(present) declares, V(absent) removes policies.
      - Removal is refused while there is history, or a backup volume that serves the volume.
    type: str
    choices: [present, absent]
    default: present
  strict:
    description: Whether to refuse policies for which too few backup volumes are registered. With V(false) this is a
      warning.
    type: bool
    default: true
  force:
    description: With O(state=absent), whether to remove a policy although there is history, which stays readable.
    type: bool
    default: false
seealso:
  - module: eternus.backup.eternus_volume
  - module: eternus.backup.eternus_sync
  - module: eternus.backup.eternus_backup_info
"""

EXAMPLES = r"""
- name: Two generations on disk and on tape, differential after the first cycles
  eternus.backup.eternus_policy:
    policies:
      - volume: oradata
        generations: 2
        suspend: true
        tape_pool: weekly
        interval_days: 1
      - volume: archive
        generations: 1
        media: disk

- name: See what would be short
  eternus.backup.eternus_policy:
    policies:
      - volume: redolog
        generations: 4
        media: disk
    strict: false
  check_mode: true

- name: Remove a policy and keep its history readable
  eternus.backup.eternus_policy:
    policies:
      - volume: archive
    state: absent
    force: true
"""

RETURN = r"""
policies:
  description: The policies of these volumes as they are declared now, or would be; empty for O(state=absent).
  returned: success
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare, remove
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)

POLICY = {
    "volume": {"type": "str", "required": True},
    "generations": {"type": "int", "default": 2},
    "suspend": {"type": "bool", "default": False},
    "method": {"type": "str", "choices": ["synchronized"], "default": "synchronized"},
    "media": {"type": "str", "choices": ["disk", "both"], "default": "both"},
    "tape_pool": {"type": "str"},
    "tape_generations": {"type": "int", "default": 0},
    "tape_days": {"type": "int", "default": 0},
    "tape_copies": {"type": "int", "default": 1},
    "interval_days": {"type": "int", "default": 0},
    "sync_slot": {"type": "str"},
    "pinned": {"type": "list", "elements": "str", "default": []},
    "mounted_on": {"type": "str"},
    "mount_point": {"type": "str"},
}


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        "policies": {"type": "list", "elements": "dict", "required": True, "options": POLICY},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "strict": {"type": "bool", "default": True},
        "force": {"type": "bool", "default": False},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        if params["state"] == "absent":
            return remove(ctx, [policy["volume"] for policy in params["policies"]], force=params["force"])
        return declare(ctx, params["policies"], strict=params["strict"])

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work))


if __name__ == "__main__":
    main()
