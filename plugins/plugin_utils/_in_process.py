# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module of this collection without a Python of its own, where Ansible would start the same one on this host.

A module's process spends 0.3 to 0.5 s on Python, its archive and the libraries. Here the parent of Ansible's workers
imports them once, as it loads the action plugin; a worker forks, and the child runs the module's own ``main()``, so
that options, secrets, check mode and results are the module's. Wherever anything is not plain (another host, become,
async, an environment, another interpreter), the module runs as ever. ``eternus_in_process: false``, a variable, or
``ETERNUS_IN_PROCESS=0`` in the environment of ansible-playbook switches it off.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Optional

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as core_version
from ansible.utils.display import Display

from ansible_collections.eternus.backup.plugins.plugin_utils._fork import Ended, Unborn, run_in_fork
from ansible_collections.eternus.backup.plugins.plugin_utils._module_json import read_result, written

VARIABLE, ENVIRONMENT = "eternus_in_process", "ETERNUS_IN_PROCESS"
#: What is imported in the parent: what nearly every run of a module imports, whatever its options.
CATALOG = ("sqlalchemy.dialects.sqlite",)
ARRAY = ("pywbem",)

#: What only newer versions of ansible-core tell a module: from 2.17 on, from 2.21 on.
_SETTINGS = {"_ansible_target_log_info": "TARGET_LOG_INFO", "_ansible_inject_invocation": "INJECT_INVOCATION"}
#: What a library that is there but broken may raise as it is imported. The module then says what is wrong.
_BROKEN = (ImportError, AttributeError, OSError, SyntaxError, TypeError, ValueError)

display = Display()


def switched_on(value: Any) -> bool:
    """Tell whether a switch is on; what is no truth value is off."""
    return boolean(value, strict=False) is True


