#!/usr/bin/python
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module eternus_reconcile: compares catalog, array and tapes, reports the drift, and repairs what is named."""

from __future__ import annotations

DOCUMENTATION = r"""
module: eternus_reconcile
short_description: Compare catalog, array and tapes, and repair what is named
version_added: 0.2.0
author:
  - eternus.backup contributors (@eternus-backup)
description:
  - Compares what the catalog says with the copy sessions and volumes of the array, and with what was read from tapes,
    and reports every difference with what would mend it. It does what C(swstsrsemtch) (resource match) did.
  - The array is the truth for sessions, the catalog for history, the tape for what is on it.
  - Repairs the kinds of drift that O(repair) names, and nothing else. Only the catalog is changed; the array is never
    sent a change, except that the repair V(journal) lets an interrupted operation be finished, which may end sessions.
  - What another operation works on at the moment, and what lies on arrays that the task is not connected to, is left
    out, and a warning says so.
extends_documentation_fragment:
  - eternus.backup.connection
  - eternus.backup.catalog
  - eternus.backup.attributes
  - eternus.backup.attributes.planned
  - eternus.backup.attributes.actiongroup
options:
  volumes:
    description: Report and repair only what concerns these transaction volumes, by name, DeviceID or V(wwn-0x...).
    type: list
    elements: str
    default: []
  backup_volumes:
    description: Report and repair only what concerns these backup volumes.
    type: list
    elements: str
    default: []
  repair:
    description:
      - The kinds of drift to repair. A kind that is named and not found is no change.
      - V(journal) lets recovery finish or undo interrupted operations, as the next run would.
      - V(idle_volume) makes backup volumes unused that are bound and carry neither session nor generation.
      - V(lost_session) writes down that the suspended session of a generation is gone. The generation stays, the next
        copy is a full one.
      - V(session_state) takes over that a session without a generation was suspended or resumed by other hands.
      - V(resumed_generation) strikes a generation whose session was resumed by other hands. It is no longer at its
        point in time.
      - V(younger_generation) strikes a generation whose session was suspended, or copied again, later than the
        generation was made, as after the import of an old export. What is on the backup volume is younger than it. A
        difference of up to five minutes counts for nothing, since the clocks of array and managed host may differ.
      - V(broken_generation) strikes a generation whose background copy (OPC, QuickOPC) broke before it had ended.
      - V(overwritten_generation) strikes a generation whose backup volume is the target of a copy that did not make it.
      - V(changed_volume) takes over another name of a volume, or another size where nothing holds the old one.
      - V(stale_reader) takes away a reader that is dead, or whose restore has ended.
      - V(dead_lease) takes away leases of owners that are dead or did not renew them.
      - V(unexplained_volume) makes backup volumes unknown that seem unused to a catalog that was lost.
      - V(unknown_cartridge) adds cartridges that bear a label of ours.
      - V(unknown_tape_copy) adds tape copies that are whole on tape to the history, and their cartridges.
      - V(missing_tape_copy) marks a tape copy as failed that is not on its cartridge, so that it can be written again;
        without a disk copy it is struck.
      - A generation that is held or being read is never struck.
    type: list
    elements: str
    choices:
      - lost_session
      - session_state
      - broken_generation
      - resumed_generation
      - younger_generation
      - overwritten_generation
      - idle_volume
      - unexplained_volume
      - changed_volume
      - journal
      - stale_reader
      - dead_lease
      - unknown_cartridge
      - unknown_tape_copy
      - missing_tape_copy
    default: []
  adopt:
    description:
      - Sessions made by other hands that are to be bound to their transaction volume, each by the name of its backup
        volume, or as a dictionary with C(target), the backup volume, and C(source), the transaction volume.
      - A suspended or tracked session is resumed by a later copy then, and only the differences are copied; an
        executing or equivalent one becomes the current synchronization. An adopted session carries no generation.
      - Refused unless both volumes are registered in their roles and have the same size, and the backup volume serves
        nothing else. Plain OPC sessions end by themselves and are not adopted.
    type: list
    elements: raw
    default: []
  accept:
    description: Backup volumes whose unknown content may be overwritten. They are unused from then on.
    type: list
    elements: str
    default: []
  distrust:
    description: Backup volumes that are to be unknown, and hence never allocated, until they are accepted by name.
    type: list
    elements: str
    default: []
  tapes:
    description:
      - The cartridges that were read, each a dictionary with C(barcode), C(uuid), C(pool), C(complete) (whether it was
        read to its end) and C(copies), and optionally C(labelled_at), C(bytes_written), C(files), C(capacity), C(full)
        and C(protected_until). This is what M(eternus.backup.tape_scan) returns.
      - A copy has C(backup_id), C(copy), C(run), C(array), C(volume), C(device_id), C(point_in_time), C(size),
        C(sha256) (of the whole volume; empty unless its last part is on this cartridge), C(generation), C(key),
        C(parts), and optionally C(method).
      - A part has C(sequence), C(data_file), C(data_block), C(offset), C(size) and C(sha256).
      - A copy that lies on several cartridges is added only when all its parts were read.
    type: list
    elements: dict
    default: []
