# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The methods of the replication service's capabilities: what can be done with which kind of copy."""

from __future__ import annotations

from ..core.config import Knobs
from .methods import Args, Methods, Result
from .values import Path

CAPABILITIES = "FUJITSU_ReplicationServiceCapabilities"
NOT_SUPPORTED = 1
INVALID_PARAMETER = 5
MODIFY_LIST = 6

MIRROR, SNAPSHOT, CLONE = 6, 7, 8
# ReplicationType -> SyncType, Mode, 2 local or 3 remote.
KINDS: dict[int, tuple[int, int, int]] = {
    2 + 4 * index + 2 * (place - 2) + (mode - 2): (sync_type, mode, place)
    for index, sync_type in enumerate((MIRROR, SNAPSHOT, CLONE))
    for place in (2, 3)
    for mode in (2, 3)
}
OPERATIONS: dict[int, list[int]] = {
    MIRROR: [2, 8, 12, 14, 15, 16, 20, 21, 22],
    SNAPSHOT: [2, 15, 19],
    CLONE: [2, 8, 15, 16, 22],
}
# States, and whether a host may use the target then.
STATES: dict[int, list[tuple[int, bool]]] = {
    MIRROR: [(3, False), (4, False), (5, False), (6, True), (7, True), (9, False), (12, False), (16, False)],
    SNAPSHOT: [(4, True), (5, False), (18, True)],
    CLONE: [(3, True), (4, True), (5, False), (9, True), (12, False)],
}
RESYNC = 14
NO_NUMBER = 65535


class Capabilities:
    """Answers from the knobs of the moment."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs

    def _kind(self, args: Args) -> tuple[int, int, int]:
        """The kind that was asked about, if the array offers it; else (0, rc, 0)."""
        number = args.get("replicationtype")
        if number not in KINDS:
            return 0, INVALID_PARAMETER, 0
        return KINDS[number] if number in self._knobs.replication_types else (0, NOT_SUPPORTED, 0)

    def _operations(self, sync_type: int, place: int) -> list[int]:
        found = list(OPERATIONS[sync_type])
        if sync_type == CLONE and self._knobs.quick_opc and place == 2:
            found.append(RESYNC)
        return sorted(found)

    def _supported_operations(self, _path: Path, args: Args) -> Result:
        sync_type, mode, place = self._kind(args)
        return (0, {"SupportedOperations": self._operations(sync_type, place)}) if sync_type else (mode, {})

    def _list_operations(self, _path: Path, args: Args) -> Result:
        sync_type, mode, place = self._kind(args)
        if not sync_type:
            return mode, {}
        offered = MODIFY_LIST in self._knobs.supported_actions()
        return 0, {"SupportedListOperations": self._operations(sync_type, place) if offered else []}

    def _list_features(self, _path: Path, args: Args) -> Result:
        sync_type, mode, _place = self._kind(args)
        if not sync_type:
            return mode, {}
        return 0, {"GroupFeatures": [2, 3] if MODIFY_LIST in self._knobs.supported_actions() else []}

    def _copy_states(self, _path: Path, args: Args) -> Result:
        sync_type, mode, _place = self._kind(args)
        if not sync_type:
            return mode, {}
        states = STATES[sync_type]
        return 0, {
            "SupportedCopyStates": [state for state, _host in states],
            "HostAccessible": [host for _state, host in states],
        }

    def _wait_states(self, _path: Path, args: Args) -> Result:
        sync_type, mode, _place = self._kind(args)
        return (0, {"SupportedCopyStates": []}) if sync_type else (mode, {})

    def _maximum(self, _path: Path, args: Args) -> Result:
        sync_type, mode, _place = self._kind(args)
        if not sync_type:
            return mode, {}
        knobs = self._knobs
        found = {
            2: 0,
            5: knobs.max_sessions_per_source,
            6: knobs.max_sessions_device,
            7: knobs.max_sessions_device,
            8: 1,
            9: 2,
        }
        component = args.get("component")
        return (0, {"MaxValue": found[component]}) if component in found else (INVALID_PARAMETER, {})

    def _features(self, _path: Path, args: Args) -> Result:
        sync_type, mode, _place = self._kind(args)
        features = {MIRROR: [16], SNAPSHOT: [8, 51], CLONE: [18]}
        return (0, {"Features": features[sync_type]}) if sync_type else (mode, {})

    def _to_kind(self, _path: Path, args: Args) -> Result:
        wanted = (args.get("synctype"), args.get("mode"), args.get("localorremote") or 2)
        for number, kind in KINDS.items():
            if kind == wanted:
                return 0, {"SupportedReplicationTypes": number}
        return INVALID_PARAMETER, {}

    def _from_kind(self, _path: Path, args: Args) -> Result:
        sync_type, mode, place = KINDS.get(args.get("replicationtype") or NO_NUMBER, (0, 0, 0))
        if not sync_type:
            return INVALID_PARAMETER, {}
        return 0, {"SyncType": sync_type, "Mode": mode, "LocalOrRemote": place}

    def offer(self, methods: Methods) -> None:
        """Offers the methods."""
        for name, answer in (
            ("GetSupportedOperations", self._supported_operations),
            ("GetSupportedListOperations", self._list_operations),
            ("GetSupportedListFeatures", self._list_features),
            ("GetSupportedCopyStates", self._copy_states),
            ("GetSupportedWaitForCopyStates", self._wait_states),
            ("GetSupportedMaximum", self._maximum),
            ("GetSupportedFeatures", self._features),
            ("ConvertSyncTypeToReplicationType", self._to_kind),
            ("ConvertReplicationTypeToSyncType", self._from_kind),
        ):
            methods.add(CAPABILITIES, name, answer)
