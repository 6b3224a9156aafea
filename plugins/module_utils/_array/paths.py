# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Object paths: kept as WBEM URIs, made from keys, compared by keys (array.md, Connection)."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.cim import (
    NAMESPACE,
    SESSION_CLASS,
    SYSTEM_CLASS,
    VOLUME_CLASS,
)
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume
from ansible_collections.eternus.backup.plugins.module_utils._array.values import key


def to_uri(path: Any) -> str:
    """Return a path as a WBEM URI without host: paths from associations bear one, others do not."""
    if path.host is not None:
        path = path.copy()
        path.host = None
    return str(path.to_wbem_uri(format="standard"))


def from_uri(uri: str) -> Optional[Any]:
    """Return the path that a WBEM URI stands for; None when it is none."""
    import pywbem

    try:
        path = pywbem.CIMInstanceName.from_wbem_uri(uri)
    except ValueError:
        return None
    path.namespace = path.namespace or NAMESPACE
    return path


def device_id(path: Any) -> str:
    """Return the DeviceID that a volume's path bears, in upper case."""
    return key(path, "DeviceID").upper()


def system_name(path: Any) -> str:
    """Return the name of the array that a volume's or service's path bears."""
    return str(path.keybindings.get("SystemName", ""))


def volume_path(system: str, device: str) -> Any:
    """Return the path of a volume by its keys."""
    import pywbem

    keys = {
        "SystemCreationClassName": SYSTEM_CLASS,
        "SystemName": system,
        "CreationClassName": VOLUME_CLASS,
        "DeviceID": device.upper(),
    }
    return pywbem.CIMInstanceName(VOLUME_CLASS, keys, namespace=NAMESPACE)


def path_of(volume: Volume, system: str) -> Any:
    """Return a volume's path: the one that was kept with it, else one made from its keys."""
    kept = from_uri(volume.path) if volume.path else None
    return kept if kept is not None else volume_path(system, volume.ref.device_id)


def session_path(source: Any, target: Any) -> Any:
    """Return the path of the session between two volumes."""
    import pywbem

    keys = {"SystemElement": source, "SyncedElement": target}
    return pywbem.CIMInstanceName(SESSION_CLASS, keys, namespace=NAMESPACE)
