#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_restore_test: compares a restored volume with its backup, and remembers the result."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_restore_test
short_description: Compare a restored volume with its backup
version_added: 0.2.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Reads a volume whole that a backup was restored onto, compares its SHA-256 checksum with that of the backup, and
    writes the result down in the catalog.
  - After a restore from disk the backup volume is read likewise, and is not reused meanwhile. Where the backup also has
    a written tape copy, its recorded checksum must be equal too.
  - After a restore from tape the recorded checksum of the tape copy is what counts. When it is equal that copy is
    marked as proven, and retention never lets the only proven copy expire.
  - Nothing is restored here. M(eternus.backup.eternus_restore) or M(eternus.backup.tape_restore) does that before; the
    role P(eternus.backup.restore_test#role) does all of it.
  - Must run on a host that sees the volumes, as a user who may read them. Keep the target unmounted, since a file
    system writes when it is mounted.
extends_documentation_fragment:
  - eternus.backup.attributes
  - eternus.backup.attributes.actiongroup
  - eternus.backup.catalog
  - eternus.backup.connection.idle
  - eternus.backup.tape.devices
attributes:
  check_mode:
    support: full
    details:
      - Nothing is read but the size and identity of the devices; the result says what would be compared.
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - A test is an action; each run reads the volumes again, and is remembered on its own.
options:
  volume:
    description:
      - The transaction volume whose backup was restored, by name, DeviceID or C(wwn-0x...).
    type: str
    required: true
  backup_id:
    description:
      - The id of the backup that was restored.
    type: str
    required: true
  target:
    description:
      - The volume that was written.
      - A volume that is not registered is named by its DeviceID or C(wwn-0x...), with its array's serial number and a
        slash before it where that is another array than the transaction volume's.
    type: str
    required: true
  source:
    description:
      - Where it was restored from.
    type: str
    choices: [disk, tape]
    default: disk
  copy:
    description:
      - The number of the tape copy whose checksum counts.
      - If not set, the copy that a restore takes.
    type: int
seealso:
  - module: eternus.backup.eternus_restore
  - module: eternus.backup.tape_restore
"""

EXAMPLES = r"""
- name: Restore the newest generation onto a scratch volume
  eternus.backup.eternus_restore:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    volume: oradata
    target: scratch01
  register: restored

- name: Prove that it is what was backed up
  eternus.backup.eternus_restore_test:
    volume: oradata
    backup_id: "{{ restored.restore.backup_id }}"
    target: "{{ restored.restore.target_device_id }}"
  delegate_to: host-that-sees-both
"""

RETURN = r"""
test:
  description:
    - The test as it is remembered. A failed one is part of RV(ignore:details) of the failed result.
    - C(state) is C(planned) in check mode, else C(equal). C(tape_copy) is the number of the tape copy that was
      restored, 0 for a restore from disk.
  returned: success
  type: dict
  sample:
    id: 01KE8Z0000ABCDEFGHJKMNPQRT
    volume: oradata
    backup_id: 01KE8Z0000ABCDEFGHJKMNPQRS
    point_in_time: "2026-03-29T01:30:00.123456+00:00"
    target: scratch01
    source: disk
    tape_copy: 0
    size: 67108864
    compared_with:
      - what: backup volume bv01
        sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
      - what: tape copy 1
        sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
    state: equal
    ok: true
    sha256: 3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
    tested_at: "2026-03-29T09:00:00.123456+00:00"
    message: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.compare_plan import CompareRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.on_catalog import on_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_test import Devices, compare_restored
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    idle_args,
    invalid,
    not_empty,
    run,
)
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import device_args


def main() -> None:
    """Run the module."""
    spec = {
        **idle_args(**array_args()),
        **catalog_args(),
        **device_args(),
        **{name: {"type": "str", "required": True} for name in ("volume", "backup_id", "target")},
        "source": {"type": "str", "choices": ["disk", "tape"], "default": "disk"},
        "copy": {"type": "int"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work(ctx: Context) -> Result:
        not_empty(params, "volume", "backup_id", "target")
        if params["rate_limit"] < 0:
            raise invalid("rate_limit", params["rate_limit"], "Give bytes per second, 0 for no limit.")
        devices = Devices(params["device_dir"], StreamOptions(rate=params["rate_limit"]))
        request = CompareRequest(*(params[name] for name in ("volume", "backup_id", "target", "source", "copy")))
        return compare_restored(ctx, devices, request)

    run(module, lambda: on_catalog(params, check_mode=module.check_mode, work=work, makes=False))


if __name__ == "__main__":
    main()
