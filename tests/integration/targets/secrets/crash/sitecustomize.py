# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read by each Python below it: a bug in the middle of a request, which no one expects."""

from __future__ import annotations

import os
from typing import Any

if os.environ.get("CRASH_IN_A_REQUEST"):
    import pywbem

    def _crash(connection: Any, *words: Any, **options: Any) -> None:
        raise RuntimeError(f"a bug, near {connection.url}")

    pywbem.WBEMConnection.EnumerateInstances = _crash
