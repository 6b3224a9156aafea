# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the entry of a module needs, once: errors, result, diff. Imports no adapter: Ansible ships what is imported."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._options import (
    ArrayOptions,
    array_args,
    array_options,
    catalog_args,
    catalog_url,
    every_array,
    idle_args,
    invalid,
    not_empty,
    wait_args,
    wait_options,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

__all__ = [
    "ArrayOptions",
    "Result",
    "array_args",
    "array_options",
    "catalog_args",
    "catalog_url",
    "every_array",
    "idle_args",
    "invalid",
    "not_empty",
    "run",
    "wait_args",
    "wait_options",
]

#: Libraries that a module needs on the host where it runs, by the name that one imports.
_LIBRARIES = {"pywbem": "pywbem", "sqlalchemy": "SQLAlchemy", "jmespath": "jmespath", "psycopg": "psycopg"}


def run(module: AnsibleModule, work: Callable[[], Result]) -> None:
    """Do a module's work and end the module with its result.

    A :class:`BackupError` becomes a failed result with ``msg`` (one sentence) and ``error_class``, ``error``,
    ``unchanged``, ``next_step`` and ``details``; a library that is not there, Ansible's own sentence about it.
    Anything else is a bug and stays one.
    """
    try:
        result = work()
    except BackupError as error:
        module.fail_json(msg=error.sentence(), **error.as_result())
    except ImportError as error:
        library = _LIBRARIES.get((error.name or "").partition(".")[0])
        if library is None:
            raise
        module.fail_json(msg=missing_required_lib(library), exception=traceback.format_exc())
    else:
        for warning in result.warnings:
            # In a fork of Ansible's worker a warning is told as it is, not as a part of the result.
            module.warn(remove_values(warning, module.no_log_values))
        shown = _diff(result) if module._diff else {}
        module.exit_json(changed=result.changed, **shown, **result.values)


def _diff(result: Result) -> dict[str, Any]:
    if result.before is None and result.after is None:
        return {}
    return {"diff": {"before": _plain(result.before), "after": _plain(result.after)}}


def _plain(state: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    return dict(state or {})
