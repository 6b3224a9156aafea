# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The options that the tape modules share, and the library behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary

DEFAULT_LIBRARY = "/var/lib/eternus-backup/tape"


def library_args() -> dict[str, Any]:
    """Return the argument spec of the tape library."""
    library = (env_fallback, ["ETERNUS_TAPE_LIBRARY"])
    return {
        "library": {"type": "path", "default": DEFAULT_LIBRARY, "fallback": library},
        "backend": {"type": "str", "choices": ["dir", "st"], "default": "dir"},
    }


def device_args() -> dict[str, Any]:
    """Return the argument spec of what moves bytes: where volumes appear, and bytes per second."""
    device_dir = (env_fallback, ["ETERNUS_DEVICE_DIR"])
    return {
        "device_dir": {"type": "path", "default": "/dev/disk/by-id", "fallback": device_dir},
        "rate_limit": {"type": "int", "default": 0},
    }


def tape_library(params: Mapping[str, Any]) -> VirtualLibrary:
    """Return the library; ``tape_unavailable`` for a backend that this version does not drive yet."""
    if params["backend"] != "dir":
        raise BackupError(
            ErrorClass.TAPE_UNAVAILABLE,
            "This version drives no SCSI tape library yet; backend st is reserved for it.",
            next_step="Use backend: dir.",
            backend=params["backend"],
        )
    return VirtualLibrary(params["library"])
