# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What ``eternus_info`` shows: the chosen parts of an array as plain values, cut by a JMESPath query. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Capabilities, Pool, Session, Volume
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

SUBSETS = ("array", "capabilities", "pools", "sessions", "volumes")
ALL = "all"


def gather(array: WbemArray, subset: Sequence[str], query: Optional[str]) -> Result:
    """Return the chosen parts. The array itself is always among them; names of volumes come with the volumes only.

    :raises BackupError: ``invalid_option`` for an unknown part or a bad expression, before anything is asked.
    """
    wanted = chosen(subset)
    search = _compiled(query)
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


def chosen(subset: Sequence[str]) -> frozenset[str]:
    """Return the parts that a list like ``[all, "!volumes"]`` means; only exclusions mean all others."""
    plus = {item for item in subset if not item.startswith("!")}
    minus = {item[1:] for item in subset if item.startswith("!")}
    for item in sorted(plus | minus):
        if item not in (*SUBSETS, ALL):
            raise invalid("gather_subset", item, f"Choose among {ALL}, {', '.join(SUBSETS)}, each with or without '!'.")
    everything = ALL in plus or not plus
    kept = set(SUBSETS) if everything else plus
    return frozenset(set() if ALL in minus else kept - minus)


def _compiled(query: Optional[str]) -> Optional[Callable[[Mapping[str, Any]], Any]]:
    if not query:
        return None
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(query)
    except JMESPathError as error:
        raise _bad_query(query, error) from None

    def search(parts: Mapping[str, Any]) -> Any:
        try:
            return compiled.search(parts)
        except JMESPathError as error:
            raise _bad_query(query, error) from None

    return search


def _bad_query(query: str, error: Exception) -> BackupError:
    first = str(error).splitlines()[0]
    return invalid("query", query, f"Give a JMESPath expression, e.g. volumes[].name ({first}).")


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
