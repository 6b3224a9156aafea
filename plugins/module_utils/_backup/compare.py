# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The checksum of a volume, read whole past the page cache."""

from __future__ import annotations

import hashlib
from typing import Callable

from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import Pace, StreamOptions, read_ahead


def digest_of(device: Device, options: StreamOptions, progress: Callable[[], None]) -> str:
    """Return the sha256 of a volume as hexadecimal digits; ``progress`` is called after each buffer."""
    position = 0

    def fill(into: memoryview) -> int:
        nonlocal position
        wanted = min(len(into), device.size - position)
        length = device.read_at(into[:wanted], position) if wanted else 0
        position += length
        return length

    sha256, pace = hashlib.sha256(), Pace(options)
    with read_ahead(fill, options) as buffers:
        for buffer in buffers:
            sha256.update(buffer.data)
            pace.add(buffer.length)
            buffer.release()
            progress()
    return sha256.hexdigest()
