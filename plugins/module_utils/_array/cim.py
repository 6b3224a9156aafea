# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The words of CIM that the array speaks (array.md): kinds of copies, operations, states. No I/O, no pywbem."""

from __future__ import annotations

from enum import IntEnum

NAMESPACE = "root/eternus"

VOLUME_CLASS = "FUJITSU_StorageVolume"
SYSTEM_CLASS = "FUJITSU_StorageComputerSystem"
SESSION_CLASS = "FUJITSU_StorageSynchronized"
SERVICE_CLASS = "FUJITSU_ReplicationService"
PRODUCT_CLASS = "FUJITSU_StorageProduct"
POOL_CLASSES = ("FUJITSU_ThinProvisioningPool", "FUJITSU_RAIDStoragePool")
CAPABILITIES_ASSOCIATION = "CIM_ElementCapabilities"
CAPABILITIES_CLASS = "CIM_ReplicationServiceCapabilities"

#: GetSupportedMaximum, Component: the number of target elements per source element (DMTF 2.49).
TARGETS_PER_SOURCE = 5

#: CIM_ReplicationSettingData.DesiredCopyMethodology (DMTF 2.49): only what changed is copied again; asks for QuickOPC.
INCREMENTAL_COPY = 4


class SyncType(IntEnum):
    """What a method is asked to make."""

    MIRROR = 6
    SNAPSHOT = 7
    CLONE = 8


class Mode(IntEnum):
    """When a write is acknowledged."""

    SYNCHRONOUS = 2
    ASYNCHRONOUS = 3


class ReplicationType(IntEnum):
    """A kind of copy in SupportedReplicationTypes."""

    MIRROR_LOCAL_SYNC = 2
    MIRROR_REMOTE_SYNC = 4
    MIRROR_REMOTE_ASYNC = 5
    SNAPSHOT_LOCAL_SYNC = 6
    SNAPSHOT_LOCAL_ASYNC = 7
    CLONE_LOCAL_SYNC = 10
    CLONE_LOCAL_ASYNC = 11
    CLONE_REMOTE_SYNC = 12
    CLONE_REMOTE_ASYNC = 13


class Action(IntEnum):
    """A method in SupportedSynchronousActions and SupportedAsynchronousActions."""

    CREATE_ELEMENT = 2
    CREATE_GROUP = 3
    MODIFY_ELEMENT = 5
    MODIFY_LIST = 6
    CREATE_LIST = 19


class Operation(IntEnum):
    """What is done with a session."""

    ABORT = 2
    DETACH = 8
    FRACTURE = 12
    RESYNC = 14
    RESTORE = 15
    RESUME = 16
    RETURN_TO_POOL = 19
    REVERSE_ROLES = 20
    SPLIT = 21
    SUSPEND = 22


class CopyState(IntEnum):
    """Where a session stands."""

    INITIALIZED = 2
    UNSYNCHRONIZED = 3
    SYNCHRONIZED = 4
    BROKEN = 5
    FRACTURED = 6
    SPLIT = 7
    INACTIVE = 8
    SUSPENDED = 9
    ABORTED = 12
    SKEWED = 13
    NOT_APPLICABLE = 15
    PARTITIONED = 16
    INVALID = 17
    RESTORED = 18


class Progress(IntEnum):
    """What a session is doing (ProgressStatus)."""

    COMPLETED = 2
    DORMANT = 3
    SYNCHRONIZING = 6
    RESYNCING = 7
    RESTORING = 8
    FRACTURING = 9
    DETACHING = 21


class SessionType(IntEnum):
    """CopyType of a session."""

    EC_OR_REC = 3
    SNAP_OPC = 4
    OPC = 5


class JobState(IntEnum):
    """Where a job stands."""

    NEW = 2
    STARTING = 3
    RUNNING = 4
    COMPLETED = 7
    TERMINATED = 8
    KILLED = 9
    EXCEPTION = 10
