# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module that moves bytes in the background, and show meanwhile how far it is.

The module runs as with ``async``: whoever kills ansible-playbook leaves it running, and it ends by itself. How far it
is is read from the catalog by eternus_backup_info, on the same host, without asking array or library. What the task
returns is what the module returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, Optional

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display

from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock
from ansible_collections.eternus.backup.plugins.plugin_utils._in_process import InProcessAction
from ansible_collections.eternus.backup.plugins.plugin_utils._moved import Moved, Track
from ansible_collections.eternus.backup.plugins.plugin_utils._progress_view import view_of

#: Seconds after which ansible-core ends what runs in the background: longer than any library is busy with one task.
MONTH = 30 * 86400
#: Seconds between two looks: short at first, so that a task with nothing to do is over at once.
FIRST_LOOK, LAST_LOOK = 0.3, 5.0
#: What async_status adds to a module's result.
WRAPPING = ("started", "finished", "ansible_job_id", "results_file", "stdout", "stdout_lines", "stderr", "stderr_lines")

display = Display()


class FollowedAction(InProcessAction):
    """An action plugin for a module with the option ``progress``."""

    #: What is shown while there are no figures, and what the module returns by a name that async uses.
    doing = ""
    own: ClassVar[Mapping[str, Any]] = {}
    clock: ClassVar[Clock] = SystemClock()

    def asked(self) -> dict[str, Any]:
        """Return what is asked of eternus_backup_info."""
        raise NotImplementedError

    def moved(self, shown: Mapping[str, Any]) -> tuple[Moved, ...]:
        """Return how far it is, from what eternus_backup_info shows."""
        raise NotImplementedError

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Run the module; with ``progress``, show how far it is."""
        if not self._follows():
            return super().run(tmp, task_vars)
        return self._followed(task_vars or {})

    def _follows(self) -> bool:
        task = self._task
        wanted = boolean(task.args.get("progress", False), strict=False)
        hidden = task.no_log or task.check_mode or task.async_val or self._connection.has_native_async
        return bool(wanted and not hidden)

    def _followed(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        job = self._start(task_vars)
        if "ansible_job_id" not in job:
            return job  # it did not even start, and says why
        # What ~ means may differ between the module's environment and this action.
        self._connection._shell.set_option("async_dir", str(PurePosixPath(job["results_file"]).parent))
        track = Track()
        hosts = len(task_vars.get("ansible_play_hosts", ()))
        host = task_vars.get("inventory_hostname", "")
        view = view_of(display.display, f"{host} {self.doing}".strip(), display.columns, hosts)
        begin, pause = self.clock.monotonic(), FIRST_LOOK
        try:
            while True:
                self.clock.sleep(pause)
                result = self._status(job["ansible_job_id"], task_vars)
                if result.get("finished"):
                    break
                elapsed = self.clock.monotonic() - begin
                if elapsed > 1:
                    view.show(track.moving(self._look(task_vars), elapsed), track, elapsed)
                pause = min(pause * 1.5, LAST_LOOK)
        finally:
            view.close()
        self._status(job["ansible_job_id"], task_vars, mode="cleanup")
        return self._unwrapped(result)

    def _start(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Start the module in the background; the task itself stays one that is waited for."""
        self._task.async_val = MONTH
        try:
            started: dict[str, Any] = self._execute_module(
                module_name=self.module, task_vars=task_vars, wrap_async=True
            )
            return started
        finally:
            self._task.async_val = 0

    def _status(self, job: str, task_vars: dict[str, Any], mode: str = "status") -> dict[str, Any]:
        """Ask async_status, as a task of its own would."""
        task = self._task.copy()
        task.args = {"jid": job, "mode": mode}
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.async_status",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        try:
            status: dict[str, Any] = action.run(task_vars=task_vars)
            return status
        finally:
            action.cleanup()

    def _look(self, task_vars: dict[str, Any]) -> tuple[Moved, ...]:
        """Return how far it is; nothing where the catalog does not tell: the module itself says what is wrong."""
        args = {"host": "", "username": "", "password": "", **self.asked()}
        if "catalog_url" in self._task.args:
            args["catalog_url"] = self._task.args["catalog_url"]
        shown = self.run_module("eternus.backup.eternus_backup_info", task_vars, args)
        if shown.get("failed"):
            display.vvv(f"no progress: {shown.get('error_class', '')}")
            return ()
        return self.moved(shown)

    def _unwrapped(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return the module's own result. What died without one keeps what it wrote to stderr."""
        died = bool(result.get("failed")) and "error_class" not in result
        kept = {"stderr", "stderr_lines"} if died else set()
        own = {name: value for name, value in result.items() if name not in WRAPPING or name in kept}
        return own if result.get("failed") else {**own, **self.own}
