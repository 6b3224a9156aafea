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
  - The number of backup volumes that all policies need together is computed when they are declared, size by size, and
    not found out at night. With G generations on disk a synchronized policy needs G + 1 (V(auto) as well), a snapshot
    G, one more with O(policies[].safe_rotation) or in a group, a differential one G, and one whose backups only tape
    keeps 1. A held generation needs one on top. Volumes that are pinned, bound to another volume, or of unknown
    content do not count.
  - All policies of a task are declared, or none.
  - The array is not asked. What it is known to offer, since it was last asked, bounds methods and copy sessions; one
    session of a volume is kept free for a restore.
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
        description: How many backups are kept on disk; held ones do not count. Without meaning where only tape keeps
          them.
        type: int
        default: 2
      suspend:
        description:
          - Whether a backup suspends the session instead of ending it, so that later cycles copy only what has changed.
          - Such a policy needs O(policies[].generations) and one more backup volumes of its own, and as many copy
            sessions.
          - Only with O(policies[].method=synchronized) and O(policies[].method=auto).
        type: bool
        default: false
      method:
        description:
          - How backups are made.
          - V(synchronized) splits a pair that is equivalent (EC, or REC to another array).
          - V(snapshot) copies at the moment of the backup (OPC or ROPC). Without O(policies[].safe_rotation) the oldest
            generation is overwritten.
          - V(differential) is a snapshot that copies only what has changed (QuickOPC), inside one array. The first of
            each backup volume copies everything. Not with O(policies[].media=tape).
          - V(tape_only) copies onto a backup volume that is borrowed until tape has it, so that the application stops
            only for the split. Its O(policies[].media) is taken as V(tape), and V(disk) is refused.
          - V(auto) makes a snapshot where no synchronization runs, and a synchronized backup of a pair that is
            equivalent. While the pair is executing, a backup is refused.
        type: str
        choices: [auto, synchronized, snapshot, differential, tape_only]
        default: synchronized
      media:
        description:
          - Where backups are kept.
          - With V(tape), whatever the method, the backup volume is only borrowed. It is used again once every tape copy
            is written; a tape copy that failed or waits keeps it.
        type: str
        choices: [disk, tape, both]
        default: both
      tape_pool:
        description: The storage pool of cartridges. Needed with media V(tape) and V(both); it must be there already.
        type: str
      tape_generations:
        description:
          - How many backups are kept on tape at least; V(0) sets no number. Held ones do not count.
          - A tape copy goes when there are more than these, B(and) O(policies[].tape_days) have passed. With neither
            set, none goes by itself.
          - M(eternus.backup.eternus_generation) with V(state=expired) lets them go.
        type: int
        default: 0
      tape_days:
        description: How many days from its point in time a backup is kept on tape at least; V(0) sets no number.
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
      safe_rotation:
        description:
          - Whether a snapshot is made onto a backup volume of its own, before the oldest generation goes. Needs one
            more backup volume. Otherwise, with one generation, there is a moment without a backup; a warning says so.
          - Only with O(policies[].method=snapshot) and O(policies[].method=auto). A synchronized policy always does so.
        type: bool
        default: false
      group:
        description:
          - A consistency group. All its members are backed up at one point in time, or none.
          - All members have the same method, V(synchronized) or V(snapshot). Snapshots of a group rotate safely.
        type: str
      pinned:
        description:
          - Backup volumes that this policy uses, and no others; in the order in which they are taken.
          - As many as the policy needs, one for each generation and those beside them.
        type: list
        elements: str
        default: []
      mounted_on:
        description: The host on which the volume is mounted, for hooks.
        type: str
      mount_point:
        description: Where it is mounted there, for hooks. An absolute path.
        type: str
  state:
    description:
      - V(present) declares, V(absent) removes policies.
      - Removal is refused while there is history, or a backup volume that serves the volume. History is deleted by
        M(eternus.backup.eternus_generation).
    type: str
    choices: [present, absent]
    default: present
  strict:
    description:
      - Whether to refuse policies for which too few backup volumes are registered. With V(false) this is a warning.
      - A backup volume without a generation counts for nobody when a suspended or tracked session binds it to a volume
        whose declared method never uses it again; it is named, so that its session can be cancelled.
    type: bool
    default: true
  force:
    description: With O(state=absent), whether to remove a policy although there is history, which stays readable.
    type: bool
    default: false
seealso:
  - module: eternus.backup.eternus_volume
  - module: eternus.backup.eternus_sync
  - module: eternus.backup.eternus_generation
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

- name: A database on two volumes, backed up at one point in time
  eternus.backup.eternus_policy:
    policies:
      - {volume: dbdata, group: db, suspend: true, tape_pool: weekly}
      - {volume: dblog, group: db, suspend: true, tape_pool: weekly}

- name: Snapshots, differential snapshots, and backups that only tape keeps
  eternus.backup.eternus_policy:
    policies:
      - {volume: web, method: snapshot, generations: 1, safe_rotation: true, media: disk}
      - {volume: mail, method: differential, generations: 3, tape_pool: weekly}
      - {volume: archive, method: tape_only, tape_pool: weekly, tape_generations: 12, tape_days: 365}

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
    "method": {
        "type": "str",
        "choices": ["auto", "synchronized", "snapshot", "differential", "tape_only"],
        "default": "synchronized",
    },
    "media": {"type": "str", "choices": ["disk", "tape", "both"], "default": "both"},
    "tape_pool": {"type": "str"},
    "tape_generations": {"type": "int", "default": 0},
    "tape_days": {"type": "int", "default": 0},
    "tape_copies": {"type": "int", "default": 1},
    "interval_days": {"type": "int", "default": 0},
    "sync_slot": {"type": "str"},
    "safe_rotation": {"type": "bool", "default": False},
    "group": {"type": "str"},
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
