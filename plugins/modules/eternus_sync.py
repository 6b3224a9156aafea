#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_sync: starts, awaits and cancels synchronization."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_sync
short_description: Start, await or cancel the synchronization of transaction volumes
version_added: 0.1.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Starts the mirror (EC, or REC to another array) from each transaction volume to a backup volume of exactly its
    size, waits until the pairs are equivalent, or cancels it. It does what C(acmstartsync) and C(acmcancelsync) did.
  - A volume that is being synchronized already is left as it is.
  - With O(eternus.backup.eternus_policy#module:policies[].suspend) the suspended backup volume without a generation
    is resumed, and only the differences are copied. Else an unused backup volume is taken and everything is copied.
  - All volumes of a task are started, or none, unless the array itself refuses some of them; the error says which
    ones run then.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.wait
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
options:
  volumes:
    description: The transaction volumes, by name, DeviceID or V(wwn-0x...). Without any and without O(groups), every
      one whose policy's method is V(synchronized); with O(state=cancelled) every one that has a policy, so mind a
      variable that may be empty.
    type: list
    elements: str
    default: []
  groups:
    description: Consistency groups, as policies name them. All of their members are meant.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(started) starts and returns at once. V(equivalent) starts, and waits until all pairs are equivalent.
      - V(cancelled) ends the executing or equivalent session of each volume. History is never deleted by it, and a
        backup volume that carries a generation stays used.
    type: str
    choices: [started, equivalent, cancelled]
    default: equivalent
  backup_volumes:
    description:
      - With O(state=cancelled), end the sessions onto these backup volumes only, suspended ones as well.
      - A backup volume that a restore reserved as its target is released, and unused again.
    type: list
    elements: str
    default: []
  all:
    description: With O(state=cancelled), whether to end the suspended and the tracked (QuickOPC) sessions of the
      volumes as well. A copy that still runs onto a generation goes on, since its end would spoil the generation.
    type: bool
    default: false
  drop_untaped:
    description: Whether a backup volume may be used although its generation still waits to be written to tape. That
      tape copy is given up.
    type: bool
    default: false
notes:
  - A wait that has run out is no failure. RV(equivalent) is V(false) then, and the same task again goes on waiting.
seealso:
  - module: eternus.backup.eternus_backup
  - module: eternus.backup.eternus_backup_info
"""

EXAMPLES = r"""
- name: Synchronize all volumes that have a policy, and wait for an hour at most
  eternus.backup.eternus_sync:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
    wait_timeout: 3600
  register: sync
  until: sync.equivalent
  retries: 3

- name: Start two of them, and do something else meanwhile
  eternus.backup.eternus_sync:
    volumes: [oradata, redolog]
    state: started

- name: Release the suspended session of one backup volume
  eternus.backup.eternus_sync:
    volumes: [oradata]
    state: cancelled
    backup_volumes: [bv03]
"""

RETURN = r"""
synchronizations:
  description: The synchronization of each volume as it is now, or would be. C(action) says what
    this task did.
  returned: success
  type: list
  elements: dict
  sample:
    - volume: oradata
      state: equivalent
      percent: 100
      backup_volume: bv01
      copy_type: EC
      action: started
equivalent:
  description: Whether every volume is equivalent.
  returned: success
  type: bool
  sample: true
looks:
  description: How often the sessions were looked at while waiting; one look reads all of them.
  returned: success
  type: int
  sample: 3
round_trips:
  description: How many requests were sent to the array.
  returned: success
  type: int
  sample: 7
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import cancel, start
from ansible_collections.eternus.backup.plugins.module_utils._module import (
    Result,
    array_args,
    catalog_args,
    invalid,
    run,
    wait_args,
    wait_options,
)


def main() -> None:
    """Run the module."""
    spec = {
        **array_args(),
        **catalog_args(),
        **wait_args(),
        "volumes": {"type": "list", "elements": "str", "default": []},
        "groups": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["started", "equivalent", "cancelled"], "default": "equivalent"},
        "backup_volumes": {"type": "list", "elements": "str", "default": []},
        "all": {"type": "bool", "default": False},
        "drop_untaped": {"type": "bool", "default": False},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work() -> Result:
        wait, cancels = wait_options(params), params["state"] == "cancelled"
        if not cancels and (params["backup_volumes"] or params["all"]):
            raise invalid("backup_volumes", params["backup_volumes"], "It goes with state: cancelled, as all does.")

        def act(ctx: Context) -> Result:
            names, groups = params["volumes"], params["groups"]
            if cancels:
                return cancel(ctx, names, groups=groups, bvs=params["backup_volumes"], every=params["all"])
            awaited = wait if params["state"] == "equivalent" else None
            return start(ctx, names, groups=groups, drop_untaped=params["drop_untaped"], wait=awaited)

        return on_array(params, check_mode=module.check_mode, work=act, rows="synchronizations", spare_peers=True)

    run(module, work)


if __name__ == "__main__":
    main()
