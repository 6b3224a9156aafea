# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cycle asks its driver for, one thing after the other, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union


@dataclass(frozen=True)
class Ask:
    """Run a module. ``calm``: without a fault. ``tvs``: what it works on."""

    module: str
    args: Mapping[str, Any]
    tvs: tuple[str, ...]
    calm: bool = False


@dataclass(frozen=True)
class Pause:
    """Let so many seconds pass, as Tower does before a relaunch."""

    seconds: float


@dataclass(frozen=True)
class Write:
    """Let hosts write to volumes."""

    tvs: tuple[str, ...]


Step = Union[Ask, Pause, Write]


@dataclass(frozen=True)
class Done:
    """What became of a module's process. ``disturbed``: a fault struck it, or may have."""

    killed: bool = False
    disturbed: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether it ended well."""
        return not self.killed and not self.result.get("failed", True)

    @property
    def error_class(self) -> str:
        """Return the class of its refusal or failure; ``none`` where it has none, which is never right."""
        return "" if self.ok or self.killed else str(self.result.get("error_class") or "none")

    @property
    def why(self) -> str:
        """Return why it failed."""
        return str(self.result.get("msg") or self.text)[:600]
