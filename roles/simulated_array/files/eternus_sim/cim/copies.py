# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy sessions and the replication service's capabilities as CIM instances; the methods of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from ..core.array import SimArray
from ..core.model import CopyType, Refused, Session, SyncType
from .jobs import Jobs
from .methods import Args, Methods, Result, embedded
from .repository import ETERNUS, Association, Pair, Provider, Repository
from .storage import VOLUME, Storage, is_a
from .values import Item, Path

SESSION = "FUJITSU_StorageSynchronized"
SERVICE = "FUJITSU_ReplicationService"
CAPABILITIES = "FUJITSU_ReplicationServiceCapabilities"
NOT_SUPPORTED = 1
INVALID_PARAMETER = 5
UNKNOWN_VOLUME = 32807
NO_SESSION = 32793
# DesiredCopyMethodology of an embedded CIM_ReplicationSettingData that asks for QuickOPC: incremental, differential.
TRACKED = ("4", "5")
# The older property SyncState, by CopyState.
SYNC_STATE = {2: 2, 3: 15, 4: 6, 5: 12, 6: 13, 7: 13, 9: 14, 18: 6}
CREATE_LIST, MODIFY_LIST = 19, 6

Key = tuple[str, str]


class Copies:
    """Providers and methods of Advanced Copy."""

    def __init__(self, storage: Storage, jobs: Jobs) -> None:
        self._storage = storage
        self._jobs = jobs

    @property
    def _array(self) -> SimArray:
        return self._storage.array

    # Sessions as instances

    def _volume_path(self, device_id: str) -> Path:
        """A volume's path, whichever of the linked arrays it lies on."""
        owner = self._array.domain.owner(device_id)
        if owner is None or owner is self._array:
            return self._storage.volume_path(device_id)
        return self._storage.volume_path(device_id, owner.model)

    def session_path(self, key: Key) -> Path:
        """A session's path: its keys are the volumes' paths."""
        ends = {"SystemElement": self._volume_path(key[0]), "SyncedElement": self._volume_path(key[1])}
        return Path(SESSION, ends, ETERNUS)

    def _pairs(self, source: Optional[Path], target: Optional[Path]) -> Iterator[Pair]:
        wanted_source = _device(source)
        wanted_target = _device(target)
        for session in self._array.sessions():
            if wanted_source in (None, session.source_id) and wanted_target in (None, session.target_id):
                ends = (self._volume_path(session.source_id), self._volume_path(session.target_id))
                yield ends[0], ends[1], session_values(session)

    def _find(self, path: Path) -> Optional[Item]:
        try:
            session = self._array.session(*self._key(path))
        except Refused:
            return None
        return Item(self.session_path(session.key), lambda: session_values(session))

    @staticmethod
    def _key(path: Path) -> Key:
        """The DeviceIDs of a session's path; empty ones where it is none."""
        ends = [path.get("SystemElement"), path.get("SyncedElement")] if is_a(path, SESSION) else [None, None]
        source, target = (end.text("DeviceID").upper() if isinstance(end, Path) else "" for end in ends)
        return source, target

    # Capabilities

    @property
    def _capabilities_path(self) -> Path:
        return Path(CAPABILITIES, {"InstanceID": "FUJITSU:ReplicationServiceCapabilities"}, ETERNUS)

    def _capabilities(self) -> Iterator[Item]:
        knobs = self._array.knobs
        actions = knobs.supported_actions()
        yield Item(
            self._capabilities_path,
            lambda: {
                "ElementName": "Advanced Copy",
                "SupportedReplicationTypes": list(knobs.replication_types),
                "SupportedStorageObjects": [2],
                "SupportedSynchronousActions": [] if knobs.jobs == "always" else actions,
                "SupportedAsynchronousActions": actions if knobs.jobs == "always" else [],
            },
        )

    # Methods of the service

    def _device_id(self, path: Any) -> str:
        if not isinstance(path, Path) or not is_a(path, VOLUME):
            raise Refused(INVALID_PARAMETER, "no volume was given")
        device_id = path.text("DeviceID").upper()
        if self._array.domain.owner(device_id) is None:
            raise Refused(UNKNOWN_VOLUME, f"no volume {device_id}")
        return device_id

    def _wish(self, args: Args) -> dict[str, Any]:
        try:
            sync_type = SyncType(args.get("synctype") or 0)
        except ValueError as error:
            raise Refused(INVALID_PARAMETER, "SyncType is missing or unknown") from error
        setting = embedded(args.get("replicationsettingdata") or "")
        kept = setting.get("desiredcopymethodology") in TRACKED or str(setting.get("syncmaintained")).lower() == "true"
        return {"sync_type": int(sync_type), "mode": args.get("mode") or 2, "sync_maintained": kept}

    def _create_element(self, _service: Path, args: Args) -> Result:
        wish = self._wish(args)
        source = self._device_id(args.get("sourceelement"))
        made = ""
        if args.get("targetelement") is not None:
            target = self._device_id(args["targetelement"])
        else:
            target = made = self.make_target(source, args.get("elementname"), args.get("targetpool"))

        def act() -> list[Session]:
            try:
                return self._array.start_sessions([(source, target)], **wish)
            except Refused:
                if made:
                    self._array.delete_volume(made)
                raise

        outs = {"Synchronization": self.session_path((source, target))}
        if made:
            outs["TargetElement"] = self._storage.volume_path(made)
        return self._jobs.run("CreateElementReplica", SERVICE, act, outs, [source, target])

    def make_target(self, source: str, name: Optional[str], pool_path: Any) -> str:
        """A new volume of the source's size, for a snapshot that brings none."""
        pool = self._storage.pool_of(pool_path)
        volume = self._array.volumes.get(source)
        if pool is None or not name or volume is None:
            raise Refused(INVALID_PARAMETER, "a target, or a name and a pool for a new one, must be given")
        return self._array.create_volume(name, volume.size, pool.pool_id).device_id

    def _create_list(self, _service: Path, args: Args) -> Result:
        if CREATE_LIST not in self._array.knobs.supported_actions():
            return NOT_SUPPORTED, {}
        wish = self._wish(args)
        sources = [self._device_id(path) for path in args.get("sourceelements") or []]
        targets = [self._device_id(path) for path in args.get("targetelements") or []]
        if not sources or len(sources) != len(targets):
            return INVALID_PARAMETER, {}
        pairs = list(zip(sources, targets))
        outs = {"Synchronizations": [self.session_path(pair) for pair in pairs]}
        return self._jobs.run(
            "CreateListReplica", SERVICE, lambda: self._array.start_sessions(pairs, **wish), outs, sources + targets
        )

    def _modify(self, _service: Path, args: Args) -> Result:
        path = args.get("synchronization")
        return self._operate("ModifyReplicaSynchronization", [path], args)

    def _modify_list(self, _service: Path, args: Args) -> Result:
        if MODIFY_LIST not in self._array.knobs.supported_actions():
            return NOT_SUPPORTED, {}
        return self._operate("ModifyListSynchronization", args.get("synchronization") or [], args)

    def _operate(self, method: str, paths: list[Any], args: Args) -> Result:
        operation = args.get("operation")
        if operation is None or not paths or not all(isinstance(path, Path) for path in paths):
            return INVALID_PARAMETER, {}
        pairs = [self._key(path) for path in paths]
        if any(not device_id for pair in pairs for device_id in pair):
            return INVALID_PARAMETER, {}
        force = bool(args.get("force"))
        outs: dict[str, Any] = {}
        if operation == 20:
            turned = [self.session_path((target, source)) for source, target in pairs]
            outs = {"UpdatedSynchronization": turned[0], "UpdatedSynchronizations": turned}
        devices = [device_id for pair in pairs for device_id in pair]
        return self._jobs.run(method, SERVICE, lambda: self._array.operate(pairs, operation, force), outs, devices)

    def register(self, repository: Repository) -> None:
        """Adds the providers."""
        sessions = Association(SESSION, ("SystemElement", "SyncedElement"), self._pairs, find=self._find)
        repository.add(sessions)
        repository.add(Provider(CAPABILITIES, self._capabilities))
        service = self._storage.named_path(SERVICE)
        repository.add(
            Association(
                "FUJITSU_ElementCapabilities",
                ("ManagedElement", "Capabilities"),
                (self._storage.fixed(lambda: [(service, self._capabilities_path, {})])),
            )
        )

    def offer(self, methods: Methods) -> None:
        """Offers the service's methods; those of the capabilities are in capabilities.py."""
        methods.add(SERVICE, "CreateElementReplica", self._create_element)
        methods.add(SERVICE, "CreateListReplica", self._create_list)
        methods.add(SERVICE, "ModifyReplicaSynchronization", self._modify)
        methods.add(SERVICE, "ModifyListSynchronization", self._modify_list)


def _device(path: Optional[Path]) -> Optional[str]:
    """The DeviceID that a path asks for: None for no path, an impossible one for a path that is no volume's."""
    if path is None:
        return None
    return path.text("DeviceID").upper() if is_a(path, VOLUME) else ""


def session_values(session: Session) -> dict[str, Any]:
    """A session's properties."""
    incremental = session.sync_maintained and session.copy_type == CopyType.OPC
    return {
        "CopyType": int(session.copy_type),
        "SyncType": int(session.sync_type),
        "Mode": int(session.mode),
        "CopyState": int(session.copy_state),
        "RequestedCopyState": int(session.copy_state),
        "ProgressStatus": int(session.progress_status),
        "PercentSynced": session.percent,
        "SyncState": SYNC_STATE.get(int(session.copy_state), 0),
        "SyncMaintained": session.sync_maintained,
        "ReplicaType": 3 if session.copy_type == CopyType.SNAP else 2,
        "CopyMethodology": 6 if session.copy_type == CopyType.SNAP else 4 if incremental else 3,
        "WhenEstablished": session.when_started,
        "WhenSynced": session.when_synced,
        "WhenSynchronized": session.when_synced,
        "WhenSuspended": session.when_suspended,
    }
