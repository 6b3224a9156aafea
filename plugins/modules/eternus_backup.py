#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_backup: takes backups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_backup
short_description: Take a backup of transaction volumes
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Makes a backup of each volume by the method of its policy, drops the oldest generation beyond the policy, and queues
    the copies to tape. It does what C(acmbackup) did.
  - Method V(synchronized) stops the synchronization at one point in time, and the backup volume is the newest
    generation. Refused with C(not_equivalent) before the pair is equivalent; it goes on copying, nothing is recorded.
    The oldest generation is dropped after the new one has succeeded, so that there always is a backup.
  - Method V(snapshot) copies by OPC, or ROPC to another array. The copy is logical at once. While generations are
    missing, or with C(safe_rotation), an unused backup volume is taken; else the oldest generation is overwritten.
  - Method V(differential) copies by QuickOPC. The first copy onto a backup volume copies everything, later ones the
    differences only.
  - Method V(tape_only), and media V(tape) with any method, borrow a backup volume until its tape copies are written.
  - Method V(auto) is a synchronized backup of an equivalent pair, a snapshot where nothing is synchronized, and refused
    while a pair is still copying.
  - All volumes of a task are backed up, or none, unless the array itself refuses some of them; the error says which
    ones are taken then.
  - Where a run was interrupted after it had split some members of a group only, these are resynchronized first, and
    the backup waits for that, for O(wait_timeout) at most and never beyond O(split_deadline).
  - The members of a consistency group are split at one instant and bear one group id and one point in time; where one
    of them fails, the others are resynchronized and nothing is recorded. Naming one member means the whole group.
    Without list support of the array the result says C(consistent=false), and how far apart they are at most.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.wait
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
attributes:
  idempotent:
    support: partial
    details:
      - With O(key) or O(max_age) a second run makes no second backup. Without them each run is a new one.
