# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What ``eternus_info`` shows: the chosen parts of an array as plain values, cut by a JMESPath query. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities, Pool, Session, Volume
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._query import chosen, compiled
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

SUBSETS = ("array", "capabilities", "pools", "sessions", "volumes")


def gather(array: WbemArray, subset: Sequence[str], query: Optional[str]) -> Result:
    """Return the chosen parts. The array itself is always among them; names of volumes come with the volumes only.

    :raises BackupError: ``invalid_option`` for an unknown part or a bad expression, before anything is asked.
    """
    wanted = chosen(subset, SUBSETS)
    search = compiled(query, "volumes[].name")
    names: dict[str, str] = {}
    parts: dict[str, Any] = {}
    if "volumes" in wanted:
        volumes = array.volumes()
        names = {str(volume.ref): volume.name for volume in volumes}
        parts["volumes"] = [volume_facts(volume) for volume in volumes]
    if "sessions" in wanted:
        parts["sessions"] = [session_facts(session, names) for session in array.sessions()]
    if "capabilities" in wanted:
        parts["capabilities"] = capability_facts(array.capabilities())
    if "pools" in wanted:
        parts["pools"] = [pool_facts(pool) for pool in array.pools()]
    parts["array"] = {"serial": array.serial}
    values: dict[str, Any] = {**parts, "round_trips": array.round_trips}
    if search is not None:
        values["query_result"] = search(parts)
    return Result(changed=False, values=values)


def volume_facts(volume: Volume) -> dict[str, Any]:
    """Return a volume as the modules show it; sizes in bytes."""
    return {
        "name": volume.name,
        "device_id": volume.ref.device_id,
        "array": volume.ref.array,
        "number": volume.number,
        "size": volume.size,
        "blocks": volume.blocks,
        "block_size": volume.block_size,
        "thin": volume.thin,
        "device_name": volume.device_name,
    }


def session_facts(session: Session, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a copy session as the modules show it; times in ISO 8601, UTC."""
    return {
        "source": str(session.source),
        "source_name": names.get(str(session.source)),
        "target": str(session.target),
        "target_name": names.get(str(session.target)),
        "copy_type": session.copy_type.value,
        "state": session.state.value,
        "percent": session.percent,
        "synced_at": _iso(session.synced_at),
        "suspended_at": _iso(session.suspended_at),
        "tracked": session.tracked,
    }


def capability_facts(capabilities: Capabilities) -> dict[str, Any]:
    """Return what the array offers as the modules show it."""
    return {
        "copies": sorted(kind.value for kind in capabilities.copies),
        "create_list": capabilities.create_list,
        "modify_list": capabilities.modify_list,
        "max_sessions_per_source": capabilities.max_sessions_per_source,
    }


def pool_facts(pool: Pool) -> dict[str, Any]:
    """Return a pool as the modules show it; sizes in bytes."""
    return {
        "id": pool.pool_id,
        "name": pool.name,
        "thin": pool.thin,
        "total": pool.total,
        "remaining": pool.remaining,
    }


def _iso(value: Optional[datetime]) -> Optional[str]:
    return None if value is None else value.isoformat()
