# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every event's result as one JSON line to WHOLE_RESULTS: what a job's database keeps (Tower, AWX)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: whole
type: notification
short_description: Every result as JSON
description: [Every result as JSON.]
"""


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "whole"

    def _write(self, event: str, result: Any) -> None:
        whole = getattr(result, "result", None) or result._result
        with Path(os.environ["WHOLE_RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "result": whole}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep a result."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep a result."""
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep a result."""
        self._write("unreachable", result)

    def v2_runner_on_async_ok(self, result: Any) -> None:
        """Keep a result."""
        self._write("async_ok", result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Keep an item's result."""
        self._write("item_ok", result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Keep an item's result."""
        self._write("item_failed", result)
