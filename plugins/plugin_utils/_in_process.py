# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions whose module runs in a fork of Ansible's worker where that is the same host and the same Python.

To start Python, unpack a module and import its libraries takes ten times as long as most tasks have to do. A fork
of a process that has imported them does the same work, by the module's own code, from its options to its result.
Whenever anything but the plain case is asked for, the module runs as any other.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.json import AnsibleJSONEncoder
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.eternus.backup.plugins.plugin_utils._forked import Ended, run_forked
from ansible_collections.eternus.backup.plugins.plugin_utils._prepared import entry

display = Display()


class InProcessAction(ActionBase):
    """An action plugin that does what its module does, without a module's start where that can be spared."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Run the module of this action's name."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        background = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(task_vars=task_vars or {}, wrap_async=background))
        return result

    def _execute_module(
        self,
        module_name: Optional[str] = None,
        module_args: Optional[dict[str, Any]] = None,
        tmp: Optional[str] = None,
        task_vars: Optional[dict[str, Any]] = None,
        wrap_async: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        """Run a module, in a fork where that does the same."""
        name, values = module_name or self._task.action, task_vars or {}
        main = entry(name)
        if main is not None and not wrap_async and self._plain(values):
            given = self._given(name, self._task.args if module_args is None else module_args, values)
            if given is not None:
                display.vvv(f"{name} runs in a fork of this worker")
                return _result(name, run_forked(main, given, self._connection.cwd))
        result: dict[str, Any] = super()._execute_module(
            module_name=module_name,
            module_args=module_args,
            tmp=tmp,
            task_vars=task_vars,
            wrap_async=wrap_async,
            **more,
        )
        return result

    def _plain(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a module would be started on this host, by this user, with this Python and environment."""
        task, connection = self._task, self._connection
        if connection.transport != "local" or connection.become or self._play_context.become:
            return False
        if task.async_val or any(task.environment or ()) or constants.DEFAULT_KEEP_REMOTE_FILES:
            return False
        try:
            on = self._templar.template(values.get("eternus_in_process", True))
            return bool(boolean(on, strict=False)) and self._same_python(values)
        except AnsibleError:
            return False  # the module's own start says what is wrong

    def _same_python(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the host's interpreter is set, and is this one. What discovery would find, nobody knows yet."""
        if self._task.delegate_to:
            values = values.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        asked = self._templar.template(constants.config.get_config_value("INTERPRETER_PYTHON", variables=values))
        if not isinstance(asked, str) or not asked.startswith("/"):
            return False
        # The file alone is not enough: an environment's python is a link to one that has other libraries.
        theirs, mine = Path(asked), Path(sys.executable)
        return theirs.parent.resolve() == mine.parent.resolve() and theirs.resolve() == mine.resolve()

    def _given(self, name: str, args: Mapping[str, Any], values: Mapping[str, Any]) -> Optional[bytes]:
        """Return a module's standard input; None for what does not go into JSON as Ansible would send it."""
        given = dict(args)
        self._update_module_args(name, given, values)
        try:
            return json.dumps({"ANSIBLE_MODULE_ARGS": given}, cls=AnsibleJSONEncoder, vault_to_text=True).encode()
        except (TypeError, ValueError):
            return None


def _result(name: str, ended: Ended) -> dict[str, Any]:
    """Return a module's result, or that it died without one."""
    for line in reversed(ended.out.splitlines()):
        if line.startswith("{"):
            try:
                result: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            return {key: value for key, value in result.items() if not key.startswith("_ansible_")}
    return _died(name, ended)


def _died(name: str, ended: Ended) -> dict[str, Any]:
    how, code = "ended without a result", ended.code
    if code < 0:
        how, code = f"was ended by {signal.Signals(-code).name}", 128 - code
    result: dict[str, Any] = {
        "failed": True,
        "msg": f"MODULE FAILURE: {name} {how}\nSee stdout/stderr for the exact error",
        "module_stdout": ended.out,
        "module_stderr": ended.err,
        "rc": code,
    }
    if ended.err.startswith("Traceback"):
        result["exception"] = ended.err
    return result
