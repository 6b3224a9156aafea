# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The options that the tape modules share, and the library behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import Library
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import ScsiLibrary
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary

DEFAULT_LIBRARY = "/var/lib/eternus-backup/tape"


def library_args() -> dict[str, Any]:
    """Return the argument spec of the tape library."""

    def fallback(name: str) -> tuple[Any, list[str]]:
        return (env_fallback, [name])

    return {
        "library": {"type": "path", "default": DEFAULT_LIBRARY, "fallback": fallback("ETERNUS_TAPE_LIBRARY")},
        "backend": {
            "type": "str",
            "choices": ["dir", "st"],
            "default": "dir",
            "fallback": fallback("ETERNUS_TAPE_BACKEND"),
        },
        "drives": {
            "type": "list",
            "elements": "str",
            "default": [],
            "fallback": fallback("ETERNUS_TAPE_DRIVES"),
        },
    }


def device_args() -> dict[str, Any]:
    """Return the argument spec of what moves bytes: where volumes appear, and bytes per second."""
    device_dir = (env_fallback, ["ETERNUS_DEVICE_DIR"])
    return {
        "device_dir": {"type": "path", "default": "/dev/disk/by-id", "fallback": device_dir},
        "rate_limit": {"type": "int", "default": 0},
    }


def tape_library(params: Mapping[str, Any]) -> Library:
    """Return the library; ``invalid_option`` for what does not fit its backend."""
    drives = [drive for drive in params["drives"] if drive]
    if params["backend"] == "dir":
        if drives:
            raise invalid("drives", drives, "A library in a directory (backend: dir) has no devices; leave it out.")
        return VirtualLibrary(params["library"])
    if not params["library"].startswith("/dev/"):
        raise invalid("library", params["library"], "With backend: st, name the changer's device below /dev.")
    return ScsiLibrary(params["library"], drives)