class InProcessAction(ActionBase):
    """An action plugin that runs the module of its name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True
    #: The module's full name, and the libraries that are imported for it beforehand.
    module: ClassVar[str] = ""
    libraries: ClassVar[tuple[str, ...]] = CATALOG

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Import what the module needs: the strategy loads the class in the parent of all workers."""
        super().__init_subclass__(**kwargs)
        if cls.module and switched_on(os.environ.get(ENVIRONMENT, "1")):
            _import(_python_name(cls.module), *cls.libraries)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Run the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self.run_module(self.module, task_vars or {}))
        return result

    def run_module(
        self, name: str, task_vars: dict[str, Any], args: Optional[Mapping[str, Any]] = None
    ) -> dict[str, Any]:
        """Run a module of this collection by the way that fits; return its result.

        :param name: its full name. ``args``: its options, the task's own if there are none.
        """
        given = dict(self._task.args if args is None else args)
        if self._stays_here(task_vars) and _import(_python_name(name)):
            here = self._run_here(name, given, task_vars)
            if here is not None:
                return here
        background = bool(self._task.async_val) and not self._connection.has_native_async
        result: dict[str, Any] = self._execute_module(
            module_name=name, module_args=given, task_vars=task_vars, wrap_async=background
        )
        return result

    def _stays_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Tell whether Ansible would run the module by this very Python, on this host, as this user, as it is."""
        task, connection = self._task, self._connection
        if connection.transport != "local" or connection.become or self._play_context.become:
            return False
        if task.async_val or any(task.environment or ()) or constants.DEFAULT_KEEP_REMOTE_FILES:
            return False
        wanted = (os.environ.get(ENVIRONMENT, "1"), self._templar.template(task_vars.get(VARIABLE, True)))
        return all(switched_on(one) for one in wanted) and self._same_python(task_vars)

    def _same_python(self, task_vars: Mapping[str, Any]) -> bool:
        """Tell whether the host's interpreter is this one. Where none is set, Ansible may discover another one."""
        own: Optional[Mapping[str, Any]] = task_vars
        if self._task.delegate_to:
            own = (task_vars.get("ansible_delegated_vars") or {}).get(self._task.delegate_to)
        if own is None:
            return False
        wanted = self._templar.template(constants.config.get_config_value("INTERPRETER_PYTHON", variables=own))
        if not isinstance(wanted, str) or not Path(wanted).is_absolute():
            return False
        # A virtual environment is told by the directory in which its link lies, not by what the link leads to.
        here, there = Path(sys.executable), Path(wanted.strip())
        return here.parent.resolve() == there.parent.resolve() and here.resolve() == there.resolve()

    def _run_here(self, name: str, args: dict[str, Any], task_vars: Mapping[str, Any]) -> Optional[dict[str, Any]]:
        """Run it in a child of this worker; None where that cannot even begin."""
        module = sys.modules[_python_name(name)]

        def work(notes: list[dict[str, Any]]) -> None:
            _tell_warnings(notes)
            module.main()

        display.vvv(f"{name}: in a fork of this process, without a Python of its own ({VARIABLE})")
        given = written({"ANSIBLE_MODULE_ARGS": {**args, **self._about(name, task_vars)}})
        directory = os.fsdecode(self._loader.get_basedir())
        try:
            ended = run_in_fork(work, given=given, directory=directory, program=str(module.__file__))
        except Unborn as error:
            display.vvv(f"{name}: no fork, {error}")
            return None
        return read_result(name, ended, _said(ended))

    def _about(self, name: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Ansible tells every module about its run."""
        settings = constants.config.get_config_value
        silent = settings("DEFAULT_NO_TARGET_SYSLOG", variables=task_vars)
        known = {key: name for key, name in _SETTINGS.items() if hasattr(constants, name)}
        return {
            **{key: settings(name, variables=task_vars) for key, name in known.items()},
            "_ansible_check_mode": bool(self._task.check_mode),
            "_ansible_diff": bool(self._task.diff),
            "_ansible_no_log": bool(self._task.no_log or silent),
            "_ansible_debug": constants.DEFAULT_DEBUG,
            "_ansible_verbosity": display.verbosity,
            "_ansible_version": core_version,
            "_ansible_module_name": name,
            "_ansible_syslog_facility": task_vars.get("ansible_syslog_facility", constants.DEFAULT_SYSLOG_FACILITY),
            "_ansible_selinux_special_fs": constants.DEFAULT_SELINUX_SPECIAL_FS,
            "_ansible_socket": None,
            "_ansible_shell_executable": self._play_context.executable,
            "_ansible_keep_remote_files": False,
            "_ansible_tmpdir": None,
            "_ansible_remote_tmp": self.get_shell_option("remote_tmp", default="~/.ansible/tmp"),
        }


def _python_name(module: str) -> str:
    """Return by which name Python imports a module of a collection."""
    namespace, collection, name = module.split(".")
    return f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}"


def _import(*names: str) -> bool:
    """Import; tell whether all were there and whole."""
    for name in names:
        try:
            importlib.import_module(name)
        except _BROKEN as error:
            display.vvv(f"{name}: {type(error).__name__}")
            return False
    return True


def _tell_warnings(notes: list[dict[str, Any]]) -> None:
    """Let what a module warns of reach its result.

    From ansible-core 2.19 on, a module's warnings go to Display where code of the controller is imported, and the
    Display of this child is nobody's.
    """

    def warning(msg: str, *_args: Any, **_more: Any) -> None:
        notes.append({"warnings": str(msg)})

    def deprecated(msg: str, version: Any = None, *_args: Any, date: Any = None, **_more: Any) -> None:
        told = {"msg": str(msg), "version": version and str(version), "date": date and str(date)}
        notes.append({"deprecations": {key: value for key, value in told.items() if value}})

    display.warning, display.deprecated = warning, deprecated


def _said(ended: Ended) -> dict[str, list[Any]]:
    said: dict[str, list[Any]] = {}
    for note in ended.notes:
        for kind, value in note.items():
            if value not in said.setdefault(kind, []):
                said[kind].append(value)
    return said