options:
  volumes:
    description: The transaction volumes, by name, DeviceID or V(wwn-0x...). Without any and without O(groups), every
      one that has a policy.
    type: list
    elements: str
    default: []
  groups:
    description: Consistency groups, as policies name them. All of their members are backed up.
    type: list
    elements: str
    default: []
  key:
    description:
      - What this backup is for, such as a job's number or a date. The same key never makes a second backup of a volume.
      - A key is remembered even when its backup has gone from the history. Of that backup only the id is returned then.
    type: str
  max_age:
    description:
      - A good backup that is younger is enough. V(20h), V(30m), V(1d), V(1d 12h), or seconds.
      - Give one well below the interval of the schedule, so that a run that begins a little early still makes a backup.
    type: str
  suspend:
    description: Whether to suspend the sessions instead of ending them. Without it, as the policies say.
    type: bool
  max_skew:
    description:
      - How far apart the members of a group may be split where the array cannot split them by one request. Beyond it
        all are resynchronized and nothing is recorded.
    type: str
    default: 1s
  split_deadline:
    description:
      - A time with its zone, such as V(2026-03-29T01:30:10Z). Where a split ends after it, everything that this
        task has split is resynchronized and nothing is recorded.
      - For file systems that are frozen only until then; the role P(eternus.backup.backup#role) sets it.
    type: str
  drop_untaped:
    description: Whether a snapshot may overwrite a generation that still waits to be written to tape. That tape copy is
      given up.
    type: bool
    default: false
  wait_for:
    description:
      - When the module returns. V(disk), as soon as the disk generations are recorded. V(tape), when every tape copy
        is written, when one has failed, or when O(wait_timeout) has passed.
      - The tape server writes the tape copies (M(eternus.backup.tape_copy)); this task only looks at the catalog.
    type: str
    choices: [disk, tape]
    default: disk
notes:
  - Neither a tape copy that failed nor a wait that has run out makes the task fail, since the disk generation is
    valid. RV(tape_written) is V(false) then; a failed copy is a warning as well, and M(eternus.backup.tape_copy) runs
    it again.
seealso:
  - module: eternus.backup.eternus_sync
  - module: eternus.backup.eternus_restore
  - module: eternus.backup.tape_copy
"""

EXAMPLES = r"""
- name: Back up all volumes that have a policy, once a night
  eternus.backup.eternus_backup:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    key: "{{ ansible_date_time.date }}"

- name: Back up unless there is a backup of the last twenty hours
  eternus.backup.eternus_backup:
    volumes: [oradata]
    max_age: 20h

- name: Back up the volumes of one application at one point in time
  eternus.backup.eternus_backup:
    groups: [erp]
    key: "{{ ansible_date_time.date }}"

- name: Back up, and return when it is on tape
  eternus.backup.eternus_backup:
    volumes: [oradata]
    key: "job-{{ awx_job_id | default('manual') }}"
    wait_for: tape
    wait_timeout: 7200
"""

RETURN = r"""
backups:
  description:
    - For each volume the backup that answers the request. C(taken) says whether this task made it, or would.
    - C(generation) is the relative generation on disk, V(1) being the newest, and null when it is not on
      disk.
    - C(group_id) is the same for all members of a consistency group. C(consistent) says whether one request of the
      array split them all, C(skew_ms) how many milliseconds they are apart at most; both are null outside a group.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 01KE8Z0000ABCDEFGHJKMNPQRS
      key: "2026-03-29"
      volume: oradata
      point_in_time: "2026-03-29T01:30:00.123456+00:00"
      generation: 1
      method: synchronized
      copy_type: EC
      suspend: true
      group_id: ""
      consistent: null
      skew_ms: null
      hold: false
      size: 67108864
      disk:
        state: valid
        backup_volume: bv01
      tape_state: queued
      tape:
        - copy: 1
          state: queued
          pool: weekly
          bytes_done: 0
          bytes_total: 0
          cartridges: []
          sha256: ""
          written_at: null
          verified_at: null
          verified_ok: null
          error: ""
      taken: true
volumes:
  description:
    - Each volume as it is afterwards, or would be, with its synchronization, and its backups on disk, those that wait
      for tape, and the newest ones, the newest first.
    - The whole history, years of it on tape, is shown by M(eternus.backup.eternus_backup_info).
  returned: success
  type: list
  elements: dict
  sample:
    - volume: oradata
      device_id: 600000E00D2A0000002A011500140000
      array: ET603SA4621302115
      synchronization:
        state: none
        percent: 0
        backup_volume: null
        copy_type: null
      suspended: [bv01]
      backups: []
tape_written:
  description: Whether every tape copy of these backups is written.
  returned: when O(wait_for=tape)
  type: bool
  sample: true
round_trips:
  description: How many requests were sent to the array.
  returned: success
  type: int
  sample: 8
"""

from datetime import timedelta

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._backup.wait_tape import wait_for_tape
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    not_empty,
    run,
    wait_args,
    wait_options,
)
from ansible_collections.eternus.backup.plugins.module_utils._times import length_of, moment_of


def main() -> None:
    """Run the module."""
    spec = {
        **array_args(),
        **catalog_args(),
        **wait_args(),
        "volumes": {"type": "list", "elements": "str", "default": []},
        "groups": {"type": "list", "elements": "str", "default": []},
        "max_skew": {"type": "str", "default": "1s"},
        "split_deadline": {"type": "str"},
        "drop_untaped": {"type": "bool", "default": False},
        "key": {"type": "str", "no_log": False},
        "max_age": {"type": "str"},
        "suspend": {"type": "bool"},
        "wait_for": {"type": "str", "choices": ["disk", "tape"], "default": "disk"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work() -> Result:
        not_empty(params, "key")
        wait = wait_options(params)
        request = BackupRequest(
            key=params["key"] or "",
            max_age=length_of("max_age", params["max_age"]),
            suspend=params["suspend"],
            drop_untaped=params["drop_untaped"],
            max_skew=length_of("max_skew", params["max_skew"]) or timedelta(0),
            deadline=moment_of("split_deadline", params["split_deadline"]),
        )

        def take(ctx: Context) -> Result:
            result = take_backup(ctx, params["volumes"], request, groups=params["groups"], wait=wait)
            return wait_for_tape(ctx, result, wait) if params["wait_for"] == "tape" else result

        return on_array(params, check_mode=module.check_mode, work=take, rows="backups", spare_peers=True)

    run(module, work)


if __name__ == "__main__":
    main()
