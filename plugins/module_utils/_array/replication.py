# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The methods of the replication service: one request each; ``device busy`` is asked again within a bound."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array import cim, codes
from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Answer, Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.interface import Around
from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer, sync_type
from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until

#: A session is gone when its state does not apply any more (array.md, Methods: ending a session).
_GONE = cim.CopyState.NOT_APPLICABLE


@dataclass(frozen=True)
class Replication:
    """The replication service of one array.

    :param service: its object path. :param offer: what it offers.
    :param busy: how often, and how long in all, a request that met ``32787 device busy`` is sent again.
    :param around: what each sending of a request happens inside.
    """

    connection: Connection
    service: Any
    offer: Offer
    busy: Wait
    clock: Clock
    around: Around = nullcontext

    def create(self, copy_type: CopyType, source: Any, target: Any, *, track: bool) -> Answer:
        """Start one copy."""
        params = self._kind(copy_type, track)
        return self._act("CreateElementReplica", codes.NO_VOLUME, SourceElement=source, TargetElement=target, **params)

    def create_list(
        self, copy_type: CopyType, sources: Sequence[Any], targets: Sequence[Any], *, track: bool
    ) -> Answer:
        """Start many copies by one request: all or none."""
        params = self._kind(copy_type, track)
        return self._act(
            "CreateListReplica",
            codes.NO_VOLUME,
            SourceElements=list(sources),
            TargetElements=list(targets),
            **params,
        )

    def modify(self, operation: cim.Operation, session: Any) -> Answer:
        """Change one session."""
        return self._act(
            "ModifyReplicaSynchronization",
            codes.NO_SESSION,
            Operation=self._uint16(operation),
            Synchronization=session,
            **self._force(operation),
        )

    def modify_list(self, operation: cim.Operation, copy_type: CopyType, sessions: Sequence[Any]) -> Answer:
        """Change many sessions at one instant by one request: all or none."""
        return self._act(
            "ModifyListSynchronization",
            codes.NO_SESSION,
            Operation=self._uint16(operation),
            Synchronization=list(sessions),
            SyncType=self._uint16(sync_type(copy_type)),
            Mode=self._uint16(self.offer.mode(copy_type)),
            **self._force(operation),
        )

    def _kind(self, copy_type: CopyType, track: bool) -> dict[str, Any]:
        params = {
            "SyncType": self._uint16(sync_type(copy_type)),
            "Mode": self._uint16(self.offer.mode(copy_type)),
        }
        return {**params, "ReplicationSettingData": _incremental()} if track else params

    def _force(self, operation: cim.Operation) -> dict[str, Any]:
        if operation in (cim.Operation.DETACH, cim.Operation.RETURN_TO_POOL):
            return {"Force": True, "WaitForCopyState": self._uint16(_GONE)}
        return {}

    def _act(self, method: str, not_found: int, **params: Any) -> Answer:
        def look() -> Answer:
            with self.around():
                return self.connection.act(self.service, method, not_found=not_found, **params)

        return wait_until(look, lambda answer: answer.code not in codes.RETRY, self.busy, self.clock).last

    @staticmethod
    def _uint16(value: int) -> Any:
        import pywbem

        return pywbem.Uint16(int(value))


def _incremental() -> Any:
    """Return the setting by which a clone keeps its session, to be resynced: QuickOPC [assumed]."""
    import pywbem

    return pywbem.CIMInstance(
        "CIM_ReplicationSettingData", {"DesiredCopyMethodology": pywbem.Uint16(cim.INCREMENTAL_COPY)}
    )
