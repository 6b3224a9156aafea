# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the options of the modules that move bytes to the tape server's hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import TapeDesk
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
from ansible_collections.eternus.backup.plugins.module_utils._tape_options import tape_library


def desk_of(params: Mapping[str, Any]) -> TapeDesk:
    """Return the tape server's hands; ``invalid_option`` for a negative rate."""
    if params["rate_limit"] < 0:
        raise invalid("rate_limit", params["rate_limit"], "Give bytes per second, 0 for no limit.")
    return TapeDesk(tape_library(params), params["device_dir"], StreamOptions(rate=params["rate_limit"]))