notes:
  - Decided here, where the original is silent. Drift is no failure. To fail on it, write
    C(failed_when) with RV(clean). Rows with C(info) are worth knowing and do not make the catalog unclean.
  - Diff mode shows all drift, repaired or not; on the left what the catalog says, on the right what was found.
  - Of a catalog that was lost, the array remembers sessions and nothing else. Register the volumes again, repair
    V(unexplained_volume), adopt the sessions, and accept by name the backup volumes that may be overwritten. A plain
    generation without a session leaves no trace on the array; where the catalog was lost and there is neither a session
    nor a tape to tell, name the backup volumes in O(distrust) right after registering them. A backup volume that is
    registered by its name counts as unused.
  - A generation that others copied over by OPC from its own transaction volume cannot be told from what it was.
  - What comes back from tape is what a cartridge says. Whether a copy was verified, when it was written, whether a
    backup is held, and its consistency group are not on it. Verify the copies again (M(eternus.backup.tape_verify)).
  - A cartridge does not say by which method a backup was made. Where the scan does not either, the method of the
    policy is taken, else V(synchronized).
  - An expired tape copy stays on its cartridge until that is written anew. What is older than every tape copy known of
    its volume is therefore reported with C(info).
seealso:
  - module: eternus.backup.eternus_backup_info
  - module: eternus.backup.eternus_volume
  - module: eternus.backup.eternus_sync
  - module: eternus.backup.tape_scan
"""

EXAMPLES = r"""
- name: Report what does not agree
  eternus.backup.eternus_reconcile:
    host: array.example.com
    username: backup
    password: "{{ array_password }}"
  register: match
  failed_when: not match.clean

- name: Repair what an interrupted job and a cancelled session left behind
  eternus.backup.eternus_reconcile:
    repair: [journal, idle_volume, stale_reader]

- name: After the loss of the catalog, protect what nothing explains, and take the suspended sessions over
  eternus.backup.eternus_reconcile:
    repair: [unexplained_volume]
    adopt:
      - {source: oradata, target: bv01}
      - bv02

- name: Read the cartridges of the library
  eternus.backup.tape_scan:
  register: scan

- name: After the loss of the catalog, rebuild the tape history
  eternus.backup.eternus_reconcile:
    tapes: "{{ scan.cartridges }}"
    repair: [unknown_cartridge, unknown_tape_copy]

- name: Let an unknown backup volume be overwritten
  eternus.backup.eternus_reconcile:
    accept: [bv03]
"""

RETURN = r"""
drift:
  description:
    - Everything that does not agree, and whether this task repaired it.
    - C(repair) is the word that O(repair) takes, or null where an operator has to decide; C(next_step) says how.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: idle_volume
      what: oradata -> bv01
      message: bv01 is bound to oradata, and has neither a session nor a generation.
      repair: idle_volume
      next_step: "repair: [idle_volume] makes it unused."
      info: false
      repaired: false
      before:
        bound_to: oradata
      after:
        bound_to: null
repaired:
  description: What was repaired, adopted, accepted or distrusted, or would be.
  returned: success
  type: list
  elements: str
  sample: ["idle_volume: oradata -> bv01"]
clean:
  description: Whether nothing is left that does not agree, after the repair.
  returned: success
  type: bool
  sample: false
round_trips:
  description: How many requests were sent to the array.
  returned: success
  type: int
  sample: 4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import REPAIRABLE
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile import reconcile
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import orders_of
from ansible_collections.eternus.backup.plugins.module_utils._module import Result, array_args, catalog_args, run


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    spec = {
        **array_args(),
        **catalog_args(),
        **{option: dict(names) for option in ("volumes", "backup_volumes", "accept", "distrust")},
        "repair": {**names, "choices": [kind.value for kind in REPAIRABLE]},
        "adopt": {"type": "list", "elements": "raw", "default": []},
        "tapes": {"type": "list", "elements": "dict", "default": []},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)

    def work() -> Result:
        orders = orders_of(module.params)
        return on_array(
            module.params,
            check_mode=module.check_mode,
            work=lambda ctx: reconcile(ctx, orders),
            must_exist=bool(orders.tapes),  # to an empty catalog all that is on tape would be a repair
        )

    run(module, work)


if __name__ == "__main__":
    main()
