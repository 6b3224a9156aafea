#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_generation: holds, releases and deletes backups, and lets tape copies expire."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_generation
short_description: Hold, release or delete backups, and let tape copies expire
version_added: 0.2.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Keeps backups whatever the rules say, or deletes them from the history, on disk, on tape, or both. It does what
    C(acmhistdel) did.
  - Deleting never ends a copy session. A backup volume that is suspended or tracked stays bound to its transaction
    volume, and the next cycle resumes it; any other becomes unused. M(eternus.backup.eternus_sync) ends sessions.
  - A disk copy that is read (a tape copy is written or waits, a restore runs) is struck from the generations at once,
    and its backup volume is given back when nobody needs it any more.
  - What is deleted on tape leaves the history. The bytes stay on the cartridge until it is recycled. A cartridge of a
    scratch pool that bears no living copy any more leaves its pool.
  - A backup whose disk copy is gone and whose tape copy lives stays in the history. It vanishes when both are gone.
  - All backups of a task are changed, or none.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
attributes:
  idempotent:
    support: partial
    details:
      - A relative generation, and O(at), mean another backup once that one has gone. Tasks that may be run again name
        O(backup_ids), or O(before).
options:
  host:
    description:
      - Name or address of the array's SMI-S agent. Needed to delete disk copies, since the array knows which backup
        volumes stay bound; not used otherwise.
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
  state:
    description:
      - V(held) keeps backups. They are neither dropped nor deleted, do not count towards the policy's generations, and
        need one more backup volume each, and one more copy session where the policy keeps sessions; a warning says so
        when that is not there.
        One whose disk copy was struck, and is dropped when a reader or a tape leg has ended, is a generation again.
        Refused as C(busy) while an interrupted run that overwrites it has not been recovered.
      - V(released) takes that back. What is beyond the policy's generations goes with the next backup.
      - V(absent) deletes.
      - V(expired) lets tape copies go whose days have passed while more than the policy's tape generations exist. Days
        count from the backup's point in time. The newest backup on tape never goes, nor the last copy that was found
        equal by a verification or a restore test, nor a held one; with neither number set none goes.
    type: str
    choices: [held, released, absent, expired]
    required: true
  volumes:
    description:
      - The transaction volumes, by name, DeviceID or V(wwn-0x...). With nothing more said, all their backups are meant.
      - Not needed with O(backup_ids). With O(state=expired), every volume with a policy when none is named.
    type: list
    elements: str
    aliases: [volume]
    default: []
  generations:
    description: Relative generations on disk of each volume; V(1) is the newest.
    type: list
    elements: int
  backup_ids:
    description:
      - Ids of backups.
      - One that is in no history is nothing to delete or to release, which a warning says; it cannot be held.
    type: list
    elements: str
  at:
    description: The newest backup of each volume at or before this time, in ISO 8601; a time without a zone is UTC.
    type: str
  before:
    description:
      - Every backup of each volume before this time, in ISO 8601; a time without a zone is UTC.
      - Held backups are passed over, with a warning; named in another way, they are refused.
    type: str
  media:
    description:
      - What is deleted with O(state=absent).
      - V(tape) and V(both) mean every tape copy, those too that wait to be written or failed. One that is being written
        or verified is refused.
      - A disk copy that is only borrowed for tape goes by itself once tape has it. V(disk) leaves it; with V(tape) and
        V(both) it goes too.
    type: str
    choices: [disk, tape, both]
    default: both
  drop_untaped:
    description: With O(media=disk), whether to give up a tape copy that still waits to be written, instead of waiting
      for it.
    type: bool
    default: false
  confirm:
    description:
      - The names of the volumes whose only good backup, or only proven tape copy, may be deleted.
    type: list
    elements: str
    default: []
seealso:
  - module: eternus.backup.eternus_backup_info
  - module: eternus.backup.eternus_policy
  - module: eternus.backup.eternus_sync
