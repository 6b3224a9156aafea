# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into a module and what comes out of it, as Ansible itself writes and reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ansible.module_utils.common import json as core_json

from ansible_collections.eternus.backup.plugins.plugin_utils._fork import Ended


def written(arguments: Mapping[str, Any]) -> bytes:
    """Return a module's arguments as it reads them: plain texts, no secret of a vault left encrypted."""
    if hasattr(core_json, "get_module_encoder"):  # ansible-core 2.19
        encoder = core_json.get_module_encoder("legacy", core_json.Direction.CONTROLLER_TO_MODULE)
        return json.dumps(arguments, cls=encoder).encode()
    return json.dumps(arguments, cls=core_json.AnsibleJSONEncoder, vault_to_text=True).encode()


def read_result(name: str, ended: Ended, said: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the result that a module has printed; a failure where it printed none.

    :param name: the module's full name. ``said``: lists that its result gets more of.
    """
    result = _parsed(ended.out)
    if result is None:
        return _died(name, ended)
    result = {key: value for key, value in result.items() if not key.startswith("_ansible_")}
    _summarize(result)
    for kind, values in said.items():
        result[kind] = [*result.get(kind, []), *values]
    return result


def _parsed(text: str) -> Optional[dict[str, Any]]:
    """Return the last JSON object that stands in lines of its own; what libraries print around it is no result."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line, cls=_decoder())
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return None


def _summarize(result: dict[str, Any]) -> None:
    """Give a failure the summary of an error that ansible-core 2.19 gives it; ``failed_when`` keeps it by another name.

    It is read as a module would write it: making one has no public name.
    """
    if result.get("failed") and "exception" not in result and _decoder() is not None:
        event = {"__ansible_type": "Event", "msg": str(result.get("msg", "Unknown error."))}
        try:
            summary = json.loads(json.dumps({"__ansible_type": "ErrorSummary", "event": event}), cls=_decoder())
        except (TypeError, ValueError):
            return  # a later ansible-core writes it otherwise, and makes one by itself where it needs it
        result["exception"] = summary


def _decoder() -> Any:
    if hasattr(core_json, "get_module_decoder"):
        return core_json.get_module_decoder("legacy", core_json.Direction.MODULE_TO_CONTROLLER)
    return None


def _died(name: str, ended: Ended) -> dict[str, Any]:
    signal = ended.code - 128
    how = f"was ended by signal {signal}" if signal > 0 else f"ended with {ended.code} and without a result"
    return {
        "failed": True,
        "msg": f"MODULE FAILURE: {name} {how}. See module_stdout/module_stderr for what it said.",
        "module_stdout": ended.out,
        "module_stderr": ended.err,
        "rc": ended.code,
    }
