# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a module's work returns; built once, shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Result:
    """The outcome of a module's work.

    ``before`` and ``after`` come from the plan (check mode) or are read back (after the act).

    :param changed: whether anything was changed, or would be.
    :param values: the keys of the module's result; plain JSON types only.
    :param before: the state that diff mode shows on the left; None for modules that only read.
    :param after: the state that diff mode shows on the right.
    :param warnings: sentences for the user.
    """

    changed: bool
    values: Mapping[str, Any] = field(default_factory=dict)
    before: Optional[Mapping[str, Any]] = None
    after: Optional[Mapping[str, Any]] = None
    warnings: Sequence[str] = ()
