#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_restore: copies a backup back from disk, or finds the one that has to come from tape."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_restore
short_description: Restore a volume from disk, or find the backup that has to come from tape
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Copies a backup from its backup volume onto the transaction volume, or onto another volume of exactly the same size,
    inside the array (OPC) or from one array to another (ROPC), and waits for the copy. It does what C(acmrestore) and
    C(acmcancelrestore) did.
  - The history is left as it is. The copy may begin while the backup volume's own background copy still runs.
  - Until the copy has ended the content of the target is undefined. The catalog keeps a marker on it until a restore
    has succeeded, and neither synchronization nor a backup of it is allowed meanwhile.
  - Refused while the volume, or the target, is executing or equivalent.
  - A backup that is only on tape is chosen and checked here with O(source=any) or O(source=tape), and nothing is
    copied. RV(restore) C(source) is C(tape) then, and M(eternus.backup.tape_restore) goes on with its C(backup_id) on
    the tape server. The role P(eternus.backup.restore#role) does both.
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
      - While the copy runs, a second run waits for it. Once it has ended, a second run restores again.
options:
  volume:
    description: The transaction volume whose backup is wanted, by name, DeviceID or V(wwn-0x...).
    type: str
    required: true
  source:
    description:
      - Where the backup may come from.
      - V(disk) is its backup volume.
      - V(any) is its backup volume where that still holds it, else tape. Which backup it is does not depend on where it
        lies.
      - V(tape) is tape alone.
    type: str
    choices: [disk, any, tape]
    default: disk
    version_added: 0.2.0
  generation:
    description:
      - The relative generation; V(1) is the newest, and the default.
      - It counts disk generations with O(source=disk), backups on tape with O(source=tape), and with O(source=any)
        every backup that can be restored.
    type: int
  backup_id:
    description:
      - The id of the backup. A copy that was only borrowed for tape serves too, as long as it is there.
      - Only so is a backup taken whose tape copies were all found damaged when they were last read. It is warned of
        then.
    type: str
  at:
    description:
      - The newest backup at or before this time, in ISO 8601; a time without a zone is UTC.
      - With O(source=disk) a newer one that is only on tape is never passed over; the restore is refused then.
    type: str
  target:
    description:
      - The volume that is written. Without it, O(volume) itself.
      - It need not be registered. An unused backup volume may be named, and is reserved from then on, until it is
        released by name (M(eternus.backup.eternus_sync), O(eternus.backup.eternus_sync#module:state=cancelled) with
        O(eternus.backup.eternus_sync#module:backup_volumes)).
    type: str
  confirm:
    description: The name of the target. Needed when that is a transaction volume, which is overwritten.
    type: str
  key:
    description:
      - A name for this restore, for example the id of a Tower job. One key never restores twice onto a target, so
        that a job may be run again without harm.
    type: str
  state:
    description:
      - V(restored) starts the copy, or finds it running, and waits for it.
      - V(cancelled) ends a running copy onto the target, which is left undefined.
    type: str
    choices: [restored, cancelled]
    default: restored
notes:
  - The arrays of the backup volume and of the target must both be reached by the task. That of the transaction volume
    need not, where it is neither.
  - A wait that has run out is no failure. RV(finished) is V(false) then, and the same task again goes on waiting.
  - Unmount the target first.
seealso:
  - module: eternus.backup.eternus_backup_info
  - module: eternus.backup.tape_restore
"""

EXAMPLES = r"""
- name: Restore the newest generation onto the volume itself
  eternus.backup.eternus_restore:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    volume: oradata
    confirm: oradata

- name: See what the volume held on a certain evening, on another volume
  eternus.backup.eternus_restore:
    volume: oradata
    at: "2026-03-28T18:00:00Z"
    target: scratch01

- name: The third newest backup, wherever it is
  eternus.backup.eternus_restore:
    volume: oradata
    generation: 3
    source: any
    target: scratch01
  register: found

- name: Go on from tape where it has to come from there
  eternus.backup.tape_restore:
    volume: oradata
    backup_id: "{{ found.restore.backup_id }}"
    target: "{{ found.restore.target_device_id }}"
  delegate_to: tape-server
  when: found.restore.source == 'tape'

- name: Give up a running restore
  eternus.backup.eternus_restore:
    volume: oradata
    state: cancelled
"""

RETURN = r"""
restore:
  description:
    - The copy. Only C(volume), C(target) and C(state) with O(state=cancelled).
    - C(state) is C(planned), C(executing), C(finished), C(on_tape) when M(eternus.backup.tape_restore) has to go on,
      C(cancelled), or C(none) when there was nothing to cancel.
    - C(overwrites) tells what the catalog knew of the target before. It has the target's role, whether it has a policy,
      its own newest backup, where it is mounted, and why its content was undefined already.
  returned: success
  type: dict
  sample:
    volume: oradata
    target: oradata
    target_device_id: 600000E00D2A0000002A011500140000
    target_array: ET603SA4621302115
    source: disk
    backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
    point_in_time: "2026-03-29T01:30:00.123456+00:00"
    backup_volume: bv01
    copy_type: OPC
    cartridges: []
    size: 67108864
    state: finished
    percent: 100
    overwrites:
      role: transaction
      policy: true
      newest_backup: 01KE8Z0000ABCDEFGHJKMNPQRS
      newest_point_in_time: "2026-03-29T01:30:00.123456+00:00"
      mounted_on: db01.example.com
      mount_point: /u01
      undefined: null
finished:
  description: Whether the copy has ended and the target is whole; V(false) too when tape has to go on.
  returned: success
  type: bool
  sample: true
round_trips:
  description: How many requests were sent to the array.
  returned: success
  type: int
  sample: 9
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_restore import Choice, Source
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore import (
    RestoreRequest,
    cancel_restore,
    restore,
)
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    not_empty,
    run,
    wait_args,
    wait_options,
)
from ansible_collections.eternus.backup.plugins.module_utils._times import moment_of

WHICH = ("generation", "backup_id", "at")


def main() -> None:
    """Run the module."""
    spec = {
        **array_args(),
        **catalog_args(),
        **wait_args(),
        "volume": {"type": "str", "required": True},
        "source": {"type": "str", "choices": [one.value for one in Source], "default": "disk"},
        "generation": {"type": "int"},
        **{name: {"type": "str"} for name in ("backup_id", "at", "target", "confirm")},
        "key": {"type": "str", "no_log": False},
        "state": {"type": "str", "choices": ["restored", "cancelled"], "default": "restored"},
    }
    module = AnsibleModule(argument_spec=spec, mutually_exclusive=[WHICH], supports_check_mode=True)
    params = module.params

    def work() -> Result:
        not_empty(params, "backup_id", "target", "key")
        wait, at = wait_options(params), moment_of("at", params["at"])
        choice = Choice(params["generation"], params["backup_id"] or "", at, Source(params["source"]))
        request = RestoreRequest(
            params["volume"], choice, *(params[name] or "" for name in ("target", "confirm", "key"))
        )

        def act(ctx: Context) -> Result:
            return cancel_restore(ctx, request) if params["state"] == "cancelled" else restore(ctx, request, wait)

        return on_array(params, check_mode=module.check_mode, work=act, spare_peers=True)

    run(module, work)


if __name__ == "__main__":
    main()
