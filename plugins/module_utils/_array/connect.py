# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From options to an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock


def connect(
    options: ArrayOptions, *, known: Optional[Mapping[str, str]] = None, clock: Optional[Clock] = None
) -> WbemArray:
    """Return the array at the other end; nothing is sent before the first question.

    :param known: what :attr:`WbemArray.known` gave in an earlier run.
    """
    return WbemArray(Connection(options), known=known, clock=clock)