"""

EXAMPLES = r"""
- name: Keep the backup before the upgrade
  eternus.backup.eternus_generation:
    volume: oradata
    generations: [1]
    state: held

- name: Delete one backup everywhere
  eternus.backup.eternus_generation:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    backup_ids: [01KE8Z0000ABCDEFGHJKMNPQRS]
    state: absent

- name: Make room on disk, and keep what is on tape
  eternus.backup.eternus_generation:
    volumes: [oradata, redolog]
    before: "2026-03-01T00:00:00Z"
    media: disk
    state: absent

- name: Let tape copies expire, every night
  eternus.backup.eternus_generation:
    state: expired
"""

RETURN = r"""
backups:
  description:
    - The backups that were meant, and what became of each; with O(state=expired), those that lost a tape copy.
    - C(action) is C(held), C(released), C(deleted), C(expired), C(kept) for a held one that was passed over, or C(none)
      when there was nothing to do.
    - C(disk) is C(deleted), C(waits) when its drop waits for a reader or for tape, C(kept), or C(none).
    - C(tape_copies) are the numbers of the tape copies that went. C(generation) is what it was before.
  returned: success
  type: list
  elements: dict
  sample:
    - volume: oradata
      id: 01KE8Z0000ABCDEFGHJKMNPQRS
      point_in_time: "2026-03-29T01:30:00.123456+00:00"
      generation: 2
      action: deleted
      disk: deleted
      tape_copies: [1]
      in_history: false
      reason: ""
kept:
  description:
    - With O(state=expired), the tape copies that stay, and the rule that keeps each. C(newest), C(tape_days),
      C(tape_generations), C(hold), C(only proven), C(in use), or C(nothing is set).
    - Without O(volumes) only those by C(newest), C(only proven) and C(in use). A pass over all volumes does not read
      what is kept by number or age alone, so that it takes no longer when there are years of it.
  returned: success
  type: list
  elements: dict
  sample:
    - volume: oradata
      id: 01KE8Z0000ABCDEFGHJKMNPQRS
      copy: 1
      rule: newest
unproven:
  description: Volumes that are to be on tape, or are, without any copy that was verified or restored with equal
    checksums.
  returned: success
  type: list
  elements: str
  sample: [redolog]
cartridges:
  description: Cartridges that left their scratch pool, since their last living copy has gone.
  returned: success
  type: list
  elements: dict
  sample:
    - barcode: SC0007L8
      left_pool: daily
round_trips:
  description: How many requests were sent to the array.
  returned: when disk copies are deleted
  type: int
  sample: 2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import change
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._generation_options import generation_request
from ansible_collections.eternus.backup.plugins.module_utils._module import Result, array_args, catalog_args, run

WHICH = ("generations", "backup_ids", "at", "before")


def main() -> None:
    """Run the module."""
    spec = {
        **{name: {**option, "required": False} for name, option in array_args().items()},
        **catalog_args(),
        "state": {"type": "str", "choices": ["held", "released", "absent", "expired"], "required": True},
        "volumes": {"type": "list", "elements": "str", "aliases": ["volume"], "default": []},
        "generations": {"type": "list", "elements": "int"},
        "backup_ids": {"type": "list", "elements": "str"},
        "at": {"type": "str"},
        "before": {"type": "str"},
        "media": {"type": "str", "choices": ["disk", "tape", "both"], "default": "both"},
        "drop_untaped": {"type": "bool", "default": False},
        "confirm": {"type": "list", "elements": "str", "default": []},
    }
    required = {"host": ("username", "password")}
    module = AnsibleModule(
        argument_spec=spec, required_by=required, mutually_exclusive=[WHICH], supports_check_mode=True
    )

    def work() -> Result:
        request = generation_request(module.params)

        def act(ctx: Context) -> Result:
            return change(ctx, request)

        if not request.needs_array:
            return on_catalog(module.params, check_mode=module.check_mode, work=act, makes=False)
        from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array

        return on_array(module.params, check_mode=module.check_mode, work=act)

    run(module, work)


if __name__ == "__main__":
    main()
