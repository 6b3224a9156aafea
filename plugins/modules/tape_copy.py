#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries backups to tape."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_copy
short_description: Copy backups to tape and verify them
version_added: 0.1.0
description:
  - Copies disk generations to cartridges of their tape pool, spanning cartridges where one is too small.
  - Without O(backups), the queue is worked off. Every tape copy that is queued, was broken off, or failed before is
    written, one after the other, the oldest first, until none is left; those that are queued meanwhile as well.
  - Any number of tasks, on any number of hosts that share the catalog, work on one queue side by side, one for each
    drive. Each takes the next copy that nobody writes. What somebody else writes is passed over; when its owner has
    died, it is written anew, on the same host at once, else when the owner's lease has run out.
  - A backup whose backup volume was only borrowed for the tape (media V(tape), method V(tape_only)) loses its disk copy
    when its last tape copy is written, and the backup volume is free again, unless a session keeps it bound.
  - Progress is recorded in the catalog while a copy runs; see M(eternus.backup.tape_info).
  - A copy that failed leaves the disk generation valid, and is written anew by the next run. A written copy is left
    as it is.
  - Must run on the tape server, as a user who may read the backup volumes' devices.
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.tape
  - eternus.backup.tape.devices
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  backups:
    description:
      - The ids of the backups to copy. A backup that has no tape copy yet gets one.
      - Refused with C(busy) when somebody else writes one of them.
    type: list
    elements: str
    aliases: [backup]
  volumes:
    description:
      - Transaction volumes, by name, DeviceID or C(wwn-0x...), whose outstanding tape copies are written.
    type: list
    elements: str
    aliases: [volume]
  pool:
    description:
      - The tape pool for backups of O(backups) that have no tape copy yet. If not set, that of the policy.
    type: str
  verify:
    description:
      - Read each copy again after writing, compare all checksums, and record the date and the result.
      - Copies that were written before and not found equal since are verified too.
    type: bool
    default: false
  limit:
    description:
      - How many copies of the queue to write or verify at most; V(0) for all. Of no account with O(backups).
    type: int
    default: 0
  retry_failed:
    description:
      - Whether copies of the queue that failed before are written anew. Of no account with O(backups).
      - What has failed in another task since this one began is left alone in either case.
    type: bool
    default: true
  progress:
    description:
      - Show on the controller how far it is while it runs. Volume, bytes, percent, MB/s and the time left of each copy
        that is written, as the catalog records them every few seconds.
      - On a terminal one line is redrawn. With several hosts, in Tower and into a file there is a line for each tenth
        and each half minute.
      - The module runs in the background then, as with C(async). When ansible-playbook is ended meanwhile, the work
        goes on by itself.
      - Of no account in check mode, with C(async) and with C(no_log).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Everything that waits for tape, verified
  eternus.backup.tape_copy:
    verify: true

- name: The next copy that waits, and no other
  eternus.backup.tape_copy:
    limit: 1

- name: One backup
  eternus.backup.tape_copy:
    backup: 01KE8Z0000ABCDEFGHJKMNPQRS
    pool: monthly
"""

RETURN = r"""
copies:
  description:
    - The tape copies that were looked at, with their state afterwards; in check mode, as they are. Of the queue, those
      that this task took.
    - When a copy fails, the module fails after the others were tried, and this list is in C(details.copies).
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
      changed: true
      error_class: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape_copy_entry import copy_tapes
from ansible_collections.eternus.backup.plugins.module_utils._tape_desk_options import desk_of
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import device_args, library_args


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        **library_args(),
        **device_args(),
        "progress": {"type": "bool", "default": False},
        "backups": {"type": "list", "elements": "str", "aliases": ["backup"]},
        "volumes": {"type": "list", "elements": "str", "aliases": ["volume"]},
        "pool": {"type": "str"},
        "verify": {"type": "bool", "default": False},
        "limit": {"type": "int", "default": 0},
        "retry_failed": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=spec, mutually_exclusive=[("backups", "volumes")], supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        return copy_tapes(ctx, desk_of(params), params)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, makes=False))


if __name__ == "__main__":
    main()
