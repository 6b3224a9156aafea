#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a volume from tape."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tape_restore
short_description: Restore a volume from tape
version_added: 0.1.0
description:
  - Writes a backup from tape onto its transaction volume, or onto another volume of the same size, and compares all
    checksums. The tape copy counts as proven from then on, and retention keeps it if it is the only one.
  - Refused while the transaction volume's copy session is executing or equivalent. Without the options of an array
    this is decided by the
    catalog.
  - The target must not be mounted. A backup volume under generation management and another policy's transaction
    volume are refused; an unused backup volume is reserved.
  - A restore that fails or is broken off leaves the target undefined. It bears a marker until a restore succeeds.
  - Must run on the tape server, as a user who may write the target's device.
author:
  - eternus.backup contributors (@eternus-backup)
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.tape
  - eternus.backup.tape.ask_array
  - eternus.backup.tape.devices
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - A restore is an action; each run writes the whole target, but for one with a O(key) that was used before.
options:
  volume:
    description:
      - The transaction volume whose backup is restored, by name, DeviceID or C(wwn-0x...).
    type: str
    required: true
  generation:
    description:
      - The relative tape generation; V(1) is the newest on tape.
      - The default when neither O(backup_id) nor O(at) is given.
    type: int
  backup_id:
    description:
      - The id of the backup. Only so is a backup read whose tape copies were all found damaged when they were last
        read. It is warned of then.
    type: str
  at:
    description:
      - A time in ISO 8601, in UTC unless it bears a zone. The newest backup on tape at or before that time is restored.
    type: str
  target:
    description:
      - The volume to write. If not set, the transaction volume itself.
      - A volume that is not registered is named by its DeviceID or C(wwn-0x...), with its array's serial number and a
        slash before it where that is another array than the transaction volume's.
    type: str
  confirm:
    description:
      - The name of the target. Needed when the target is a transaction volume, which is overwritten.
    type: str
  key:
    description:
      - A name for this restore, for example the id of a Tower job. One key never restores twice onto a target, so
        that a job may be run again without harm.
    type: str
  progress:
    description:
      - Show on the controller how far it is while it runs. Bytes, percent, MB/s and the time left, as the catalog
        records them every few seconds, where the target is a transaction volume.
      - On a terminal one line is redrawn. With several hosts, in Tower and into a file there is a line for each tenth
        and each half minute.
      - The module runs in the background then, as with C(async). When ansible-playbook is ended meanwhile, the restore
        goes on by itself.
      - Of no account in check mode, with C(async) and with C(no_log).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: The newest backup on tape, onto the volume itself
  eternus.backup.tape_restore:
    volume: redolog
    confirm: redolog

- name: What was there at noon, onto another volume
  eternus.backup.tape_restore:
    volume: redolog
    at: "2026-01-05T12:00:00Z"
    target: wwn-0x600000e00d2a0000002a011500170000
"""

RETURN = r"""
restore:
  description:
    - What was written where; C(sha256_actual) is that of the bytes written, empty in check mode.
    - C(overwrites) tells what the catalog knew of the target before. It has the target's role, whether it has a policy,
      its own newest backup, where it is mounted, and why its content was undefined already.
  type: dict
  returned: success
  sample:
    volume: redolog
    backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
    point_in_time: "2026-01-05T11:30:00+00:00"
    source: tape
    cartridges: [WK0001L8]
    target: redolog
    target_device_id: 600000E00D2A0000002A011500170000
    target_array: ET603SA4621302115
    bytes: 67108864
    sha256_expected: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
    sha256_actual: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
    overwrites:
      role: transaction
      policy: true
      newest_backup: 01KE8Z0000ABCDEFGHJKMNPQRS
      newest_point_in_time: "2026-01-05T11:30:00+00:00"
      mounted_on: ""
      mount_point: ""
      undefined: null
finished:
  description: Whether the target is whole; V(false) in check mode, unless the key was used before.
  type: bool
  returned: success
  sample: true
"""

from contextlib import closing
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    array_options,
    catalog_args,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape_desk_options import desk_of
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import device_args, library_args
from ansible_collections.eternus.backup.plugins.module_utils._tape_restore_entry import restore_tape


def main() -> None:
    """Run the module."""
    spec = {
        **{name: {**one, "required": False} for name, one in array_args().items()},
        **catalog_args(),
        **library_args(),
        **device_args(),
        "progress": {"type": "bool", "default": False},
        "ask_array": {"type": "bool", "default": False},
        "volume": {"type": "str", "required": True},
        "generation": {"type": "int"},
        "backup_id": {"type": "str"},
        "at": {"type": "str"},
        "target": {"type": "str"},
        "confirm": {"type": "str"},
        "key": {"type": "str", "no_log": False},
    }
    module = AnsibleModule(
        argument_spec=spec,
        mutually_exclusive=[("generation", "backup_id", "at")],
        required_if=[("ask_array", True, ["host", "username", "password"])],
        supports_check_mode=True,
    )
    params = module.params

    def work(ctx: Context) -> Result:
        if not params["ask_array"]:
            return restore_tape(ctx, desk_of(params), params)
        with closing(connect(array_options(params))) as array:
            return restore_tape(replace(ctx, arrays={array.serial: array}), desk_of(params), params)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, makes=False))


if __name__ == "__main__":
    main()
