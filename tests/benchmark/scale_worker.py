# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One worker of make scale: what one fork of Ansible does, again and again. Orders come as lines of JSON on stdin.

``cycle``: the work of eternus_sync and of eternus_backup for the volumes of each array, one array after another.
``commit``: the catalog's part of such a work alone, for so many seconds. Each order is answered by a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import on_array
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import operation
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.steps import StartCopy
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import start
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import StepState
from ansible_collections.eternus.backup.plugins.module_utils._options import array_args, catalog_args
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait

_PATIENCE = Wait(interval=0.2, timeout=600.0)


def cycle(order: Mapping[str, Any]) -> dict[str, Any]:
    """Synchronize and back up the volumes of each array; ``key`` makes each backup a new one."""
    round_trips = pairs = 0
    for one in order["arrays"]:
        given = {**one["options"], "catalog_url": order["url"]}
        params = ArgumentSpecValidator({**array_args(), **catalog_args()}).validate(given).validated_parameters
        request = BackupRequest(key=order["key"], suspend=True)
        works = (
            partial(start, names=one["volumes"], wait=_PATIENCE),
            partial(take_backup, names=one["volumes"], request=request, wait=_PATIENCE),
        )
        for work in works:
            result = on_array(params, check_mode=False, work=work)
            round_trips += result.values["round_trips"]
        pairs += sum(row["taken"] for row in result.values["backups"])
    return {"pairs": pairs, "round_trips": round_trips}


@dataclass
class Timed:
    """A catalog that tells how long each transaction waited for its turn, in seconds."""

    catalog: Any
    waits: list[float] = field(default_factory=list)

    @contextmanager
    def begin(self) -> Iterator[Records]:
        """Open a transaction that may write."""
        asked = time.perf_counter()
        with self.catalog.begin() as records:
            self.waits.append(time.perf_counter() - asked)
            yield records

    def __getattr__(self, name: str) -> Any:
        return getattr(self.catalog, name)


def commit(order: Mapping[str, Any]) -> dict[str, Any]:
    """Take leases, journal a step, settle it, give the leases back: four transactions, for ``seconds``."""
    tv, bv = (VolumeRef(*ref) for ref in order["pair"])
    with closing(open_catalog(order["url"])) as opened:
        catalog = Timed(opened)
        ctx = Context(catalog, owner=order["owner"])
        end = time.perf_counter() + order["seconds"]
        while time.perf_counter() < end:
            with operation(ctx, [tv]) as work:
                with work.transaction() as records:
                    entries = work.intend(records, [StartCopy(tv, bv, CopyType.EC)])
                with work.transaction() as records:
                    records.settle([entries[0].id], StepState.DONE, ctx.clock.now())
        return {"waits": catalog.waits}


def main() -> None:
    """Do what is ordered until there are no more orders."""
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        begun, cpu = time.perf_counter(), time.process_time()
        done = {"cycle": cycle, "commit": commit}[order["work"]](order)
        spent = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
        print(json.dumps({**done, **spent}), flush=True)


if __name__ == "__main__":
    main()
